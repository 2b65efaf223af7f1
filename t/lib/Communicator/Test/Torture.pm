package Communicator::Test::Torture;

# Some nodes, applications that change records on all of them at once, and
# everything that can go wrong between them. When all is quiet again, all nodes
# hold the same.
#
#   my $torture = Communicator::Test::Torture->new(seed => 7,
#       drivers => [qw(pgsql sqlite3 mysql)]);   # a hub, and nodes around it
#   $torture->step for 1 .. 20;
#   $torture->settle;
#   diag $_ for $torture->differences;           # empty when all is well
#
# Everything random comes from the seed, so a seed can be played again; what
# the operating system does in between (who gets a lock first) cannot.
#
# With GALERA=1 each MariaDB is a cluster of three servers: the application is
# at one of them, httpd and the client at another.

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(time);
use Communicator::Test qw(run_program start_process wait_until is_alive spew);
use Communicator::Test::Database;
use Communicator::Test::Galera;
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;
use Communicator::Test::Torture::Application qw(one_of tables models
  triggers statement pause changed_at_once);
use Communicator::Test::Torture::Compare qw(keys_of differences_of);
use Communicator::Test::Torture::Story qw(story_of recent_of);
use Communicator::Test::Torture::Stuck qw(sessions_of);

# Seconds that an application may take: at most it waits for locks.
my $patience = 150;

