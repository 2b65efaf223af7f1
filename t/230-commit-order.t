#!/usr/bin/perl

# Ids are handed out before the commit: 16 applications write in transactions
# of up to 40 ms, some of which are rolled back, while communicator-sync sends
# what has been committed. All of that arrives, once, in an order without gaps.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Communicator::Test qw(start_process is_alive spew);
use Communicator::Test::Pair;

my ($writers, $transactions) = (16, 60);
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
    my ($pair, $pids) = @_;
    my ($runs, $failed) = (0, 0);

    while (grep { is_alive($_) } @$pids) {
        $failed += $pair->{central}->sync('push')->{exit} != 0;
        $runs++;
    }
    is($failed, 0, "$runs runs of the client meanwhile");
    return $runs;
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        my $why = Communicator::Test::Pair->missing($driver, 'sqlite3');
        plan skip_all => $why if $why;
        srand 230;
        my $pair = Communicator::Test::Pair->new(
            drivers => [$driver, 'sqlite3'],
            tables => 'create table events (id {key}, '
              . 'token varchar(20) not null) {engine};',
            models => 'CommunicatorModel event table=events');
        my ($pids, @tokens) = start_writers($pair->{central});

        ok(sync_along($pair, $pids) > 0, 'it ran while they wrote');
        $pair->sync('the rest');
        my $sql = 'select token from events order by token';
        is_deeply($pair->central->rows($sql), [map { [$_] } sort @tokens],
            scalar(@tokens) . ' rows were committed');
        is_deeply($pair->facade->rows($sql), [map { [$_] } sort @tokens],
            'all are there, each once');
        is_deeply($pair->facade->rows('select min(id), max(id), count(*) '
            . 'from inbound_messages'), [[1, (scalar @tokens) x 2]],
            'numbers without a gap');
        isnt($pair->central->value('select count(*) from outbound_messages a '
            . 'join outbound_messages b on a.id < b.id and a.seq > b.seq '
            . 'and a.seq < b.seq + 1000'), 0, 'some committed out of order');
        $pair->is_settled('in the end');
        $pair->stop;
    };
}

done_testing();
