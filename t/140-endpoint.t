#!/usr/bin/perl

# The endpoint as a peer sees it, byte for byte: to a gem what its own server
# would say, to ours proper statuses; and whom it refuses.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Communicator::Test qw(spew slurp);
use Communicator::Test::Database;
use Communicator::Test::Server qw(by_ours);

my $tables = <<'SQL';
create table posts (
    id {key}, title varchar(100) not null, body {text}) {engine};
SQL
my $path = '/messages.json';
my $html = 'text/html;charset=utf-8';
my $database = Communicator::Test::Database->new('sqlite3');
my $server = Communicator::Test::Server->new(name => 'facade',
    database => $database, conf => <<'CONF',
CommunicatorModel post table=posts
CommunicatorMaxBody 4K
CONF
    peers => "CommunicatorPeer central user=communicator protocol=gem\n");
my ($modules) = slurp("$server->{dir}/httpd.conf") =~ m{dbd_module (.*)/};

$database->create($tables);
$server->migrate->start;

# A message of a gem, or, with a clock, of ours.
sub message {
    my ($id, %more) = @_;

    return { id => $id, origin => 'central', original_id => $id,
        body => encode_json({ post => { title => "t$id", body => 'b' } }),
        %more };
}

sub batch { return encode_json([@_]) }

# Expect STATUS and BODY of ANSWER, as the gem's server gives them.
sub is_gem {
    my ($answer, $status, $body, $name) = @_;
    my $headers = $answer->{headers};

    is("$answer->{status} $answer->{content}", "$status $body", $name);
    is($headers->{'content-type'}, $html, '  as HTML');
    is($headers->{'content-length'}, length $body, '  with its length');
}

# Expect STATUS and CODE of ANSWER, as ours are refused.
sub is_refusal {
    my ($answer, $status, $code, $name) = @_;
    my $json = eval { decode_json($answer->{content}) } || {};

    is($answer->{status}, $status, $name);
    is($json->{code}, $code, "  with the code $code");
    ok(length($json->{error} || ''), '  in words');
    is($answer->{headers}{'communicator-protocol'}, 2, '  which are ours');
    return $json;
}

# Let a peer that has spoken our protocol be a gem again.
sub forget { $database->run('update communicator_peers set epoch = null') }

# Send TEXT as it is and give the whole answer.
sub raw {
    my ($text) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $server->{port}) or die $!;
    my $login = encode_base64("$server->{user}:$server->{password}", '');

    $text =~ s/\n/\r\n/g;
    $text =~ s/^(.*\r\n)/$1Host: x\r\nAuthorization: Basic $login\r\n/;
    print $socket $text;
    local $/;
    return scalar <$socket>;
}

# What a gem is told.

is_gem($server->get($path), 409, 'Specify from_id!', 'GET without from_id');
for my $from (1, 99, '', 'abc', -5, 0, '2.5', '1%30', '9' x 30) {
    is_gem($server->get("$path?from_id=$from"), 200, '[]',
        "GET from_id=$from of nothing");
}
is_gem($server->post($path, $_), 409, 'No data given', "POST of <$_>")
  for '', '[', '     ';
is_gem($server->post($path, $_), 202, 'No data given', "POST of <$_>")
  for '[]', ' [ ] ', '{}', '{ }';
is_gem($server->post($path, $_), 500, '<h1>Internal Server Error</h1>',
    "POST of <$_>") for '[{"id":', '[1]', 'a=1&b=2';
is_gem($server->post($path, batch(message(50))), 202, '', 'the first message');
is_gem($server->post($path, batch(message(50))), 409, '51', 'it again');
is_gem($server->post($path, batch(message(51), message(55))), 202, '',
    'two more, with a gap');
is($database->value('select count(*) from posts'), 3, 'they are here');
my $answer = $server->get("$path?from_id=1");
is($answer->{headers}{'cache-control'}, 'no-store', 'no cache keeps answers');
is($answer->{headers}{'communicator-node'}, 'facade', 'a gem is told as well');
is_gem($server->request(GET => $path, user => undef), 401, "Not authorized\n",
    'no password');
