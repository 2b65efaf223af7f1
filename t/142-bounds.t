#!/usr/bin/perl

# What a hostile or broken peer can make a child of httpd, or the client, spend:
# memory and time are bounded before they are spent, and memory is given back.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Zlib qw(memGzip);
use JSON::PP;
use Test::More;
use Communicator::Test qw(slurp spew client_file run_program
  wait_until);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(ours central $EPOCH);
use Communicator::Test::Server qw(by_ours);

my $path = '/messages.json';
my $mega = 1024 * 1024;
my $keep = 64 * $mega;
my $sanitized = %{ Communicator::Test::Server::sanitizer() };
my $server = Communicator::Test::Server->new(name => 'facade',
    database => Communicator::Test::Database->new('sqlite3'),
    conf => "CommunicatorModel post table=posts\n"
      . "CommunicatorModel wide table=wide\n"
      . "CommunicatorModel widest table=widest\n");
my $wide = 300;

$server->configure(httpd_conf => "StartServers 1\nServerLimit 1\n"
      . "ThreadLimit 8\nMaxRequestWorkers 8\nMinSpareThreads 1\n"
      . "MaxSpareThreads 8\n");
$server->database->create('create table posts (id {key}, title varchar(200),'
      . ' body {text}) {engine};');
$server->database->create('create table wide (id {key}, '
      . join(',', map { "c$_ integer" } 1 .. $wide) . ') {engine};');
$server->database->create('create table widest (id {key}, '
      . join(',', map { "c$_ integer" } 1 .. 900) . ') {engine};');
$server->migrate->start;

# A number of /proc/PID/status of httpd's one child, in bytes.
sub memory {
    my ($name) = @_;
    my ($child) = $server->children;

    return slurp("/proc/$child/status") =~ /^$name:\s+(\d+) kB/m
      ? $1 * 1024 : 0;
}

# Seconds of CPU that httpd's child has spent.
sub cpu {
    my ($child) = $server->children;
    my @fields = split ' ', slurp("/proc/$child/stat") =~ s/.*\) //sr;

    return ($fields[11] + $fields[12]) / 100;
}

