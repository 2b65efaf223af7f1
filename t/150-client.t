#!/usr/bin/perl

# communicator-sync: its command line, its configuration, and servers that are
# dead, hostile, or not what they should be: what it says, how it exits, and
# that nothing is taken for delivered that is not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use POSIX qw(mkfifo);
use Test::More;
use Communicator::Test qw(folder spew slurp client_file free_port
  run_program);
use Communicator::Test::Hostile qw(reply ours gem ids good central confirmed
  nobody $EPOCH);

plan skip_all => 'the client is not built' unless -x client_file();

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
        ['push', 'more'], ['status', '--wait', '1s'], ['push', '--wait', 'x'],
        ['push', '--wait', '2d'], ['push', '--timeout', '0'],
        ['purge', '--older-than', '0'],
        ['--quiet=1'], ['-q', '-v']) {
        my $bad = run_program([@client, @$case]);

        is($bad->{exit}, 64, "wrong usage: @$case");
        like($bad->{err}, qr/^communicator-sync: \S/, '  is explained');
        is($bad->{out}, '', '  on stderr alone');
    }
    for my $case (['statsu', 'status'], ['verfiy', 'verify'],
        ['--jsn', '--json'], ['--max-tiem=5s', '--max-time'],
        ['blorb', undef]) {
        my ($word, $meant) = @$case;

        like(run_program([@client, $word])->{err},
            $meant ? qr/^hint: did you mean '\Q$meant\E'\?$/m
            : qr/^hint: communicator-sync --help$/m, "a misspelt word: $word");
    }
    is(run_program([@client, 'help', 'drain'])->{out},
        run_program([@client, 'drain', '--help'])->{out}, 'help COMMAND');
    for my $case ('push --wait', 'push --timeout', 'push --max-time',
        'push --splay', 'purge --older-than', 'status --warning',
        'status --critical') {
        my $bad = run_program([@client, split(/ /, $case), 5]);

        is($bad->{exit}, 64, "$case 5: a number without a unit");
        like($bad->{err}, qr/'5' has no unit: write 5s, 5min, 5h or 5d/,
            '  is asked what it means');
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
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($server);
    my $secret = "$central->{dir}/facade.secret";

    chmod 0644, $secret;
    my $run = $central->sync;
    is($run->{exit}, 78, 'a password file that others may read');
    like($run->{err}, qr/hint: chmod 6[04]0/, '  and what to do');
    unlike("$run->{out}$run->{err}", qr/geheim/, '  the password is not said');
    chmod 0660, $secret;
    is($central->sync->{exit}, 78, 'one that a group may change');
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
    spew($secret, "geheim\n");
    chmod 0640, $secret;
    is($central->sync->{exit}, $> ? 78 : 0,
        'only root may let a group read the file');
    for my $uri ('http://facade.example/messages.json',
        'http://127.facade.example/messages.json') {
        $central->configure(peers => "CommunicatorPeer facade uri=$uri "
            . "user=u password-file=$secret\n");
        $run = $central->sync;
        is($run->{exit}, 78, "$uri is not for passwords");
    }
};

