#!/usr/bin/perl

# communicator-sync --follow: what is committed on one side is on the other one
# within a moment, with few requests meanwhile. It goes on through restarts of
# httpd and of databases, beside other runs, and with a new configuration.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM MSG_DONTWAIT);
use Test::More;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(client_file module_file folder slurp wait_until);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(good central say_something);
use Communicator::Test::Pair;
use Communicator::Test::Session;
use Communicator::Test::Tls;

my $tables = 'create table posts (id {key}, title varchar(100)) {engine};';
my $models = 'CommunicatorModel post table=posts';

plan skip_all => 'not built' unless -x client_file() && -e module_file();

# A process of NODE that follows.
package Follower {
    use Test::More;
    use Communicator::Test qw(slurp);

    sub new {
        my ($class, $node, @options) = @_;
        my $self = bless { node => $node, log => "$node->{dir}/follow.log",
            seen => 0 }, $class;
        my %with = ref $options[-1] ? %{ pop @options } : ();

        unlink $self->{log};
        $self->{pid} = Communicator::Test::start_process(
            [Communicator::Test::client_file(), '--config',
                $node->config_file, '--follow', @options],
            out => $self->{log}, %with);
        Communicator::Test::at_end(sub { $self->stop });
        Communicator::Test::wait_until(sub { $self->catches_hangup });
        return $self;
    }

    # Whether SIGHUP does not end it any more, or it has ended already. What
    # starts slowly, as others need the processor, has not come that far, and
    # may not even be the client yet: until then it catches what this test does,
    # so the program is looked at first.
    sub catches_hangup {
        my ($self) = @_;
        my $process = "/proc/$self->{pid}";
        my $program = readlink("$process/exe") // '';
        my $status = slurp("$process/status");

        return 1 if $status =~ /^State:\s*Z/m;
        return $program ne readlink('/proc/self/exe')
          && $status =~ /^SigCgt:\s*[0-9a-f]*[13579bdf]$/m;
    }

    sub is_alive { return Communicator::Test::is_alive($_[0]{pid}) }

    # What it has said since the last look.
    sub says {
        my ($self) = @_;
        my $log = -e $self->{log} ? slurp($self->{log}) : '';
        my $new = substr $log, $self->{seen};

        $self->{seen} = length $log;
        return $new;
    }

    # Let it end, and return its exit status; -1: it did not.
    sub stop {
        my ($self, $signal) = @_;
        my $pid = delete $self->{pid} or return;
        my $status = -1;

        kill $signal || 'TERM', $pid;
        Communicator::Test::wait_until(sub {
            $status = $? if waitpid($pid, 1) == $pid;
            return $status >= 0;
        }, 15) or kill KILL => $pid;
        return $status;
    }
}

sub has {
    my ($database, $title) = @_;

    return wait_until(sub { $database->value('select count(*) from posts '
            . "where title = '$title'") }, 15);
}

# Write TITLE at one side, and wait for it at the other. Reading by the
# databases' own programs takes longer than the way.
sub travels {
    my ($from, $to, $title) = @_;

    $from->run("insert into posts (title) values ('$title');");
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(has($to, $title), "it arrives: $title");
}

