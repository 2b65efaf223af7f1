#!/usr/bin/perl

# One message that the peer, a proxy or a firewall does not let pass. It is
# held back and listed, and the others go on; an outage holds nothing back.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file module_file folder spew);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(gem ids);
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $model = "CommunicatorModel post table=posts\n";
my $json = JSON::PP->new->allow_nonref;

# What a proxy says in the peer's place.
sub page {
    my ($status) = @_;
    my $body = "<html><h1>$status</h1></html>";

    return "HTTP/1.1 $status\r\nContent-Type: text/html\r\n"
      . 'Content-Length: ' . length($body)
      . "\r\nConnection: close\r\n\r\n$body";
}

# Replies to GET with TEXT in them do not pass.
sub loses_text {
    my ($text, $says) = @_;

    return sub {
        my ($request, $reply) = @_;
        return $request =~ /^GET/ && ($reply // '') =~ /\r\n\r\n.*$text/s
            ? $says : undef;
    };
}

# A central and a facade with a proxy between them that judges.
sub behind {
    my ($driver, $judge, %with) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        peers => "CommunicatorPeer central user=communicator\n",
        database => Communicator::Test::Database->new($driver),
        conf => $model . ($with{facade_conf} // ''));
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($driver),
        conf => $model, client_conf => $with{client_conf});
    my $port = $facade->{port};
    my $proxy = Communicator::Test::Proxy->new(to => $port, judge => $judge);

    for my $node ($central, $facade) {
        $node->database->create('create table posts (id {key}, '
            . 'title varchar(50), body {text}) {engine}');
        $node->migrate;
    }
    $facade->{port} = $proxy->{port};
    # What is between them reads what they say.
    $central->knows($facade, 'compress=no');
    $facade->{port} = $port;
    $facade->start;
    return ($central, $facade, $proxy);
}

# Let the application of NODE write posts FIRST to LAST, with these bodies.
sub say {
    my ($node, $first, $last, %bodies) = @_;
    my $values = join ', ', map {
        sprintf "('%s %d', '%s')", $node->name, $_, $bodies{$_} // 'short'
    } $first .. $last;

    $node->database->run("insert into posts (title, body) values $values");
}

# The numbers of the posts of WHOM that NODE has.
sub has {
    my ($node, $whom) = @_;

    return join ' ', sort { $a <=> $b } map { $_->[0] =~ /(\d+)$/ }
      @{ $node->database->rows(
        "select title from posts where title like '$whom %'") };
}

sub parked { return $json->decode($_[0]->sync('parked', '--json')->{out}) }
sub state { return $json->decode($_[0]->sync('status', '--json')->{out}) }
sub is_done { $_->stop for @_ }

my $large = 'x' x 20_000;
my $limit = sub {
    my ($request) = @_;
    return length $request > 12_000 ? page('413 Request Entity Too Large')
        : undef;
};
my $numbers = join ' ', 1 .. 4, 6 .. 30;

for my $driver (Communicator::Test::Database->drivers) {
    my $why = Communicator::Test::Database->missing($driver);

    subtest "$driver: too large for a proxy" => sub {
        plan skip_all => $why if $why;
        my ($central, $facade, $proxy) = behind($driver, $limit);

        say($central, 1, 30, 5 => $large);
        my $run = $central->sync;
        is($run->{exit}, 65, 'a run that meets it exits with 65');
        like($run->{err}, qr/^communicator-sync: facade: message 5 is withheld: .*413/m,
            '  and says so');
        is(has($facade, 'central'), $numbers, 'all others have arrived');
        my ($row, @others) = @{ parked($central) };
        is(scalar @others, 0, 'one is listed');
        is($row->{withheld} && $row->{id}, 5, '  as withheld');
        is($row->{original_id}, '5', '  with its record');
        is($row->{refused_by}, 'proxy', '  and who refuses it');
        like($row->{hint}, qr/client_max_body_size/, '  with a hint');
        like($central->sync('parked')->{out},
            qr/facade +5 +post +central\/5 .* proxy .*413.*hint: proxy:/s,
            '  for people, too');

        my $peer = state($central)->{peers}[0];
        is($peer->{withheld}, 1, 'status counts it');
        is($peer->{pending}, 0, '  nothing waits');
        is(state($facade)->{peers}[0]{withheld_there}, 1,
            '  at the other side, too');
        like($central->sync('status')->{out},
            qr/^warning: 1 message for 'facade' withheld, from 5 on$/m,
            '  in words');
        like($facade->sync('status')->{out},
            qr/^warning: 1 message of 'central' withheld there/m,
            '  in words, there');
        like($central->sync('check')->{out}, qr/^warning +1 message withheld from facade/m,
            'check says so');
        like($facade->sync('check')->{out},
            qr/^warning +1 message withheld from us by central/m, '  there, too');
        $run = $central->sync('status', '--nagios');
        is($run->{exit}, 1, 'Nagios warns');
        like($run->{out}, qr/^COMMUNICATOR WARNING.*withheld/, '  and says why');
        like($central->sync('status', '--prometheus')->{out},
            qr/^communicator_withheld_messages\{peer="facade"\} 1$/m,
            'Prometheus counts it');
        $run = $central->sync('verify');
        is($run->{exit}, 65, 'verify sees the difference');
        like($run->{err}, qr/1 message withheld from facade, from 5 on/,
            '  and names what is withheld');
        is($central->sync('drain')->{exit} == 0, '', 'drain sees it');

        $central->sync_ok;
        is(scalar @{ parked($central) }, 1, 'the next run leaves it alone');
        $central->sync_ok('purge', '--all', '--quiet');
        is($central->database->value(
            'select count(*) from outbound_messages where seq < 30'), 1,
            'purge keeps it');
        say($central, 31, 31);
        $central->database->run("update posts set body = 'cut' where id = 5");
        $central->sync_ok;
        is(has($facade, 'central'), join(' ', 1 .. 31),
            'once the record is corrected it arrives');
        is_deeply(parked($central), [], '  and nothing is listed');
        is(state($facade)->{peers}[0]{withheld_there}, 0, '  nor there');
        $central->sync_ok('purge', '--all', '--quiet');
        is($central->database->value('select count(*) from '
            . 'communicator_withheld'), 0, 'in the end all of it is purged');
        is_done($facade, $proxy);
    };

    subtest "$driver: a reply that a proxy loses" => sub {
        plan skip_all => $why if $why;
        my ($central, $facade, $proxy) = behind($driver,
            loses_text('poison', page('502 Bad Gateway')));

        say($facade, 1, 30, 5 => 'poison', 6 => 'poison too');
        my $run = $central->sync;
        is($run->{exit}, 65, 'a run that meets it exits with 65');
        like($run->{err}, qr/message 6 is withheld there: .*502/,
            '  and says so');
        is(has($central, 'facade'), join(' ', 1 .. 4, 7 .. 30),
            'all others have arrived');
        my @rows = @{ parked($facade) };
        is(join(' ', map { $_->{id} } @rows), '5 6', 'both are listed there');
        is($rows[0]{refused_by}, 'proxy', '  with who refuses them');
        like($rows[0]{reason}, qr/502/, '  and why');
        $facade->log_has_only(qr/CM0026.*message 5 and others is withheld/);
        $central->sync_ok;
        is(state($central)->{peers}[0]{withheld_there}, 2,
            'status says so here');
        like($central->sync('status', '--nagios')->{out}, qr/2 messages of 'facade' withheld there/,
            '  as does Nagios');
        $facade->database->run("update posts set body = 'well' where id = 5");
        $facade->database->run('delete from posts where id = 6');
        $central->sync_ok;
        is(has($central, 'facade'), join(' ', 1 .. 5, 7 .. 30),
            'corrected, one arrives');
        is_deeply(parked($facade), [],
            'what is corrected or deleted is not listed');
        is_done($facade, $proxy);
    };

    # Whether another message passes, only the peer itself can say.
    subtest "$driver: a reply that proves nothing" => sub {
        plan skip_all => $why if $why;
        my $says = folder("$driver-says") . '/now';
        my ($central, $facade, $proxy) = behind($driver, sub {
            my ($request, $reply) = @_;
            return page('413 Request Entity Too Large')
              if length $request > 12_000;
            open my $file, '<', $says or return;
            my ($name, $value) = split / /, <$file>;
            return $reply =~ s/^(Communicator-$name:) .*?\r$/$1 $value\r/imr
              if ($reply // '') =~ /"repeated":1/;
            return;
        });
        my %cases = ('Node other' => qr/the peer calls itself 'other'/,
            'Epoch 0123' => qr/its epoch is 0123, known is/,
            'Received 1e3' => qr/Communicator-Received .* is '1e3'/);
        my $count = 1;

        say($central, 1, 1);
        $central->sync_ok;
        for my $case (sort keys %cases) {
            $count++;
            say($central, $count, $count, $count => $large);
            spew($says, $case);
            my $run = $central->sync('push');
            is($run->{exit}, 76, "$case: the run fails");
            like($run->{err}, $cases{$case}, '  with what was said');
            is_deeply(parked($central), [], '  and nothing is held back');
            unlink $says;
            $central->database->run(
                "update posts set body = 'short' where id = $count");
            $central->sync;
            $central->sync_ok;
            is(has($facade, 'central'), join(' ', 1 .. $count),
                '  all arrives later');
        }
        is_done($facade, $proxy);
    };
}

subtest 'too large for the peer' => sub {
    my ($central, $facade, $proxy) = behind('sqlite3', undef,
        facade_conf => "CommunicatorMaxBody 8K\n");

    say($central, 1, 30, 5 => $large, 6 => $large, 30 => $large);
    is($central->sync->{exit}, 65, 'three of them');
    is(has($facade, 'central'), join(' ', 1 .. 4, 7 .. 29),
        'all others have arrived');
    my @rows = @{ parked($central) };
    is(join(' ', map { "$_->{id} $_->{refused_by}" } @rows),
        '5 peer 6 peer 30 peer', 'the peer refuses them');
    like($rows[0]{hint}, qr/CommunicatorMaxBody/, '  with a hint');
    is(state($central)->{peers}[0]{pending}, 0, 'nothing waits');
    $facade->log_has_only(qr/CM0008/);

    is($central->sync('discard', 'facade', '5')->{exit}, 0, 'one is discarded');
    is($central->database->value('select message_id from '
        . 'communicator_conflicts where lost_value like \'%xxxx%\''), 5,
        '  and kept whole');
    is($central->sync('discard', 'facade', '5')->{exit}, 64, '  once');
    $central->database->run('delete from posts where id = 30');
    $central->sync_ok;
    is(join(' ', map { $_->{id} } @{ parked($central) }), '6',
        'a delete of the record ends it');

    $facade->configure(conf => $model);
    $facade->restart;
    like($central->sync('retry', 'facade', 'sent:6')->{out},
        qr/^facade: 1 message/, 'retry queues it again');
    $central->sync_ok;
    is(has($facade, 'central'), join(' ', 1 .. 4, 6 .. 29), '  which arrives');
    is_deeply(parked($central), [], '  and is no longer listed');
    is($central->sync('retry', 'facade', '6')->{exit}, 64, '  nor known');
    is_done($facade, $proxy);
};

# By what a text may be refused, one of them each.
my @says = (['firewall', page('403 Forbidden')], ['406', page('406 No')],
    ['500', page('500 Internal Server Error')], ['a page', page('200 OK')],
    ['elsewhere', page('302 Found')], ['closed', '']);

subtest 'a text that something does not like' => sub {
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        my ($request) = @_;
        my ($case) = grep { $request =~ /^POST.*meets $_->[0]/s } @says;
        return $case && $case->[1];
    });

    say($central, 1, 20, map { ($_ + 5 => "meets $says[$_][0]") } 0 .. $#says);
    my $run = $central->sync;
    is($run->{exit}, 65, 'a run that meets six of them');
    like($run->{err}, qr/message 5 is withheld: access is forbidden .403/,
        '  says so');
    is(has($facade, 'central'), join(' ', 1 .. 4, 11 .. 20),
        'all others have arrived');
    is(join(' ', map { "$_->{id} $_->{refused_by}" } @{ parked($central) }),
        join(' ', map { "$_ proxy" } 5 .. 10), 'they are listed');
    # The record of message 5 has changed since, and is deleted.
    $central->database->run('delete from posts where id = 5; update '
        . $central->database->records('Post')
        . " set clock = clock + 1 where original_id = '5'");
    $run = $central->sync('retry');
    like($run->{out}, qr/^facade: 5 messages are queued again/,
        'retry sends what is there');
    like($run->{err}, qr/message 5 .*its record of model 'post' is not here/,
        '  and reports the one that is deleted');
    is($run->{exit}, 65, '  by its exit status, too');
    is_done($facade, $proxy);
};

subtest 'the last message' => sub {
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        my ($request) = @_;
        return $request !~ /^POST/ ? undef : $request =~ /bad gateway/
            ? page('502 Bad Gateway') : $request =~ /forbidden/
            ? page('403 Forbidden') : undef;
    });

    say($central, 1, 3);
    $central->sync_ok;
    say($central, 4, 4, 4 => 'forbidden');
    is($central->sync->{exit}, 65, 'a firewall does not like it');
    is(scalar @{ parked($central) }, 1, 'it is held back');
    is(state($central)->{peers}[0]{pending}, 0, '  and nothing waits');
    say($central, 5, 5, 5 => 'bad gateway');
    my $run = $central->sync;
    is($run->{exit}, 75, 'what may pass is an error');
    like($run->{err}, qr/cannot push: message 5: .*502/, '  with its number');
    is(scalar @{ parked($central) }, 1, '  and not held back ...');
    is($central->database->value('select count(*) from communicator_withheld'),
        1, '  ... in no way');
    say($central, 6, 6);
    is($central->sync->{exit}, 65, 'until another one passes');
    is(has($facade, 'central'), '1 2 3 6', '  which arrives');
    is(scalar @{ parked($central) }, 2, '  two are held back now');
    is_done($facade, $proxy);
};