like($server->request(GET => $path, user => undef)
    ->{headers}{'www-authenticate'}, qr/^Basic /, '  and how to give one');
for my $method ('PUT', 'DELETE', 'OPTIONS', 'PATCH') {
    is_gem($server->request($method => "$path?from_id=1"), 503,
        '<h1>Service Unavailable</h1>', $method);
}
# The watchdog may have looked meanwhile.
$server->log_has_only(
    qr/CM0009: cannot serve peer 'central': |CM0035: cannot receive messages/);

# HEAD changes nothing, a GET stamps and hands over.

$database->run("insert into posts (title) values ('x'), ('y'), ('z')");
$answer = $server->request(HEAD => "$path?from_id=1");
is($answer->{status}, 200, 'HEAD');
is($database->numbered, 0,
    '  leaves messages as they are');
$answer = $server->get("$path?from_id=1");
my $list = decode_json($answer->{content});
is(join(' ', map { $_->{id} } @$list), '1 2 3', 'GET gives them numbers');
is(join(' ', sort keys %{ $list->[0] }), 'body id origin original_id',
    '  and a gem what it knows');
is($server->request(HEAD => "$path?from_id=1")->{headers}{'content-length'},
    length $answer->{content}, 'HEAD tells the length');
for my $case (['2', 2], ['2.5', 3], ['-5', 1], ['0', 1]) {
    my ($from, $first) = @$case;
    my $got = decode_json($server->get("$path?from_id=$from")->{content});

    is($got->[0]{id}, $first, "from_id=$from begins with $first");
}
my $cursor = 'select max(confirmed) from communicator_peers';
is($database->value($cursor), 2, 'from_id confirms what is before it');
$server->request(HEAD => "$path?from_id=4");
is($database->value($cursor), 2, 'HEAD does not');
$server->get("$path?from_id=999");
is($database->value($cursor), 2, 'nor does a number that never was');
$server->log_has_only;

# What ours are told.

sub fresh_server {
    $server->stop;
    $database->run("delete from $_") for 'communicator_peers',
      'inbound_messages', 'communicator_received', 'posts';
    $database->forget_records;
    $server->start;
}

sub clocked { return message(@_, action => 'create', clock => 1000 + $_[0]) }

fresh_server();
$answer = $server->get("$path?from_id=2&limit=1", by_ours());
my $headers = $answer->{headers};
is($answer->{status}, 200, 'a pull of ours');
is($headers->{'content-type'}, 'application/json', '  is JSON');
is($headers->{'communicator-protocol'}, 2, '  proved to be ours');
is($headers->{'communicator-node'}, 'facade', '  by this node');
like($headers->{'communicator-epoch'}, qr/^[0-9a-f]{32}$/, '  of this epoch');
cmp_ok(abs($headers->{'communicator-clock'} - time * 1e6), '<', 6e7,
    '  and its clock');
is($headers->{'communicator-last'}, 2, '  reaches 2');
is($headers->{'communicator-more'}, 1, '  more wait');
is($headers->{'communicator-pending'}, 8, '  two posts, six deletes');
is($headers->{'communicator-parked'}, 0, '  none parked');
like($headers->{'communicator-oldest'}, qr/^\d+$/, '  the oldest is known');
is(decode_json($answer->{content})->[0]{clock} > 1, 1, '  messages have clocks');
$answer = $server->get("$path?from_id=2&limit=0", by_ours());
is($answer->{content}, '[]', 'limit=0 only confirms');
$answer = $server->post("$path?after=0&last=4",
    batch(clocked(1), clocked(3)), by_ours());
my $receipt = decode_json($answer->{content});
is($answer->{status}, 202, 'a push of ours, with numbers left out');
is($receipt->{received}, 4, '  reaches last=');
is($receipt->{applied}, 2, '  is applied');
is_deeply($receipt->{parked}, [], '  nothing is parked');
is($answer->{headers}{'communicator-received'}, 4, '  as the header says');
$answer = $server->post("$path?after=4", '[]', by_ours());
is($answer->{headers}{'communicator-received'}, 4, 'a call tells where we are');
$answer = $server->post("$path?after=6&last=7", batch(clocked(7)), by_ours());
is_refusal($answer, 409, 'GAP', 'a gap');
is($answer->{headers}{'communicator-received'}, 4, '  what is here');
$answer = $server->post("$path?after=4&last=5", batch(clocked(5,
    body => '{"gizmo":{"a":1}}')), by_ours());
