#!/usr/bin/perl

# Names, reasons and values from a peer as a person sees them: nothing in them
# drives a terminal or turns text around, wherever it is shown.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(decode);
use JSON::PP;
use Test::More;
use Communicator::Test qw(slurp spew);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(ours reply central);
use Communicator::Test::Peer;
use Communicator::Test::Server;

my $path = '/messages.json';
my $status = '/communicator-status';
my $models = "CommunicatorModel post table=posts\n"
  . "CommunicatorModel label table=labels\n";

# A control character, one of C1, one that turns text around, a line's end.
my $evil = "\e]0;owned\a\x{9b}31m\x{202e}\x{2066}\x{200f}\x{61c}\x{2028}evil";
my $hidden = join '', '[\x00-\x08\x0b-\x1f\x7f-\x9f\x{61c}\x{200e}\x{200f}',
  '\x{2028}-\x{202e}\x{2066}-\x{2069}]';

# Expect that BYTES, which NAME shows, are harmless.
sub is_harmless {
    my ($bytes, $name, $contains) = @_;
    my $text = eval { decode('UTF-8', $bytes, Encode::FB_CROAK) };

    ok(defined $text, "$name: text") or return;
    my ($found) = $text =~ /(.{0,20}$hidden.{0,20})/s;
    ok(!defined $found, '  that is harmless')
      or diag(JSON::PP->new->ascii->allow_nonref->encode($found));
    like($text, $contains, '  and says so') if $contains;
}

my $tables = <<'SQL';
create table posts (id {key}, title varchar(200) not null, body {text})
    {engine};
create table labels (id {key}, name varchar(20) not null) {engine};
SQL
my $server = Communicator::Test::Server->new(name => 'facade', conf => $models,
    peers => "CommunicatorPeer central user=communicator\n"
      . "CommunicatorPeer branch user=branch\n",
    database => Communicator::Test::Database->new('sqlite3'));

$server->configure(httpd_conf => <<"CONF");
<Location "$status">
    AuthType Basic
    AuthName operators
    AuthUserFile "$server->{dir}/passwords"
    Require valid-user
    SetHandler communicator-status
    CommunicatorStatus On
</Location>
CONF
$server->add_user('branch', 'other');
$server->database->create($tables);
$server->migrate->start;

my $central = Communicator::Test::Peer->new(name => 'central', conf => $models,
    database => Communicator::Test::Database->new('sqlite3'))->knows($server);
$central->database->create($tables);
$central->migrate;

my $clock = 1_700_000_000_000_000;
my $id = 0;

sub message {
    my ($model, $attributes, %more) = @_;

    $id++;
    return { id => $id, origin => 'branch', original_id => "$id",
        clock => $clock + $id, body => encode_json({ $model => $attributes }),
        %more };
}

sub push_as_branch {
    return $server->post($path, encode_json([@_]), user => 'branch',
        password => 'other', headers => { 'communicator-protocol' => 2,
            'communicator-node' => 'branch',
            'communicator-epoch' => 'e' x 32 });
}

subtest 'what was pushed' => sub {
    my $answer = push_as_branch(
        message(post => { title => $evil, body => $evil },
            original_id => "7$evil"),
        message("model$evil" => { title => 'a' }),
        message(post => { title => undef, $evil => $evil },
            original_id => "8$evil"),
        message(post => { title => 'x' }, origin => $evil,
            action => 'what'),
        message(post => { title => 'x', body => { json => $evil } },
            clock => $evil),
    );

    is($answer->{status}, 202, 'taken');
    is_harmless($answer->{content}, 'the answer');
    cmp_ok(scalar @{ decode_json($answer->{content})->{parked} }, '>=', 3,
        'and most of it parked');
    $server->database->run("update posts set title = 'here' || char(155)");
    push_as_branch(message(post => { title => "late$evil" },
        original_id => "7$evil", base => $clock + 1, clock => $clock + 9));
    is($server->database->value('select count(*) from communicator_conflicts'),
        1, 'one value lost') or diag(slurp("$server->{dir}/error.log"));
};

subtest 'commands' => sub {
    for my $command (['parked'], ['parked', '--json'], ['parked', '--verbose'],
        ['status'], ['status', '--json'], ['status', '--nagios'],
        ['status', '--prometheus'], ['explain', 'post', '1'],
        ['explain', 'post', '1', '--json'], ['history'], ['history', '--json'],
        ['retry'], ['retry', '--json'],
        ['check'], ['check', '--json'], ['publish', 'post', '--all']) {
        my $run = $server->sync(@$command);

        is_harmless("$run->{out}$run->{err}", "@$command",
            $command->[0] =~ /parked|explain|history/ ? qr/evil/ : undef);
    }
};

subtest 'the page and the log' => sub {
    for my $format (qw(html json nagios prometheus)) {
        my $answer = $server->get("$status?format=$format");

        is_harmless($answer->{content}, $format,
            $format =~ /html|json/ ? qr/evil/ : undef);
    }
    is_harmless(slurp("$server->{dir}/error.log"), 'the error log', qr/owned/);
};

subtest 'verify' => sub {
    $central->sync('pull');
    $central->sync('push');
    $central->database->run("update posts set title = title || char(27) || "
        . "'[31m'; delete from outbound_messages where seq is null;");
    for my $how ('--verbose', '--json') {
        my $run = $central->sync('verify', $how);

        is_harmless("$run->{out}$run->{err}", "verify $how", qr/evil/);
    }
};

subtest 'a hostile server' => sub {
    my $bytes = Encode::encode('UTF-8', $evil) =~ s/[\r\n]//gr;
    my @replies = (
        reply(302, 'text/html', '', "Location: http://x/$bytes"),
        reply(500, "text/$bytes", $bytes),
        reply(200, "text/$bytes", $bytes),
        ours(500, encode_json({ error => $evil, hint => $evil,
            code => 'DATABASE' })),
        ours(202, '{}', "Communicator-Node: $bytes",
            'Communicator-Received: 1'),
        ours(202, encode_json({ received => 1, applied => 0, parked => [
            { id => 1, model => $evil, reason => $evil }] }),
            'Communicator-Received: 1'),
    );

    for my $reply (@replies) {
        my $hostile = Communicator::Test::Hostile->new(sub { $reply });
        my $node = central($hostile);
        my $heard = "$node->{dir}/heard";

        spew("$node->{dir}/notify", "#!/bin/sh\ncat >> $heard\n");
        chmod 0755, "$node->{dir}/notify";
        $node->configure(client_conf => "CommunicatorNotifyCommand "
            . "\"$node->{dir}/notify\"\n");
        my $run = $node->sync('push', '--cron');
        my ($head) = $reply =~ /^(.*)\r/m;
        is_harmless("$run->{out}$run->{err}", $head =~ s/[^ -~]//gr);
        is_harmless(slurp($heard), '  the mail') if -e $heard;
        is_harmless(slurp("$node->{dir}/state/status.json"),
            '  the state file');
        $hostile->stop;
    }
};

done_testing();