# What the peer has passed over would be skipped if it came once more.
subtest 'a reply that is out of date' => sub {
    my $once = folder('stale') . '/once';
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        my ($request, $reply) = @_;
        return unless defined $reply && $request =~ /^POST/ && unlink $once;
        return $reply =~ s/^(Communicator-Received:) 3\b/$1 2/imr;
    }, facade_conf => "CommunicatorMaxBody 8K\n");

    say($central, 1, 3, 3 => $large);
    is($central->sync->{exit}, 65, 'the peer does not take the last message');
    $facade->log_has_only(qr/CM0008/);
    $facade->configure(conf => $model);
    $facade->restart;
    spew($once, '');
    like($central->sync('push')->{err}, qr/up to 2 only, not 3/,
        'it seems to hold less than it does');
    is(join(' ', map { $_->{id} } @{ parked($central) }), '3',
        '  and the message stays withheld');
    $central->sync('retry');
    $central->sync_ok;
    is(has($facade, 'central'), '1 2 3', '  until retry sends it');
    is_done($facade, $proxy);
};

# Nothing is held back while the way is closed, or only seems to be open.
subtest 'an outage' => sub {
    my $trouble = folder('trouble') . '/now';
    my $busy = page('503 Service Unavailable')
      =~ s/Content-Type/Retry-After: 9\r\nContent-Type/r;
    my @cases = (
        ['nobody answers', sub { '' }],
        ['all is a bad gateway', sub { page('502 Bad Gateway') }],
        ['nothing with a body passes', sub {
            $_[0] =~ /^POST.*\r\n\r\n\[\]\z/s || $_[0] =~ /^GET/ ? undef
                : page('500 Internal Server Error') }],
        ['nothing new passes', sub {
            $_[0] =~ /new/ ? page('502 Bad Gateway') : undef }],
        ['it is busy', sub { $_[0] =~ /new/ ? $busy : undef }]);
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        open my $file, '<', $trouble or return;
        return $cases[<$file>][1]->(@_);
    });
    my $count = 3;

    say($central, 1, $count);
    $central->sync_ok;
    for my $case (0 .. $#cases) {
        spew($trouble, $case);
        say($central, $count + 1, $count + 4,
            map { ($count + $_ => 'new') } 1 .. 4);
        my $run = $central->sync('push');
        is($run->{exit}, 75, "$cases[$case][0]: the run fails");
        is($central->database->value(
            'select count(*) from communicator_withheld'), 0,
            '  and nothing is held back');
        unlink $trouble;
        $central->sync_ok;
        $count += 4;
        is(has($facade, 'central'), join(' ', 1 .. $count),
            '  all arrives later');
        $central->database->run("update posts set body = 'old'");
        $central->sync_ok;
    }
    is_done($facade, $proxy);
};

