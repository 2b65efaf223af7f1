#!/usr/bin/perl

# A bad network, killed processes, restarted servers, locks and full disks:
# each is told clearly, and nothing is lost or comes twice.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(folder spew slurp run_program start_process
  stop_process wait_until is_alive program own web_user at_end);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;

my $model = "CommunicatorModel event table=events\n";
my $count = 0;

# A central and a facade on databases of these DRIVERS; WITH is for the facade.
sub make_nodes {
    my ($central_driver, $facade_driver, %with) = @_;
    my $database = delete $with{database}
      || Communicator::Test::Database->new($facade_driver,
        own_server => delete $with{own_server});
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => $database, conf => $model, %with);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($central_driver),
        conf => $model);

    for my $node ($central, $facade) {
        $node->database->create('create table events (id {key}, '
            . 'token varchar(40) not null, body {text}) {engine};');
        $node->migrate;
    }
    $facade->start;
    return ($central, $facade);
}

# Let PROXY stand between CENTRAL and FACADE.
sub behind {
    my ($central, $facade, $proxy) = @_;
    my $port = $facade->{port};

    $facade->{port} = $proxy->{port};
    $central->knows($facade);
    $facade->{port} = $port;
    return $proxy;
}

# One more event on each of NODES.
sub happen {
    $_->database->run("insert into events (token) values ('"
        . $_->name . ' ' . ++$count . "');") for @_;
}

sub tokens {
    return [map { $_->[0] } @{ $_[0]->database->rows(
        'select token from events order by token') }];
}

# Both have all events, each once.
sub whole {
    my ($what, $central, $facade) = @_;
    my ($ours, $theirs) = (tokens($central), tokens($facade));
    my %seen;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply($theirs, $ours, "$what: both have the same");
    is_deeply([grep { $seen{$_}++ } @$ours], [], '  nothing came twice');
    is($_->database->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, '  ' . $_->name
        . ' has parked nothing') for $central, $facade;
}

sub no_crash {
    my ($facade) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    unlike(slurp("$facade->{dir}/error.log"), qr/exit signal/,
        'no child of httpd crashed');
}

# The application on DRIVER keeps a lock while a push wants the record; what
# came of it is looked at in the end.
sub begin_lock {
    my ($driver) = @_;
    my ($central, $facade) = make_nodes('sqlite3', $driver,
        peers => "CommunicatorPeer central user=communicator\n"
          . "CommunicatorPeer other user=other protocol=gem\n");
    my $wait = $driver eq 'pgsql' ? 'pg_sleep' : 'sleep';

    $facade->add_user('other', 'secret');
    happen($central->knows($facade));
    $central->sync_ok;
    spew("$facade->{dir}/lock.sql", "begin; update events set body = 'held' "
        . "where id = 1; select $wait(15);");
    my $holder = start_process([$facade->database->client_command],
        in => "$facade->{dir}/lock.sql");
    at_end(sub { stop_process($holder) });
    sleep 1;
    $central->database->run("update events set body = 'new'");
    return { driver => $driver, central => $central, facade => $facade,
        holder => $holder, began => time, push => $central->sync_start };
}

sub end_lock {
    my ($lock) = @_;
    my ($central, $facade) = @$lock{qw(central facade)};
    my $said = sub { slurp("$central->{dir}/sync.log") };

    waitpid $lock->{push}, 0;
    is($? >> 8, 75, 'a push meets a lock of the application');
    like($said->(), qr/the peer answers 503: the database is busy/,
        '  which is said');
    $facade->log_has_only(qr/CM0010.*try again/);
    wait_until(sub { !is_alive($lock->{holder}) }, 30);
    $central->sync_ok;
    is($facade->database->value('select body from events where id = 1'),
        'new', '  and is through when that is gone');
    $facade->stop;
}

# Meanwhile others are served.
sub beside_lock {
    my ($lock) = @_;
    my $began = time;
    my $got = $lock->{facade}->get('/messages.json?from_id=1',
        user => 'other', password => 'secret');

    is($got->{status}, 200, "$lock->{driver}: other peers go on");
    cmp_ok(time - $began, '<', 5, '  at once');
    ok(is_alive($lock->{holder}), '  while the lock is held');
}

my @locks = map { begin_lock($_) }
  grep { !Communicator::Test::Database->missing($_) } qw(pgsql mysql);
beside_lock($_) for @locks;

