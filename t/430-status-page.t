#!/usr/bin/perl

# The status page: who may see it, what it tells people and monitors, and how
# it looks on a phone and a desktop, by day and by night.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(decode_utf8);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time sleep);
use Communicator::Test qw(slurp spew need source_dir);
use Communicator::Test::Browser;
use Communicator::Test::Database;
use Communicator::Test::Server;

my $path = '/communicator-status';
my $database = Communicator::Test::Database->new('sqlite3');
my $server = Communicator::Test::Server->new(name => 'facade',
    database => $database, peers => <<'PEERS', conf => <<'CONF');
CommunicatorPeer central user=communicator
CommunicatorPeer branch user=branch
PEERS
CommunicatorModel post table=posts
CommunicatorExpectEvery 10min
CONF

# One child, so that there is one cache.
$server->configure(httpd_conf => <<"CONF");
StartServers 1
ServerLimit 1
MaxRequestWorkers 8
MinSpareThreads 1
<Location "$path">
    AuthType Basic
    AuthName operators
    AuthUserFile "$server->{dir}/passwords"
    Require user operator
    SetHandler communicator-status
    CommunicatorStatus On
</Location>
<Location "/bare">
    SetHandler communicator-status
</Location>
<Directory "$server->{dir}">
    AllowOverride All
    Require all granted
</Directory>
CONF
$server->add_user('operator', 'night');
$database->create('create table posts (id {key}, title varchar(20)) {engine};');
$server->migrate;

# A day of the journal: central was away for three hours, and branch came an
# hour ago.
sub journal {
    my ($peer, $ago, %with) = @_;
    my %row = (command => "'sample'", began_at => in_seconds(-$ago - 60),
        ended_at => in_seconds(-$ago), applied => 0, parked => 0,
        exit_status => 0, pending_there => -1, waited_there => 0,
        confirmed => 0, received_seq => 0, sent => 0, received => 0,
        pending => 0, waited => 0, %with);

    return sprintf "insert into communicator_journal (peer, %s) values "
      . "('$peer', %s);\n", join(', ', sort keys %row),
      join ', ', map { $row{$_} } sort keys %row;
}

$database->run(join '', (map {
    my $away = $_ >= 30 && $_ < 42;

    journal('central', 900 * $_, sent => $away ? 0 : 40 * ($_ % 17),
        received => $away ? 0 : $_ == 29 ? 9000 : 25 * ($_ % 11),
        pending => $away ? 1234 - 100 * ($_ - 30) : $_ % 5,
        waited => $away ? 900e6 * (42 - $_) : 20e6,
        exit_status => $_ == 50 ? 75 : 0);
} grep { $_ < 70 || $_ > 80 } 0 .. 95),
    map { journal('branch', 900 * $_, received => 3, pending_there => 7,
        waited_there => 60e6) } 0 .. 4);
$server->start;

# Ask for the page, with QUERY, as the operator.
sub page {
    my ($query, %with) = @_;

    return $server->request($with{method} || 'GET',
        $path . ($query ? "?$query" : ''), user => 'operator',
        password => 'night');
}

# The state as it is now: what the server keeps is too old after two seconds.
sub fresh {
    my ($query) = @_;

    sleep 2.05;
    return page($query);
}

sub in_seconds { return int((time + $_[0]) * 1e6) }

# Say that PEER was here SECONDS ago.
sub was_here {
    my ($peer, $seconds, %with) = @_;
    my $at = in_seconds(-$seconds);
    my $set = join '', map { ", $_ = $with{$_}" } sort keys %with;

    $database->run("insert or ignore into communicator_peers (name) "
        . "values ('$peer'); update communicator_peers set last_push_at = $at,"
        . " last_pull_at = $at$set where name = '$peer';");
}

# Whom it is shown.