subtest 'an outage while pulling' => sub {
    my $trouble = folder('trouble') . '/now';
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        my ($request, $reply) = @_;
        return -e $trouble && $request =~ /^GET/ && $reply
            && length $reply > 1200 ? page('502 Bad Gateway') : undef;
    });

    say($facade, 1, 3);
    $central->sync_ok;
    spew($trouble, '');
    say($facade, 4, 9, map { ($_ => 'x' x 2000) } 4 .. 9);
    is($central->sync->{exit}, 75, 'no message passes');
    is_deeply(parked($facade), [], 'nothing is held back');
    unlink $trouble;
    $central->sync_ok;
    is(has($central, 'facade'), join(' ', 1 .. 9), 'all arrives later');
    is_done($facade, $proxy);
};

subtest 'a message that this side does not take' => sub {
    my ($central, $facade, $proxy) = behind('sqlite3', undef,
        client_conf => "CommunicatorMaxBody 12K\n");

    say($facade, 1, 30, 5 => $large, 30 => $large);
    is($central->sync->{exit}, 65, 'a run that meets it');
    is(has($central, 'facade'), join(' ', 1 .. 4, 6 .. 29),
        'all others have arrived');
    my @rows = @{ parked($facade) };
    is(join(' ', map { "$_->{id} $_->{refused_by}" } @rows), '5 peer 30 peer',
        'the other side lists both');
    like($rows[0]{reason}, qr/larger than 12288 bytes/, '  and why');
    is($facade->sync('discard', 'central', '5')->{exit}, 0, 'discard works');
    $central->sync_ok;
    is(state($central)->{peers}[0]{withheld_there}, 1, '  and is seen here');
    is_done($facade, $proxy);
};