# drivers: the hub's, then one per node around it. Mostly the hub runs the
# client, and the others are facades; turned: the hub is the facade, and the
# others come at the same time. own_servers: databases may be restarted too.
sub new {
    my ($class, %with) = @_;
    my $self = bless { tokens => 0, log => [], began => time, %with }, $class;
    my @drivers = @{ $with{drivers} };
    my @names = ('central', map { "node$_" } 1 .. $#drivers);

    srand $with{seed};
    $self->draw_rules;
    push @{ $self->{nodes} }, $self->make_node($_, $names[$_], $drivers[$_])
      for 0 .. $#names;
    $self->connect;
    return $self;
}

sub make_node {
    my ($self, $i, $name, $driver) = @_;
    my $is_server = $self->{turned} ? !$i : $i;
    my $kind = 'Communicator::Test::' . ($is_server ? 'Server' : 'Peer');
    my $database = $self->make_database($driver);

    $database->create(tables($self->{on_delete}));
    # Ids differ on all nodes.
    $database->run("insert into $_ (id) values (@{[ 1000 * $i + 10 ]});"
        . "delete from $_;") for qw(authors posts tags);
    my $node = $kind->new(name => $name, database => $database,
        conf => $self->{conf},
        peers => '');
    $node->{awaited} = { next => 100_000 * ($i + 1), ids => [] };
    push @{ $self->{ $is_server ? 'servers' : 'clients' } }, $node;
    return $node;
}

# All databases of a process are in one cluster, since it starts slowly.
my @cluster;

sub make_database {
    my ($self, $driver) = @_;

    return Communicator::Test::Database->new($driver,
        own_server => $self->{own_servers})
      unless $driver eq 'mysql' && $ENV{GALERA};
    @cluster = Communicator::Test::Galera->cluster(3) unless @cluster;
    return Communicator::Test::Database->new($driver, engine => $cluster[0],
        programs_at => $cluster[1]);
}

# What is configured differs from seed to seed. On MariaDB the cascades of
# foreign keys fire no triggers, so there are none beside it.
sub draw_rules {
    my ($self) = @_;
    my $mysql = grep { $_ eq 'mysql' } @{ $self->{drivers} };
    my $batch = one_of(3, 20, 500);
    my $conflict = one_of('', '', '', 'conflict=central');
    my $on_delete = one_of('', 'set null', 'cascade');

    $self->{on_delete} = $mysql ? '' : $on_delete;
    $self->{conf} = models($conflict) . "CommunicatorBatch $batch\n";
    $self->{rules} = join ', ', grep { $_ } $self->{turned} && 'turned',
      "batches of $batch", $conflict,
      $self->{on_delete} && "on delete $self->{on_delete}";
}

# Each connection goes through a network of its own. A server knows its peers
# by the users that they log in as.
sub connect {
    my ($self) = @_;

    for my $server (@{ $self->{servers} }) {
        my $port = $server->{port};
        for my $client (@{ $self->{clients} }) {
            my $proxy = Communicator::Test::Proxy->new(to => $port,
                seed => $self->{seed});
            push @{ $self->{proxies} }, $proxy;
            $server->{peers} .= 'CommunicatorPeer ' . $client->name . ' user='
              . $client->name . "\n";
            $server->add_user($client->name, $server->{password});
            @$server{qw(user port)} = ($client->name, $proxy->{port});
            $client->knows($server);
        }
        $server->{port} = $port;
        $server->configure;
    }
    for my $node (@{ $self->{nodes} }) {
        $node->migrate;
        $node->database->run(triggers($node->database->driver));
    }
    $_->start for @{ $self->{servers} };
}

# Note what happened, and when.
sub note_down {
    my ($self, $what) = @_;

    push @{ $self->{log} }, sprintf '%.1f s: %s', time - $self->{began}, $what;
}

# A transaction of the application on NODE, started in the background.
sub transaction {
    my ($self, $node) = @_;
    my $database = $node->database;
    my $driver = $database->driver;
    my %ids = map { $_ => [keys_of($node, $_, 'id')] }
      qw(authors posts tags);
    $ids{baskets} = [keys_of($node, 'baskets', 'token')];
    $ids{emptied} = [];
    $ids{awaited} = $node->{awaited} unless $self->{on_delete};
    $ids{cascades} = $self->{on_delete};
    $ids{number} = sub { return ++$self->{numbers} };
    my $sql = $driver eq 'sqlite3' ? "begin immediate;\n" : "begin;\n";
    my @tokens;
    my $token = sub {
        push @tokens, sprintf '%d-%d', $self->{seed}, ++$self->{tokens};
        return $tokens[-1];
    };

    for (1 .. 1 + rand 8) {
        $sql .= statement($driver, \%ids, $token);
        $sql .= pause($driver, rand 0.4) if rand() < 0.15;
    }
    my $commits = rand() > 0.15;
    $sql .= $commits ? "commit;\n" : "rollback;\n";
    $self->start_application($node, $sql, $commits ? \@tokens : [],
        $commits ? $ids{emptied} : []);
}

# Let the application run SQL on NODE, in the background. When it succeeds,
# events with TOKENS are there, and no events or baskets with those that are
# GONE.
sub start_application {
    my ($self, $node, $sql, $tokens, $gone) = @_;
    my $database = $node->database;
    my $file = sprintf '%s/transaction-%d.sql', $node->{dir},
      ++$self->{transactions};
    my @options = $database->driver eq 'sqlite3'
      ? ('-cmd', 'pragma foreign_keys=on') : ();

    spew($file, $sql);
    my $pid = start_process([$database->client_command(@options)],
        in => $file, out => "$file.out");
    push @{ $self->{running} }, { pid => $pid, tokens => $tokens,
        gone => $gone };
}

# A backlog of many batches on a node, and sessions there that change at once
# what they have just committed: with low ids, while it is being numbered.
sub chase {
    my ($self, $node) = @_;
    my $driver = $node->database->driver;
    my @posts = keys_of($node, 'posts', 'id');
    my $token = sub {
        return sprintf '%d-%d', $self->{seed}, ++$self->{tokens};
    };
    my @backlog = map { $token->() } 1 .. 50 + rand 200;

    $self->start_application($node, 'insert into events (token) values '
        . join(', ', map { "('$_')" } @backlog) . ";\n", \@backlog, []);
    for (1 .. 1 + rand 4) {
        my ($sql, @tokens, @gone) = ('');
        for (1 .. 2 + rand 4) {
            my ($more, $there, $gone) = changed_at_once($driver, $token,
                \@posts);
            $sql .= $more;
            push @tokens, @$there;
            push @gone, @$gone;
        }
        $self->start_application($node, $sql, \@tokens, \@gone);
    }
}

# Wait for the end of process PID, which is then in $?.
sub wait_for {
    my ($pid, $seconds) = @_;

    return wait_until(sub { waitpid($pid, WNOHANG) }, $seconds);
}

# Wait for the applications, and learn which of them have committed.
sub join_transactions {
    my ($self) = @_;

    for my $run (@{ delete $self->{running} || [] }) {
        wait_for($run->{pid}, $patience)
          or die "an application hangs (seed $self->{seed})\n";
        if ($? == 0) {
            push @{ $self->{committed} }, @{ $run->{tokens} };
            push @{ $self->{gone} }, @{ $run->{gone} };
        }
        else {
            $self->{failed}++;
        }
    }
}

# A run of each client, at the same time; it may be killed under way.
sub exchange {
    my ($self) = @_;
    my @pids = map { $_->sync_start } @{ $self->{clients} };

    if (rand() < 0.3) {
        my $end = rand 0.15;
        select undef, undef, undef, $end;
        kill KILL => one_of(@pids);
        $self->note_down(sprintf 'client killed after %.3f s', $end);
    }
    $self->mishap if rand() < 0.3;
    wait_until(sub { !grep { is_alive($_) } @pids }, 120)
      or die "the client hangs (seed $self->{seed})\n";
}

# Something breaks while the client is at work.
sub mishap {
    my ($self) = @_;
    my $server = one_of(@{ $self->{servers} });
    my $node = one_of(@{ $self->{nodes} });
    my $choice = rand;

    select undef, undef, undef, rand 0.1;
    if ($self->{own_servers} && $node->database->driver ne 'sqlite3'
        && $choice < 0.4) {
        $self->note_down($node->name . ': database restarted');
        $self->join_transactions;
        $node->database->of_programs->restart(one_of('', 'crash'));
    }
    elsif ($choice < 0.6) {
        $self->cut_connections($node->database->of_programs);
        $self->note_down($node->name . ': database connections cut');
    }
    elsif ($choice < 0.9) {
        my @children = $server->children or return;
        kill KILL => one_of(@children);
        $self->note_down($server->name . ': a child of httpd killed');
    }
    else {
        $server->graceful;
        $self->note_down($server->name . ': httpd restarted gracefully');
    }
}

# End all sessions on DATABASE, whatever they are doing.
sub cut_connections {
    my ($self, $database) = @_;
    my %sql = (
        pgsql => 'select pg_terminate_backend(pid) from pg_stat_activity '
          . 'where datname = current_database() and pid <> pg_backend_pid();',
        mysql => "select concat('kill ', id, ';') from "
          . 'information_schema.processlist where db = database() '
          . 'and id <> connection_id();',
    );
    my $sql = $sql{ $database->driver } or return;
    my $rows = $database->rows($sql);

    return if $database->driver eq 'pgsql';
    # A session may have ended by itself.
    eval { $database->run($_->[0]); 1 } or $self->{late} && die $@ for @$rows;
}

# What operators do in the middle of all this. An application may be in the
# way; all else is a fault.
sub operate {
    my ($self) = @_;
    my $node = one_of(@{ $self->{nodes} });
    my @words = rand() < 0.5
      ? ('publish', one_of(qw(author tag post country event)), '--all')
      : ('purge', '--all');

    $self->note_down($node->name . ": @words");
    my $run = $node->sync(@words);
    die "@words: $run->{err}" unless $run->{exit} == 0 || $run->{exit} == 75;
}

# Some transactions at once, some exchanges, all that can happen. (A cluster
# expels a server for which the machine has no time.)
sub step {
    my ($self) = @_;
    my @nodes = @{ $self->{nodes} };

    $_->wait_ready for @cluster;
    for my $node (@nodes) {
        next if rand() > 0.3;
        my $hours = rand() < 0.3 ? 0 : 12 * rand() - 6;
        # In a deadlock with an application the clock stays as it is.
        eval {
            $node->database->run('update test_skew set offset_us = '
                . int($hours * 3600e6));
            1;
        } or $self->{late} && die $@;
    }
    $_->trouble(one_of(0, 0.2, 0.5)) for @{ $self->{proxies} };
    $self->transaction(one_of(@nodes)) for 1 .. 1 + rand 5;
    $self->chase(one_of(@nodes)) if rand() < 0.25;
    $self->operate if rand() < 0.15;
    $self->exchange for 1 .. rand 3;
    $self->join_transactions if rand() < 0.7;
}

# A bad gateway may have met the same message three times: then others have
# passed it, and it is withheld until a person has it sent.
sub let_pass {
    my ($self) = @_;

    for my $node (@{ $self->{nodes} }) {
        next unless $node->database->value('select count(*) from '
            . 'communicator_withheld where ended_at = 0');
        $self->note_down($node->name . ': retry');
        $node->sync('retry');
    }
}

# Let everything come through.
sub settle {
    my ($self) = @_;

    $self->join_transactions;
    $_->trouble(0) for @{ $self->{proxies} };
    $cluster[0]->catch_up if @cluster;
    $self->let_pass;
    for my $round (1 .. 15) {
        my @runs = map { $_->sync } @{ $self->{clients} };
        $self->{last_words} = join '', map { $_->{out} . $_->{err} } @runs;
        $cluster[0]->catch_up if @cluster;
        next if grep { $_->{exit} || $_->{signal} } @runs;
        return $round if !$self->waiting;
    }
    return 0;
}

# What is still to be sent or applied, in words; empty when nothing is.
sub waiting {
    my ($self) = @_;
    my @waiting;

    for my $node (@{ $self->{nodes} }) {
        my $database = $node->database;
        my $name = $node->name;
        my $unstamped = $database->value(
            'select (select count(*) from outbound_messages where seq is null) '
            . '+ (select count(*) from communicator_publications) '
            . '+ (select count(*) from communicator_missing '
            . 'where heir_id is not null)');
        my $parked = $database->rows('select peer, id, model, error '
            . 'from inbound_messages where processed_at is null');
        my $withheld = $database->rows('select peer, seq, reason '
            . 'from communicator_withheld where ended_at = 0');
        push @waiting, "$name: $unstamped not stamped" if $unstamped;
        push @waiting, map { "$name: withheld @$_" } @$withheld;
        push @waiting, map { "$name: parked @$_" } @$parked;
        my $behind = $database->rows('select p.name, p.confirmed, '
            . 'max(m.seq) from communicator_peers p join outbound_messages m '
            . 'on m.seq > p.confirmed and '
            . '(m.source is null or m.source <> p.name) '
            . 'group by p.name, p.confirmed '
            . 'union select p.name, p.confirmed, max(b.last_seq) '
            . 'from communicator_peers p join communicator_batches b '
            . 'on b.last_seq > p.confirmed group by p.name, p.confirmed');
        push @waiting, map {
            "$name: $_->[0] has confirmed $_->[1] of $_->[2]"
        } @$behind;
    }
    return @waiting;
}

# Where the nodes differ, and what was lost or came twice: a line each.
sub differences {
    my ($self) = @_;
    my @differing = differences_of(@{ $self->{nodes} });
    my @lines = ($self->waiting, $self->crashes,
        map { $_->{line} } @differing);
    my %seen;

    $self->{differing} = [grep { !$seen{$_}++ }
          map { @{ $_->{subjects} } } @differing];

    for my $node (@{ $self->{nodes} }) {
        my %count;
        $count{ $_->[0] }++ for @{ $node->database->rows(
            'select token from events') };
        push @lines, map { $node->name . ": lost $_" }
          grep { !$count{$_} } @{ $self->{committed} || [] };
        push @lines, map { $node->name . ": $count{$_} times $_" }
          grep { $count{$_} > 1 } sort keys %count;
        $count{ $_->[0] }++ for @{ $node->database->rows(
            'select token from baskets') };
        push @lines, map { $node->name . ": still there: $_" }
          grep { $count{$_} } @{ $self->{gone} || [] };
    }
    return @lines;
}

# What is known, on all nodes, of the records that differ, of a few of them.
sub story {
    my ($self) = @_;
    my @subjects = @{ $self->{differing} || [] };

    $#subjects = 5 if $#subjects > 5;
    return story_of($self->{nodes}, @subjects);
}

# What the nodes did last, for one who asks why they do not come to rest.
sub recent { return recent_of(@{ $_[0]{nodes} }) }

# The time is up: report which session waits for which.
sub out_of_time {
    my ($self) = @_;

    die "out of time\n" if $self->{late}++;
    $self->{stuck} = [map { sessions_of($_) } @{ $self->{nodes} }];
    die "out of time\n";
}

# What httpd's children died of, but for those that were killed.
sub crashes {
    my ($self) = @_;

    return map { my $name = $_->name; map { "$name: $_" }
          grep { /exit signal (?!Killed)|Sanitizer|runtime error:/ }
          $_->log_lines } @{ $self->{servers} };
}

# How much happened, for the report.
sub summary {
    my ($self) = @_;
    my $hub = $self->{nodes}[0]->database;

    return sprintf '%s; %d transactions (%d failed), %d events, %d messages '
      . 'received, %d sent, %d conflicts, mishaps: %d', $self->{rules},
      $self->{transactions} || 0, $self->{failed} || 0,
      scalar @{ $self->{committed} || [] },
      map({ $hub->value("select $_") }
        'coalesce(sum(received), 0) from communicator_peers',
        'last_seq from communicator_node',
        'count(*) from communicator_conflicts'),
      scalar @{ $self->{log} };
}

# End all that was started. The databases of many seeds would fill the memory:
# they are removed, unless somebody may want to look at them.
sub stop {
    my ($self) = @_;
    my $passing = Test::More->builder->is_passing;

    $_->stop for @{ $self->{proxies} }, @{ $self->{servers} };
    for my $database (map { $_->database } @{ $self->{nodes} }) {
        my $own = $self->{own_servers} && $database->{engine}
          && !$database->{programs_at};
        $database->stop if $own;
        $database->connection->close;
        next unless $passing;
        remove_tree($own ? $database->{engine}{dir} : dirname $database->{file})
          if $own || $database->{file};
        $database->{engine}->drop($database->{name})
          if $database->{engine} && !$own;
    }
}

1;
