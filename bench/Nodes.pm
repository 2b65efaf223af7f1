package Nodes;

# The two nodes of the benchmark: a central one and a facade with httpd, each
# with its own database on a server as it is installed, on loopback.

use strict;
use warnings;
use Communicator::Test qw(start_process client_file spew slurp);
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Http;
use Load;
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

# conf: further lines of configuration, for both nodes; database: a function
# that makes an empty database for one of them.
sub new {
    my ($class, $driver, %with) = @_;
    my $self = bless { driver => $driver }, $class;
    my $conf = $models . ($with{conf} // '');
    my $make = $with{database}
      || sub { Communicator::Test::Database->new($driver, name => @_) };

    $self->{facade} = Communicator::Test::Server->new(
        database => $make->('facade-db'), conf => $conf);
    $self->{wire} = "$self->{facade}{dir}/wire.log";
    spew($self->{wire}, '');
    $self->configure;
    $self->{central} = Communicator::Test::Peer->new(name => 'central',
        database => $make->('central-db'), conf => $conf);
    $self->{central}->knows($self->{facade});
    $self->{engine} = $self->{central}->database->{engine};
    $self->make_tables($_->database) for $self->both;
    return $self;
}

# The facade's httpd; MORE: lines of its own, LOCATION: lines of the endpoint.
sub configure {
    my ($self, $more, $location) = @_;

    $self->{facade}->configure(location => $location // '',
        httpd_conf => Http::select_conf($self)
          . "CustomLog $self->{wire} \"%I %O\"\n"
          . "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n" . ($more // ''));
}

# Let the client pack bodies, yes or no; auto: not on loopback.
sub compress {
    my ($self, $how) = @_;
    my $peer = $self->{central};

    $peer->{peers} =~ s/( compress=\w+)?$/ compress=$how/m;
    $peer->configure;
}

sub both { return @{ $_[0] }{qw(central facade)} }

sub columns { return $columns }

# posts and pages are synchronised, plain and source are not.
sub make_tables {
    my ($self, $database) = @_;

    $database->create(
        "create table users (id {key}, name varchar(100)) {engine};"
          . join '', map { "create table $_ ($columns) {engine};" }
          qw(posts pages plain source));
}

# Install Communicator, start httpd, and create the users on both sides.
sub start {
    my ($self) = @_;
    my $facade = $self->{facade};

    $_->migrate for $self->both;
    $facade->start;
    $self->{central}->database->run('insert into users (name) values '
        . join(', ', map { "('user $_')" } 1 .. $users) . ';');
    $self->sync;
    $self->note_idle;
    return $self;
}

# Restart httpd with the configuration of configure().
sub restart {
    my ($self) = @_;

    $self->{facade}->restart;
    $self->sync;
    $self->note_idle;
}

sub stop { $_[0]{facade}->stop }

# The memory of httpd's children before the work begins.
sub note_idle {
    my ($self) = @_;
    my @held = sort { $a <=> $b } map { Meter::peak_of($_) }
      $self->{facade}->children;

    $self->{idle} = $held[0];
}

# The process ids of the servers.
sub servers {
    my ($self) = @_;

    return (httpd => $self->{facade}->pid,
        database => $self->{engine} ? $self->{engine}->server_pid : undef);
}

# Run communicator-sync as cron would; returns what it cost.
sub sync {
    my ($self, @command) = @_;

    return $self->command('central', @command);
}

# Run COMMAND of communicator-sync on NODE; returns what it cost.
sub command {
    my ($self, $node, @command) = @_;
    my $peer = $self->{$node};
    my $log = "$peer->{dir}/sync.log";

    spew($_, '') for $log, $self->{wire};
    my $cost = Meter::measure(sub {
        start_process([client_file(), '--config', $peer->config_file,
            @command], out => $log);
    }, $self->servers, wire => $self->{wire});
    die "communicator-sync: ", slurp($log)
      if $cost->{status};
    $cost->{child_mb} = $self->child_mb;
    return $cost;
}

# How much the largest child of httpd has grown.
sub child_mb {
    my ($self) = @_;
    my $most = 0;

    for my $pid ($self->{facade}->children) {
        my $grown = Meter::peak_of($pid) - ($self->{idle} // 0);
        $most = $grown if $grown > $most;
    }
    return $most;
}

# Run the load program on NODE's database; returns what it cost.
sub load {
    my ($self, $node, @load) = @_;

    return Load::run([$self->servers], $self->{$node}->database, @load);
}

# Run SQL with the database's own client on NODE; returns what it cost.
sub sql {
    my ($self, $node, $sql) = @_;
    my $database = $self->{$node}->database;
    my $dir = $self->{$node}{dir};

    spew("$dir/bench.sql", $sql);
    my $cost = Meter::measure(sub {
        start_process([$database->client_command], in => "$dir/bench.sql",
            out => "$dir/bench.log");
    }, $self->servers);
    die slurp("$dir/bench.log"), $sql if $cost->{status};
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

# Do beforehand what the database does from time to time.
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