# A refusal by another node says nothing about the message.
subtest 'what another node does not take' => sub {
    my $wrong = folder('wrong') . '/now';
    my $body = '{"error":"it fails","code":"FAILED"}';
    my $other = "HTTP/1.1 500 Internal Server Error\r\n"
      . "Communicator-Protocol: 2\r\nCommunicator-Node: other\r\n"
      . "Communicator-Withheld: 0 0\r\nContent-Type: application/json\r\n"
      . 'Content-Length: ' . length($body)
      . "\r\nConnection: close\r\n\r\n$body";
    my ($central, $facade, $proxy) = behind('sqlite3', sub {
        my ($request, $reply) = @_;
        return -e $wrong && join('', grep { defined } $request, $reply)
          =~ /astray/ ? $other : undef;
    });

    say($_, 1, 3) for $central, $facade;
    $central->sync_ok;
    spew($wrong, '');
    say($_, 4, 6, 5 => 'astray') for $central, $facade;
    for my $command ('push', 'pull') {
        my $run = $central->sync($command);
        is($run->{exit}, 76, "a $command that meets it fails");
        like($run->{err}, qr/the peer calls itself 'other'/, '  and says so');
    }
    is_deeply(parked($_), [], 'nothing is held back at ' . $_->name)
      for $central, $facade;
    unlink $wrong;
    $central->sync_ok;
    is(has($facade, 'central'), '1 2 3 4 5 6', 'all arrives later');
    is(has($central, 'facade'), '1 2 3 4 5 6', '  here, too');
    is_done($facade, $proxy);
};

