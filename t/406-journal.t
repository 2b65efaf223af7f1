#!/usr/bin/perl

# The journal: each run with a peer is in it, one that fails too; where peers
# connect to this node, each minute. `status --history` lists it, the status
# page draws its last day, and no run depends on it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(slurp source_dir wait_until);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(reply);
use Communicator::Test::Pair;

my ($pair, $central, $facade);

# The runs of NODE, the newest first.
sub history {
    my ($node, @more) = @_;

    return decode_json($node->sync(qw(status --history), @more, '--json')->{out});
}

sub write_posts {
    my ($node, @titles) = @_;

    $node->database->run('insert into posts (title) values '
        . join ', ', map { "('$_')" } @titles);
}

sub runs {
    is_deeply(history($central), [], 'nothing has run');
    write_posts($central, 'a', 'b');
    write_posts($facade, 'c');
    $central->sync_ok;
    my ($run) = @{ history($central) };
    is_deeply([@$run{qw(peer command sent received applied parked exit_status
        pending pending_there)}], ['facade', 'communicate', 2, 1, 1, 0, 0, 0, 0],
        'a run') or diag explain $run;
    is($run->{error}, undef, '  that went well');
    like($run->{$_}, qr/^20\d\d-.*Z$/, "  $_") for qw(began_at ended_at);
    cmp_ok($run->{began_at}, 'lt', $run->{ended_at}, '  in this order');
    my ($described) = slurp(source_dir() . '/docs/status.md')
      =~ /^## The last runs(.*)/ms;
    is(join(' ', grep { $described !~ /^\|.*\b$_\b.*\| /m } keys %$run), '',
        '  each member is described');
    $central->sync_ok('push');
    is(history($central)->[0]{command}, 'push', 'a push');
    $central->sync_ok('drain');
    is(history($central)->[0]{command}, 'drain', 'drain');
}

sub failures {
    write_posts($central, 'd');
    $facade->stop;
    is($central->sync->{exit}, 75, 'the facade is away');
    my ($run) = @{ history($central, 1) };
    is($run->{exit_status}, 75, '  a run that failed is in it');
    like($run->{error}, qr/^cannot push: /, '  and why');
    is($run->{pending}, 1, '  what waits');
    cmp_ok($run->{lag}, '>', 0, '  since when');
    is($run->{pending_there}, -1, '  of the peer it knows nothing');
    $facade->start;
    $central->sync_ok('pause');
    is($central->sync->{exit}, 75, 'it is paused');
    like(history($central)->[0]{error}, qr/paused/, '  that is in it');
    $central->sync_ok('resume');
    $central->sync_ok;
}

sub listing {
    my $text = $central->sync(qw(status --history 4))->{out};

    like($text, qr/\AENDED\ \(UTC\)\ +TOOK\ +PEER\ +SENT\ +RECEIVED\ +PENDING
        \ +LAG\ +RESULT\n
        \d{4}-\d\d-\d\d\ \d\d:\d\d:\d\d\ +\d+\.\d\ s\ +facade\ +1\ +0\ +0
        \ +-\ +ok\n/x, 'for people');
    like($text, qr/ exit 75: 'central' is paused since /, '  with what failed')
      or diag $text;
    is(() = $text =~ /\n/g, 5, '  as many as asked for');
    is($central->sync(qw(status --history 0))->{exit}, 64, '  a number');
    like($central->sync(qw(status 4))->{err}, qr/NUMBER needs --history/,
        '  which nothing else takes');
    is_deeply([map { $_->{peer} } @{ history($central, 2) }],
        ['facade', 'facade'], 'the peer of each');
}

# A journal that cannot be written is no failure.
sub broken {
    my $rename = 'alter table communicator_journal rename to ';

    $central->database->run("${rename}elsewhere");
    write_posts($central, 'e');
    my $run = $central->sync('--cron');
    is($run->{exit}, 0, 'without its table the run goes well');
    like($run->{err}, qr/cannot write the journal/, '  and says so');
    is($central->sync('--cron')->{err}, '', '  once');
    $central->database->run('alter table elsewhere rename to '
        . 'communicator_journal');
    like($central->sync('--cron')->{err}, qr/well again|over|again/,
        '  and when it can');
}