$receipt = decode_json($answer->{content});
is($answer->{status}, 202, 'a message that cannot be applied');
is($receipt->{parked}[0]{id}, 5, '  is parked, by number');
is($receipt->{parked}[0]{model}, 'gizmo', '  and model');
like($receipt->{parked}[0]{reason}, qr/gizmo/, '  with the reason');
$server->log_has_only;

is_refusal($server->get($path, by_ours()), 400, 'MALFORMED', 'no from_id');
is_refusal($server->get("$path?from_id=abc", by_ours()), 400, 'MALFORMED',
    'from_id=abc');
is_refusal($server->get("$path?from_id=1&limit=x", by_ours()), 400, 'MALFORMED',
    'limit=x');
is_refusal($server->post($path, '{"a":1}', by_ours()), 400, 'MALFORMED',
    'an object');
is_refusal($server->request(PUT => $path, by_ours()), 405, 'USAGE', 'PUT');
is_refusal($server->get("$path?from_id=1",
    by_ours('communicator-protocol' => 3)), 400, 'PROTOCOL', 'a newer protocol');
is_refusal($server->get("$path?from_id=1",
    by_ours('communicator-epoch' => 'f' x 32)), 409, 'EPOCH', 'another database');
$server->log_has_only(qr/CM0009.*an object|CM0009.*expected an array/,
    qr/CM0009.*limit 'x'/, qr/CM0009.*not the one known at/);

# Numbers that no peer has: a cursor that jumped there would stay there.

my $most = '9007199254740992';
my @beyond = ('9007199254740993', '9223372036854775807', '9' x 30, '-1', '1x');
my $cursors = 'select received || \' \' || confirmed || \' \' || clock_offset'
  . ' from communicator_peers';
$server->get("$path?from_id=1", by_ours());
my $before = $database->value($cursors);
for my $number (@beyond) {
    is_refusal($server->get("$path?from_id=$number", by_ours()), 400, 'MALFORMED',
        "from_id=$number") if $number ne '-1';
    is_refusal($server->get("$path?from_id=1&$_=$number", by_ours()), 400,
        'MALFORMED', "$_=$number") for 'limit', 'bytes';
    is_refusal($server->post("$path?$_=$number", '[]', by_ours()), 400,
        'MALFORMED', "$_=$number") for 'after', 'last', 'pause';
    is_refusal($server->post("$path?after=5",
        batch(clocked(6)) =~ s/"id":"?6"?/"id":$number/r, by_ours()), 400,
        'MALFORMED', "message $number") if $number ne '1x';
    is_refusal($server->get("$path?from_id=1",
        by_ours("communicator-$_" => $number)), 400, 'MALFORMED',
        "header $_ $number") for 'received', 'newest', 'held';
    is_refusal($server->get("$path?from_id=1",
        by_ours('communicator-clock' => "$number$number")), 400, 'MALFORMED',
        'a clock, the same twice over');
    is_refusal($server->get("$path?from_id=1",
        by_ours('communicator-held' => $_)), 400, 'MALFORMED', "header held $_")
      for "$number 7", "7 $number$number";
    is_refusal($server->get("$path?from_id=1",
        by_ours('communicator-counted' => $_)), 400, 'MALFORMED',
        "header counted $_") for "$number 7", "7 $number", '7', '7 0';
}
is_refusal($server->get("$path?from_id=1",
    by_ours('communicator-received' => $most)), 409, 'EPOCH',
    'the last number is one');
is($database->value($cursors), $before, 'no cursor has moved');
forget();
is_gem($server->get("$path?from_id=$most"), 200, '[]', 'for a gem as well');
is_gem($server->get("$path?from_id=$beyond[0]"), 200, '[]',
    '  beyond it is nothing');
is_gem($server->post($path, batch(message(6))
    =~ s/"id":"?6"?/"id":$beyond[0]/r), 500, '<h1>Internal Server Error</h1>',
    '  and no message');