# What the network can do, and what the client says then.
my %fate = (
    refuse => [75, qr/reply|reset|recv|closed/i],
    cut_request => [75, qr/reply|reset|recv|closed/i],
    lose_request => [75, qr/reply|reset|recv|closed/i],
    lose_reply => [75, qr/reply|reset|recv|closed/i],
    bad_gateway => [75, qr/does not reach the peer's httpd \(502\)/],
    login_page => [76, qr/not Communicator's: status 200.*log in/],
    repeat => [0, qr/^$/],
    slow => [0, qr/^$/],
);

subtest 'a bad network' => sub {
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3');
    my $proxy = behind($central, $facade,
        Communicator::Test::Proxy->new(to => $facade->port));

    $central->sync_ok;
    for my $name (sort keys %fate) {
        my ($exit, $message) = @{ $fate{$name} };

        for my $command (qw(push pull)) {
            happen($central, $facade);
            $proxy->trouble(1, $name);
            my $run = $central->sync($command);
            is($run->{exit}, $exit, "$name: $command") or diag $run->{err};
            like($run->{err}, $message, '  and says what it met');
        }
        $proxy->trouble(0);
        $central->sync_ok;
    }
    whole('afterwards', $central, $facade);
    $facade->stop;
};

# A proxy before FACADE that answers one request per connection: with what
# ANSWER gives for a request and a function that asks the facade.
sub relay {
    my ($facade, $answer) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 16) or die "listen: $!";
    my $ask = sub {
        Communicator::Test::Proxy::exchange({ to => $facade->port }, @_);
    };
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        while (my $client = $listen->accept) {
            my $request = Communicator::Test::Proxy::message($client) // next;
            my $reply = $answer->($request, $ask) // next;
            print $client $reply;
            close $client;
        }
        POSIX::_exit(0);
    }
    at_end(sub { stop_process($pid) });
    return { port => $listen->sockport, pid => $pid };
}

# Cut the replies of FACADE off behind as many bytes as the file SIZES says.
sub cutting_proxy {
    my ($facade, $sizes) = @_;

    return relay($facade, sub {
        my ($request, $ask) = @_;
        my $reply = $ask->($request) // return undef;
        my $size = slurp($sizes);

        return $size >= length $reply ? $reply : substr $reply, 0, $size;
    });
}

subtest 'a reply cut at any byte' => sub {
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3');
    my $sizes = folder('sizes') . '/size';
    my $proxy = behind($central, $facade, cutting_proxy($facade, $sizes));
    my (%exit, @wrong);

    for my $command (qw(push pull)) {
        for (my $size = 0; $size < 700; $size += 9) {
            spew($sizes, $size);
            happen($central, $facade) if $size % 90 == 0;
            my $run = $central->sync($command);
            push @wrong, "$command $size: $run->{exit} $run->{err}"
              unless $run->{exit} == 75 || $run->{exit} == 76
              || !$run->{exit} && $size > 300;
            $exit{ $run->{exit} }++;
        }
    }
    is_deeply(\@wrong, [], 'what is cut is no answer');
    cmp_ok($exit{75} || 0, '>', 20, '  mostly a passing failure');
    spew($sizes, 1e9);
    $central->sync_ok;
    whole('afterwards', $central, $facade);
    $facade->stop;
};

# Take header lines like PATTERN out of requests or replies.
sub filter_proxy {
    my ($facade, $from, $pattern) = @_;

    return relay($facade, sub {
        my ($text, $ask) = @_;

        $text =~ s/^$pattern:[^\n]*\n//mig if $from eq 'requests';
        $text = $ask->($text) // return undef;
        $text =~ s/^$pattern:[^\n]*\n//mig if $from eq 'replies';
        return $text =~ s/\r\n/\r\nVia: 1.1 proxy\r\nX-Cache: MISS\r\n/r;
    });
}

subtest 'a proxy that changes headers' => sub {
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3');
    my $peers = $central->{peers};

    for (['replies', 'X-None', 0, qr/^$/],
        ['replies', 'Communicator-[^:]*', 76,
            qr/without its headers.*hint: a proxy/s],
        ['replies', 'Communicator-(?:Received|Last)', 76,
            qr/how far it goes.*hint: a proxy/s],
        ['requests', 'Communicator-[^:]*', 76,
            qr/has no Communicator headers.*hint: a proxy/s],
        ['requests', 'Communicator-(?:Received|Held|Newest|Peer-Epoch)', 0,
            qr/^$/]) {
        my ($from, $pattern, $exit, $message) = @$_;
        my $proxy = filter_proxy($facade, $from, $pattern);

        $central->{peers} = $peers;
        behind($central, $facade, $proxy);
        happen($central, $facade);
        for my $command (qw(push pull)) {
            my $run = $central->sync($command);
            is($run->{exit}, $exit, "$from without $pattern: $command")
              or diag $run->{err};
            like($run->{err}, $message, '  and why');
        }
        stop_process($proxy->{pid});
    }
    $central->{peers} = $peers;
    $central->knows($facade)->sync_ok;
    whole('afterwards', $central, $facade);
    $facade->stop;
};

