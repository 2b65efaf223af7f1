#!/usr/bin/perl

# communicator-sync at work: what it sends to peers of either kind, how it
# settles where to go on, one run at a time, signals, several peers.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use JSON::PP;
use feature qw(state);
use Test::More;
use Communicator::Test qw(spew wait_until client_file module_file);
use Communicator::Test::Hostile qw(reply ours gem ids good old database
  say_something central confirmed nobody $EPOCH $MODELS);
use Communicator::Test::Server;

plan skip_all => 'the client is not built' unless -x client_file();

my $json = JSON::PP->new->canonical;

subtest 'a push to a peer of ours' => sub {
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($server, 3);
    my $run = $central->sync;

    is("$run->{exit}$run->{out}$run->{err}", '0', 'is silent');
    my ($greeting, $push, $pull) = $server->requests;
    is("$greeting->{body} $greeting->{query}{after}", '[] 0',
        'first it learns who is there');
    is(join(' ', ids($push)), '1 2 3', 'then it sends all in one batch');
    is($push->{query}{after}, '0', '  that says what it follows');
    my $headers = $push->{headers};
    is($headers->{'content-type'}, 'application/json', 'as JSON');
    is($headers->{'content-length'}, length $push->{body}, 'with its length');
    ok(!$headers->{expect} && !$headers->{'transfer-encoding'},
        'without Expect or chunks');
    is($headers->{'communicator-protocol'}, '2', 'it says who it is');
    is($headers->{'communicator-node'}, 'central', '  by name');
    like($headers->{'communicator-epoch'}, qr/^[0-9a-f]{32}$/, '  and epoch');
    like($headers->{'communicator-clock'}, qr/^1[0-9]{15}$/, '  and clock');
    is($headers->{authorization}, 'Basic dTpnZWhlaW0=', '  and logs in');
    is($pull->{query}{from_id}, 1, 'then it pulls');
    is($greeting->{headers}{'communicator-pending'}, undef, 'with the greeting');
    is($pull->{headers}{'communicator-pending'}, 0,
        '  it says less than with the pull: nothing waits for the peer');
    is(confirmed($central), 3, 'the messages are confirmed');
    $run = $central->sync('--verbose');
    like($run->{out}, qr/^facade: pushed 0, pulled 0 in \d+\.\d s\n$/,
        'a second run has nothing to do, and says so when asked');
    is(scalar(my @all = $server->requests), 4, '  with one request');
    like($central->sync('--json')->{out}, qr/^\{"peer":"facade","kind":/,
        'the summary as JSON');
    like($central->sync('status')->{out},
        qr/^PEER\s+SIDE.*\nfacade\s+here\s+0\s/m, 'status knows it');
    $server->stop;
    my $stranger = Communicator::Test::Hostile->new(sub { $EPOCH = 'f' x 32; good()->(@_) });
    $central->configure(peers => $central->{peers}
        =~ s/:\d+\//:$stranger->{port}\//r);
    $run = $central->sync;
    is($run->{exit}, 76, 'another database behind the same name');
    like($run->{err}, qr/not the one known at.*\nhint: /, '  is refused');
};

subtest 'a peer that takes little at once' => sub {
    my $server = Communicator::Test::Hostile->new(good(7));
    my $central = central($server, 40);
    my $run = $central->sync('push');

    is("$run->{exit}$run->{err}", '0', 'the batch is halved');
    is(confirmed($central), 40, 'until all is there');
    ok(grep({ ids($_) > 3 } $server->requests), '  and grown again');
    my $none = Communicator::Test::Hostile->new(sub { ids($_[0])
        ? reply(413, 'text/html', 'no')
        : ours(202, '{}', 'Communicator-Received: 0') });
    $run = central($none, 3)->sync('push');
    is($run->{exit}, 65, 'a single message that is too large');
    like($run->{err}, qr/message 1: /, '  is named');
};

subtest 'applications that go on writing' => sub {
    my $server = Communicator::Test::Hostile->new(sub {
        my ($request, $n) = @_;
        my $id = $request->{query}{from_id};
        state $good = good();

        return $good->($request) if !$id;
        return ours(200,
            qq([{"id":$id,"origin":"facade","original_id":$id,"clock":$id,)
              . '"body":"{\\"post\\":{\\"title\\":\\"there\\"}}"}]',
            "Communicator-Last: $id", 'Communicator-More: 1',
            'Communicator-Pending: 1');
    });
    my $central = central($server, 30, conf => "${MODELS}CommunicatorBatch 10\n");

    # Whenever messages get numbers, there is another one.
    $central->database->run(q(create trigger busy after update of last_seq on
        communicator_node begin insert into outbound_messages
        (body, origin, original_id) values ('{"post":{"title":"more"}}',
        'central', 1000 + new.last_seq); end));
    for my $direction (qw(push pull)) {
        my $run
          = $central->sync($direction, '--verbose', '--max-time', '10s');

        is("$run->{exit}$run->{err}", '0', "a $direction ends");
        unlike($run->{out}, qr/max-time/, '  by itself');
        $central->database->run('drop trigger if exists busy');
    }
    cmp_ok(confirmed($central), '>=', 30, 'all that was there is sent');
    is($central->database->value('select count(*) > 0 from posts'), 1,
        '  and has come');
};

subtest 'a peer that was set back' => sub {
    my $held = 0;
    my $code = sub {
        my ($request) = @_;
        my @ids = ids($request);

        return ours(409, '{"code":"GAP"}', "Communicator-Received: $held")
          if ($request->{query}{after} // 0) > $held;
        $held = $ids[-1] if @ids;
        return ours(202, '{}', "Communicator-Received: $held");
    };
    my $server = Communicator::Test::Hostile->new($code);
    my $central = central($server, 5);

    is($central->sync('push')->{exit}, 0, 'it has all');
    $server->stop;
    $held = 2;
    $server = Communicator::Test::Hostile->new($code);
    $central->configure(peers => $central->{peers}
        =~ s/:\d+\//:$server->{port}\//r);
    my $run = $central->sync('push');
    is($run->{exit}, 0, 'it lost some of it');
    like($run->{err}, qr/up to 2 only, not 5/, '  which is said');
    is(join(' ', ids(($server->requests)[-1])), '3 4 5',
        '  and gets it again');
};

# Another host of ours moved on between what this one had told and the answer.
subtest 'a peer that has doubts once' => sub {
    for my $command (qw(push pull)) {
        my $refusal = ours(409, '{"error":"other history","code":"EPOCH"}',
            'Communicator-Received: 0');
        my $good = good();
        my $server = Communicator::Test::Hostile->new(sub {
            my ($request, $n) = @_;
            return $n ? $good->($request) : $refusal;
        });
        my $run = central($server, 2)->sync($command);
        is("$run->{exit}$run->{err}", '0', "$command looks again");
        my @requests = $server->requests;
        ok($requests[1]{headers}{'communicator-newest'} ne '',
            '  and tells again what it has');
        $server->stop;

        $server = Communicator::Test::Hostile->new(sub { $refusal });
        $run = central($server, 2)->sync($command);
        is($run->{exit}, 76, '  but only once');
        is(scalar(my @all = $server->requests), 2, '  not for ever');
        $server->stop;
    }
};

subtest 'a push to a gem' => sub {
    my $server = Communicator::Test::Hostile->new(old(1));
    my $central = central($server, 250, words => 'protocol=gem');
    my $run = $central->sync;

    is("$run->{exit}$run->{err}", '0', 'succeeds');
    my @posts = grep { $_->{method} eq 'POST' } $server->requests;
    is($posts[0]{body}, '[]', 'it is greeted without harm');
    my @ids = map { ids($_) } @posts;
    is("@ids", join(' ', 1 .. 250), 'the numbers have no gap');
    ok(!grep({ ids($_) > 100 } @posts), 'the batches are small');
    ok(!grep({ keys %$_ > 4 } @{ $json->decode($posts[1]{body}) }),
        'with nothing but what it knows');
    is(confirmed($central), 250, 'all is confirmed');
    say_something($central, 251);
    is($central->sync->{exit}, 0, 'a later run');
    is(join(' ', ids(($server->requests)[-2])), '251', '  goes on');
};

subtest 'a gem whose answer was lost' => sub {
    my $next = 1;
    my $server = Communicator::Test::Hostile->new(sub {
        my ($request, $n) = @_;
        my @ids = ids($request);

        return gem(202, 'No data given') if !@ids;
        return undef if $n == 2; # libcurl tries once more by itself
        return gem(409, 500) if $ids[0] > 5;
        return gem(409, $next) if $ids[0] != $next;
        $next = $ids[-1] + 1;
        return $n == 1 ? undef : gem(202, '');
    });
    my $central = central($server, 5, words => 'protocol=gem');

    is($central->sync('push')->{exit}, 75, 'the answer is lost');
    is(confirmed($central), 0, '  nothing is confirmed');
    my $run = $central->sync('push');
    is("$run->{exit}$run->{err}", '0', 'the next run agrees with it');
    is(confirmed($central), 5, '  all is confirmed');
    say_something($central, 6);
    $run = $central->sync('push');
    is($run->{exit}, 76, 'a gem that wants what was never sent');
    like($run->{err}, qr/wants message 500, the nearest here is 7/,
        '  is refused');
};

subtest 'one run at a time' => sub {
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($server);
    my $file = "$central->{dir}/state/facade.lock";

    open my $lock, '+>', $file or die "$file: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    my $run = $central->sync;
    is("$run->{exit}$run->{out}$run->{err}", '0', 'a second one goes quietly');
    is(scalar(my @none = $server->requests), 0, '  and does nothing');
    $run = $central->sync('--wait', '1s');
    is($run->{exit}, 75, 'one that waited in vain says so');
    like($run->{err}, qr/another run is at work/, '  in words');
    syswrite $lock, sprintf "812 %d\n", time - 4000;
    $run = $central->sync;
    is($run->{exit}, 75, 'a run that lasts for an hour is no longer quiet');
    like($run->{err}, qr/process 812 for 40\d\d seconds/, '  and is named');
    close $lock;
    is($central->sync->{exit}, 0, 'when it is gone, work goes on');
    is(confirmed($central), 1, '  and is done');
};

subtest 'a signal' => sub {
    my $server = Communicator::Test::Hostile->new(sub {
        my ($request) = @_;

        return (good()->(@_), ids($request) ? 1 : 0);
    });
    my $central = central($server, 20, conf => $MODELS
        . "CommunicatorBatch 5\n");
    my $pid = $central->sync_start('push');

    wait_until(sub { (() = $server->requests) >= 2 });
    kill TERM => $pid;
    waitpid $pid, 0;
    is($? >> 8, 75, 'ends the run with a status that says: later');
    is(confirmed($central), 5, 'after the batch that was under way');
};

subtest 'several peers' => sub {
    my $dead = nobody('dead');
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($dead);

    $central->knows($server);
    my $run = $central->sync;
    is($run->{exit}, 75, 'one is dead');
    like($run->{err}, qr/^communicator-sync: dead: /, '  and named');
    unlike($run->{err}, qr/sync: facade/, '  the other is not');
    ok(scalar(my @all = $server->requests), 'the other gets its messages');
    is($central->sync('--peer', 'facade')->{exit}, 0, '--peer chooses one');
};

subtest 'a real httpd' => sub {
    plan skip_all => 'the module is not built' unless -e module_file();
    my $server = Communicator::Test::Server->new(name => 'facade',
        database => database(), conf => $MODELS)->migrate->start;
    my $central = central($server, 0);
    my $secret = "$central->{dir}/facade.secret";

    $central->database->run("insert into posts (title) values ('one')");
    my $run = $central->sync('check');
    is($run->{exit}, 0, 'check finds all well') or diag($run->{out});
    unlike($run->{out}, qr/^(?!ok )/m, '  line by line');
    spew($secret, "wrong\n");
    $run = $central->sync;
    is($run->{exit}, 77, 'a wrong password');
    like($central->sync('check')->{out},
        qr/^FAIL\s+facade: login: .*\(401\)\n\s+hint: /m, '  found by check');
    $server->log_has_only(qr/password mismatch/i);
    spew($secret, "secret\n");
    $server->add_user('guest', 'secret');
    my $peers = $central->{peers};
    $central->configure(peers => $peers =~ s/user=\S+/user=guest/r);
    is($central->sync->{exit}, 77, 'a user who is no peer');
    $server->log_has_only(qr/CM0\d+.*guest/);
    $central->configure(peers => $peers =~ s/messages\.json/no.json/r);
    is($central->sync->{exit}, 69, 'a wrong address');
    $central->configure(peers => $peers);
    is(confirmed($central), 0, 'nothing counts as delivered');
    $run = $central->sync;
    is("$run->{exit}$run->{out}$run->{err}", '0', 'all is right again');
    is($server->database->value('select title from posts'), 'one',
        '  and the record arrives');
    is($central->sync('publish', 'post', '1')->{exit}, 0, 'publish');
    is($central->sync('publish', 'post', '7')->{exit}, 65,
        '  a record that is not there');
    is($central->sync('publish', 'author', '7')->{exit}, 64,
        '  a model that is not there');
    $run = $central->sync('--verbose');
    like($run->{out}, qr/^facade: pushed 1, pulled 0/, '  is sent');
    $run = $server->sync('status', '--json');
    is($run->{exit}, 0, 'status on the other side');
    is($json->decode($run->{out})->{peers}[0]{received}, 2, '  agrees');
    $server->stop;
    $run = $central->sync;
    is($run->{exit}, 75, 'httpd is down');
};

subtest 'a backlog that is longer than an answer' => sub {
    plan skip_all => 'the module is not built' unless -e module_file();
    my $server = Communicator::Test::Server->new(name => 'facade',
        database => database(), conf => "${MODELS}CommunicatorBatch 5\n",
        peers => "CommunicatorPeer central user=communicator protocol=gem\n")
      ->migrate->start;
    my $central = central($server, 0);
    my $facade = $server->database;

    $facade->run("insert into posts (title) values ('p')") for 1 .. 12;
    my $list = $json->decode(
        $server->get('/messages.json?from_id=1')->{content});
    is(join(' ', map { $_->{id} } @$list), '1 2 3 4 5',
        'as many as an answer holds');
    is($facade->numbered, 5,
        '  and no more have their number yet');
    like($central->sync('--verbose')->{out}, qr/pulled 12/,
        'the client asks on until nothing waits');
    is($central->database->value('select count(*) from posts'), 12,
        '  and has all');
    $server->stop;
};

done_testing();
