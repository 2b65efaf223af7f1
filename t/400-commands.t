#!/usr/bin/perl

# The operator's commands on real servers: what is parked and what to do with
# it, the state of both sides, purging, the story of a record.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2;
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file module_file wait_until folder spew
  start_process stop_process is_alive);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $models = "CommunicatorModel post table=posts\n"
  . "CommunicatorModel note table=notes conflict=hold\n";
my ($facade, $central);

# A table whose title the facade cannot hold in full.
sub make_tables {
    my ($database, $limit) = @_;

    $database->create(<<"SQL");
create table posts (
    id {key}, title varchar(255) check (length(title) <= $limit),
    body {text}) {engine};
create table notes (id {key}, text {text}) {engine};
SQL
}

sub pair {
    my ($driver) = @_;
    my $there = Communicator::Test::Database->new($driver);
    my $here = Communicator::Test::Database->new($driver);

    make_tables($there, 10);
    make_tables($here, 255);
    $facade = Communicator::Test::Server->new(database => $there,
        conf => $models)->migrate->start;
    $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($facade)->migrate;
}

sub out { return $central->sync(@_)->{out} }
sub json { return decode_json($_[0]->sync(@_[1 .. $#_], '--json')->{out}) }

sub parked_and_back {
    my ($driver) = @_;
    my ($here, $there) = ($central->database, $facade->database);

    is($facade->sync('parked')->{out}, '', 'nothing is parked');
    $here->run("insert into posts (title) values ('short');"
        . "insert into posts (title) values ('far too long for it');"
        . "update posts set title = 'now it fits', body = 'x' where id = 2;"
        . "update posts set body = 'y' where id = 2;");
    is($central->sync('push')->{exit}, 65, 'a message that does not fit');
    my $list = json($facade, 'parked');
    is(scalar @$list, 3, 'is parked, what follows it waits');
    my ($first, $second) = @$list;
    is("$first->{peer} $first->{id} $first->{model} $first->{origin}"
        . "/$first->{original_id}", 'central 2 post central/2', 'named');
    ok(!$first->{transient} && $second->{transient},
        '  the first needs a person, the others do not');
    like($facade->sync('parked')->{out},
        qr/^PEER\ +ID\ +MODEL\ +RECORD\ +AGE\ +REASON\n
           central\ +2\ +post\ +central\/2/mx, '  as a table');
    $central->sync;
    like(out('status'), qr/^PEER.*\nfacade\ +here\ +0\ +-\ +0\ .*\n
        \ +there\ +0\ +-\ +3\ +[+-]\d+\.\d\ s\n/mx,
        'this side sees it too');
    my $state = json($central, 'status')->{peers}[0];
    is("$state->{parked_there} $state->{pending_there} $state->{kind}",
        '3 0 communicator', '  also as JSON');
    my $retry = $facade->sync('retry');
    is($retry->{exit}, 65, 'trying again does not help');
    like($retry->{err}, qr/^communicator-sync: central: message 2 \(post\): /m,
        '  and says why');

    is($facade->sync('discard', 'central', 7)->{exit}, 64,
        'a number that is not parked');
    is($facade->sync('discard', 'facade', 2)->{exit}, 64, 'a wrong peer');
    is($facade->sync('retry', 'central')->{exit}, 64, 'no number');
    $there->run('alter table posts drop constraint posts_title_check')
      if $driver eq 'pgsql';
    my $discard = $facade->sync('discard', 'central', 2);
    is("$discard->{exit}$discard->{err}", '0', 'giving up on it');
    my $rows = $there->rows('select lost_value, message_id, peer '
        . 'from communicator_conflicts where column_name is null');
    is(scalar @$rows, 1, '  it is kept');
    my $kept = decode_json($rows->[0][0]);
    is(decode_json($kept->{body})->{post}{title}, 'far too long for it',
        '  whole');
    like($facade->sync('parked')->{out}, $driver eq 'pgsql' ? qr/^$/
        : qr/central +3/, '  and what waited behind goes on');
}

# After holding(): what was said of its notes.
sub history {
    my $all = json($central, 'history', '--model', 'note');

    my %seen = map {
        ("$_->{way} $_->{action} $_->{original_id}" => 1)
    } @$all;
    is_deeply([sort keys %seen], ['in update 1', 'in update 2',
        'out create 1', 'out create 2', 'out update 1', 'out update 2'],
        'history lists all messages of a model');
    like(decode_json((grep { $_->{way} eq 'in' } @$all)[0]{body})->{note}{text},
        qr/^theirs$/, '  with what they say');
    like(out('history', '--model', 'note', '--id', 2, '--since', '1h'),
        qr{^AT .*\n(.* (in|out) .* note +central/2 .*\n)+$},
        '  or those of one record');
    is(@{ json($central, 'history', '--limit', 2) }, 2, '  or the newest');
    is(@{ json($central, 'history', '--since', '2100-01-01') }, 0,
        '  or those since a date');
    is($central->sync('history', @$_)->{exit}, 64, "  but not @$_")
      for ['--id', 2], ['--since', 'ever'], ['--limit', 0], ['--model', 'x'],
      ['--peer', 'x'];
}

sub holding {
    my ($here, $there) = ($central->database, $facade->database);

    $there->run("delete from inbound_messages where processed_at is null");
    $here->run("insert into notes (id, text) values (1, 'a');"
        . "insert into notes (id, text) values (2, 'a');");
    $central->sync;
    for my $id (1, 2) {
        $there->run("update notes set text = 'theirs' where id = $id");
        $here->run("update notes set text = 'ours' where id = $id");
    }
    $central->sync;
    my @parked = map { $_->{id} } @{ json($central, 'parked') };
    is(scalar @parked, 2, 'conflict=hold parks both');
    is($central->sync('retry', 'facade', $parked[0])->{exit}, 0,
        'taking theirs');
    is($central->sync('discard', 'facade', $parked[1])->{exit}, 0,
        'keeping ours');
    is(join(' ', map { $_->[0] } @{ $here->rows(
        'select text from notes order by id') }), 'theirs ours',
        '  it is as decided');
    my $story = out('explain', 'note', 1);
    like($story, qr/^note 1: is in table notes\nmade by +central, as 1$/m,
        'explain knows the record');
    like($story, qr/Messages out.*\nSEQ [\s\S]*update[\s\S]*\n\d+ +create/,
        '  what was said');
    like($story, qr/Messages in.*\nFROM .*\nfacade .*applied/, '  and heard');
    like($story, qr/Values that lost.*\n.*\ntext +"ours"/, '  and lost');
    is(json($central, 'explain', 'note', 'central', 1)->{lost}[0]{lost},
        '"ours"', '  by its name, and as JSON, too');
    history();
    like(out('explain', 'note', 99), qr/is not in.*\nit was never sent or received/,
        'what is not there');
}

sub monitors {
    my $nagios = $central->sync('status', '--nagios');
    like($nagios->{out},
        qr/^COMMUNICATOR WARNING - \d+ messages? of .*parked.* \| '/,
        'nagios: one line') or diag $nagios->{err};
    is($nagios->{exit}, 1, '  and its status');
    is($central->sync('status', '--nagios', '--warning', '1d',
        '--critical', '2x')->{exit}, 3, '  a wrong age is unknown');
    is(scalar($nagios->{out} =~ tr/\n//), 1, '  no more');
    my $metrics = out('status', '--prometheus');
    like($metrics, qr/^communicator_(peer_)?pending_messages\{
        peer="facade"\}\ \d+$/mx, 'prometheus');
    ok(!grep({ !/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? -?[\d.]+)$/ }
        split /\n/, $metrics), '  well formed');
    like($metrics, qr/^communicator_sync_known\{peer="facade"\} 1$/m,
        '  and it is known how the runs ended');
}

# A table that is published, but has no triggers.
sub without_triggers {
    my ($driver) = @_;
    my $here = $central->database;
    my $at = $driver eq 'pgsql' ? ' on notes' : '';
    my %list = (
        sqlite3 => q{select name from sqlite_master where type = 'trigger'}
          . q{ and name like 'communicator\_notes%' escape '\'},
        pgsql => q{select tgname from pg_trigger}
          . q{ where tgname like 'communicator\_notes%'},
        mysql => q{select trigger_name from information_schema.triggers}
          . q{ where trigger_name like 'communicator\_notes%'}
          . q{ and trigger_schema = database()},
    );
    my @names = map { $_->[0] } @{ $here->rows($list{$driver}) };

    is(scalar @names, $driver eq 'pgsql' ? 4 : 3, 'all triggers');
    $here->run("drop trigger $names[0]$at");
    like(out('status', '--nagios'), qr/^COMMUNICATOR\ CRITICAL\ -\ some\ triggers
        \ of\ table\ 'notes'\ are\ missing/x, 'one is gone');
    $here->run("drop trigger $names[$_]$at") for 1 .. $#names;
    my $nagios = $central->sync('status', '--nagios');
    is($nagios->{exit}, 2, 'all are gone');
    like($nagios->{out}, qr/^COMMUNICATOR CRITICAL - the triggers of table 'notes'/,
        '  Nagios says so');
    like(out('status', '--prometheus'), qr/^communicator_state 2$/m,
        '  and Prometheus');
    like(out('status'), qr/^critical: the triggers of table 'notes' are missing.*\n +hint: .*migrate/m, '  and status');
    is($central->sync('migrate')->{exit}, 0, 'migrate');
    unlike(out('status', '--nagios'), qr/trigger/, '  mends it');
}

# The lines of check that begin so.
sub lines_of { join "\n", grep { /^$_[1]/ } split /\n/, $_[0]{out} }

sub checking {
    my $check = $central->sync('check');

    is($check->{exit}, 0, 'check') or diag $check->{out};
    for my $what ('configuration', 'state', 'database', 'rights', 'model post',
        'facade: login', 'facade: histories fit', 'facade: clocks agree') {
        like($check->{out}, qr/^ok +\Q$what\E/m, "  $what");
    }
    like(lines_of($check, 'warning'), qr/of ours parked at/,
        '  what is parked') or diag $check->{out};
    like($facade->sync('check')->{out}, qr/^ok +central: connects to this node/m,
        '  on the other side');
    is(scalar($check->{out} =~ /do not see TRUNCATE.*\n +hint: use DELETE/),
        $central->database->driver eq 'mysql' ? 1 : '',
        '  what TRUNCATE does');
    $facade->database->run('alter table posts add column extra integer');
    my $stale = $facade->sync('check');
    is($stale->{exit}, 78, 'a table that has changed');
    like($stale->{out}, qr/^FAIL +model post: .*\n +hint: .*migrate$/m,
        '  and what to do');
    is($facade->sync('migrate')->{exit}, 0, '  which helps');
    is($facade->sync('check')->{exit}, 0, '  at once');
    $facade->database->run('create table memos (id integer primary key)');
    $facade->configure(conf => $models
        . "CommunicatorModel memo table=memos direction=receive\n");
    like($facade->sync('check')->{out},
        qr/^FAIL +model memo: there is no table for .*\n +hint: .*migrate$/m,
        'a model that migrate has not seen');
    is($facade->sync('migrate')->{exit}, 0, '  migrate');
    is($facade->sync('check')->{exit}, 0, '  helps');
    $facade->configure(conf => $models);
    my $good = $central->{peers};
    $central->configure(peers => $good =~ s/user=\w+/user=nobody/r);
    my $login = $central->sync('check');
    is($login->{exit}, 77, 'a wrong user');
    like($login->{out}, qr/^ok +facade: name, route and port\nFAIL +facade: login: /m,
        '  fails at that step');
    $central->configure(peers => $good =~ s/:\d+\//:1\//r);
    like($central->sync('check')->{out},
        qr/^FAIL +facade: name, route and port: .*\n +hint: /m, 'a wrong port');
    $central->configure(peers => $good);
}

# Every command, asked for JSON, prints nothing else, whatever becomes of it.
sub as_json {
    my @commands = (['configtest'], ['configtest', '--dump'], ['check'],
        ['migrate', '--dry-run'], ['status'], ['parked'], ['retry'], ['epoch'],
        ['pause'], ['drain'], ['resume'], ['verify'], ['purge'],
        ['publish', 'post', '--all'], ['explain', 'post', 1], ['history'],
        ['push'],
        ['pull'], ['communicate'], ['discard', 'facade', 4711], ['nothing'],
        ['status', '--nonsense']);

    for my $command (@commands) {
        my $run = $central->sync(@$command, '--json');
        my @lines = split /\n/, $run->{out} . $run->{err};
        my @bad = grep { !eval { decode_json($_) } } @lines;

        is("@bad", '', "@$command") or diag(@lines);
        next if $command->[0] eq 'migrate';
        cmp_ok(scalar @lines, '>', 0, '  something');
    }
    my $error = decode_json($central->sync('nothing', '--json')->{err});
    is("$error->{code} $error->{exit_status}", 'USAGE 64', 'a mistake, too');
}

sub purging {
    my ($here) = $central->database;
    my $unconfirmed = sub { $here->value('select count(*) from '
        . 'outbound_messages where seq is null or seq > '
        . '(select confirmed from communicator_peers)') };

    $central->sync;
    $here->run("insert into posts (title) values ('new');");
    is(out('purge'), "removed 0 messages sent and 0 received\n",
        'a young message stays');
    like(out('purge', '--all'), qr/^removed [1-9]\d* messages sent and /,
        'purge --all removes');
    is($here->value('select min(last_seq - confirmed) from '
        . 'communicator_batches, communicator_peers'), 0,
        '  but not the last one confirmed, and none that is not');
    is($unconfirmed->(), 1, '  that is to say');
    is($here->value('select count(*) from communicator_received'), 0,
        '  all that was received');
    is($central->sync->{exit}, 0, 'the next run goes on');
    is($unconfirmed->(), 0, '  and sends it');
    $facade->stop;
    $facade->configure(conf => $models . "CommunicatorRetain 1ms\n");
    sleep 2; # the database's seconds
    $facade->start;
    ok(wait_until(sub { !$facade->database->value('select count(*) from '
        . 'communicator_received') }, 60),
        'httpd purges by itself, as CommunicatorRetain says');
    is($central->sync('purge', '--all', '--older-than', '1d')->{exit}, 64,
        'one or the other');
}

# An application that commits without any pause holds SQLite's lock nearly
# always. The purge comes in between, soon: it is not left to chance, which took
# tens of thousands of the application's transactions.
sub purging_beside {
    my $here = $central->database;
    my $file = folder('busy') . '/sql';

    $here->run("insert into posts (title) with recursive c (i) as "
        . '(select 1 union all select i + 1 from c where i < 20000) '
        . "select 'post ' || i from c;");
    $central->sync;
    $here->run('create table busy (n integer)');
    spew($file, "begin immediate; insert into busy values (1); commit;\n"
        x 60_000);
    my $pid = start_process([$here->client_command('-cmd',
        '.timeout 60000')], in => $file, out => "$file.out");
    ok(wait_until(sub { $here->value('select count(*) from busy') }, 60),
        'an application is at work');
    my $before = $here->value('select count(*) from busy');
    my $run = $central->sync('purge', '--all');
    my $between = $here->value('select count(*) from busy') - $before;
    ok(is_alive($pid), 'it still is when all is purged');
    is($run->{exit}, 0, '  without an error') or diag $run->{err};
    cmp_ok($between, '<', 10_000, '  soon, as its own work tells');
    note "$between transactions";
    like($run->{out}, qr/^removed (?:19|2\d),\d{3} messages sent/, '  and all is');
    stop_process($pid);
    $central->sync('purge', '--all');
    my $holder = open2(my $from, my $to, $here->client_command);
    print $to "begin immediate; select 'locked';\n";
    $to->flush;
    is(readline $from, "locked\n", 'another process holds the lock');
    is(out('purge', '--all'), "removed 0 messages sent and 0 received\n",
        '  a purge that removes nothing does not need it');
    close $to;
    waitpid $holder, 0;
}

# A table that is gone: what is for it is parked, and nobody misses that.
sub mostly_parked {
    my ($here, $there) = ($central->database, $facade->database);

    $there->run('drop table posts');
    $here->run("insert into posts (title) values ('one');" x 20);
    $here->run("insert into notes (id, text) values (9, 'nine');");
    my $push = $central->sync('push');
    is($push->{exit}, 65, 'most of a batch cannot be applied');
    like($push->{err}, qr/facade: 20 of 21 messages .* are parked there/,
        '  which is what is said');
    is($there->value("select text from notes where text = 'nine'"), 'nine',
        '  and the rest is applied');
    $facade->log_has_only(qr/CM0025: 20 of 21 messages in a batch from peer/,
        qr/user nobody not found/);
    my $nagios = $facade->sync('status', '--nagios');
    is($nagios->{exit}, 2, 'nagios: critical');
    like($nagios->{out}, qr/^COMMUNICATOR CRITICAL - 20 of 21 messages of a /,
        '  it says why');
    like($facade->sync('status', '--prometheus')->{out},
        qr/^communicator_state 2$/m, '  so does prometheus');
    like($facade->sync('status')->{out}, qr/^critical: 20 of 21 messages of a /m,
        '  and the command for people');
}

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        pair($driver);
        subtest 'parked' => sub { parked_and_back($driver) };
        subtest 'conflict=hold' => \&holding;
        subtest 'monitors' => \&monitors;
        subtest 'no triggers' => sub { without_triggers($driver) };
        subtest 'check' => \&checking;
        subtest 'json' => \&as_json;
        subtest 'purge' => \&purging;
        subtest 'purge beside' => \&purging_beside if $driver eq 'sqlite3';
        subtest 'mostly parked' => \&mostly_parked;
        $facade->stop;
    };
}

done_testing();