subtest 'small batches' => sub {
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3',
        httpd_conf => "CommunicatorBatch 4\n");

    $central->configure(client_conf => "CommunicatorBatch 3\n");
    $central->knows($facade);
    happen(($central, $facade) x 10);
    $central->sync_ok;
    whole('one run takes all, however many batches', $central, $facade);
    cmp_ok(() = slurp("$facade->{dir}/access.log") =~ /"GET /g, '>', 3,
        '  several were asked for');
    $facade->stop;
};

# Kill things all the time.
sub test_kills {
    my ($driver) = @_;
    my ($central, $facade) = make_nodes($driver, $driver);

    $central->knows($facade)->sync_ok;
    for my $round (1 .. 12) {
        happen(($central, $facade) x 3);
        my $pid = $central->sync_start;
        sleep 0.01 * $round;
        if ($round % 2) {
            kill KILL => $pid;
        }
        else {
            my @children = $facade->children;
            kill KILL => $children[ $round % @children ] if @children;
        }
        wait_until(sub { !is_alive($pid) }, 60) or fail('the client hangs');
    }
    $central->sync for 1 .. 3;
    $central->sync_ok;
    whole("$driver: client and httpd killed", $central, $facade);
    $facade->stop;
}

# The database goes away under the facade, and comes back.
sub test_restarts {
    my ($driver) = @_;
    my ($central, $facade) = make_nodes('sqlite3', $driver, own_server => 1);
    my @how = $driver eq 'pgsql' ? ('', 'crash') : ('crash');

    $central->knows($facade)->sync_ok;
    for my $how (@how) {
        happen(($central) x 20);
        my $pid = $central->sync_start;
        sleep 0.03;
        $facade->database->stop($how);
        wait_until(sub { !is_alive($pid) }, 60) or fail('the client hangs');
        my $run = $central->sync;
        is($run->{exit}, 75, "$driver stopped: a run fails for now");
        like($run->{err}, qr/answers 503: the database cannot be reached$/m,
            '  and says why');
        $facade->database->start;
        happen($central, $facade);
        $central->sync_ok;
    }
    whole("$driver restarted", $central, $facade);
    no_crash($facade);
    $facade->stop;
}

subtest 'httpd restarts gracefully' => sub {
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3');
    my @failed;

    $central->knows($facade)->sync_ok;
    for my $round (1 .. 3) {
        happen(($central, $facade) x 4);
        my $pid = $central->sync_start;
        ok($facade->graceful, 'a graceful restart under load');
        wait_until(sub { !is_alive($pid) }, 60) or fail('the client hangs');
        my $run = $central->sync;
        push @failed, $run->{err} if $run->{exit};
    }
    is_deeply(\@failed, [], 'no run notices');
    whole('afterwards', $central, $facade);
    no_crash($facade);
    $facade->stop;
};

# A disk of 1 MB for FACADE's database, full.
subtest 'a full disk' => sub {
    my $dir = folder('disk');
    my $mounted = !$> && program('mount') && !run_program(['mount', '-t',
        'tmpfs', '-o', 'size=1m,mode=755', 'tmpfs', $dir])->{exit};
    plan skip_all => 'no small disk can be made here' unless $mounted;
    at_end(sub { run_program(['umount', '-l', $dir]) });
    my $database = Communicator::Test::Database->new('sqlite3',
        file => "$dir/data.sqlite");

    $database->run('pragma journal_mode=wal');
    own(web_user(), $dir, glob "$dir/*");
    my ($central, $facade) = make_nodes('sqlite3', 'sqlite3',
        database => $database);
    $central->knows($facade)->sync_ok;
    run_program(['dd', 'if=/dev/zero', "of=$dir/filler", 'bs=4k',
        'count=300']);
    $central->database->run("insert into events (token, body) "
        . "values ('large', '@{[ 'x' x 100_000 ]}')");
    my $run = $central->sync;
    is($run->{exit}, 75, 'the push fails for now');
    like($run->{err}, qr/answers 50\d: the database/, '  as the peer says');
    $facade->log_has_only(qr/CM00(?:09|10).*full|CM00(?:09|10).*disk/);
    unlink "$dir/filler";
    $central->sync_ok;
    whole('there is room again', $central, $facade);
    $facade->stop;
};

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $why = Communicator::Test::Database->missing($driver);
        plan skip_all => $why if $why;
        test_kills($driver);
        test_restarts($driver) if $driver ne 'sqlite3';
    };
}
for my $lock (@locks) {
    subtest "$lock->{driver}: a lock" => sub { end_lock($lock) };
}

done_testing();
