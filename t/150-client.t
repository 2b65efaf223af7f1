#!/usr/bin/perl

# communicator-sync towards servers that are dead, hostile, or not what they
# should be: what it says, how it exits, and that nothing is taken for
# delivered that is not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);
use Communicator::Test qw(folder spew append slurp free_port at_end
  stop_process wait_until client_file module_file run_program);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

plan skip_all => 'the client is not built' unless -x client_file();

my $json = JSON::PP->new->canonical;
my $epoch = 'e' x 32;

# A server that answers request number N (from 0) by what CODE returns: the
# raw reply, undef to hang up, a number to wait so many seconds first.
package Hostile {
    sub new {
        my ($class, $code, $name) = @_;
        my $self = bless { name => $name || 'facade', user => 'u',
            password => 'geheim', log => main::folder('hostile') . '/log' },
          $class;
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            Listen => 16, ReuseAddr => 1) or die "listen: $!";

        $self->{port} = $socket->sockport;
        $self->{pid} = fork // die "fork: $!";
        if (!$self->{pid}) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            eval { serve($self, $socket, $code) };
            POSIX::_exit(0);
        }
        main::at_end(sub { $self->stop });
        return $self;
    }

    sub name { $_[0]{name} }
    sub url { "http://127.0.0.1:$_[0]{port}/messages.json" }

    sub stop {
        my ($self) = @_;

        main::stop_process(delete $self->{pid}) if $self->{pid};
    }

    sub read_request {
        my ($client) = @_;
        my $text = '';

        while ($text !~ /\r\n\r\n/) {
            sysread $client, $text, 65536, length $text or return;
            return if $text !~ /^[A-Z]/; # TLS
        }
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        my ($first, @lines) = split /\r\n/, $head;
        my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
        my ($method, $target) = split / /, $first;
        my ($path, $query) = split /\?/, $target, 2;
        while (length $body < ($headers{'content-length'} || 0)) {
            sysread $client, $body, 65536, length $body or last;
        }
        return { method => $method, path => $path, body => $body,
            headers => \%headers,
            query => { map { split /=/, $_, 2 } split /&/, $query // '' } };
    }

    sub serve {
        my ($self, $socket, $code) = @_;
        my $n = 0;

        while (my $client = $socket->accept) {
            setsockopt $client, Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1;
            while (my $request = read_request($client)) {
                main::append($self->{log}, $json->encode($request), "\n");
                my ($reply, $wait) = $code->($request, $n++);
                select undef, undef, undef, $wait if $wait;
                last unless defined $reply;
                syswrite $client, $reply;
                last if $reply !~ /^content-length:/mi;
            }
            close $client;
        }
    }

    sub requests {
        my ($self) = @_;

        return map { $json->decode($_) } split /\n/,
          main::slurp($self->{log});
    }
}

sub reply {
    my ($status, $type, $body, @headers) = @_;

    return join "\r\n", "HTTP/1.1 $status X", "Content-Type: $type",
      'Content-Length: ' . length $body, @headers, '', $body;
}

# A reply of a peer of ours.
sub ours {
    my ($status, $body, @headers) = @_;

    return reply($status, 'application/json', $body,
        'Communicator-Protocol: 2', 'Communicator-Node: facade',
        "Communicator-Epoch: $epoch", @headers);
}

sub gem { return reply($_[0], 'text/html;charset=utf-8', $_[1]) }

sub ids {
    my ($request) = @_;

    return map { $_->{id} } @{ $json->decode($request->{body}) };
}

# A peer of ours as it should be: takes what follows what it holds.
sub good {
    my ($limit) = @_;
    my $held = 0;

    return sub {
        my ($request) = @_;

        return ours(200, '[]', 'Communicator-Last: 0', 'Communicator-More: 0')
          if $request->{method} eq 'GET';
        my @ids = ids($request);
        return reply(413, 'text/html', '<h1>Too large</h1>')
          if $limit && @ids > $limit;
        $held = $ids[-1] if @ids;
        return ours(202, '{}', "Communicator-Received: $held");
    };
}

# The 2011 one, which wants FIRST to come first.
sub old {
    my ($next) = @_;

    return sub {
        my ($request) = @_;

        return gem(200, '[]') if $request->{method} eq 'GET';
        my @ids = ids($request);
        return gem(202, 'No data given') if !@ids;
        return gem(409, $next) if $ids[0] != $next;
        $next = $ids[-1] + 1;
        return gem(202, '');
    };
}

my $models = "CommunicatorModel post table=posts\n";
my $template;

sub database {
    my $db = Communicator::Test::Database->new('sqlite3', name => 'central');

    $db->run('create table posts (id integer primary key autoincrement, '
        . 'title varchar(255), body text)');
    return $db;
}

# Let the application of CENTRAL publish posts NUMBERS, as the gem did.
sub say_something {
    my ($central, @numbers) = @_;
    my $values = join ', ', map {
        qq{('{"post":{"title":"t$_"}}', 'central', '$_')} } @numbers;

    $central->database->run('insert into outbound_messages '
        . "(body, origin, original_id) values $values") if @numbers;
}

# A node with COUNT messages to push to SERVER.
sub central {
    my ($server, $count, %with) = @_;
    my $db = database();
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $db, conf => $models, %with);

    $central->knows($server) if $server;
    $central->migrate;
    say_something($central, 1 .. ($count // 1));
    return $central;
}

sub confirmed {
    my ($central) = @_;

    return $central->database->value(
        'select max(confirmed) from communicator_peers') || 0;
}

subtest 'the command line' => sub {
    my @client = (client_file());
    my $run = run_program([@client, '--help']);

    is($run->{exit}, 0, '--help is no failure');
    like($run->{out}, qr/^usage: .*\n\n.*communicate.*--config/s,
        'and names commands and options');
    is(run_program([@client, '--version'])->{exit}, 0, 'nor is --version');
    for my $command (qw(communicate push pull status check migrate publish
        configtest)) {
        my $help = run_program([@client, $command, '--help']);

        is($help->{exit}, 0, "$command --help");
        like($help->{out}, qr/^usage: .*\Q$command\E/, '  is about it');
    }
    for my $case (['nonsense'], ['--nonsense'], ['--config'],
        ['push', 'more'], ['status', '--wait', '1'], ['push', '--wait', 'x'],
        ['--quiet=1'], ['-q', '-v']) {
        my $bad = run_program([@client, @$case]);

        is($bad->{exit}, 64, "wrong usage: @$case");
        like($bad->{err}, qr/^communicator-sync: \S/, '  is explained');
        is($bad->{out}, '', '  on stderr alone');
    }
};

subtest 'the configuration' => sub {
    my $central = central(undef, 0);
    my $run = run_program([client_file(), '--config', '/nonexistent']);

    is($run->{exit}, 74, 'a configuration that is not there');
    $run = $central->sync;
    is($run->{exit}, 78, 'no peer to connect to');
    like($run->{err}, qr/hint: .*uri=/, '  and what to add');
    is($central->sync('--peer', 'x')->{exit}, 64, 'an unknown --peer');
    $central->configure(client_conf => "Nonsense on\n");
    $run = $central->sync;
    is($run->{exit}, 78, 'an unknown directive');
    like($run->{err}, qr/line 4 of .*communicator\.conf/, '  with its line');
    is($central->configure(client_conf => '')
        && $central->sync('configtest')->{out}, "Syntax OK\n", 'configtest');
    like($central->sync('configtest', '--dump')->{out},
        qr/^CommunicatorModel post table=posts key=id/m, '  --dump');
};

subtest 'passwords' => sub {
    my $server = Hostile->new(good());
    my $central = central($server);
    my $secret = "$central->{dir}/facade.secret";

    chmod 0644, $secret;
    my $run = $central->sync;
    is($run->{exit}, 78, 'a password file that others may read');
    like($run->{err}, qr/hint: chmod 600/, '  and what to do');
    unlike("$run->{out}$run->{err}", qr/geheim/, '  the password is not said');
    chmod 0600, $secret;
    spew($secret, "\n");
    is($central->sync->{exit}, 78, 'an empty password file');
    unlink $secret;
    is($central->sync->{exit}, 74, 'no password file');
    is(scalar(my @none = $server->requests), 0, 'nothing was sent so far');
    my $credentials = folder('credentials');
    spew("$credentials/facade", "from systemd\n");
    is($central->sync({ env => { CREDENTIALS_DIRECTORY => $credentials } })
        ->{exit}, 0, 'the password comes from $CREDENTIALS_DIRECTORY');
    my ($first) = $server->requests;
    is($first->{headers}{authorization}, 'Basic dTpmcm9tIHN5c3RlbWQ=',
        '  and is sent');
    for my $uri ('http://facade.example/messages.json',
        'http://127.facade.example/messages.json') {
        $central->configure(peers => "CommunicatorPeer facade uri=$uri "
            . "user=u password-file=$secret\n");
        $run = $central->sync;
        is($run->{exit}, 78, "$uri is not for passwords");
    }
};

# What a push meets: [name, code, exit, message, hint].
my @cases = (
    ['401', sub { reply(401, 'text/html', '<h1>no</h1>') }, 77,
        qr/refuses the credentials/, qr/password-file=/],
    ['403', sub { reply(403, 'text/html', '<h1>no</h1>') }, 77,
        qr/forbidden/, qr/in front of it/],
    ['404', sub { reply(404, 'text/html', '<h1>no</h1>') }, 69,
        qr/nothing at this address/, qr/Communicator On/],
    ['a redirect', sub { reply(302, 'text/html', '',
        'Location: http://127.0.0.1/elsewhere') }, 76,
        qr/redirects \(302\) to 'http:\/\/127/, qr/not followed/],
    ['a redirect that keeps the method', sub { reply(308, 'text/html', '',
        'Location: /x') }, 76, qr/redirects/, qr/not followed/],
    ['500', sub { gem(500, '<h1>Internal Server Error</h1>') }, 75,
        qr/answers 500/, qr/error log/],
    ['503 of ours', sub { ours(503,
        '{"error":"the database is busy","code":"BUSY","hint":"wait"}') },
        75, qr/503: the database is busy/, qr/wait \(there\)/],
    ['paused', sub { ours(503, '{"error":"paused","code":"PAUSED"}') }, 75,
        qr/paused/],
    ['a proxy that finds nobody', sub { reply(502, 'text/html',
        '<html><h1>Bad Gateway</h1></html>') }, 75, qr/answers 502/],
    ['a login page', sub { reply(200, 'text/html',
        '<html><form>Please log in</form></html>') }, 76,
        qr/not Communicator's: status 200.*Please log in/, qr/uri=/],
    ['a page with the right status', sub { reply(202, 'text/html',
        '<html>Accepted</html>') }, 76, qr/not Communicator's/],
    ['a captive portal that says nothing', sub { reply(200, 'text/html', '') },
        76, qr/not Communicator's/],
    ['204', sub { "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n" }, 76,
        qr/not Communicator's/],
    ['some other API', sub { reply(202, 'application/json', '{}') }, 76,
        qr/not Communicator's: status 202, type 'application\/json'/],
    ['418', sub { reply(418, 'text/plain', 'teapot') }, 76, qr/teapot/],
    ['409 without a number', sub { gem(409, 'Specify from_id!') }, 76,
        qr/not Communicator's/],
    ['409 of a stranger', sub { reply(409, 'application/json', '4') }, 76,
        qr/not Communicator's/],
    ['control characters', sub { reply(200, 'text/html',
        "\033[31mred\007\r\n") }, 76, qr/'\[31mred'/],
    ['nothing', sub { undef }, 75, qr/127\.0\.0\.1.*: \S/],
    ['what is no HTTP', sub { "SSH-2.0-OpenSSH\r\n" }, 76, qr/127\.0\.0\.1/],
    ['a cut reply', sub { ours(202, 'x' x 100, 'Communicator-Received: 1')
        =~ s/x{50}$//r =~ s/^Connection.*\n//mr . '' }, 75, qr/./],
    ['an endless reply', sub { ours(202, 'x' x 200_000,
        'Communicator-Received: 1') }, 65, qr/larger than 65536 bytes/,
        qr/CommunicatorMaxBody/],
    ['another node', sub { reply(202, 'application/json', '{}',
        'Communicator-Protocol: 2', 'Communicator-Node: other',
        "Communicator-Epoch: $epoch", 'Communicator-Received: 1') }, 76,
        qr/calls itself 'other'/, qr/CommunicatorName/],
    ['no epoch', sub { reply(202, 'application/json', '{}',
        'Communicator-Protocol: 2', 'Communicator-Node: facade',
        'Communicator-Received: 1') }, 76, qr/epoch/],
    ['one that takes and does not hold', sub {
        ours(202, '{}', 'Communicator-Received: 0') }, 76,
        qr/says that it holds 0/],
    ['one that never agrees', sub {
        $_[1] ? ours(409, '{"code":"GAP"}', 'Communicator-Received: 77')
              : ours(202, '{}', 'Communicator-Received: 0') },
        75, qr/no agreement/],
    ['one that holds what was never sent', sub {
        ours(409, '{"code":"GAP"}', 'Communicator-Received: 77') }, 76,
        qr/restored from a backup/],
    ['a gem that wants what was never sent', sub {
        ids($_[0]) ? gem(409, '500') : gem(202, 'No data given') }, 76,
        qr/wants message 500/],
);

for my $case (@cases) {
    my ($name, $code, $exit, $message, $hint) = @$case;

    subtest "a push meets $name" => sub {
        my $server = Hostile->new($code);
        my $central = central($server, 1,
            client_conf => "CommunicatorMaxBody 64K\n");
        my $run = $central->sync('push', '--timeout', '5');

        is($run->{exit}, $exit, 'exit status');
        like($run->{err}, qr/^communicator-sync: facade: cannot push: /,
            'one line says which peer');
        like($run->{err}, $message, '  and why');
        like($run->{err}, qr/^hint: .*$hint/m, '  and what to do') if $hint;
        unlike($run->{err}, qr/[^\n\x20-\x7e]/, '  in plain characters');
        is($run->{out}, '', 'nothing on stdout');
        is(confirmed($central), 0, 'nothing counts as delivered');
        $server->stop;
    };
}

subtest 'a pull meets' => sub {
    my @pulls = (
        ['a login page', reply(200, 'text/html', '<html>log in</html>'), 76],
        ['a list of some other API', reply(200, 'application/json', '[]'), 76],
        ['a cut list', ours(200, '[{"id":1', 'Communicator-Last: 1'), 65],
        ['something that is no list', ours(200, '{}'), 65],
        ['more that never comes', ours(200, '[]', 'Communicator-Last: 0',
            'Communicator-More: 1'), 76],
        ['status 400', reply(400, 'text/html', 'no'), 76],
        ['status 404', reply(404, 'text/html', 'no'), 69],
    );
    for my $case (@pulls) {
        my ($name, $raw, $exit) = @$case;
        my $server = Hostile->new(sub { $raw });
        my $run = central($server, 0)->sync('pull', '--timeout', '5');

        is($run->{exit}, $exit, $name);
        like($run->{err}, qr/^communicator-sync: facade: cannot pull: /,
            '  is explained') or diag($run->{err});
        $server->stop;
    }
};

subtest 'nobody is there' => sub {
    my $server = bless { name => 'facade', user => 'u', password => 'geheim',
        port => free_port() }, 'Hostile';
    my $central = central($server);
    my $run = $central->sync;

    is($run->{exit}, 75, 'no route');
    like($run->{err}, qr/hint: is the peer's httpd running/, '  with a hint');
    my $slow = Hostile->new(sub { (gem(202, 'No data given'), 3) });
    $run = central($slow)->sync('push', '--timeout', '1');
    is($run->{exit}, 75, 'no answer in time');
    like($run->{err}, qr/timed out/i, '  is said');
    my $plain = Hostile->new(sub { undef });
    $central->configure(peers => $central->{peers}
        =~ s/uri=\S+/uri=https:\/\/127.0.0.1:$plain->{port}\//r);
    $run = $central->sync('--timeout', '5');
    is($run->{exit}, 76, 'no TLS where there should be');
    like($run->{err}, qr/hint: .*ca-file=/, '  with a hint');
    like($central->sync('--json')->{err},
        qr/^\{"peer":"facade","error":.*"code":"TLS","exit_status":76/,
        'an error as JSON');
};

subtest 'a push to a peer of ours' => sub {
    my $server = Hostile->new(good());
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
    is(confirmed($central), 3, 'the messages are confirmed');
    $run = $central->sync('--verbose');
    like($run->{out}, qr/^facade: pushed 0, pulled 0 in \d+\.\d s\n$/,
        'a second run has nothing to do, and says so when asked');
    is(scalar(my @all = $server->requests), 4, '  with one request');
    like($central->sync('--json')->{out}, qr/^\{"peer":"facade","kind":/,
        'the summary as JSON');
    like($central->sync('status')->{out},
        qr/^PEER\s+PENDING.*\nfacade\s+0\s/, 'status knows it');
    $server->stop;
    my $stranger = Hostile->new(sub { $epoch = 'f' x 32; good()->(@_) });
    $central->configure(peers => $central->{peers}
        =~ s/:\d+\//:$stranger->{port}\//r);
    $run = $central->sync;
    is($run->{exit}, 76, 'another database behind the same name');
    like($run->{err}, qr/not the one known here.*\nhint: /, '  is refused');
};

subtest 'a peer that takes little at once' => sub {
    my $server = Hostile->new(good(7));
    my $central = central($server, 40);
    my $run = $central->sync('push');

    is("$run->{exit}$run->{err}", '0', 'the batch is halved');
    is(confirmed($central), 40, 'until all is there');
    ok(grep({ ids($_) > 3 } $server->requests), '  and grown again');
    my $none = Hostile->new(sub { ids($_[0])
        ? reply(413, 'text/html', 'no')
        : ours(202, '{}', 'Communicator-Received: 0') });
    $run = central($none, 3)->sync('push');
    is($run->{exit}, 65, 'a single message that is too large');
    like($run->{err}, qr/message 1: /, '  is named');
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
    my $server = Hostile->new($code);
    my $central = central($server, 5);

    is($central->sync('push')->{exit}, 0, 'it has all');
    $server->stop;
    $held = 2;
    $server = Hostile->new($code);
    $central->configure(peers => $central->{peers}
        =~ s/:\d+\//:$server->{port}\//r);
    my $run = $central->sync('push');
    is($run->{exit}, 0, 'it lost some of it');
    like($run->{err}, qr/up to 2 only, not 5/, '  which is said');
    is(join(' ', ids(($server->requests)[-1])), '3 4 5',
        '  and gets it again');
};

subtest 'a push to a gem' => sub {
    my $server = Hostile->new(old(1));
    my $central = central($server, 250);
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
    my $server = Hostile->new(sub {
        my ($request, $n) = @_;
        my @ids = ids($request);

        return gem(202, 'No data given') if !@ids;
        return undef if $n == 2; # libcurl tries once more by itself
        return gem(409, $next) if $ids[0] != $next;
        $next = $ids[-1] + 1;
        return $n == 1 ? undef : gem(202, '');
    });
    my $central = central($server, 5);

    is($central->sync('push')->{exit}, 75, 'the answer is lost');
    is(confirmed($central), 0, '  nothing is confirmed');
    my $run = $central->sync('push');
    is("$run->{exit}$run->{err}", '0', 'the next run agrees with it');
    is(confirmed($central), 5, '  all is confirmed');
};

subtest 'one run at a time' => sub {
    my $server = Hostile->new(good());
    my $central = central($server);
    my $file = "$central->{dir}/state/facade.lock";

    open my $lock, '+>', $file or die "$file: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    my $run = $central->sync;
    is("$run->{exit}$run->{out}$run->{err}", '0', 'a second one goes quietly');
    is(scalar(my @none = $server->requests), 0, '  and does nothing');
    $run = $central->sync('--wait', '1');
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
    my $server = Hostile->new(sub {
        my ($request) = @_;

        return (good()->(@_), ids($request) ? 1 : 0);
    });
    my $central = central($server, 20, conf => $models
        . "CommunicatorBatch 5\n");
    my $pid = $central->sync_start('push');

    wait_until(sub { (() = $server->requests) >= 2 });
    kill TERM => $pid;
    waitpid $pid, 0;
    is($? >> 8, 75, 'ends the run with a status that says: later');
    is(confirmed($central), 5, 'after the batch that was under way');
};

subtest 'several peers' => sub {
    my $dead = bless { name => 'dead', user => 'u', password => 'geheim',
        port => free_port() }, 'Hostile';
    my $server = Hostile->new(good());
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
        database => database(), conf => $models)->migrate->start;
    my $central = central($server, 0);
    my $secret = "$central->{dir}/facade.secret";

    $central->database->run("insert into posts (title) values ('one')");
    my $run = $central->sync('check');
    is($run->{exit}, 0, 'check finds all well') or diag($run->{out});
    is(() = $run->{out} =~ /^ok /mg, 6, '  in six lines');
    spew($secret, "wrong\n");
    $run = $central->sync;
    is($run->{exit}, 77, 'a wrong password');
    like($central->sync('check')->{out},
        qr/^FAIL\s+peer facade: .*\(401\)\n\s+hint: /m, '  found by check');
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
    is($json->decode($run->{out})->[0]{received}, 2, '  agrees');
    $server->stop;
    $run = $central->sync;
    is($run->{exit}, 75, 'httpd is down');
};

done_testing();