# Post TEXT, packed, and return the answer; what it cost is in limits.
sub bomb {
    my ($name, $text, $query) = @_;
    my $before = memory('VmRSS');
    my $answer;

    # the peak begins anew
    my ($child) = $server->children;
    spew("/proc/$child/clear_refs", 5);
    my $spent = cpu();
    $answer = $server->post($path . ($query // ''), memGzip($text),
        by_ours('content-encoding' => 'gzip'));
    $spent = cpu() - $spent;
    my $peak = memory('VmHWM') - $before;
    # the answer goes out before the memory does
    wait_until(sub { memory('VmRSS') - $before < $keep }, 30)
      if !$sanitized;
    my $kept = memory('VmRSS') - $before;
    note(sprintf "%s: %d, %d MB, %d MB kept, %.1f s", $name, $answer->{status},
        $peak / $mega, $kept / $mega, $spent);
    return ($answer, $peak, $kept, $spent);
}

sub is_bounded {
    my ($name, $text, $status, $query) = @_;
    my ($answer, $peak, $kept, $spent) = bomb($name, $text, $query);

    is($answer->{status}, $status, "$name: refused");
    ok(length((eval { decode_json($answer->{content}) } || {})->{error} // ''),
        '  in words');
    cmp_ok($spent, '<', 5, '  at once');
    return if $sanitized;
    cmp_ok($peak, '<', 320 * $mega, '  within bounds of memory');
    cmp_ok($kept, '<', $keep, '  which is given back');
}

# COUNT times WORD with commas between, and that as JSON's array.
sub many { return "$_[0]," x ($_[1] - 1) . $_[0] }
sub array { return '[' . many(@_) . ']' }

# A message with ATTRIBUTES (JSON) and what stands beside it.
sub message {
    my ($attributes, $beside) = @_;

    return '[{"id":1,"origin":"central","original_id":1,"clock":1000,"body":'
      . encode_json_text(qq({"post":{$attributes}})) . ($beside // '') . '}]';
}

# Let the facade hold nothing of its peer.
sub forget {
    $server->database->forget_records;
    $server->database->run('delete from inbound_messages; '
          . 'delete from communicator_received; delete from posts; '
          . 'update communicator_peers set received = 0, held = 0, '
          . 'received_clock = 0');
}

# TEXT of plain characters as JSON. (JSON::PP takes seconds for megabytes.)
sub encode_json_text { return '"' . $_[0] =~ s/(["\\])/\\$1/gr . '"' }

subtest 'a push' => sub {
    is($server->post($path, '[]', by_ours())->{status}, 202, 'warm');
    is_bounded('five million objects',
        array('{}', 4_000_000), 413);
    is_bounded('a million numbers of messages',
        '[' . join(',', map { qq({"id":$_}) } 1 .. 1_000_000) . ']', 413);
    is_bounded('a million small messages', '[' . join(',',
        map { qq({"id":$_,"body":"{\\"p\\":{}}"}) } 1 .. 400_000) . ']', 413);
};

subtest 'a table of 900 columns' => sub {
    my $database = $server->database;

    $database->run('insert into widest (c1, c900) values (1, 9)');
    $database->run('update widest set c899 = 7 where c900 = 9');
    is($database->value('select changed_columns from outbound_messages '
        . 'where changed_columns is not null'), '["c899"]',
        'what the application does to it is captured');
    $database->run('delete from widest; delete from outbound_messages');
};

subtest 'as much as may be' => sub {
    my $batch = sub {
        my ($model, $attributes, $count) = @_;

        return '[' . join(',', map {
            qq({"id":$_,"origin":"central","original_id":$_,"clock":1000,)
              . '"body":"{\"' . $model . '\":{' . $attributes . '}}"}'
        } 1 .. $count) . ']';
    };
    my ($answer, $peak, $kept) =
      bomb('many', $batch->('post', '\"title\":\"x\"', 50_000));

    is($answer->{status}, 202, '50,000 messages: taken');
    is($server->database->value('select count(*) from posts'), 50_000,
        '  and applied');
    cmp_ok($peak, '<', 320 * $mega, '  within bounds of memory')
      unless $sanitized;
    forget();
    ($answer, $peak, $kept) =
      bomb('wide', $batch->('wide', '\"c1\":1', 4_000));
    is($answer->{status}, 202, 'a batch for a wide table: taken');
    is($server->database->value('select count(*) from wide'), 4_000,
        '  and applied');
    if (!$sanitized) {
        cmp_ok($peak, '<', 320 * $mega, '  within bounds of memory');
        cmp_ok($kept, '<', $keep, '  which is given back');
    }
    forget();
    is_bounded('a larger one', $batch->('wide', '\"c1\":1', 20_000), 413);
    my $all = join ',', map { qq("c$_":$_) } 1 .. $wide;
    ($answer) = bomb('all columns', message($all, ',"clocks":['
        . join(',', map { 1000 - $_ % 900 . qq(,"c$_") } reverse 1 .. $wide)
        . ']') =~ s/post/wide/r =~ s/"original_id":1/"original_id":99999/r);
    is($answer->{status}, 202, 'a message with all columns: taken');
    is($server->database->value("select c$wide from wide where c3 = 3"),
        $wide, '  and applied');
    forget();
};

subtest 'a message that costs more than it says' => sub {
    my $columns = join ',', map { qq("c$_":1) } 1 .. 4000;
    my $parked = sub {
        my ($name, $text) = @_;
        my ($answer, $peak, $kept, $spent) = bomb($name, $text);
        my $json = eval { decode_json($answer->{content}) } || {};

        is($answer->{status}, 202, "$name: taken");
        like($json->{parked}[0]{reason} // '', qr/than a table can have/,
            '  but parked');
        cmp_ok($spent, '<', 5, '  at once');
        forget();
    };

    $parked->('a million references', message($columns, ',"refs":{'
        . join(',', map { qq("r$_":["post",1]) } 1 .. 600_000) . '}'));
    $parked->('a million clocks', message($columns, ',"clocks":['
        . join(',', map { qq(900,"r$_") } 1 .. 700_000) . ']'));
    $parked->('a million clocks of an object', message($columns, ',"clocks":{'
        . join(',', map { qq("r$_":900) } 1 .. 900_000) . '}'));
    $parked->('a million clocks of a base', message($columns, ',"base":{'
        . join(',', map { qq("r$_":900) } 1 .. 900_000) . '}'));
    $parked->('a million attributes',
        message(join ',', map { qq("c$_":1) } 1 .. 1_000_000));
};

subtest 'a question' => sub {
    my $ask = sub { encode_json({ model => 'post', @_ }) };
    my $names = $ask->(ask => 'states', columns => [], names => 'many');
    my $bounds = $ask->(ask => 'parts', columns => [], origin => 'central',
        after => '', bounds => 'many');

    is_bounded('columns that nobody has', $ask->(ask => 'states',
        names => [map { ['central', "$_"] } 1 .. 1000],
        columns => [map { ["c$_", 'exact'] } 1 .. 4_000]), 400, '?verify');
    is_bounded('a million names', $names
          =~ s/"many"/array('["a","b"]', 1_000_000)/er, 400, '?verify');
    is_bounded('a million bounds', $bounds
          =~ s/"many"/array('"b"', 1_000_000)/er, 400, '?verify');
};

# The client's memory is limited by the system: it would fail otherwise.
sub limited_sync {
    my ($node, @arguments) = @_;

    return run_program(['sh', '-c', 'ulimit -v 400000 && exec "$@"', 'sh',
        client_file(), '--config', $node->config_file, @arguments]);
}

subtest 'what a peer answers' => sub {
    plan skip_all => 'sanitizers take all addresses' if $sanitized;
    my $objects = array('{}', 1_500_000);
    my %answers = (
        'an error' => [push => ours(400, qq({"error":$objects}))],
        'an error among them' => [push => ours(500,
            qq({"more":$objects,"error":"the disk is full"}))],
        'a receipt' => [push => ours(202,
            qq({"received":3,"applied":3,"parked":$objects}),
            'Communicator-Received: 3')],
        'a pull' => [pull => ours(200, $objects, 'Communicator-Last: 1')],
        'a shape' => [verify => ours(200,
            qq({"shape":{"known":1,"columns":$objects}}))],
        'parts' => [verify => ours(200, qq({"parts":$objects}))],
        'origins' => [verify => ours(200, '{"shape":{"known":1,"origins":['
            . many('""', 1_500_000) . ']}}')],
    );

    for my $name (sort keys %answers) {
        my ($command, $reply) = @{ $answers{$name} };
        my $greeted = 0;
        my $hostile = Communicator::Test::Hostile->new(sub {
            my ($request) = @_;

            return ours(200, '[]', 'Communicator-Last: 0')
              if $request->{method} eq 'GET' && $command ne 'pull'
              || !$greeted++ && $command eq 'pull';
            return $reply;
        });
        my $central = central($hostile);
        my $run = limited_sync($central, $command);

        unlike($run->{err}, qr/memory|abort/i, "$name: no want of memory");
        cmp_ok($run->{exit}, '<', 128, '  and no crash');
        like($run->{err}, qr/disk is full/, '  the words are found')
          if $name =~ /among/;
        $hostile->stop;
    }
};

# Numbers of 63 bits, where none is reckoned with.
subtest 'numbers at the edge' => sub {
    my $most = '9223372036854775807';
    my @pushes = ("after=$most", "last=$most", "after=1&last=$most");
    my $log = sub { slurp("$server->{dir}/error.log") };

    for my $query (@pushes) {
        my $answer = $server->post("$path?$query", '[]', by_ours());

        is($answer->{status}, 400, "$query: refused");
    }
    for my $number ($most, "-$most") {
        my $answer = $server->post($path, message('"title":"x"')
              =~ s/"id":1/"id":$number/r, by_ours());

        is($answer->{status}, 400, "a message $number: refused");
        for my $header (qw(received newest held clock)) {
            $answer = $server->get("$path?from_id=1",
                by_ours("communicator-$header" => "$number $number"));
            is($answer->{status}, 400, "$header $number: refused");
        }
    }
    is($server->database->value('select received from communicator_peers'), 0,
        'nothing of that is kept');
    cmp_ok($server->database->value(
        'select abs(clock_offset) from communicator_peers'), '<', 2**62,
        'nor as a clock');
    unlike($log->(), qr/runtime error/, 'nothing overflows');

    my %headers = ('a 409' => [push => ours(409,
            '{"error":"no","code":"GAP"}', "Communicator-Received: $most")],
        'a pull' => [pull => ours(200, '[]', "Communicator-Last: $most",
            "Communicator-Received: $most", "Communicator-Pending: $most",
            "Communicator-Oldest: $most", "Communicator-Parked: $most",
            'Communicator-More: 1')],
        'a gem' => [push => Communicator::Test::Hostile::gem(409, $most)]);
    for my $name (sort keys %headers) {
        my ($command, $reply) = @{ $headers{$name} };
        my $hostile = Communicator::Test::Hostile->new(sub { $reply });
        my $central = central($hostile);
        my @runs = map { $central->sync(@$_) } [$command], ['status'],
          ['status', '--nagios'], [$command];

        unlike(join('', map { $_->{err} . $_->{out} } @runs),
            qr/runtime error|-922337/, "$name: no such number");
        isnt($runs[0]{exit}, 0, '  is taken');
        is($central->database->value(
            'select coalesce(max(received), 0) from communicator_peers'), 0,
            '  nor kept');
        $hostile->stop;
    }
};

# What fails while a connection is set up is not kept as long as the connection.
subtest 'a node that cannot be opened' => sub {
    my ($answer, $before);
    my $ask = sub {
        $answer = $server->get("$path?from_id=1", by_ours()) for 1 .. 300;
    };

    $server->database->run('insert into communicator_schema '
          . "(version, name, applied_at) values (999, 'newer', 0)");
    $server->restart;
    $ask->();
    is($answer->{status}, 503, 'httpd does not work on newer tables');
    $before = memory('VmRSS');
    $ask->() for 1 .. 2;
    cmp_ok(memory('VmRSS') - $before, '<', $mega,
        '  and many requests take no memory') unless $sanitized;
};

done_testing();