is($server->get($path, user => undef)->{status}, 401, 'not without a password');
is($server->get($path)->{status}, 401, 'not to a peer');
is($server->get('/bare')->{status}, 403, 'not by SetHandler alone');
mkdir "$server->{dir}/sub";
spew("$server->{dir}/sub/.htaccess", "SetHandler communicator-status\n");
is($server->get('/sub/')->{status}, 403, 'not by .htaccess');
spew("$server->{dir}/sub/.htaccess", "CommunicatorStatus On\n");
is($server->get('/sub/')->{status}, 500, '  which cannot allow it either');
$server->log_has_only(qr/CM0030/, qr/CommunicatorStatus not allowed here/,
    qr/AH01631/);
for my $method (qw(POST PUT DELETE)) {
    is(page('', method => $method)->{status}, 405, "$method is refused");
}
is(page('format=xml')->{status}, 400, 'an unknown format');

# What it tells when nothing has happened yet.

my $answer = page();
is($answer->{status}, 200, 'the page');
is($answer->{headers}{'content-type'}, 'text/html;charset=utf-8', '  is HTML');
is($answer->{headers}{'cache-control'}, 'no-store', '  kept nowhere');
like($answer->{headers}{'content-security-policy'}, qr/default-src 'none'/,
    '  without scripts');
like($answer->{content}, qr/'central'|&#39;central&#39; has never been/,
    '  and tells that nobody came');
unlike($answer->{content}, qr/<script|\son\w+=/i, '  no script is in it');
is($database->value('select count(*) from communicator_peers'), 0,
    '  looking changes nothing');
like(page('refresh=30')->{content}, qr/http-equiv="refresh" content="30"/,
    'it comes anew when asked');
unlike(page('refresh=0;url=x')->{content}, qr/http-equiv="refresh"/,
    '  and takes nothing else for a time');

# All is well.

was_here('central', 5, received => 7);
was_here('branch', 65);
my %html = (well => fresh()->{content});
like($html{well}, qr/<h1>All is well/, 'peers came: all is well');
like($html{well}, qr/title="[^"]+Z">6\d s ago</, '  and when they came');
like(page('format=nagios')->{content}, qr/^COMMUNICATOR\ OK\ -\ last\ contact
    \ \d+\ s\ ago,\ 0\ pending,\ 0\ parked\ \|\ 'central\ age'=\d+s;;600;0
    \ 'central\ pending'=0/x,
    'Nagios is told');

# The last day.

my ($day) = $html{well} =~ m{(<h2>The last day.*?</section>)}s;
is(() = $day =~ /<svg /g, 6, 'three charts of each peer');
my @named = $day =~ /<svg role="img" aria-labelledby="(\w+) (\w+)"/g;
is((grep { $day !~ /<(?:title|desc) id="$_">[^<]+</ } @named), 0,
    '  each with a title and a description');
like($day, qr{<title\ id="t0">Queue</title><desc\ id="d0">The\ last\ day,
    \ messages\ that\ wait;\ to\ central:\ most\ 1&\#8239;234\ at\ \d\d:\d\d;
    \ failed\ runs:\ 1</desc>}x, '  which says what is seen');
like($day, qr/to central: most 3 h at \d\d:\d\d;/, '  the lag');
like($day, qr/from central: most 600 at \d\d:\d\d; failed/, '  messages per minute');
like($day, qr/from branch: most 7 at/, '  what waits at the peer');
like($day, qr/class="to" d="M0 40[^"]*V40ZM\d+ 40/,
    '  a gap where nothing is known');