# check goes on whatever fails: every line is there, and nothing crashes.
subtest 'check, whatever fails' => sub {
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($server);
    my $secret = "$central->{dir}/facade.secret";
    my $check = sub {
        my $run = $central->sync('check', '--timeout', '5s', ref $_[0] ? $_[0]
            : ());

        is($run->{signal}, 0, "$_[-1]: no crash");
        return $run;
    };
    my %broken = (
        'is missing' => [74, sub { unlink $secret }],
        'is empty' => [78, sub { spew($secret, "\n"); chmod 0600, $secret }],
        'is too long' => [78, sub { spew($secret, 'geheim' x 1000 . "\n");
            chmod 0600, $secret }],
        'is open to others' => [78, sub { spew($secret, "geheim\n");
            chmod 0644, $secret }]);

    for my $case (sort keys %broken) {
        my ($exit, $break) = @{ $broken{$case} };

        $break->();
        my $run = $check->("a password file that $case");
        is($run->{exit}, $exit, '  its exit status');
        like($run->{out}, qr/^FAIL +facade: address and password: .*file '/m,
            '  which is named');
        like($run->{out}, qr/^ok +facade: name, route and port$/m,
            '  the way is tried all the same');
        like($run->{out}, qr/^ok +model post$/m, '  and the models judged');
    }
    spew($secret, "geheim\n");
    chmod 0600, $secret;

    my $good = $central->{conf};
    $central->configure(conf => $good . <<'CONF');
CommunicatorModel lost table=lost
CommunicatorModel gone table=gone key=name
CONF
    my $run = $check->('two models without a table');
    is($run->{exit}, 78, '  the exit status');
    like($run->{out}, qr/^FAIL +model $_: /m, "  $_ is named") for qw(lost gone);
    like($run->{out}, qr/^ok +model post$/m, '  and the one that is well');
    like($run->{out}, qr/^ok +facade: Communicator answers$/m,
        '  the peer is asked all the same');
    $central->configure(conf => $good);

    my $file = $central->database->{file};
    $central->database->run('drop table communicator_node');
    $run = $check->('a table of ours that is gone');
    isnt($run->{exit}, 0, '  the exit status');
    like($run->{out}, qr/^ok +model post$/m, '  the models are judged');
    like($run->{out}, qr/^ok +facade: Communicator answers$/m,
        '  the peer is asked');
    unlike($run->{out}, qr/histories fit/, '  but for its history');
    rename $file, "$file.away";
    mkdir $file;
    $run = $check->('no database');
    is($run->{exit}, 75, '  the exit status');
    like($run->{out}, qr/^FAIL +database \(sqlite3\): /m, '  it is said');
    like($run->{out}, qr/^ok +facade: Communicator answers$/m,
        '  the peer is asked');
    my ($last) = reverse $server->requests;
    is($last->{headers}{'communicator-epoch'}, undef,
        '  and told nothing of a history that is not known');
    rmdir $file;
    for my $command (qw(check status migrate models communicate)) {
        $run = $central->sync($command);
        is($run->{exit}, 75, "$command: a database that does not exist");
        like($run->{out} . $run->{err}, qr/the file '\Q$file\E' does not exist/,
            '  is named');
        ok(!-e $file, '  and not made');
    }

    my $proxy = free_port();
    $central->configure(peers => "CommunicatorPeer facade "
        . "uri=http://facade.invalid/messages.json user=u insecure=yes "
        . "password-file=$secret\n");
    my %env = (http_proxy => "http://me:sesame\@127.0.0.1:$proxy");
    $run = $check->({ env => \%env }, 'a proxy that is not there');
    like($run->{out}, qr/^FAIL\ +facade:\ name,\ route\ and\ port:\ .*\n
        \ +hint:\ .*proxy/mx, '  the hint names it');
    like($run->{out}, qr{^ok\ +facade:\ through\ the\ proxy\ http://
        (\*\*\*@)?127\.0\.0\.1:$proxy\ \(http_proxy\)$}mx, '  it is shown');
    unlike($run->{out} . $run->{err}, qr/sesame/, '  without its password');
    $run = $check->({ env => { %env, no_proxy => '.invalid' } },
        'a proxy that no_proxy forbids');
    like($run->{out}, qr/^ok +facade: http_proxy is set, but not used here/m,
        '  it is said');
    $server->stop;
};

subtest 'check shows what the last run came to' => sub {
    my $server = Communicator::Test::Hostile->new(
        sub { reply(401, 'text/html', '<h1>no</h1>') });
    my $central = central($server);

    $central->sync;
    my $run = $central->sync('check');
    like($run->{out}, qr/^warning +facade: the last run, .*, failed: .*401/m,
        'its failure');
    spew("$central->{dir}/state/status.json", "{ not JSON");
    $run = $central->sync('check');
    like($run->{out}, qr/^warning +state: .*status\.json.*cannot be read/m,
        'a state file that cannot be read');
    $server->stop;
};

# What the caller has closed is given to no connection and no file: what is
# printed would go there.
subtest 'closed descriptors' => sub {
    for my $driver (Communicator::Test::Database->drivers) {
        next if Communicator::Test::Database->missing($driver);
        my $database = Communicator::Test::Database->new($driver);
        $database->create('create table posts (id {key}, '
            . 'title varchar(40)) {engine}');
        my $node = Communicator::Test::Peer->new(name => 'central',
            database => $database, conf => 'CommunicatorModel post '
              . "table=posts\nCommunicatorPeer other user=x\n")->migrate;
        my $run = sub {
            return run_program(['sh', '-c', "exec \"\$\@\" $_[0]", 'sh',
                client_file(), '--config', $node->config_file, 'status']);
        };

        is($run->('>&-')->{exit}, 74, "$driver: nobody reads the status");
        is($run->('<&- 2>&-')->{exit}, 0, '  and nothing else matters');
    }
};

