package Replication;

# The database's own replication doing the same work, equally durable: each
# transaction is flushed where it arrives.

use strict;
use warnings;
use Communicator::Test qw(free_port program slurp start_process wait_until);
use Communicator::Test::Database;
use Nodes;
use Pair;
use Wire;

my %pair = (
    pgsql => sub { pgsql_pair('PostgreSQL', 'on') },
    mysql => sub { mysql_pair('MariaDB') },
);

# The goal: how many times as fast as that we should be.
my %goal = (pgsql => 3, mysql => 4);

sub replication {
    my ($nodes, $report, $n) = @_;
    my $driver = $nodes->{driver};
    my $make = $pair{$driver} or return;
    my $pair = $make->();
    my $cost = Pair::measure($pair, $n);

    Pair::stop($pair);
    for (['W1', 'W1 inserts'], ['W2', 'W2 updates']) {
        my ($work, $name) = @$_;
        my $rate = $cost->{$work}{rate};

        $report->figure("$name by the database itself", $rate, 'rows/s');
        $report->speed("$name: ours, of that speed",
            $report->value('work', $name), $rate,
            $work eq 'W2' ? (min => $goal{$driver}) : ());
    }
}

# Two PostgreSQL servers, the second subscribed to the first; COMMIT: its
# synchronous_commit.
sub pgsql_pair {
    my ($name, $commit) = @_;
    my ($from, $to) = map { Wire::logical_database() } 1 .. 2;

    $from->run('create publication bench for table posts');
    $to->run("create subscription bench connection '" . $from->params
        . "' publication bench with (synchronous_commit = '$commit')");
    wait_until(sub {
        $to->value("select srsubstate from pg_subscription_rel") eq 'r'
    }, 60) or die "the subscription does not begin\n";
    return { name => $name, from => $from, to => $to,
        pause => sub { $to->run('alter subscription bench disable') },
        resume => sub { $to->run('alter subscription bench enable'); 0 } };
}

# Two MariaDB servers, the second a replica of the first.
sub mysql_pair {
    my ($name) = @_;
    my ($from, $to) = map {
        Communicator::Test::Database->new('mysql', own_server => 1)
    } 1 .. 2;
    my $port = free_port();

    restart_mysql($from, '--server-id=1', "--port=$port",
        '--bind-address=127.0.0.1', '--skip-name-resolve',
        "--log-bin=$from->{engine}{dir}/data/binlog");
    restart_mysql($to, '--server-id=2', '--skip-networking');
    $from->run("create user replica\@'127.0.0.1';"
        . " grant replication slave on *.* to replica\@'127.0.0.1'");
    $to->run("change master to master_host = '127.0.0.1',"
        . " master_port = $port, master_user = 'replica',"
        . ' master_use_gtid = slave_pos');
    # Replication keeps the database's name, so both use the same one.
    $to->{engine}->create($from->{name});
    my $replica = bless { %$to, name => $from->{name} }, ref $to;
    $from->run('reset master');
    $from->create('create table posts (' . Nodes::columns()
        . ') {engine}');
    return { name => $name, from => $from, to => $replica,
        pause => sub { $replica->run('stop slave') },
        resume => sub { $replica->run('start slave'); 0 },
        wait => sub {
            wait_for_gtid($replica, $from->value('select @@gtid_binlog_pos'));
        } };
}

sub wait_for_gtid {
    my ($replica, $goal) = @_;

    for (1 .. 15) {
        return if !$replica->value("select master_gtid_wait('$goal', 60)");
    }
    die "the replica does not follow\n";
}

# Restart the server of DATABASE, configured as installed except for OPTIONS.
sub restart_mysql {
    my ($database, @options) = @_;
    my $dir = $database->{engine}{dir};

    $database->stop;
    start_process([program('mariadbd', 'mysqld'), '--no-defaults',
        $> ? () : ('--user=mysql'), "--datadir=$dir/data",
        "--socket=$dir/my.sock", "--pid-file=$dir/my.pid",
        '--character-set-server=utf8mb4', "--log-error=$dir/server.log",
        @options]);
    wait_until(sub { !$database->{engine}->query('', 'select 1') }, 60)
      or die 'MariaDB does not start: ', slurp("$dir/server.log");
}

1;