# The watchdog of httpd writes what a minute has brought.
sub samples {
    my $count = 'select count(*) from communicator_journal';

    ok(wait_until(sub { $facade->database->value($count) }, 20),
        'the facade has a sample');
    $facade->database->run('update communicator_journal set '
        . 'began_at = began_at - 300000000, ended_at = ended_at - 300000000');
    write_posts($central, 'f', 'g', 'h');
    $central->sync_ok;
    write_posts($facade, 'i');
    my $rows = $facade->database->value($count);
    ok(wait_until(sub { $facade->database->value($count) > $rows }, 45),
        'and another a minute later');
    my ($sample) = @{ history($facade) };
    is_deeply([@$sample{qw(peer command exit_status)}],
        ['central', 'sample', 0], '  of the peer');
    cmp_ok($sample->{received}, '>=', 3, '  what came');
    is($sample->{pending}, 1, '  what waits');
    like($facade->sync(qw(status --history))->{out},
        qr/^\S+ \S+ +- +central .* sample$/m, '  for people');
    $rows = $facade->database->value($count);
    $central->sync_ok('pull') for 1 .. 3;
    is($facade->database->value($count), $rows, 'requests write nothing');
}

# The watchdog says once that it cannot write.
sub unwritten {
    my $seen = sub { () = slurp("$facade->{dir}/error.log") =~ /CM0046/g };

    $facade->database->run('alter table communicator_journal rename to '
        . 'elsewhere');
    ok(wait_until(sub { $seen->() }, 20), 'the log says what is missing');
    sleep 4;
    is($seen->(), 1, '  once');
    $facade->database->run('alter table elsewhere rename to '
        . 'communicator_journal');
    like(join("\n", $facade->log_lines), qr/warn\].*CM0046.*communicator_journal/,
        '  as a warning, with the table');
}

# What a server says that is no peer fits into the journal.
sub strange {
    for my $reply (reply(200, "text/\xff\e[31m", 'x'),
        reply(422, 'application/json', '{"error":"' . 'y' x 200_000 . '"}',
            'Communicator-Protocol: 2', 'Communicator-Node: strange',
            'Communicator-Epoch: ' . 'e' x 32)) {
        my $server = Communicator::Test::Hostile->new(sub { $reply }, 'strange');
        my %before = (peers => $central->{peers});

        $central->knows($server);
        my $run = $central->sync('--peer', 'strange');
        unlike($run->{err}, qr/journal/, 'a strange reply')
          or diag substr $run->{err}, 0, 2000;
        my ($row) = @{ history($central, '--peer', 'strange') };
        is($row->{exit_status}, $run->{exit}, '  is in the journal');
        ok(length $row->{error} && length $row->{error} < 3000,
            '  in some words');
        $central->configure(%before);
        $central->database->run('delete from communicator_journal '
            . "where peer = 'strange'");
    }
}

sub test {
    my ($driver) = @_;
    $pair = Communicator::Test::Pair->new(drivers => [$driver, $driver],
        tables => 'create table posts (id {key}, title varchar(100))'
          . ' {engine};',
        models => "CommunicatorModel post table=posts\n"
          . "CommunicatorExpectEvery 6s\n"); # so the watchdog looks every 3 s
    ($central, $facade) = @$pair{qw(central facade)};
    subtest $_->[0] => $_->[1] for ['runs', \&runs], ['failures', \&failures],
      ['listing', \&listing], ['broken', \&broken], ['samples', \&samples], ['unwritten', \&unwritten],
      ['strange', \&strange];
}

Communicator::Test::Pair->for_each([map { "$_-$_" }
    Communicator::Test::Database->drivers], \&test);

done_testing();