sub both_ways {
    my ($pair, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    travels($pair->central, $pair->facade, "there, $title");
    travels($pair->facade, $pair->central, "here, $title");
}

sub memory {
    my ($pid) = @_;

    return slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub files { return scalar(() = glob "/proc/$_[0]/fd/*") }

sub requests {
    my ($pair) = @_;

    return scalar split /\n/, slurp("$pair->{facade}{dir}/access.log");
}

sub follow {
    my ($driver) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => [$driver, $driver],
        tables => $tables, models => $models,
        own_server => $driver ne 'sqlite3');
    my ($central, $facade) = $pair->nodes;
    my $follower = Follower->new($central);

    both_ways($pair, 'first');
    both_ways($pair, 'again');
    $central->sync_ok;
    both_ways($pair, 'beside a run');
    my $before = requests($pair);
    sleep 5;
    cmp_ok(requests($pair) - $before, '<=', 3, 'idle it asks seldom');
    is($follower->says, '', 'nothing is said while all is well');

    my $rows = $central->database->value(
        'select count(*) from communicator_journal');
    cmp_ok($rows, '<=', 4, 'not each cycle is in the journal');

    $pair->central->run('insert into communicator_schema '
        . "(version, name, applied_at) values (999, 'newer', 0);"
        . "insert into posts (title) values ('newer');");
    sleep 2;
    is($pair->facade->value("select count(*) from posts "
        . "where title = 'newer'"), 0, 'it does not work on newer tables');
    like($follower->says, qr/version 999.*\nhint: install the newer program/,
        '  and says what to do');
    $pair->central->run('delete from communicator_schema '
        . 'where version = 999');
    ok(has($pair->facade, 'newer'), '  and nothing is lost');

    $facade->restart;
    both_ways($pair, 'after a restart of httpd');
    ok($facade->graceful, 'a graceful restart');
    both_ways($pair, 'after a graceful restart');
    if ($driver ne 'sqlite3') {
        $_->restart for $pair->databases;
        both_ways($pair, 'after a restart of the databases');
        unlike($follower->says, qr/crash|signal/, 'that is survived');
    }
    steady($pair, $follower);
    crowded($pair);
    frugal($pair);
    reloads($pair, $follower);
    $follower->says;
    is($follower->stop, 0, 'SIGTERM ends it with exit status 0');
    is($follower->says, '', '  without a word');
    $pair->is_settled('afterwards');
}

# Many cycles take no more memory than some.
sub steady {
    my ($pair, $follower) = @_;
    my $n = 0;
    my $some = sub {
        for (1 .. 40) {
            $n++;
            $pair->central->run("update posts set title = 'n$n' where id = 1;");
            sleep 0.03;
        }
    };

    $some->();
    has($pair->facade, "n$n");
    my $before = memory($follower->{pid});
    $some->() for 1 .. 2;
    ok(has($pair->facade, "n$n"), 'the last of many changes arrives');
    cmp_ok(memory($follower->{pid}) - $before, '<', 1500,
        'many cycles take no memory');
}

# An application that commits without a pause: each cycle takes what is there
# when it begins, as one batch. What comes meanwhile is for the next one, or
# many small batches would take the machine from the application.
sub crowded {
    my ($pair) = @_;
    my ($central, $facade) = map { $_->database } $pair->nodes;
    my $inserts = join '',
      map { "insert into posts (title) values ('many $_');\n" } 1 .. 1500;
    my $seen = requests($pair);
    my $began = time;
    my $count = sub {
        my ($word, $not) = @_;
        my @lines = split /\n/, slurp("$pair->{facade}{dir}/access.log");

        return scalar grep { /$word/ && !($not && /$not/) }
          @lines[$seen .. $#lines];
    };
    my $arrive = sub {
        my ($from, $to) = @_;

        is($from->client([], $inserts)->{exit}, 0, 'many commits');
        ok(has($to, 'many 1500'), '  all arrive');
        is($to->value('select count(*) from posts'),
            $from->value('select count(*) from posts'), '  none is missing');
    };

    $arrive->($central, $facade);
    my $batches = $count->('POST .*last=');
    cmp_ok($batches, '>', 0, '  in batches');
    # It rests for 70 ms between them.
    cmp_ok($batches, '<=', 15 * (time - $began) + 2, '  one in a cycle');
    # A full cycle may come between.
    cmp_ok($count->('POST .*after=', 'last='), '<=', 1, '  without greetings');
    $central->run("delete from posts where title like 'many %';");
    ok(wait_until(sub { !$facade->value('select count(*) from posts '
            . "where title like 'many %'") }), '  they are deleted');
    $seen = requests($pair);
    $arrive->($facade, $central);
    $batches = $count->('GET .*bytes=');
    cmp_ok($batches, '>', 0, '  fetched in batches');
    cmp_ok($batches, '<=', $count->('GET .*wait=') + 2,
        '  one when the request that waits says so');
    my $pushed = $central->value('select max(last_push_at) from '
        . 'communicator_peers') / 1e6;
    cmp_ok($pushed, '>', $began - 10, 'when the last push was, is known');
    $facade->run("insert into posts (title) values ('the last');");
    has($central, 'the last');
    ok(wait_until(sub {
        my $said = $central->value('select status from communicator_peers');
        return $said =~ /"pending":0\b/;
    }, 10), '  and that nothing waits there any more') or diag
      $central->value('select status from communicator_peers');
}

# What the application's database pays for a change that is sent alone, in
# transactions that write: its own, and the one that gives the number. What the
# facade holds is noted by the next one, or when nothing has come for a second.
sub frugal {
    my ($pair) = @_;
    my ($central, $facade) = map { $_->database } $pair->nodes;
    my $used = sub { return $central->value('select txid_current()') };
    my $ends = sub { return $central->value('select last_seq - confirmed from '
            . "communicator_node, communicator_peers where name = 'facade'") };

    ok(wait_until(sub { $ends->() == 0 }, 10), 'all is confirmed');
    if ($central->driver eq 'pgsql') {
        my $before = $used->();
        for my $n (1 .. 20) {
            $central->run("insert into posts (title) values ('one $n');");
            wait_until(sub { $facade->value(
                    "select count(*) from posts where title = 'one $n'") }, 15);
        }
        # A full cycle, or what is noted every ten seconds, may come between.
        cmp_ok($used->() - $before, '<=', 20 * 2 + 8,
            'a change costs one transaction more');
    }
    $central->run("insert into posts (title) values ('alone');");
    ok(has($facade, 'alone'), 'one change');
    ok(wait_until(sub { $ends->() == 0 }, 10), '  is confirmed soon');
}

sub reloads {
    my ($pair, $follower) = @_;
    my ($central, $facade) = $pair->nodes;
    my $pid = $follower->{pid};

    $follower->says;
    $central->configure(conf => 'CommunicatorModel post tabel=posts');
    kill HUP => $pid;
    ok(wait_until(sub { $follower->says =~ /unknown option 'tabel=posts'/ }),
        'an error in a new configuration is reported');
    both_ways($pair, 'with the configuration before');
    for my $node ($central, $facade) {
        $node->database->create('create table notes (id {key}, '
            . 'title varchar(100)) {engine};');
        $node->configure(conf => "$models\nCommunicatorModel note table=notes");
        $node->migrate;
    }
    $facade->restart;
    my $journal = 'select coalesce(sum(sent), 0) from communicator_journal';
    my $before = $central->database->value($journal);
    kill HUP => $pid;
    ok($follower->is_alive, 'SIGHUP does not end it');
    ok(wait_until(sub { $central->database->value($journal) > $before }),
        '  and what has moved goes to the journal');
    $central->database->run("insert into notes (title) values ('new');");
    ok(wait_until(sub { $facade->database->value(
            "select count(*) from notes where title = 'new'") }),
        'a new model is taken up');
    both_ways($pair, 'with it');
    my $files = files($pid);
    for (1 .. 4) { kill HUP => $pid; sleep 0.7 }
    both_ways($pair, 'once more');
    # A connection more or less may be waiting for its next request.
    cmp_ok(files($pid), '<=', $files + 2, 'no connection stays open');
}

sub pair {
    return Communicator::Test::Pair->new(drivers => ['sqlite3', 'sqlite3'],
        tables => $tables, models => $models);
}

# What systemd is told.
subtest 'systemd' => sub {
    my $path = folder('notify') . '/socket';
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
      or die "socket: $!";
    my $follower = Follower->new(pair()->{central},
        { env => { NOTIFY_SOCKET => $path, WATCHDOG_USEC => 400_000 } });
    my %seen;
    my $hear = sub {
        my ($word) = @_;

        return wait_until(sub {
            while (defined $socket->recv(my $text, 1000, MSG_DONTWAIT)) {
                $seen{$text}++;
            }
            return $seen{$word};
        });
    };
    ok($hear->('READY=1'), 'it is ready');
    ok($hear->('STATUS=all is well'), 'it is well');
    delete $seen{'WATCHDOG=1'};
    ok($hear->('WATCHDOG=1'), 'the watchdog hears of it');
    ok(!$seen{'STOPPING=1'}, 'it goes on');
    is($follower->stop, 0, 'and ends');
    ok($hear->('STOPPING=1'), 'it says that it ends');
};

subtest 'a peer that is away' => sub {
    my $pair = pair();
    my ($central, $facade) = $pair->nodes;
    my $follower = Follower->new($central);
    my $cron;

    both_ways($pair, 'before');
    $follower->says;
    $facade->stop;
    $pair->central->run("insert into posts (title) values ('while away');");
    ok(wait_until(sub { $follower->says =~ /Failed to connect/ }),
        'that is reported') or diag slurp($follower->{log});
    $follower->stop;
    $cron = Follower->new($central, '--cron');
    sleep 3;
    $facade->start;
    ok(has($pair->facade, 'while away'), 'when it is back all arrives');
    both_ways($pair, 'afterwards');
    is($cron->says, '', 'with --cron a short absence is no problem');
    is($cron->stop('INT'), 0, 'SIGINT ends it, too');
};

subtest 'a pause' => sub {
    my $pair = pair();
    my $central = $pair->{central};
    my $follower = Follower->new($central, '--cron');

    both_ways($pair, 'before');
    $central->sync_ok('pause', '--quiet');
    $pair->central->run("insert into posts (title) values ('in it');");
    sleep 5;
    is($pair->facade->value("select count(*) from posts where title = 'in it'"),
        0, 'nothing moves');
    is($follower->says, '', 'that is no problem yet');
    $central->sync_ok('resume', '--quiet');
    ok(has($pair->facade, 'in it'), 'it goes on by itself');
    is($follower->says, '', '  without a word');
    is($follower->stop, 0, 'it ends');
};

subtest 'one direction' => sub {
    my $pair = pair();
    my $follower = Follower->new($pair->{central}, 'push');

    $pair->facade->run("insert into posts (title) values ('stays');");
    travels($pair->central, $pair->facade, 'only there');
    sleep 1;
    is($pair->central->value('select count(*) from posts'), 1,
        'nothing is fetched');
    unlike(slurp("$pair->{facade}{dir}/access.log"), qr/wait=/,
        '  nor waited for');
    is($follower->stop, 0, 'it ends');
};

# Version 0.9 answers at once, whatever wait= says.
subtest 'a peer that does not know wait=' => sub {
    my $good = good();
    my $server = Communicator::Test::Hostile->new(sub {
        return $good->(@_) =~ s/\r\n/\r\nConnection: close\r\n/r });
    my $central = central($server, 1);
    my $follower = Follower->new($central);
    my $asks = sub { return scalar grep { exists $_->{query}{wait} }
          $server->requests };

    ok(wait_until(sub { $asks->() > 1 }), 'it is asked');
    my $before = $asks->();
    sleep 4;
    cmp_ok($asks->() - $before, '<=', 5, '  about every second');
    cmp_ok($asks->() - $before, '>=', 1, '  and again');
    say_something($central, 2);
    ok(wait_until(sub { grep { $_->{body} =~ /t2/ } $server->requests }),
        'what is to be sent goes at once');
    is($follower->stop, 0, 'it ends');
};

# It ends a request after two seconds.
subtest 'a proxy that does not wait' => sub {
    my @proxy = qw(proxy proxy_http);
    plan skip_all => 'mod_proxy is not installed'
      unless Communicator::Test::Tls::has_modules(@proxy);
    my $pair = pair();
    my ($central, $facade) = $pair->nodes;
    my $proxy = Communicator::Test::Tls::httpd(modules => \@proxy,
        conf => "ProxyPass / http://127.0.0.1:$facade->{port}/ "
          . "timeout=2 retry=0\n");
    {
        local $facade->{port} = $proxy->{port};
        local $central->{peers} = '';
        $central->knows($facade);
    }
    $central->configure(peers => sprintf
          "CommunicatorPeer facade uri=http://127.0.0.1:%d/messages.json "
          . "user=%s password-file=%s\n", $proxy->{port}, $facade->{user},
        "$central->{dir}/facade.secret");
    my $follower = Follower->new($central);

    ok(wait_until(sub { slurp("$facade->{dir}/access.log") =~ /wait=1&/ }),
        'it asks for less time');
    both_ways($pair, 'through it');
    my $before = () = slurp("$facade->{dir}/access.log") =~ /wait=30/g;
    sleep 4;
    is(() = (slurp("$facade->{dir}/access.log") =~ /wait=30/g), $before,
        'and goes on so');
    is($follower->says, '', '  without a word');
    is($follower->stop, 0, 'it ends');
};

# The process keeps its connection meanwhile, and must not number what comes
# next: the facade holds other messages with these numbers.
subtest 'a backup that is restored under it' => sub {
    my $pair = pair();
    my $central = $pair->{central};
    my $database = $pair->central;
    my $follower = Follower->new($central, 'push');

    travels($database, $pair->facade, 'before');
    my $backup = $database->backup;
    travels($database, $pair->facade, 'after the backup');
    my @tables = sort { ($b eq 'posts') <=> ($a eq 'posts') || $a cmp $b }
      map { $_->[0] } @{ $database->rows('select name from sqlite_master where '
            . "type = 'table' and name <> 'sqlite_stat1'") };
    sleep 2;
    $follower->says;
    $database->client([], "attach '$backup' as saved; begin immediate;"
        . join('', map { "delete from $_; insert into $_ select * from "
            . "saved.$_;" } @tables)
        . "insert into posts (title) values ('afterwards'); commit;");
    ok(wait_until(sub { $follower->says =~ /epoch --new/ }),
        'that is reported') or diag slurp($follower->{log});
    is($database->value('select count(*) from outbound_messages '
            . 'where seq is null'), 1, '  before anything is numbered');
    is($follower->stop, 0, 'it ends');
};

# SQLite has one writer at a time. What only reads must not wait for it.
subtest 'beside a long transaction' => sub {
    my $pair = pair();
    my $follower = Follower->new($pair->{central});

    both_ways($pair, 'before');
    my $writer = Communicator::Test::Session->new($pair->central);
    $writer->run('begin immediate');
    my $seen = requests($pair);
    $pair->facade->run("insert into posts (title) values ('there');");
    ok(wait_until(sub {
        my @lines = split /\n/, slurp("$pair->{facade}{dir}/access.log");
        return grep { /GET .*bytes=/ } @lines[$seen .. $#lines];
    }), 'it fetches what it cannot keep yet');
    $writer->run('commit');
    $writer->stop;
    ok(has($pair->central, 'there'), 'then it goes on');
    is($follower->stop, 0, 'it ends');
};

# Whatever comes, and whenever: all that was committed arrives, and once.
subtest 'in any order' => sub {
    my $pair = pair();
    my ($central, $facade) = $pair->nodes;
    my $seed = srand;
    my $follower = Follower->new($central);
    my $again = sub { $follower = Follower->new($central) };
    my %event = (
        'SIGHUP' => sub { kill HUP => $follower->{pid} },
        'SIGHUP twice' => sub { kill HUP => $follower->{pid} for 1, 2 },
        'SIGKILL' => sub { $follower->stop('KILL'); $again->() },
        'SIGTERM' => sub {
            is($follower->stop, 0, 'SIGTERM ends it');
            $again->();
        },
        'a graceful restart' => sub { $facade->graceful },
        'a restart' => sub { $facade->restart },
        'a child of httpd is killed' =>
          sub { kill KILL => ($facade->children)[0] },
        'another run' => sub { $central->sync },
    );
    my @names = sort keys %event;
    my @titles;

    for my $n (1 .. 20) {
        my $name = $names[rand @names];
        my @new = map { "$_ $n" } qw(before after);

        $_->run("insert into posts (title) values ('$new[0]');")
          for $pair->databases;
        sleep rand 0.1;
        $event{$name}->();
        $_->run("insert into posts (title) values ('$new[1]');")
          for $pair->databases;
        push @titles, map { $_, $_ } @new;
        ok(wait_until(sub { !grep {
            $_->value('select count(*) from posts') < @titles
        } $pair->databases }, 60), "$n: $name") or diag "seed $seed";
    }
    is($follower->stop, 0, 'it ends');
    $pair->both_have('select title from posts order by title',
        [map { [$_] } sort @titles], 'all of them, once');
    $pair->is_settled('afterwards');
};

# SIGHUP makes it start anew. What asks it to end meanwhile is not forgotten.
subtest 'SIGTERM while it starts anew' => sub {
    my $central = pair()->{central};

    for my $n (0 .. 11) {
        my $follower = Follower->new($central);
        kill HUP => $follower->{pid};
        sleep $n * 0.003;
        is($follower->stop, 0, sprintf 'it ends, after %d ms', 3 * $n);
    }
};

# A hub with two facades, and a third that is never there.
subtest 'several peers' => sub {
    my @facades = map {
        my $database = Communicator::Test::Database->new('sqlite3');
        $database->create($tables);
        Communicator::Test::Server->new(name => $_, database => $database,
            conf => $models)->migrate->start;
    } qw(north south);
    my $database = Communicator::Test::Database->new('sqlite3');
    my $hub = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => $models);

    $database->create($tables);
    $hub->knows($_)
      for Communicator::Test::Hostile::nobody('gone'), @facades;
    $hub->migrate;
    my $follower = Follower->new($hub);
    for my $round (1, 2) {
        for my $node ($hub, @facades) {
            my $title = "$round from $node->{name}";
            $node->database->run("insert into posts (title) values ('$title');");
            ok(has($_->database, $title), "$title: at $_->{name}")
              for grep { $_ != $node } $hub, @facades;
        }
    }
    sleep 2;
    my $log = sub { my $n = 0;
        $n += () = slurp("$_->{dir}/access.log") =~ /\n/g for @facades;
        return $n };
    my $before = $log->();
    sleep 6;
    cmp_ok($log->() - $before, '<=', 10, 'then they are asked seldom');
    my @errors = slurp($follower->{log}) =~ /: gone: /g;
    cmp_ok(scalar @errors, '<=', 8, 'who is away is tried seldom');
    cmp_ok(scalar @errors, '>=', 2, '  but again');
    is($follower->stop, 0, 'it ends');
};

subtest 'what needs a person' => sub {
    my $pair = pair();
    my $central = $pair->{central};
    my $says = '';

    $pair->facade->run('create unique index posts_title on posts (title);');
    my $follower = Follower->new($central);
    both_ways($pair, 'before');
    $pair->central->run("insert into posts (title) values ('two'), ('two');");
    ok(wait_until(sub { ($says .= $follower->says) =~ /is parked there/ }),
        'a message that is parked is reported');
    both_ways($pair, 'beside it');
    sleep 2;
    $says .= $follower->says;
    is(() = ($says =~ /is parked there/g), 1, '  once');
    like($central->sync('status', '--nagios')->{out},
        qr/parked/, 'monitors see it');
    my $cycles = () = slurp("$pair->{facade}{dir}/access.log") =~ /limit=1200/g;
    cmp_ok($cycles, '<', 20, 'it is no reason to go on for ever');
    is($follower->stop, 0, 'it ends');
};

for my $driver (Communicator::Test::Database->drivers) {
    SKIP: {
        my $missing = Communicator::Test::Pair->missing($driver);
        skip "$driver: $missing", 1 if $missing;
        subtest $driver => sub { follow($driver) };
    }
}

done_testing();
