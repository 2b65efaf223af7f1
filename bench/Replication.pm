package Replication;

# The database's own replication doing the same work, equally durable: each
# transaction is flushed where it arrives.

use strict;
use warnings;
use Time::HiRes qw(time);
use Communicator::Test qw(free_port program slurp start_process wait_until);
use Communicator::Test::Database;
use Load;
use Nodes;
use Wire;

my %pair = (pgsql => \&pgsql_pair, mysql => \&mysql_pair);

# The goal: how many times as fast as that we should be.
my %goal = (pgsql => 3, mysql => 4);

sub replication {
    my ($nodes, $report, $n) = @_;
    my $driver = $nodes->{driver};
    my $make = $pair{$driver} or return;
    my ($from, $to, $pause, $catch_up) = $make->();

    for (['W1 inserts', 'insert', -100], ['W2 updates', 'update', -1]) {
        my ($name, $what, $each) = @$_;

        $pause->();
        Load::run([], $from, $what, 'posts', $n, $each);
        my $began = time;
        $catch_up->();
        my $rate = $n / (time - $began);
        check_equal($from, $to);
        $report->figure("$name by the database itself", $rate, 'rows/s');
        $report->speed("$name: ours, of that speed",
            $report->value('work', $name), $rate,
            $what eq 'update' ? (min => $goal{$driver}) : ());
    }
    $_->stop for $to, $from;
}

sub check_equal {
    my ($here, $there) = map {
        join ' ', @{ $_->rows('select count(*), min(title), max(title),'
            . ' max(updated_at) from posts')->[0] }
    } @_;

    die "replication differs:\n$here\n$there\n" if $here ne $there;
}

# Two PostgreSQL servers, the second subscribed to the first. Returns both, and
# functions to pause and to catch up.
sub pgsql_pair {
    my ($from, $to) = map { Wire::logical_database() } 1 .. 2;

    $from->run('create publication bench for table posts');
    $to->run("create subscription bench connection '" . $from->params
        . "' publication bench with (synchronous_commit = 'on')");
    my $wait = sub {
        $from->run(<<'SQL');
checkpoint;
do $$
declare
    goal pg_lsn := pg_current_wal_lsn();
begin
    while exists (select from pg_replication_slots
            where not coalesce(confirmed_flush_lsn >= goal, false)) loop
        perform pg_sleep(0.005);
    end loop;
end $$;
SQL
    };
    wait_until(sub {
        $to->value("select srsubstate from pg_subscription_rel") eq 'r'
    }, 60) or die "the subscription does not begin\n";
    return ($from, $to, sub { $to->run('alter subscription bench disable') },
        sub { $to->run('alter subscription bench enable'); $wait->() });
}

# Two MariaDB servers, the second a replica of the first.
sub mysql_pair {
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
    return ($from, $replica, sub { $replica->run('stop slave') }, sub {
        my $goal = $from->value('select @@gtid_binlog_pos');
        my $late = $replica->value('start slave;'
            . " select master_gtid_wait('$goal', 3600)");
        die "the replica does not follow\n" if $late;
    });
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
