#!/usr/bin/perl

# Ids are handed out before the commit: 16 applications write in transactions
# of up to 40 ms, some of which are rolled back, while communicator-sync sends,
# or fetches from httpd, what has been committed. All of that arrives, once, in
# an order without gaps.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Communicator::Test qw(start_process is_alive spew);
use Communicator::Test::Pair;

my ($writers, $transactions) = (16, 40);
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
        models => 'CommunicatorModel event table=events');
    my ($from, $to) = $command eq 'push' ? $pair->nodes
      : reverse $pair->nodes;
    my ($pids, @tokens) = start_writers($from);

    ok(sync_along($pair, $command, $pids) > 0, 'it ran while they wrote');
    $pair->sync('the rest');
    my $sql = 'select token from events order by token';
    is_deeply($from->database->rows($sql), [map { [$_] } sort @tokens],
        scalar(@tokens) . ' rows were committed');
    is_deeply($to->database->rows($sql), [map { [$_] } sort @tokens],
        'all are there, each once');
    is_deeply($to->database->rows('select min(id), max(id), count(*) '
        . 'from inbound_messages'), [[1, (scalar @tokens) x 2]],
        'numbers without a gap');
    isnt($from->database->value('select count(*) from outbound_messages a '
        . 'join outbound_messages b on a.id < b.id and a.seq > b.seq '
        . 'and a.seq < b.seq + 1000'), 0, 'some committed out of order');
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
}

done_testing();
