#!/usr/bin/perl

# A request with wait= is answered as soon as something is committed for the
# peer, and else when its time is over, without a connection to the database
# meanwhile. Not more requests wait than may, and none keeps httpd from a
# restart.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(stop_process wait_until);
use Communicator::Test::Database;
use Communicator::Test::Pair;
use Communicator::Test::Session;

my ($pair, $facade);

sub value { return $facade->database->value(@_) }
sub run { return $facade->database->run(@_) }

# Send a request of who holds LAST; QUERY comes behind from_id=. It is answered
# later; DONE gets what goes on then.
sub ask {
    my ($last, $query, %with) = @_;
    my $headers = $with{headers} || $pair->headers($last);
    my $pid = open(my $pipe, '-|') // die "fork: $!";

    if (!$pid) {
        my $began = time;
        my $answer = $facade->get('/messages.json?from_id=' . ($last + 1)
            . "&$query", headers => $headers);
        $answer->{took} = time - $began;
        syswrite STDOUT, encode_json($answer);
        POSIX::_exit(0);
    }
    return { pid => $pid, pipe => $pipe };
}

sub answer {
    my ($asked) = @_;
    my $pipe = $asked->{pipe};
    my $answer = decode_json(do { local $/; <$pipe> });

    close $pipe;
    return $answer;
}

sub more { return $_[0]{headers}{'communicator-more'} }
sub waited { return $_[0]{headers}{'communicator-waited'} }

my $long = 'limit=0&wait=25&every=10';

sub test {
    my ($driver) = @_;
    $pair = Communicator::Test::Pair->new(drivers => [$driver, $driver],
        tables => 'create table posts (id {key}, title varchar(100))'
          . ' {engine};',
        models => 'CommunicatorModel post table=posts');
    $facade = $pair->{facade};
    run("insert into posts (title) values ('a'), ('b');");
    $pair->{central}->sync_ok;

    my $answer = answer(ask(2, 'limit=0&wait=1'));
    is($answer->{status}, 200, 'nothing comes: answered when the time is over')
      or diag explain $answer;
    is(more($answer), 0, '  with nothing');
    cmp_ok(waited($answer), '>=', 900, '  and says how long it has waited');
    cmp_ok($answer->{took}, '>=', 0.9, '  which is true');

    my $asked = ask(2, $long);
    sleep 0.5;
    run("insert into posts (title) values ('c');");
    $answer = answer($asked);
    is(more($answer), 1, 'a commit is seen');
    is($answer->{content}, '[]', '  and only that it is there');
    cmp_ok($answer->{took}, '<', 15, '  at once');
    is($answer->{headers}{'communicator-pending'}, 1, '  and it is counted');
    $answer = answer(ask(2, $long));
    is(more($answer), 1, 'what is there needs no waiting');
    is(waited($answer), 0, '  and no time');
    is(waited(answer(ask(2, 'limit=0'))), undef, 'who does not ask, waits not');
    like(answer(ask(2, 'limit=5&wait=25'))->{content}, qr/"id":3/,
        'who asks for messages gets them');
    is($facade->get('/messages.json?from_id=4&limit=0&wait=x',
        headers => $pair->headers(3))->{status}, 400, 'wait= is a number');

    # The numbers that another host gives, or this one for another peer.
    $asked = ask(3, $long);
    sleep 0.3;
    run('update communicator_node set last_seq = last_seq + 1');
    is(more(answer($asked)), 1, 'a number that was given meanwhile is seen');
    run('update communicator_node set last_seq = last_seq - 1');

    late() if $driver ne 'sqlite3';
    stopping();
    crowd() if $driver eq 'pgsql';
    $facade->log_has_only(qr/CM0009/);
}

# A transaction that is open while others commit, with a lower id.
sub late {
    my $late = Communicator::Test::Session->new($facade->database);

    $late->run("begin; insert into posts (title) values ('late')");
    run("insert into posts (title) values ('d');");
    $pair->{central}->sync_ok;
    my $asked = ask(4, $long);
    sleep 0.3;
    $late->run('commit');
    my $answer = answer($asked);
    is(more($answer), 1, 'what commits late, with a lower id, is seen');
    cmp_ok($answer->{took}, '<', 15, '  at once');
    $late->stop;
    $pair->{central}->sync_ok;
}

sub last_seq { return value('select last_seq from communicator_node') }

# A restart ends the waiting, and whoever hangs up gives its place back.
sub stopping {
    $pair->{central}->sync_ok;
    my $asked = ask(last_seq(), $long);
    sleep 0.5;
    ok($facade->graceful, 'httpd restarts gracefully');
    my $answer = answer($asked);
    is($answer->{status}, 200, 'the request that waits is answered');
    is(more($answer), 0, '  with nothing');
    cmp_ok($answer->{took}, '<', 10, '  at once');
}

# One process with four threads: two may wait.
sub crowd {
    $facade->configure(httpd_conf => "StartServers 1\nServerLimit 1\n"
          . "ThreadsPerChild 4\nMaxRequestWorkers 4\nMinSpareThreads 1\n"
          . "MaxSpareThreads 4\nDBDMax 1\nDBDKeep 1\nDBDMin 1\n");
    $facade->restart;
    my @asked = map { ask(last_seq(), $long) } 1, 2;
    sleep 1;
    my $third = answer(ask(last_seq(), $long));
    is(waited($third), 0, 'half of the threads are kept for others');
    is(more($third), 0, '  who are told that nothing is there');
    is($facade->get('/messages.json?from_id=1', headers => $pair->headers(0))
        ->{status}, 200, '  with one connection to the database for all');

    # Their clients hang up.
    stop_process($_->{pid}, 'KILL') for @asked;
    my $waits = wait_until(sub {
        my $one = ask(last_seq(), 'limit=0&wait=1');
        return waited(answer($one)) > 0;
    }, 10);
    ok($waits, 'who hangs up gives up the place');

    $facade->configure(conf => "CommunicatorModel post table=posts\n"
          . 'CommunicatorWaiters 0');
    $facade->restart;
    is(waited(answer(ask(last_seq(), $long))), 0,
        'CommunicatorWaiters 0: none waits');
}

for my $driver (Communicator::Test::Database->drivers) {
    SKIP: {
        my $missing = Communicator::Test::Pair->missing($driver);
        skip "$driver: $missing", 1 if $missing;
        subtest $driver => sub { test($driver) };
    }
}

done_testing();