like($day, qr/class="failed" d="M\d+ 40h1"/, '  a mark where runs failed');
is(() = $day =~ /<th scope="row">\d\d:\d\d</g, 24, 'the figures by the hour');
like($day, qr{data-label="Received"><span>9&#8239;\d\d\d<}, '  in a table');
unlike($day, qr/style=|<script/, '  without styles or scripts of its own');

# It is asked for at most once in two seconds.

my ($first, $second) = map {
    decode_json(page('format=json')->{content})->{taken_at}
} 1, 2;
is($second, $first, 'the database is not asked at once again');
my $state = decode_json(fresh('format=json')->{content});
isnt($state->{taken_at}, $first, '  but after a while');
is($state->{format}, 1, 'the JSON has a version');
like($state->{taken_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
    '  and moments in ISO 8601');
is($state->{expect_every}, 600, '  and spans in seconds');
my $described = slurp(source_dir() . '/docs/status.md');
is(join(' ', grep { $described !~ /\b$_\b/ } keys %$state,
        map { keys %$_ } map { @{ $state->{$_} } }
          qw(problems peers parked withheld conflicts)),
    '', '  and each member is described');

# A batch that is refused is no matter of the log alone.

my %ours = ('communicator-protocol' => 2, 'communicator-node' => 'central');
my $push = sub {
    my ($body, $query, %more) = @_;

    return $server->post("/messages.json?$query", $body,
        headers => { %ours, %more })->{status};
};
is($push->('[{"id":8,', 'after=7&last=8'), 400, 'a batch that is cut');
$answer = fresh('format=nagios')->{content};
like($answer, qr/^COMMUNICATOR\ CRITICAL\ -\ cannot\ receive\ messages
    \ from\ 'central':\ \S/x, '  is a problem for Nagios');
like(page('format=prometheus')->{content}, qr/^communicator_state 2$/m,
    '  for Prometheus');
like(page()->{content}, qr/class="banner critical"/, '  and for people');
my $status = $server->sync('status');
like($status->{out}, qr/^critical: cannot receive messages from 'central': /m,
    '  status says so, too') or diag $status->{err};
is($push->('[]', 'after=7', 'communicator-newest' => 8), 202,
    'a mere call, while it has more,');
like(fresh('format=nagios')->{content}, qr/^COMMUNICATOR CRITICAL - cannot receive/,
    '  does not end it');
is($push->('[]', 'after=7', 'communicator-newest' => 7), 202,
    'that it has no more');
like(fresh('format=nagios')->{content}, qr/^COMMUNICATOR OK/, '  does');
is($push->('[{"id":8,', 'after=7&last=8'), 400, 'another one that is cut');
is($server->get('/messages.json?from_id=1&limit=5', headers => {
    %ours, 'communicator-newest' => 7 })->{status}, 200,
    'that it has no more, said by a pull');
unlike(fresh('format=nagios')->{content}, qr/cannot receive messages/,
    '  does, too');
is($push->('[{"id":8,', 'after=7&last=8'), 400, 'once more');
is($server->get('/messages.json?from_id=1&limit=5', headers => {
    %ours, 'communicator-newest' => 9, 'communicator-pending' => 0 })->{status},
    200, 'that its last numbers are not for this node');
unlike(fresh('format=nagios')->{content}, qr/cannot receive messages/,
    '  does, too');
is($push->('[{"id":8,', 'after=7&last=8'), 400, 'and again');
is($push->('[{"id":8,"body":"{\\"post\\":{\\"title\\":\\"t\\"}}",'
    . '"origin":"central","original_id":"1","model":"post",'
    . '"action":"create","clock":5,"base":0}]', 'after=7&last=8'), 202,
    'a batch that is well');
unlike(fresh('format=nagios')->{content}, qr/cannot receive messages/, '  ends it');
is($database->value('select count(*) from communicator_problems'), 0,
    '  and nothing is kept');
$server->log_has_only(qr/CM0009/);

# A request that is served behind later ones is no restored database.

my $message = '[{"id":9,"body":"{\\"post\\":{\\"title\\":\\"u\\"}}",'
  . '"origin":"central","original_id":"2","model":"post",'
  . '"action":"create","clock":6,"base":0}]';
is($push->($message, 'after=8&last=9', 'communicator-newest' => 9,
    'communicator-clock' => in_seconds(-10)), 202, 'a batch');
is($push->('[]', 'after=8', 'communicator-newest' => 8,
    'communicator-clock' => in_seconds(-11)), 503,
    'a request that was sent before it is refused');
unlike(fresh('format=nagios')->{content}, qr/cannot receive messages/,
    '  but is no problem');
$server->log_has_only(qr/CM0010.*a late request: 'central' has sent others/);
is($push->('[]', 'after=8', 'communicator-newest' => 8,
    'communicator-clock' => in_seconds(-9)), 409,
    'a later one that knows of fewer messages');
like(fresh('format=nagios')->{content}, qr/CRITICAL.*cannot receive messages/,
    '  is from a database that was restored');
is($push->('[]', 'after=9', 'communicator-newest' => 9), 202, 'which goes on');
$server->log_has_only(qr/CM0009/);
$database->run('delete from outbound_messages; delete from inbound_messages;'
    . 'delete from communicator_received');

# Trouble: silence, queues, parked messages, conflicts.

my $hostile = q{<script>alert(1)</script> & "quoted"};
my $sql = "update communicator_node set last_seq = 1234;\n";
for my $seq (1 .. 1234) {
    $sql .= "insert into outbound_messages (seq, model, body, clock) values "
      . "($seq, 'post', '{}', @{[in_seconds(-4000)]});\n";
}
for my $id (1 .. 25) {
    $sql .= 'insert into inbound_messages (peer, id, model, origin, '
      . 'original_id, body, received_at, error, transient, attempts) values '
      . "('central', $id, 'post', 'central', 'x$id', '{}', "
      . in_seconds(-60 * $id) . ", '$hostile', @{[$id > 3 ? 1 : 0]}, 2);\n";
    $sql .= 'insert into communicator_conflicts (model, local_record_id, '
      . 'column_name, lost_value, peer, created_at) values '
      . "('post', '$id', 'title', 'a secret', 'central', "
      . in_seconds(-$id) . ");\n";
}
$database->run($sql);
was_here('central', 3 * 3600, confirmed => 34);
was_here('branch', 5, confirmed => 1234, clock_offset => -95e6);
$html{trouble} = decode_utf8(fresh()->{content});
my $json = decode_json(page('format=json')->{content});
is($json->{state}, 'critical', 'a silent peer is critical');
is(join('; ', map { $_->{text} } @{ $json->{problems} }),
    "'central' has been silent for 3 h (expected every 10 min); "
      . "3 messages of 'central' parked; "
      . "the clock of 'branch' is 95 s behind ours", '  and what else');
is($json->{peers}[0]{pending}, 1200, '  what waits for it');
is(@{ $json->{parked} }, 20, '  the first parked messages');
is($json->{parked}[0]{reason}, $hostile, '  with their reasons');
is(@{ $json->{conflicts} }, 20, '  the last conflicts');
unlike($html{trouble} . page('format=json')->{content}, qr/a secret/,
    '  but no value of a record');
like($html{trouble}, qr/class="banner critical"/, 'the page is red');
like($html{trouble}, qr/&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp; /,
    '  and escapes what comes from elsewhere');
unlike($html{trouble}, qr/<script>alert/, '  all of it');
like($html{trouble}, qr/<code title="communicator-sync retry central 3">/,
    '  with the next command beside each row');
my $metrics = page('format=prometheus');
is($metrics->{headers}{'content-type'},
    'text/plain;version=0.0.4;charset=utf-8', 'Prometheus has its type');
like($metrics->{content}, qr/^communicator_pending_messages\{peer="central"\}
    \ 1200$/mx, '  and its numbers');
is((grep { !/^(#\ (HELP|TYPE)\ communicator_\w+\ \S
        |communicator_\w+(\{(\w+="[^"]*",?)+\})?\ -?[\d.]+$)/x }
    split /\n/, $metrics->{content}), 0, '  line by line');
like(page('format=nagios')->{content}, qr/^COMMUNICATOR CRITICAL - 'central'/,
    'Nagios is told');

# Without its tables.

$database->run('alter table communicator_peers rename to elsewhere');
$answer = fresh('format=json');
is($answer->{status}, 503, 'a database that is not as it should be');
my $unread = decode_json($answer->{content});
is($unread->{state}, 'critical', '  is critical');
like($unread->{unread_since}, qr/^20\d\d-.*Z$/, '  since a moment ago');
$html{down} = page()->{content};
like($html{down}, qr/class="banner critical"/, '  and red');
like($html{down}, qr/What follows was read <time.*1&#8239;200/s,
    '  with the last figures that are known');
$answer = page('format=nagios');
is($answer->{status}, 200, 'monitors get an answer that they read');
like($answer->{content}, qr/^COMMUNICATOR CRITICAL - /, '  Nagios');
like(page('format=prometheus')->{content}, qr/^communicator_up 0$/m,
    '  Prometheus');
$database->run('alter table elsewhere rename to communicator_peers');
like(fresh()->{content}, qr/has been silent/, 'and it comes back by itself');
$server->log_has_only(qr/CM0032: cannot read the status: /);

# A hub: its page does not grow with each peer.

my $hub_db = Communicator::Test::Database->new('sqlite3');
my $hub = Communicator::Test::Server->new(name => 'hub', database => $hub_db,
    peers => join('', map { "CommunicatorPeer shop$_ user=shop$_\n" } 1 .. 14),
    conf => "CommunicatorModel post table=posts\n");
$hub->configure(httpd_conf => <<"CONF");
<Location "$path">
    AuthType Basic
    AuthName operators
    AuthUserFile "$hub->{dir}/passwords"
    Require valid-user
    SetHandler communicator-status
    CommunicatorStatus On
</Location>
CONF
$hub_db->create('create table posts (id {key}, title varchar(20)) {engine};');
$hub->migrate;
$hub_db->run(join '', map { my $shop = $_; map {
    journal("shop$shop", 900 * $_, sent => $_ * $shop) } 0 .. 95 } 1 .. 14);
$hub->start;
$html{hub} = $hub->get($path)->{content};
is(() = $html{hub} =~ /<svg /g, 36, 'charts of twelve peers');
like($html{hub}, qr/<summary>8 more</, '  eight of them on a click');
like($html{hub}, qr/Of 2 more peers: <code>communicator-sync status --history/,
    '  and where the others are');
cmp_ok(length $html{hub}, '<', 200_000, '  the page stays small');

# How it looks.

SKIP: {
    need(1, Communicator::Test::Browser::program_file() || 'chromium');
    my %colour = (well => qr/^rgb\(2\d, 12\d, 7\d\)$/,
        trouble => qr/^rgb\(18\d, \d\d, \d\d\)$/,
        down => qr/^rgb\(18\d, \d\d, \d\d\)$/);
    for my $case (['well', 360, 0], ['well', 1280, 1], ['trouble', 360, 1],
        ['trouble', 1280, 0], ['down', 360, 0]) {
        my ($name, $width, $dark) = @$case;
        my $what = "$name, $width pixels, " . ($dark ? 'dark' : 'light');
        my $seen = Communicator::Test::Browser->look($html{$name},
            name => $name, width => $width, dark => $dark);

        is($seen->{width}, $width, $what);
        is($seen->{dark}, $dark, '  the colours asked for');
        cmp_ok($seen->{overflow}, '<=', 0, '  fits the window')
          or diag($seen->{wide});
        cmp_ok($seen->{contrast}, '>=', 4.5, '  all text can be read')
          or diag($seen->{offender});
        like($seen->{banner}, $colour{$name}, '  the banner has its colour');
        cmp_ok($seen->{above}, '<=', 900, '  on one screen, but for the charts')
          if $width > 1000;
    }
}

done_testing();
