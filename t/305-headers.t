#!/usr/bin/perl

# A proxy that takes our headers away, and a gem that nobody has declared: both
# look alike. Neither side may guess: it would drop deletes, silently. A peer
# is a gem only by protocol=gem, and never again once it has spoken ours.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file module_file);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(gem ids old central confirmed);
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $model = "CommunicatorModel post table=posts\n";
my $path = '/messages.json';
my $ours = 'Communicator-';

# A central that reaches its facade through a proxy; each has a record and has
# deleted another one. MORE are further words for either peer.
sub behind {
    my ($more) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        peers => "CommunicatorPeer central user=communicator $more\n",
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $model);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $model);
    my $port = $facade->{port};
    my $proxy = Communicator::Test::Proxy->new(to => $port);

    for my $node ($central, $facade) {
        $node->database->create('create table posts (id {key}, '
            . 'title varchar(50)) {engine}');
        $node->migrate;
        $node->database->run("insert into posts (title) values "
            . "('kept at $node->{name}'), ('gone'); "
            . "delete from posts where title = 'gone'");
    }
    $facade->{port} = $proxy->{port};
    $central->knows($facade, $more);
    $facade->{port} = $port;
    $facade->start;
    return ($central, $facade, $proxy);
}

# What either node holds of the other, or takes the other to hold.
sub moved {
    return join ' ', map { $_->database->value(
        'select (select count(*) from communicator_received) + '
        . 'coalesce(sum(confirmed + received), 0) from communicator_peers')
    } @_;
}

# All is well in the end: the deletes, too, have arrived.
sub is_whole {
    my ($what, $central, $facade) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $central->sync_ok;
    for my $node ($central, $facade) {
        is_deeply([map { $_->[0] } @{ $node->database->rows(
            'select title from posts order by title') }],
            ['kept at central', 'kept at facade'], "$what: $node->{name}");
        is(scalar(grep { $_->{way} eq 'in' && $_->{action} eq 'delete' }
            @{ decode_json($node->sync('history', '--json')->{out}) }), 1,
            '  has the delete');
    }
}

my %strips = (
    'requests' => [$ours, ''],
    'replies' => ['', $ours],
    'both' => [$ours, $ours],
    'both, and who asks' => ["$ours|User-Agent", $ours],
);

# Every exchange is refused and explained, and nothing moves.
sub is_refused {
    my ($name, $central, $facade, $proxy) = @_;
    my $before = moved($central, $facade);

    $proxy->strip(@{ $strips{$name} });
    for my $command ('push', 'pull') {
        my $run = $central->sync($command);
        is($run->{exit}, 76, "$name are lost: $command is refused");
        like($run->{err}, qr/hint: .*proxy.*'Communicator-'/,
            '  and what to look for') or diag $run->{err};
    }
    my $check = $central->sync('check');
    is($check->{exit}, 76, '  check fails');
    like($check->{out}, qr/^FAIL\s+facade:\ Communicator\ answers:\ .*
        (?:headers|without).*\n\s+hint:\ .*proxy/mx,
        '  and names the headers') or diag $check->{out};
    is(moved($central, $facade), $before, '  nothing moves');
}

for my $more ('', 'protocol=gem') {
    subtest "headers are lost $more" => sub {
        my ($central, $facade, $proxy) = behind($more);

        for my $name (sort keys %strips) {
            is_refused($name, $central, $facade, $proxy);
            $facade->log_has_only($name eq 'replies' ? ()
                : qr/CM0028: .*proxy/);
            # What a contact of the other direction has left.
            $facade->database->run('delete from communicator_peers');
        }
        $proxy->strip;
        is_whole('once they pass', $central, $facade);
        $facade->log_has_only;
        $central->database->run("insert into posts (title) values ('new')");
        is_refused($_, $central, $facade, $proxy) for sort keys %strips;
        $proxy->stop;
        $facade->stop;
    };
}

