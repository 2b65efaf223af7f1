package Communicator::Test::Galera;

# The servers of a Galera cluster: MariaDB on loopback, each an engine of its
# own (Communicator::Test::Engine).
#
#   my @members = Communicator::Test::Galera->cluster(3);
#   $members[2]->stop('crash');
#   $members[2]->start;                  # it joins the others again

use strict;
use warnings;
use parent 'Communicator::Test::Engine';
use Communicator::Test qw(free_port program start_process stop_process own
  wait_until is_alive slurp memory_folder at_end);

my $provider = '/usr/lib/galera/libgalera_smm.so';

# What a cluster needs, for need().
sub needs { return ($provider, 'rsync') }

# COUNT servers that have found each other.
sub cluster {
    my ($class, $count) = @_;
    my @members = map { $class->member($_) } 1 .. $count;

    $_->{members} = \@members for @members;
    at_end(sub { $_->stop('crash') for @members });
    for my $member (@members) {
        $member->install->begin($member == $members[0]
            ? '--wsrep-new-cluster' : ())->wait_ready;
    }
    return @members;
}

sub member {
    my ($class, $number) = @_;
    my $self = bless { driver => 'mysql', name => "n$number",
        dir => memory_folder('galera'),
        ports => [map { free_port() } 1 .. 3] }, $class;

    own('mysql', $self->{dir});
    mkdir "$self->{dir}/$_" for qw(data tmp);
    own('mysql', "$self->{dir}/$_") for qw(data tmp);
    return $self;
}

sub install {
    my ($self) = @_;

    $self->must(program('mariadb-install-db'), '--no-defaults',
        $> ? () : ('--user=mysql'), "--datadir=$self->{dir}/data",
        '--auth-root-authentication-method=normal', '--skip-test-db');
    return $self;
}

# Join the other members, or begin a new cluster: as OPTIONS say.
sub begin {
    my ($self, @options) = @_;
    my ($dir, $ports) = @$self{qw(dir ports)};
    my $all = @options ? ''
      : join ',', map { "127.0.0.1:$_->{ports}[0]" } @{ $self->{members} };

    $self->{again} = sub { $self->begin(@options) };
    $self->{pid} = start_process([program('mariadbd', 'mysqld'),
        '--no-defaults', $> ? () : '--user=mysql', "--datadir=$dir/data",
        "--tmpdir=$dir/tmp", "--socket=$dir/my.sock",
        "--pid-file=$dir/my.pid", '--skip-networking',
        qw(--character-set-server=utf8mb4 --binlog-format=ROW
          --innodb-autoinc-lock-mode=2 --innodb-buffer-pool-size=64M
          --innodb-flush-log-at-trx-commit=2 --wsrep-on=ON
          --wsrep-cluster-name=test --wsrep-sst-method=rsync),
        "--wsrep-provider=$provider",
        "--wsrep-cluster-address=gcomm://$all",
        "--wsrep-node-name=$self->{name}",
        "--wsrep-node-address=127.0.0.1:$ports->[0]",
        "--wsrep-provider-options=base_port=$ports->[0];"
          . "ist.recv_addr=127.0.0.1:$ports->[1];gcache.size=32M;"
          . "gcache.dir=$dir;pc.wait_prim_timeout=PT60S",
        "--wsrep-sst-receive-address=127.0.0.1:$ports->[2]",
        "--log-error=$dir/server.err", @options]);
    return $self;
}

sub status {
    my ($self, $name) = @_;
    my $result = $self->client('', ['-N'], "show status like 'wsrep_$name'");

    return $result->{out} =~ /\t(.*)/ ? $1 : '';
}

sub wait_ready {
    my ($self) = @_;

    # It may fail to start for threads that are too slow (4.23).
    for (1 .. 3) {
        wait_until(sub { !is_alive($self->{pid})
              || $self->status('ready') eq 'ON' }, 60);
        return $self if is_alive($self->{pid});
        $self->{again}->();
    }
    die "$self->{name} does not start:\n", slurp("$self->{dir}/server.err");
}

# Join the cluster again.
sub start { return $_[0]->begin->wait_ready }

# As that of Engine. The others go on while they are the majority.
sub stop {
    my ($self, $how) = @_;

    stop_process($self->{pid}, ($how || '') eq 'crash' ? 'KILL' : 'TERM', 30);
}

# Wait until all members are ready, and have applied what any of them has
# committed.
sub catch_up {
    my ($self) = @_;

    $_->wait_ready for @{ $self->{members} };
    return wait_until(sub {
        my %last = map { $_->status('last_committed') => 1 }
          @{ $self->{members} };
        keys %last == 1;
    }, 30);
}

1;