is($database->value($cursors), $before, '  nor does it move a cursor');
# The watchdog may have looked meanwhile.
$server->log_has_only(
    qr/CM0009.*(?:is\ not\ a\ number|does\ not\ follow)|
        CM0035:\ cannot\ (?:send|receive)\ messages/x,
    qr/CM0009.*header .*not a valid number/, qr/CM0009.*number is too great/,
    qr/CM0009.*last message is/);

# Whom it refuses.

forget();
$answer = $server->get("$path?from_id=1", by_ours('communicator-node' => 'evil'));
like(is_refusal($answer, 403, 'FORBIDDEN', 'another node')->{error},
    qr/peer 'central' here, but the request is from node 'evil'/,
    '  both are named');
$server->log_has_only(qr/CM0005/);
$server->add_user('stranger', 'pw');
my @stranger = (user => 'stranger', password => 'pw');
is_gem($server->get("$path?from_id=1", @stranger), 403, '<h1>Forbidden</h1>',
    'a user who is no peer');
$server->log_has_only(qr/CM0002.*'stranger' is not a peer of 'facade'/);
for my $header (['origin', 'https://x'], ['sec-fetch-site', 'cross-site']) {
    is_gem($server->get("$path?from_id=1", headers => { @$header }), 403,
        '<h1>Forbidden</h1>', "a request with $header->[0]");
    $server->log_has_only(qr/CM0004/);
}
is($server->get("$path?from_id=1", headers => { 'sec-fetch-site' => 'none' })
    ->{status}, 200, 'but not with sec-fetch-site: none');
is_gem($server->get("$path?from_id=1", headers => { range => 'bytes=0-0' }),
    200, $server->get("$path?from_id=1")->{content}, 'no part is given');

# Its size, whoever counts.

my $large = ' ' x 5000;
my $chunked = "Transfer-Encoding: chunked\n\n1388\n$large\n0\n\n";
my $known = "Communicator-Protocol: 2\nCommunicator-Node: central\n";
is_gem($server->post($path, $large), 503, '<h1>Service Unavailable</h1>',
    'a body above CommunicatorMaxBody');
is_refusal($server->post($path, $large, by_ours()), 413, 'TOO_LARGE',
    'the same of ours');
like(raw("POST $path HTTP/1.1\n$chunked"), qr{^HTTP/1.1 503 },
    'the same in chunks');
like(raw("POST $path HTTP/1.1\n$known$chunked"), qr{^HTTP/1.1 413 },
    'the same of ours in chunks');
$server->log_has_only(qr/CM0008.*larger than allowed/);
my $text = batch(message(6));
like(raw("POST $path HTTP/1.1\nConnection: close\n"
    . "Transfer-Encoding: chunked\n\n" . sprintf("%x\n%s\n0\n\n",
    length $text, $text)), qr{^HTTP/1.1 202 }, 'a small one in chunks is taken');

# What httpd answers itself.

sub with {
    my (%conf) = @_;

    $server->stop;
    $server->configure(location => '', httpd_conf => '', %conf);
    $server->start;
}

sub load {
    return join '', map { "LoadModule ${_}_module $modules/mod_$_.so\n" } @_;
}

my $gone = '<h1>Service Unavailable</h1>';
with(location => 'LimitRequestBody 100', httpd_conf => load('reqtimeout')
      . "RequestReadTimeout body=1\n");
is_gem($server->post($path, $large), 503, $gone, 'LimitRequestBody');
is($server->post($path, $large, by_ours())->{status}, 413, '  for ours 413');
like(raw("POST $path HTTP/1.1\n$chunked"), qr{^HTTP/1.1 503 .*\Q$gone\E$}s,
    '  in chunks');
like(raw("POST $path HTTP/1.1\nContent-Length: 9\n\n["),
    qr{^HTTP/1.1 503 .*\Q$gone\E$}s, 'RequestReadTimeout');
like(raw("POST $path HTTP/1.1\n${known}Content-Length: 9\n\n["),
    qr{^HTTP/1.1 408 }, '  for ours 408');