subtest 'a peer declared protocol=gem that speaks our protocol' => sub {
    my ($central, $facade, $proxy) = behind('protocol=gem');
    my $run = $central->sync;

    is($run->{exit}, 0, 'is served by it');
    like($run->{err}, qr/facade: .*protocol=gem/, '  which is said');
    is($central->sync->{err}, '', '  once');
    $facade->log_has_only(qr/CM0029: .*'central'.*protocol=gem/);
    is_whole('deletes pass, too', $central, $facade);
    my $check = $central->sync('check');
    is($check->{exit}, 0, 'check finds it well');
    like($check->{out}, qr/^WARN\S*\s+facade: .*protocol=gem.*\n\s+hint: /mi,
        '  but for the word') or diag $check->{out};
    like($facade->sync('check')->{out},
        qr/^WARN\S*\s+central: .*protocol=gem.*\n\s+hint: /mi, '  there, too');
    my $answer = $facade->get("$path?from_id=1");
    is($answer->{status}, 503, 'it is never taken for a gem again');
    $facade->log_has_only(qr/CM0009: .*without.*hint|CM0009: .*proxy/);
    $facade->sync_ok('epoch', '--accept', 'central');
    is($facade->get("$path?from_id=1")->{status}, 200,
        'but after epoch --accept');
    $facade->log_has_only;
    $proxy->stop;
    $facade->stop;
};

subtest 'a gem that nobody declared calls' => sub {
    my ($central, $facade, $proxy) = behind('');
    my $message = encode_json([{ id => 1, origin => 'central',
        original_id => 7, body => '{"post":{"title":"t"}}' }]);

    for my $answer ($facade->get($path), $facade->get("$path?from_id=1"),
        $facade->post($path, '[]'), $facade->post($path, ''),
        $facade->post($path, $message),
        $facade->request(PUT => $path), $facade->request(HEAD => $path)) {
        is($answer->{status}, 503, 'is refused as a gem understands');
        is($answer->{headers}{'content-type'}, 'text/html;charset=utf-8',
            '  in its type');
    }
    like($facade->get("$path?from_id=1")->{content}, qr/protocol=gem/,
        '  and the words say what to do');
    is($facade->database->value('select count(*) from communicator_received'),
        0, 'nothing is taken');
    is($facade->database->numbered, 0, '  nor numbered');
    $facade->log_has_only(qr/CM0028: .*'central'.*proxy.*protocol=gem/);
    $facade->stop;
    $facade->configure(peers =>
        "CommunicatorPeer central user=communicator protocol=gem\n");
    $facade->start;
    is($facade->post($path, $message)->{status}, 202, 'declared, it is served');
    like($facade->sync('check')->{out}, qr/^ok\s+central: it is a gem/m,
        '  and check says what it is');
    $facade->stop;
    $facade->configure(peers => "CommunicatorPeer central user=communicator\n");
    like($facade->sync('check')->{out},
        qr/^WARN\S*\s+central: .*gem.*\n\s+hint: .*protocol=gem/mi,
        'the word dropped: check says what will be refused');
    like($facade->sync('migrate')->{err}, qr/central: .*gem.*protocol=gem/,
        '  migrate, too');
    $proxy->stop;
};

subtest 'a gem that nobody declared answers' => sub {
    my $server = Communicator::Test::Hostile->new(old(1));
    my $central = central($server, 3);
    my $peers = $central->{peers};

    for my $command ('push', 'pull', 'communicate') {
        my $run = $central->sync($command);
        is($run->{exit}, 76, "$command is refused");
        like($run->{err}, qr/hint: .*proxy.*protocol=gem/,
            '  with both explanations') or diag $run->{err};
    }
    is(confirmed($central), 0, 'nothing is taken for delivered');
    is(join(' ', map { ids($_) } grep { $_->{method} eq 'POST' }
        $server->requests), '', '  and nothing was sent');
    like($central->sync('check')->{out},
        qr/^FAIL\s+facade: Communicator answers: .*\n\s+hint: .*protocol=gem/m,
        'check says so');
    $central->configure(peers => $peers =~ s/$/ protocol=gem/mr);
    $central->sync_ok;
    is(confirmed($central), 3, 'declared, it gets its messages');
    like($central->sync('check')->{out}, qr/^ok\s+facade: it is a gem/m,
        '  and check says what it is');
    $server->stop;
};

subtest 'a gem in the place of one of ours' => sub {
    my $server = Communicator::Test::Hostile->new(old(1));
    my $central = central($server, 2);

    $central->configure(peers => $central->{peers} =~ s/$/ protocol=gem/mr);
    $central->database->run("insert into communicator_peers (name, epoch) "
        . "values ('facade', '" . 'e' x 32 . "')");
    my $run = $central->sync;
    is($run->{exit}, 76, 'is refused');
    like($run->{err}, qr/hint: .*proxy.*epoch --accept facade/, '  with a hint')
      or diag $run->{err};
    $central->sync_ok('epoch', '--accept', 'facade');
    $central->sync_ok;
    is(confirmed($central), 2, 'a person may say that it is so');
    $server->stop;
};

done_testing();
