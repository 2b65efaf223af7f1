#!/usr/bin/perl

# Ids are handed out before the commit: 16 applications write in transactions
# of up to 40 ms, some of which are rolled back, while communicator-sync sends,
# or fetches from httpd, what has been committed. All of that arrives, once, in
# an order without gaps.
#
# And what commits late, with a lower id, while a backlog is numbered chunk by
# chunk, is numbered before the later changes of its records.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Communicator::Test qw(start_process is_alive spew wait_until);
use Communicator::Test::Pair;
use Communicator::Test::Session;

my ($writers, $transactions) = (16, 40);

# The rows with their numbers stay, to be looked at.
my $models = "CommunicatorModel event table=events\n"
  . "CommunicatorHistory rows\n";
my %pause = (pgsql => 'select pg_sleep(%.3f);', mysql => 'do sleep(%.3f);');

# The transactions of one writer, and which tokens will be committed.
sub script {
    my ($driver, $writer) = @_;
    my ($sql, @tokens) = ('');

    for my $n (1 .. $transactions) {
        my @mine = map { "$writer-$n-$_" } 1 .. 1 + rand 3;
        my $commits = rand() > 0.1;
        $sql .= "begin;\n";
        for my $token (@mine) {
            $sql .= "insert into events (token) values ('$token');\n"
              . sprintf("$pause{$driver}\n", rand 0.02);
        }
        $sql .= $commits ? "commit;\n" : "rollback;\n";
        push @tokens, @mine if $commits;
    }
    return ($sql, @tokens);
}

sub start_writers {
    my ($node) = @_;
    my $database = $node->database;
    my (@pids, @tokens);

    for my $writer (1 .. $writers) {
        my ($sql, @committed) = script($database->driver, $writer);
        my $file = "$node->{dir}/writer-$writer.sql";
        spew($file, $sql);
        push @tokens, @committed;
        push @pids, start_process([$database->client_command], in => $file,
            out => "$file.out");
    }
    return (\@pids, @tokens);
}

# Sync as long as anyone writes; return how often.
sub sync_along {
    my ($pair, $command, $pids) = @_;
    my ($runs, $failed) = (0, 0);

    while (grep { is_alive($_) } @$pids) {
        $failed += $pair->{central}->sync($command)->{exit} != 0;
        $runs++;
    }
    is($failed, 0, "$runs runs of the client meanwhile");
    return $runs;
}

# The writers are at central, and it pushes, or at the facade, and it pulls.
sub test {
    my ($command, @drivers) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => \@drivers,
        tables => 'create table events (id {key}, '
          . 'token varchar(20) not null) {engine};',
        models => $models);
    my ($from, $to) = $command eq 'push' ? $pair->nodes
      : reverse $pair->nodes;
    my $late = Communicator::Test::Session->new($from->database);
    $late->run("begin; insert into events (token) values ('late')");
    my ($pids, @tokens) = start_writers($from);

    ok(sync_along($pair, $command, $pids) > 0, 'it ran while they wrote');
    $pair->sync('what they wrote');
    $late->run('commit');
    $late->stop;
    push @tokens, 'late';
    $pair->sync('the rest');
    my $sql = 'select token from events order by token';
    is_deeply($from->database->rows($sql), [map { [$_] } sort @tokens],
        scalar(@tokens) . ' rows were committed');
    is_deeply($to->database->rows($sql), [map { [$_] } sort @tokens],
        'all are there, each once');
    is_deeply($to->database->rows('select min(first_seq), '
        . 'max(last_seq), sum(messages) from communicator_received'), [[1, (scalar @tokens) x 2]],
        'numbers without a gap');
    isnt($from->database->value('select count(*) from outbound_messages a '
        . 'join outbound_messages b on a.id < b.id and a.seq > b.seq '
        . 'and a.seq < b.seq + 1000'), 0, 'some committed out of order');
    $pair->is_settled('in the end');
    $pair->stop;
}

my $lock = 'select last_seq from communicator_node where id = 1 for update';

# Start COMMAND, and stop it behind its first chunk: who asks for the node's
# lock, which FIRST holds, stands in a queue. Returns its process and who holds
# the lock then.
sub stop_behind_chunk {
    my ($pair, $database, $command, $first) = @_;
    my $second = Communicator::Test::Session->new($database);
    my $queue = sub {
        my ($length) = @_;
        wait_until(sub {
            Communicator::Test::Session->waiting($database) >= $length }, 60)
          or die "no $length sessions wait";
    };

    my $pid = $pair->{central}->sync_start($command);
    $queue->(1);
    $second->start("begin; $lock");
    $queue->(2);
    $first->run('rollback');
    $second->finish;
    $first->stop;
    return ($pid, $second);
}