$server->log_has_only(qr/CM0015: httpd's answer 413 became 503/,
    qr/CM0008.*did not arrive in time/);

with(location => 'Redirect /messages.json https://example.com/',
    httpd_conf => load('alias'));
is_gem($server->get("$path?from_id=1"), 503, $gone, 'a redirect from there');
ok(!$server->get($path)->{headers}{location}, '  leads nowhere');
$server->log_has_only(qr/CM0015: httpd's answer 302 became 503/);

with(httpd_conf => load('alias', 'rewrite')
      . "Redirect / https://example.com/\nRewriteEngine On\n"
      . "RewriteRule . https://example.com/ [R,L]\n");
is($server->get("$path?from_id=1")->{status}, 200,
    'redirects of the whole server do not reach it');
is($server->get("$path/x")->{status}, 302, '  what is below it they do');

with(location => "ErrorDocument 401 /sorry.html\nLimitRequestBody 100\n"
      . 'ErrorDocument 413 https://example.com/');
spew("$server->{dir}/sorry.html", 'sorry');
my @wrong = (user => 'communicator', password => 'wrong');
is_gem($server->get("$path?from_id=1", @wrong), 401, "Not authorized\n",
    'an ErrorDocument is not for a gem');
is($server->get("$path?from_id=1", by_ours(), @wrong)->{content}, 'sorry',
    '  for ours it is');
is_gem($server->post($path, $large), 503, $gone,
    '  nor is one that is elsewhere');
$server->log_has_only(qr/AH01617/, qr/CM0015/);

with(location => 'Communicator Off');
is_gem($server->get("$path?from_id=1"), 503, $gone, 'switched off');
is_refusal($server->get("$path?from_id=1", by_ours()), 503, 'PAUSED',
    '  for ours too');
$server->log_has_only;

with(httpd_conf => "<Location \"/open\">\nCommunicator On\n"
      . "Require all granted\n</Location>\n<Location \"/set\">\n"
      . "SetHandler communicator\nRequire all granted\n</Location>\n");
is_gem($server->get('/open?from_id=1', user => undef), 403,
    '<h1>Forbidden</h1>', 'nobody is let in unknown');
is_gem($server->get('/set?from_id=1'), 403, '<h1>Forbidden</h1>',
    'SetHandler is not enough');
is($server->get("$path/x?from_id=1")->{status}, 404, 'nor a path below it');
$server->log_has_only(qr/CM0001/, qr/CM0006/);

SKIP: {
    skip 'no mod_remoteip here', 7 unless -e "$modules/mod_remoteip.so";
    my $far = load('remoteip') . "RemoteIPHeader X-From\n"
      . "RemoteIPInternalProxy 127.0.0.1\n";
    my @from = (headers => { 'x-from' => '192.0.2.7' });

    with(httpd_conf => $far);
    is_gem($server->get("$path?from_id=1", @from), 403, '<h1>Forbidden</h1>',
        'plain HTTP from elsewhere');
    $server->log_has_only(qr/CM0003/);
    is($server->get("$path?from_id=1")->{status}, 200, '  but from here');
    with(httpd_conf => $far . "CommunicatorRequireTLS Off\n");
    is_gem($server->get("$path?from_id=1", @from), 200,
        $server->get("$path?from_id=1")->{content}, '  or when allowed');
}

with(httpd_conf => "LogFormat \"%{communicator-messages}n "
      . "%{communicator-first-id}n %{communicator-last-id}n "
      . "%{communicator-result}n\" x\nCustomLog \"$server->{dir}/x.log\" x\n");
$server->get("$path?from_id=1&limit=2", by_ours());
forget();
$server->post($path, batch(message(7)));
$server->post($path, batch(message(7)));
Communicator::Test::wait_until(sub {
    slurp("$server->{dir}/x.log") =~ tr/\n// == 3 });
is(join(', ', sort split /\n/, slurp("$server->{dir}/x.log")),
    '- - - GAP, 1 7 7 ok, 2 1 2 ok', 'the access log can tell what went through');
$server->stop;

# Questions of verify tell what the peer is sent anyway, and nothing else.

subtest 'what verify tells' => sub {
    my $own = Communicator::Test::Database->new('sqlite3');
    my $node = Communicator::Test::Server->new(name => 'facade',
        database => $own, conf => <<'CONF');
CommunicatorModel post table=posts except=secret
CommunicatorModel part table=parts only=shown
CommunicatorModel wage table=wages direction=receive
CONF
    my $ask = sub {
        my $answer = $node->post("$path?verify", encode_json({ @_ }), by_ours());

        return ($answer->{status}, eval { decode_json($answer->{content}) });
    };
    my $states = sub {
        my ($model, $column) = @_;

        return $ask->(ask => 'states', model => $model,
            names => [['facade', '1']], columns => [[$column, 'exact']]);
    };

    $own->create(<<'SQL');
create table posts (id {key}, title {text}, secret {text}) {engine};
create table parts (id {key}, shown {text}, hidden {text}) {engine};
create table wages (id {key}, amount {text}) {engine};
SQL
    $node->migrate->start;
    $own->run("insert into posts (title, secret) values ('seen', 'unseen');"
        . "insert into parts (shown, hidden) values ('seen', 'unseen');"
        . "insert into wages (amount) values ('unseen');"
        . 'insert into ' . $own->records('Wage') . ' (origin, original_id, '
        . "local_id, clock) values ('facade', '1', '1', 7)");
    $node->get("$path?from_id=1", by_ours());
    for my $case (['post', 'title'], ['part', 'shown']) {
        my ($status, $json) = $states->(@$case);

        is($status, 200, "@$case: is sent");
        is($json->{states}[0]{values}[0], 'seen', '  and told');
    }
    for my $case (['post', 'secret'], ['part', 'hidden'], ['post', 'id'],
        ['post', 'nothing']) {
        my ($status, $json) = $states->(@$case);

        is("$status $json->{code}", '400 MALFORMED', "@$case: is not told");
    }
    my @shapes = map { ($ask->(ask => 'shape', model => $_))[1] }
      qw(wage nothing);
    is_deeply($shapes[0], $shapes[1], 'what is only received is not there');
    is($shapes[0]{shape}{known}, 0, '  so it is said');
    for my $what ([ask => 'states', names => [['facade', '1']]],
        [ask => 'parts', origin => 'facade', after => '', bounds => [undef]],
        [ask => 'items', origin => 'facade', after => '', bounds => [undef]]) {
        my @answers = map { [$ask->(@$what, model => $_,
            columns => [['amount', 'exact']])] } qw(wage nothing);

        is($answers[0][0], 404, "$what->[1]: nothing of it");
        like($answers[0][1]{error}, qr/no model 'wage' is sent/, '  in words');
        is($answers[1][0], 404, '  as of one that is not there');
    }
    my $answer = $node->post("$path?repair", encode_json({ ask => 'publish',
        model => 'wage', names => [['facade', '1']] }), by_ours());
    is($answer->{status}, 404, 'nor can it be published');
    $node->stop;
};

# A database that was away is there again for the next request.

for my $driver ('pgsql', 'mysql') {
    my $missing = Communicator::Test::Database->missing($driver);

    SKIP: {
        skip $missing, 6 if $missing;
        my $own = Communicator::Test::Database->new($driver, own_server => 1);
        my $node = Communicator::Test::Server->new(name => 'facade',
            peers => "CommunicatorPeer central user=communicator protocol=gem\n",
            database => $own, conf => 'CommunicatorModel post table=posts');

        $own->create($tables);
        $node->migrate->start;
        my @answers = map { $node->get("$path?from_id=1")->{status} } 1 .. 4;
        is("@answers", '200 200 200 200', "$driver: connections are made");
        for my $how ('', 'crash') {
            $own->stop($how);
            is_gem($node->get("$path?from_id=1"), 503, $gone,
                "$driver: the database is away") if $how;
            $own->start;
            is($node->get("$path?from_id=1")->{status}, 200,
                "$driver: it is back after " . ($how || 'a stop'));
            is($node->post($path, batch(message($how ? 2 : 1)))->{status}, 202,
                '  for a push as well');
        }
        $node->stop;
    }
}

done_testing();
