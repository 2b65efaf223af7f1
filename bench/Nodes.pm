package Nodes;

# The two nodes of the benchmark: a central one and a facade with httpd, each
# with its own database on a server as it is installed, on loopback.

use strict;
use warnings;
use Communicator::Test qw(build_dir start_process client_file
  spew slurp own web_user);
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Meter;

$Communicator::Test::Engine::durable = 1;
$Communicator::Test::keep = 'never';

my $users = 100;
my $columns = <<'SQL';
    id {key}, title varchar(255) not null, body {text}, user_id bigint,
    score numeric(12,2), published {boolean}, created_at {timestamp},
    updated_at {timestamp}
SQL
my $models = <<'CONF';
CommunicatorModel user  table=users
CommunicatorModel post  table=posts  references=user_id:user
CommunicatorModel page  table=pages  references=user_id:user
CONF

sub new {
    my ($class, $driver) = @_;
    my $self = bless { driver => $driver }, $class;

    $self->{facade} = Communicator::Test::Server->new(
        database => Communicator::Test::Database->new($driver,
            name => 'facade-db'), conf => $models);
    $self->{wire} = "$self->{facade}{dir}/wire.log";
    spew($self->{wire}, '');
    $self->{facade}->configure(httpd_conf =>
        "CustomLog $self->{wire} \"%I %O\"\n"
          . "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n");
    $self->{central} = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($driver,
            name => 'central-db'), conf => $models)->knows($self->{facade});
    $self->{engine} = $self->{central}->database->{engine};
    $self->make_tables($_->database) for $self->both;
    return $self;
}

sub both { return @{ $_[0] }{qw(central facade)} }

# posts and pages are synchronised, plain is not.
sub make_tables {
    my ($self, $database) = @_;

    $database->create(
        "create table users (id {key}, name varchar(100)) {engine};"
          . join '', map { "create table $_ ($columns) {engine};" }
          qw(posts pages plain));
}

# Install Communicator, start httpd, and let both sides know the users.
sub start {
    my ($self) = @_;
    my $facade = $self->{facade};

    $_->migrate for $self->both;
    $facade->start;
    $self->{central}->database->run('insert into users (name) values '
        . join(', ', map { "('user $_')" } 1 .. $users) . ';');
    $self->sync;
    $self->{idle} = { map { $_ => Meter::peak_of($_) } $facade->children };
    return $self;
}

# The process ids of the servers.
sub servers {
    my ($self) = @_;

    return (httpd => $self->{facade}->pid,
        database => $self->{engine} ? $self->{engine}->server_pid : undef);
}

# Run communicator-sync as cron would: what it cost.
sub sync {
    my ($self, @command) = @_;
    my $central = $self->{central};
    my $log = "$central->{dir}/sync.log";

    spew($log, '');
    my $cost = Meter::measure(sub {
        start_process([client_file(), '--config', $central->config_file,
            @command], out => $log);
    }, $self->servers, wire => $self->{wire});
    die "communicator-sync: ", slurp($log)
      if $cost->{status};
    $cost->{child_mb} = $self->child_mb;
    return $cost;
}

# How much a child of httpd has grown at most.
sub child_mb {
    my ($self) = @_;
    my $most = 0;

    for my $pid ($self->{facade}->children) {
        my $grown = Meter::peak_of($pid) - ($self->{idle}{$pid} // 0);
        $most = $grown if $grown > $most;
    }
    return $most;
}

# Run the load program on NODE's database: what it cost.
sub load {
    my ($self, $node, $what, $table, $count, $each) = @_;
    my $database = $self->{$node}->database;
    my $log = "$self->{central}{dir}/load.log";

    spew($log, '');
    my $cost = Meter::measure(sub {
        start_process([build_dir() . '/bench/load', $self->{driver},
            $database->params =~ s/ flags=.*//r, $what, $table, $count,
            $each], out => $log);
    }, $self->servers);
    die "load: ", slurp($log) if $cost->{status};
    $cost->{seconds} = slurp($log) + 0;
    own(web_user(), glob "$database->{file}*") if $database->{file};
    return $cost;
}

# Die unless both sides hold the same rows of TABLE.
sub check_equal {
    my ($self, $table) = @_;
    my ($here, $there) = map {
        join ' ', @{ $_->database->rows("select count(*), min(title),"
            . " max(title), sum(user_id), max(updated_at), sum(length(title)),"
            . " sum(length(body)) from $table")->[0] }
    } $self->both;

    die "$table differs:\n$here\n$there\n" if $here ne $there;
}

# As after a pause: what the database does now and then is done before.
sub settle {
    my ($self) = @_;

    for my $node ($self->both) {
        $node->database->run($self->{driver} eq 'pgsql'
            ? 'vacuum analyze; checkpoint'
            : $self->{driver} eq 'sqlite3' ? 'pragma wal_checkpoint(truncate)'
            : 'select 1');
    }
}

1;