# Nothing waits for what is no file, and nothing is written through a link.
subtest 'files' => sub {
    my $server = Communicator::Test::Hostile->new(good());
    my $central = central($server);
    my $dir = $central->{dir};
    my $fifo = "$dir/fifo";
    my $sync = sub {
        return run_program(['timeout', '10', client_file(), '--config',
            @_ ? @_ : $central->config_file]);
    };

    mkfifo($fifo, 0600) or die $!;
    my $run = $sync->($fifo);
    is($run->{exit}, 74, 'a FIFO as configuration');
    like($run->{err}, qr/'\Q$fifo\E': it is a FIFO, not a file/, '  is named');
    for my $option ("password-file=$fifo",
        "password-file=$dir/facade.secret ca-file=$fifo") {
        $central->configure(peers => 'CommunicatorPeer facade uri='
            . $server->url . " user=u $option\n");
        $run = $sync->();
        is($run->{exit}, 74, $option =~ s/=\S*//gr . ': a FIFO');
        like($run->{err}, qr/'\Q$fifo\E': it is a FIFO, not a file/,
            '  is named');
    }
    $central->configure(peers => '');
    $central->knows($server);
    spew("$dir/precious", "precious\n");
    symlink "$dir/precious", "$dir/state/status.json.new" or die $!;
    is($sync->()->{exit}, 0, 'a link where the state file is made');
    is(slurp("$dir/precious"), "precious\n", '  is not followed');
    ok(-f "$dir/state/status.json" && !-l "$dir/state/status.json",
        '  and is no longer there');
    my $state = decode_json(slurp("$dir/state/status.json"));
    my $later = time + 30 * 86400;
    $state->{central}{purged_at} = $later;
    spew("$dir/state/status.json", encode_json($state));
    is($sync->()->{exit}, 0, 'a clock that was a month ahead');
    cmp_ok(decode_json(slurp("$dir/state/status.json"))->{central}{purged_at},
        '<', $later, '  does not end what is done once in a while');
};

# What a push meets: [name, code, exit, message, hint, words of the peer].
my @cases = (
    ['401', sub { reply(401, 'text/html', '<h1>no</h1>') }, 77,
        qr/refuses the credentials/, qr/password-file=/],
    ['403', sub { reply(403, 'text/html', '<h1>no</h1>') }, 77,
        qr/forbidden/, qr/in front of it/],
    ['429', sub { reply(429, 'text/html', 'slow down') }, 75,
        qr/limits how often it is asked \(429\)/, qr/let this host through/],
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
    ['locked', sub { ours(503, '{"error":"another run","code":"LOCKED"}') }, 75,
        qr/503: another run(?!.*error log)/s],
    ['a proxy that finds nobody', sub { reply(502, 'text/html',
        '<html><h1>Bad Gateway</h1></html>') }, 75,
        qr/does not reach the peer's httpd \(502\)/, qr/log of the proxy/],
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
    ['407 of a proxy', sub { reply(407, 'text/html', 'log in at the proxy') },
        77, qr/the proxy wants a login \(407\)/, qr/proxy-user-file=/],
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
        "Communicator-Epoch: $EPOCH", 'Communicator-Received: 1') }, 76,
        qr/calls itself 'other'/, qr/CommunicatorName/],
    ['no epoch', sub { reply(202, 'application/json', '{}',
        'Communicator-Protocol: 2', 'Communicator-Node: facade',
        'Communicator-Received: 1') }, 76, qr/epoch/],
    ['one of tomorrow', sub { reply(202, 'application/json', '{}',
        'Communicator-Protocol: 3', 'Communicator-Node: facade',
        "Communicator-Epoch: $EPOCH", 'Communicator-Received: 1') }, 76,
        qr/speaks protocol 3, this program only 2/, qr/newer program here/],
    ['one that takes and does not hold', sub {
        ours(202, '{}', 'Communicator-Received: 0') }, 76,
        qr/says that it holds 0/],
    ['one that never agrees', sub {
        $_[1] ? ours(409, '{"code":"GAP"}', 'Communicator-Received: 0')
              : ours(202, '{}', 'Communicator-Received: 0') },
        75, qr/no agreement/],
    ['one that holds what was never sent', sub {
        ours(409, '{"code":"GAP"}', 'Communicator-Received: 77') }, 76,
        qr/'facade' holds message 77 of 'central', whose last message is 0/,
        qr/'central' restored .*epoch --new.*epoch --accept central/],
    (map { my $number = $_;
        ["one that holds $number", sub {
            ours(202, '{}', "Communicator-Received: $number") }, 76,
            qr/header Communicator-Received of the peer's reply is '$number'/],
        ["one whose clock is $number", sub {
            ours(202, '{}', 'Communicator-Received: 0',
                "Communicator-Clock: $number$number") }, 76,
            qr/header Communicator-Clock of .* is '$number$number'/],
        ["a gem that wants $number", sub {
            ids($_[0]) ? gem(409, $number) : gem(202, 'No data given') }, 76,
            qr/not Communicator's: status 409/, undef, 'protocol=gem'],
    } '9007199254740993', '9223372036854775807', '9' x 30),
    ['a gem that wants one number again and again', sub {
        ids($_[0]) ? gem(409, '500') : gem(202, 'No data given') }, 75,
        qr/no agreement/, undef, 'protocol=gem'],
);

for my $case (@cases) {
    my ($name, $code, $exit, $message, $hint, $words) = @$case;

    subtest "a push meets $name" => sub {
        my $server = Communicator::Test::Hostile->new($code);
        my $central = central($server, 1, words => $words,
            client_conf => "CommunicatorMaxBody 64K\n");
        my $run = $central->sync('push', '--timeout', '5s');

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
        ['something that is no list', ours(200, '{}', 'Communicator-Last: 1'), 65],
        ['a list of any length', ours(200, '[]'), 76],
        ['more that never comes', ours(200, '[]', 'Communicator-Last: 0',
            'Communicator-More: 1'), 76],
        ['a number that nobody has', ours(200,
            '[{"id":9007199254740993,"body":"{\\"post\\":{}}"}]',
            'Communicator-Last: 1'), 65],
        ['a list that goes too far', ours(200, '[]',
            'Communicator-Last: 9007199254740993'), 76],
        ['status 400', reply(400, 'text/html', 'no'), 76],
        ['status 404', reply(404, 'text/html', 'no'), 69],
    );
    for my $case (@pulls) {
        my ($name, $raw, $exit) = @$case;
        my $server = Communicator::Test::Hostile->new(sub { $raw });
        my $run = central($server, 0)->sync('pull', '--timeout', '5s');

        is($run->{exit}, $exit, $name);
        like($run->{err}, qr/^communicator-sync: facade: cannot pull: /,
            '  is explained') or diag($run->{err});
        $server->stop;
    }
};

subtest 'nobody is there' => sub {
    my $server = nobody('facade');
    my $central = central($server);
    my $run = $central->sync;

    is($run->{exit}, 75, 'no route');
    like($run->{err}, qr/hint: is the peer's httpd running/, '  with a hint');
    my $slow = Communicator::Test::Hostile->new(sub { (gem(202, 'No data given'), 3) });
    $run = central($slow, 1, words => 'protocol=gem')->sync('push', '--timeout', '1s');
    is($run->{exit}, 75, 'no answer in time');
    like($run->{err}, qr/timed out/i, '  is said');
    my $plain = Communicator::Test::Hostile->new(sub { undef });
    $central->configure(peers => $central->{peers}
        =~ s/uri=\S+/uri=https:\/\/127.0.0.1:$plain->{port}\//r);
    $run = $central->sync('--timeout', '5s');
    is($run->{exit}, 76, 'no TLS where there should be');
    like($run->{err}, qr/hint: does this port speak TLS/, '  with a hint');
    like($central->sync('--json')->{err},
        qr/^\{"peer":"facade","error":.*"code":"TLS","exit_status":76/,
        'an error as JSON');
};

done_testing();