# What one transaction does, and what is done to its records later.
my @early = (
    "insert into events (token) values ('created')",
    "update events set token = 'changed' where id = 1",
    'delete from events where id = 2',
);
my @later = (
    "update events set token = 'created, changed' where token = 'created'",
    "update events set token = 'changed again' where id = 1",
    "insert into events (id, token) values (2, 'again')",
    "delete from events where id = 3",
);

# Numbers of the outbox of FROM that are behind those of later changes.
sub turned_round {
    my ($database) = @_;

    return $database->value('select count(*) from outbound_messages a '
        . 'join outbound_messages b on a.model = b.model '
        . 'and a.local_record_id = b.local_record_id '
        . 'and a.id < b.id and a.seq > b.seq');
}

# A transaction has low ids and commits while COMMAND is between two chunks;
# its records are changed again at once. ROWS: more than a chunk. Returns
# whether COMMAND was stopped there: PostgreSQL may let it have the lock again
# before the one who waits for it, which shows nothing.
sub test_late {
    my ($command, $rows, @drivers) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => \@drivers,
        tables => 'create table events (id {key}, '
          . 'token varchar(20) not null) {engine};',
        models => $models . "CommunicatorBatch 20");
    my ($from, $to) = map { $_->database } $command eq 'push'
      || $rows > 1000 ? $pair->nodes : reverse $pair->nodes;
    my @backlog = map { "('backlog-$_')" } 1 .. $rows;

    $from->run("insert into events (token) values ('one'), ('two'), "
        . "('three')");
    $pair->sync('the first records');
    # None has ended that began later than the late one: PostgreSQL does not
    # name that among those that are open.
    my ($first, $early, $late) = map { Communicator::Test::Session->new($from) }
      1 .. 3;
    $first->run("begin; $lock");
    $early->run("begin; insert into events (token) values ('early')");
    $late->run(join '; ', 'begin', @early);
    $early->run('insert into events (token) values '
        . join(', ', @backlog) . '; commit');
    $early->stop;
    $to->run("insert into events (token) values ('from there')");
    my ($pid, $gate) = stop_behind_chunk($pair, $from, $command,
        $first);
    my $stamped = $from->value('select count(*) from outbound_messages '
        . 'where seq is not null');
    $late->run('commit');
    $from->run(join '; ', @later);
    $gate->run('rollback');
    ok(wait_until(sub { !is_alive($pid) }, 60), 'the command ends');
    $_->stop for $late, $gate;
    $pair->sync('the rest');
    is(turned_round($from), 0, 'the numbers of each record follow its ids');
    my $sql = "select token from events where token not like 'backlog%' "
      . 'order by token';
    $pair->both_have($sql, [map { [$_] } 'again', 'changed again',
        'created, changed', 'early', 'from there'], 'each once, and the newest');
    $pair->both_have('select count(*) from events', [[$rows + 5]],
        'all are there');
    $pair->is_settled('in the end');
    $pair->stop;
    return $stamped < $rows;
}

# How much DATABASE has read of the outbox so far: entries of its indexes on
# PostgreSQL, pages of all on MariaDB.
my %read = (
    pgsql => 'select sum(idx_tup_read) from pg_stat_user_indexes '
      . "where relname = 'outbound_messages'",
    mysql => 'select variable_value from /*M! information_schema.global_status */ '
      . '/*!80017 performance_schema.global_status */ '
      . "where variable_name = 'innodb_buffer_pool_read_requests'",
);

# How much is read while 400 records are sent in batches of 20.
sub cost_of_sending {
    my ($pair, $database, $what) = @_;
    my $sql = $read{ $database->driver };
    my $rows = join ', ', map { "('cost $_')" } 1 .. 400;

    $database->run("insert into events (token) values $rows");
    my $before = $database->value($sql);
    $pair->sync($what);
    return $database->value($sql) - $before;
}

# A gap that has been there for a while is looked into: it is kept while a
# transaction has a row in it, and forgotten when that was rolled back. Writes
# two records.
sub keeps_open_gap {
    my ($pair, $database) = @_;
    my $passed = 'select passed from communicator_node';

    $database->run("begin; insert into events (token) values ('undone'); "
        . 'rollback');
    $database->run("insert into events (token) values ('kept')");
    $pair->sync('a gap');
    like($database->value($passed), qr/^1-1\@\d+ \d+-\d+\@\d+$/,
        'two gaps');
    $database->run('update communicator_node set passed = '
        . "regexp_replace(passed, '\@[0-9]+', '\@1')");
    $database->run("insert into events (token) values ('kept')");
    $pair->sync('much later');
    like($database->value($passed), qr/^1-1\@\d{9,}$/,
        'that of the open transaction is kept');
    return 2;
}