# A gem counts what it has taken: its numbers have no gap.
subtest 'a gem' => sub {
    my $next = 1;
    my $server = Communicator::Test::Hostile->new(sub {
        my ($request) = @_;
        my @ids = $request->{method} eq 'POST' ? ids($request) : ();

        return gem(200, '[]') if $request->{method} eq 'GET';
        return gem(202, 'No data given') if !@ids;
        return gem(409, $next) if $ids[0] != $next;
        return gem(500, '<h1>Internal Server Error</h1>')
          if $request->{body} =~ /poison/;
        $next = $ids[-1] + 1;
        return gem(202, '');
    });
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $model);

    $central->database->create('create table posts (id {key}, '
        . 'title varchar(50), body {text}) {engine}');
    $central->knows($server, 'protocol=gem');
    $central->migrate;
    say($central, 1, 12, 5 => 'poison', 6 => 'poison');
    is($central->sync('push')->{exit}, 65, 'a run that meets it');
    my %taken;
    for my $request ($server->requests) {
        next if $request->{method} ne 'POST' || $request->{body} =~ /poison/;
        $taken{$_->{id}} = $_->{original_id}
          for @{ $json->decode($request->{body}) };
    }
    is(join(' ', map { "$_=$taken{$_}" } sort { $a <=> $b } keys %taken),
        '1=1 2=2 3=3 4=4 5=7 6=8 7=9 8=10 9=11 10=12',
        'its numbers have no gap');
    is(join(' ', map { $_->{id} } @{ parked($central) }), '5 6',
        'what it refuses is listed');
    say($central, 13, 13);
    $central->sync_ok('push');
    my ($last) = reverse grep { $_->{body} ne '[]' } $server->requests;
    is(join(' ', ids($last)), '11', 'and they go on');
    $server->stop;
};

done_testing();
