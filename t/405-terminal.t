#!/usr/bin/perl

# What a person sees who sits at a terminal of 80 columns: tables that fit,
# colours unless NO_COLOR, a bar with rate and time left on long work, and
# nothing left of it afterwards.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(client_file module_file need slurp wait_until
  run_program);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Terminal;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $records = 200_000;
my $models = "CommunicatorModel post table=posts\n"
  . "CommunicatorExpectEvery 10min\n";
my ($facade, $central, $terminal);

sub pair {
    my ($there, $here) = map {
        my $database = Communicator::Test::Database->new('sqlite3');
        $database->create('create table posts (id {key}, title {text})');
        $database;
    } 1, 2;

    $facade = Communicator::Test::Server->new(database => $there,
        conf => $models)->migrate->start;
    $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($facade);
    $here->run('with recursive n(i) as (select 1 union all select i + 1 '
        . "from n where i < $records) insert into posts (title) "
        . "select 'number ' || i from n");
    $central->migrate;
}

# Run the client at the terminal.
sub at_terminal {
    my ($words, @arguments) = @_;

    return $terminal->run([client_file(), '--config', $central->config_file,
        @arguments], $words);
}

# A bar of WHAT was to be seen, in one line, and is gone.
sub is_bar {
    my ($seen, $what) = @_;
    my @bars = map { /^($what \[.*)$/mg } @{ $seen->{during} };

    ok(@bars > 0, "$what: a bar") or diag(@{ $seen->{during} });
    is((grep { !/^\w+\ \[\#*\.*\]\ [\d,]+\ of\ [\d,]+
        (,\ [\d,]+\/s,\ \d+\ (s|min)\ left)?$/x } @bars), 0,
        '  with rate and time left, in one line') or diag(@bars);
    ok(grep({ /left$/ } @bars) > 0, '  and both are told');
    unlike($seen->{screen}, qr/\[|\bleft\b/, '  nothing stays of it')
      or diag($seen->{screen});
}

sub long_work {
    # With --all, publish only notes the table.
    # A condition that takes its time: a bar comes after some tenths of a second.
    is_bar(at_terminal('', 'publish', 'post', '--where',
            'length(hex(randomblob(1000))) > id * 0'), 'publish');
    my $drain = at_terminal('', 'drain');
    is_bar($drain, 'push');
    is($drain->{screen}, <<"EOT", 'drain proves it');
ok       facade: both queues are empty, nothing is parked
         it holds ours up to 200,000, we its up to 0
EOT
    my $verify = at_terminal('', 'verify');
    is_bar($verify, 'verify');
    is($verify->{screen}, "facade: post: 200,000 records, none differs\n",
        'verify');
}

sub tables {
    at_terminal('', 'push');
    my $status = at_terminal('', 'status');

    like($status->{screen}, qr/\Acentral:\ all\ is\ well\n
        PEER\ +SIDE\ .*\nfacade\ +here\ .*\n\ +there\ .*\n\z/x,
        'status fits 80 columns')
      or diag($status->{screen});
    like($status->{colours}, qr/\e\[32mall is well/, '  its verdict is green');
    like($status->{colours}, qr/\e\[1m(?:\e\[39m)?PEER/,
        '  its heading is bold');
    unlike(at_terminal('NO_COLOR=1', 'status')->{colours}, qr/\e\[/,
        '  but not with NO_COLOR');
    my $check = at_terminal('', 'check');
    like($check->{colours}, qr/\e\[32mok/, 'check is green');
    unlike($check->{screen}, qr/warning|FAIL/, '  all of it')
      or diag($check->{screen});
    is((grep { length > 80 } split /\n/, $check->{screen}), 0, '  and fits');
}

sub live {
    my $end = $terminal->start([client_file(), '--config',
        $central->config_file, 'status', '--watch', '500ms']);
    my $screen = $terminal->wait_for(qr/q ends/);

    like($screen, qr/\Acentral:\ all\ is\ well\n
        PEER\ +SIDE\ .*\ RATE\nfacade\ +here\ .*\n\ +there\ .*\n
        20\S+\ \S+\ UTC,\ every\ 0\.5\ s;\ q\ ends\n\z/x, 'a live view');
    $central->database->run("insert into posts (title) values ('x'), ('y')");
    ok($terminal->wait_for(qr/^facade +here +2 /m), '  a queue grows');
    $central->sync_ok('push');
    like($terminal->wait_for(qr{^facade +here +0 .* [\d.]+/s$}m),
        qr{ 0/s$}m, '  and is sent: both rates');
    $facade->stop;
    $central->sync('push');
    ok($terminal->wait_for(qr/^facade: the last run, .* failed/m),
        '  a run that fails');
    $facade->start;
    $central->sync_ok('push');
    like($terminal->wait_for(qr/\A(?!.*failed)/s), qr/\Acentral: all is well/,
        '  and goes away in place');
    $terminal->type('x');
    $terminal->type('q');
    like($terminal->wait_for(qr/^$end$/m), qr/\A$end\n>\s*\z/,
        'q ends it, and the screen is as it was')
      or diag $terminal->screen;
    $terminal->type('echo it is $((6 * 7))', 'Enter');
    like($terminal->wait_for(qr/^it is 42$/m), qr/echo it is/,
        '  and typing is seen again');
    $end = $terminal->start([client_file(), '--config', $central->config_file,
        'status', '--watch']);
    ok($terminal->wait_for(qr/every 2 s/), 'every 2 seconds if not told');
    $terminal->type('C-c');
    ok($terminal->wait_for(qr/^$end$/m), '  and Ctrl-C ends it');
}

# In a small window the view is cut, and stays in place.
sub small {
    my $window = Communicator::Test::Terminal->new(width => 30, height => 4);

    $window->start([client_file(), '--config', $central->config_file,
        'status', '--watch', '200ms']);
    like($window->wait_for(qr/UTC/), qr/\Acentral:\ all\ is\ well\n
        PEER\ .{1,25}\nfacade\ .{1,23}\n20\S+\ \S+\ UTC,\ every\n\z/x,
        'a small window') or diag $window->screen;
    sleep 0.5;
    like($window->screen, qr/\Acentral:/, '  stays in place');
    $window->type('q');
}

# Without a terminal there is a block for each view.
sub blocks {
    my $pid = $central->sync_start(qw(status --watch 200ms));
    my $log = "$central->{dir}/sync.log";
    my $block = qr/20\S+ \S+ UTC\ncentral: .*\nPEER .*\nfacade .*\n +there .*\n\n/;

    ok(wait_until(sub { slurp($log) =~ /\A$block$block/ }, 20), 'blocks')
      or diag slurp($log);
    unlike(slurp($log), qr/\e/, '  without control sequences');
    kill TERM => $pid;
    waitpid $pid, 0;
    is($?, 0, '  until it is told to end');
    $pid = $central->sync_start(qw(status --watch 200ms --json));
    ok(wait_until(sub { (() = slurp($log) =~ /^\{.*"format":1,.*\}$/mg) > 1 },
        20), 'or JSON, a line each') or diag slurp($log);
    kill TERM => $pid;
    waitpid $pid, 0;
    my $began = time;
    my $run = run_program(['sh', '-c', client_file() . ' --config '
        . $central->config_file . ' status --watch 200ms | head -1'],
        timeout => 20);
    like($run->{out}, qr/\A20\S+ \S+ UTC\n\z/, 'it ends when nobody reads it');
    cmp_ok(time - $began, '<', 10, '  at once');
    is($central->sync(qw(status --watch 1ms))->{exit}, 64, 'not too often');
    is($central->sync(qw(status --watch --nagios))->{exit}, 3,
        'not for a monitor');
}

sub trouble {
    my $status;

    $facade->stop;
    at_terminal('', 'push');
    $status = at_terminal('', 'status');
    like($status->{colours}, qr/\e\[31mthe last run, .* failed: cannot push/,
        'status tells in red of a run that failed')
      or diag($status->{colours});
    my $check = at_terminal('', 'check');
    like($check->{colours}, qr/\e\[31mFAIL.*name, route and port/,
        'check shows the step that fails');
    like($check->{screen}, qr/^ +hint: is the peer's httpd running/m,
        '  and what to do');
}

SKIP: {
    need(1, 'tmux');
    $terminal = Communicator::Test::Terminal->new;
    pair();
    subtest 'long work' => \&long_work;
    subtest 'tables' => \&tables;
    subtest 'live' => \&live;
    subtest 'small' => \&small;
    subtest 'blocks' => \&blocks;
    subtest 'trouble' => \&trouble;
}

done_testing();