# While an old transaction is open nothing that is stamped leaves the index:
# that is not gone through with each batch, but a few times in a run, which
# reads three or four pages of MySQL's for each entry.
sub test_cost {
    my ($driver) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => [$driver, 'sqlite3'],
        own_server => $driver eq 'mysql',
        tables => 'create table events (id {key}, '
          . 'token varchar(20) not null) {engine};',
        models => 'CommunicatorModel event table=events'
          . "\nCommunicatorBatch 20");
    my $database = $pair->central;
    my $conf = $pair->{central}{conf};
    my $old = Communicator::Test::Session->new($database);
    my $rows = join ', ', map { "('row $_')" } 1 .. 20_000;

    $pair->{central}{conf} =~ s/CommunicatorBatch 20$/CommunicatorBatch 1000/;
    $pair->{central}->configure;
    $old->run("begin; insert into events (token) values ('late')");
    $old->run('select count(*) from events');
    my $before = cost_of_sending($pair, $database, 'at first');
    $database->run("insert into events (token) values $rows");
    $pair->sync('much');
    $pair->{central}{conf} = $conf;
    $pair->{central}->configure;
    # to the planner, the table is empty now
    $database->run($driver eq 'mysql' ? 'analyze table outbound_messages'
        : 'vacuum analyze outbound_messages');
    my $cost = cost_of_sending($pair, $database, 'behind much');
    cmp_ok($cost, '<', 20 * 20_000, "$before, and behind much $cost are read");
    my $more = $driver eq 'mysql' ? keeps_open_gap($pair, $database) : 0;
    $old->run('commit');
    $old->stop;
    $pair->sync('the late one');
    $pair->both_have('select count(*) from events', [[20_801 + $more]],
        'all are there');
    $pair->is_settled('in the end');
    $pair->stop;
}

# While a run waits for a record that it publishes, the application writes
# others.
sub test_publish {
    my ($driver) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => [$driver, 'sqlite3'],
        tables => 'create table events (id {key}, '
          . 'token varchar(20) not null) {engine};',
        models => 'CommunicatorModel event table=events');
    my $database = $pair->central;
    my $session = Communicator::Test::Session->new($database);

    $database->run('insert into events (token) values '
        . join ', ', map { "('row $_')" } 1 .. 50);
    $session->run("begin; update events set token = 'changed' where id = 25");
    $pair->{central}->sync_ok('publish', 'event', '--all', '-q');
    my $pid = $pair->{central}->sync_start;
    ok(wait_until(sub {
        Communicator::Test::Session->waiting($database) }, 60), 'it waits');
    $session->run("update events set token = 'too' where id = 40");
    $session->run('commit');
    ok(wait_until(sub { !is_alive($pid) }, 60), 'it ends');
    $session->stop;
    $pair->sync('all of it');
    $pair->both_have('select count(*) from events '
        . "where token in ('changed', 'too')", [[2]], 'both are changed');
    $pair->is_settled('in the end');
    $pair->stop;
}

for my $driver (qw(pgsql mysql)) {
    my $why = Communicator::Test::Pair->missing($driver, 'sqlite3');

    for (['push', $driver, 'sqlite3'], ['pull', 'sqlite3', $driver]) {
        my ($command, @drivers) = @$_;
        subtest "$driver, $command" => sub {
            plan skip_all => $why if $why;
            srand 230;
            test($command, @drivers);
        };
    }
    for (['push', 90, $driver, 'sqlite3'], ['pull', 90, 'sqlite3', $driver],
        ['pull', 1100, $driver, 'sqlite3']) {
        my ($command, $rows, @drivers) = @$_;
        my $where = $rows > 1000 ? 'before a batch is applied' : $command;
        subtest "$driver, a late commit, $where" => sub {
            plan skip_all => $why if $why;
            my $tries = 0;
            my $stopped = 0;
            while (!$stopped && $tries++ < 10) {
                $stopped = test_late($command, $rows, @drivers);
            }
            ok($stopped, 'it was stopped between two chunks');
        };
    }
    subtest "$driver, publish beside it" => sub {
        plan skip_all => $why if $why;
        test_publish($driver);
    };
    subtest "$driver, an old transaction" => sub {
        plan skip_all => $why if $why;
        test_cost($driver);
    };
}

done_testing();
