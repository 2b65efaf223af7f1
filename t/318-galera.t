#!/usr/bin/perl

# The facade's database is a Galera cluster of three MariaDB servers, each with
# an httpd of its own behind a balancer that remembers nothing. Applications
# write at all three, and at central. A server is killed under load, and comes
# back. Then haproxy is the balancer: a database is killed, and no run fails;
# then two are, and the third one rejects all queries.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Communicator::Test qw(client_file module_file need is_alive start_process
  spew wait_until);
use Communicator::Test::Database;
use Communicator::Test::Galera;
use Communicator::Test::Haproxy;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Session;
use Communicator::Test::Tls;

my ($writers, $transactions) = (2, 150);
my $passing = qr/^(?:0|69|75)$/;
my $models = "CommunicatorModel author table=authors\n"
  . "CommunicatorModel book   table=books references=author_id:author\n";
my $tables = <<'SQL';
create table authors (id {key}, token varchar(40) not null) {engine};
create table books (id {key}, author_id bigint not null,
    token varchar(40) not null, edition integer not null,
    foreign key (author_id) references authors (id)) {engine};
SQL

# Applications that insert, change and delete at DATABASE; some of their
# transactions fail, since another server was faster. Returns process ids.
sub start_writers {
    my ($database, $name, $dir) = @_;
    my ($sqlite, @pids) = $database->driver eq 'sqlite3';

    for my $writer (1 .. $writers) {
        my $sql = '';
        for my $n (1 .. $transactions) {
            my $token = "$name-$writer-$n";
            my $last = $sqlite
              ? "(select id from authors where token = '$token')"
              : 'last_insert_id()';
            $sql .= "begin;\ninsert into authors (token) values ('$token');\n"
              . 'insert into books (author_id, token, edition) '
              . "values ($last, '$token', 1);\n"
              . ($n % 7 ? 'commit' : 'rollback') . ";\n"
              . 'update books set edition = edition + 1 where token = '
              . "'$name-$writer-" . ($n - 1) . "';\n"
              . ($sqlite ? '' : "do sleep(0.02);\n");
            $sql .= "update books set edition = edition + 10;\n" if $n % 50 == 0;
            $sql .= "delete from books where token = '$token';\n"
              if $n % 11 == 0;
        }
        my $file = "$dir/writer-$name-$writer.sql";
        spew($file, $sql);
        push @pids, start_process([$database->client_command,
            $sqlite ? () : '--force'], in => $file, out => "$file.out");
    }
    return @pids;
}

sub rows_of {
    my ($database) = @_;

    return $database->rows('select a.token, b.token, b.edition from authors a '
        . 'left join books b on b.author_id = a.id order by a.token, b.token');
}

# Run the client until all of PIDS have ended; count its exit statuses. At run
# AT call CODE.
sub sync_along {
    my ($central, $pids, $at, $code) = @_;
    my (%exits, $runs);

    while (grep { is_alive($_) } @$pids) {
        $code->() if ++$runs == $at;
        my $run = $central->sync;
        $exits{ $run->{exit} }++;
        diag $run->{err} if $run->{exit} !~ $passing;
    }
    note "$runs runs, ", join ', ', map { "$exits{$_} times $_" } sort keys
      %exits;
    return keys %exits;
}

# What SERVER answers to CENTRAL, whose run began when it held the messages up to
# BEGAN, and which holds them up to LAST by now.
sub ask {
    my ($server, $central, $began, $last) = @_;
    my $database = $central->database;

    return $server->get('/messages.json?from_id=' . ($last + 1), headers => {
        'Communicator-Protocol' => 2,
        'Communicator-Node' => 'central',
        'Communicator-Epoch' => $database->value(
            'select epoch from communicator_node'),
        'Communicator-Peer-Epoch' => $database->value('select epoch from '
              . "communicator_peers where name = 'facade'"),
        'Communicator-Received' => $began,
    });
}

# All that is here is there, at each member.
sub are_equal {
    my ($central, $databases, $what) = @_;
    my $rows = rows_of($central->database);
    my %seen;

    is_deeply(rows_of($_), $rows, "$what: $_->{engine}{name} equals central")
      for @$databases;
    is_deeply([grep { $seen{$_}++ } map { $_->[0] } @$rows], [],
        '  nothing is there twice');
    is($_->value('select sum(last_seq - first_seq + 1) - max(last_seq) from '
            . 'communicator_received'), 0, '  no number twice, no gap')
      for $databases->[0], $central->database;
    return @$rows;
}

plan skip_all => 'not built' unless -x client_file() && -e module_file();
my $missing = Communicator::Test::Database->missing('mysql');
plan skip_all => $missing if $missing;

SKIP: {
    need(1, Communicator::Test::Galera->needs,
        Communicator::Test::Haproxy::haproxy());
    skip 'mod_proxy_balancer is not installed', 1
      unless Communicator::Test::Tls::can_balance();
    my @members = Communicator::Test::Galera->cluster(3);
    my @databases = map { bless { driver => 'mysql', name => 'facade',
            engine => $_ }, 'Communicator::Test::Database' } @members;
    $members[0]->create('facade');
    $databases[0]->create($tables);
    my @servers = map { Communicator::Test::Server->new(database => $_,
            conf => $models) } @databases;
    $_->configure(httpd_conf => Communicator::Test::Haproxy::page())
      for @servers;
    $servers[0]->migrate;
    is($databases[0]->value('select group_concat(table_name) from '
            . 'information_schema.tables t where table_schema = database() '
            . "and table_type = 'BASE TABLE' and not exists (select 1 from "
            . 'information_schema.table_constraints c where c.table_schema = '
            . 't.table_schema and c.table_name = t.table_name and '
            . "c.constraint_type = 'PRIMARY KEY')"), undef,
        'each table has a primary key');
    $_->start for @servers;
    my $balancer = Communicator::Test::Tls::balancer(2, @servers);
    $_->add_user($servers[0]{user}, $servers[0]{password}) for @servers[1, 2];
    my $here = Communicator::Test::Database->new('sqlite3');
    $here->create($tables);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models);
    {
        local $servers[0]{port} = $balancer->{port};
        $central->knows($servers[0])->migrate;
    }

    my @pids = map { start_writers($_->[0], $_->[1], $central->{dir}) }
      [$here, 'central'], map { [$databases[$_], "n$_"] } 0 .. 2;
    my @exits = sync_along($central, \@pids, 5, sub {
        $members[2]->stop('crash');
        $members[2]->begin;
    });
    is_deeply([grep { $_ !~ $passing } @exits], [],
        'a server was killed: runs failed for passing reasons only');
    $members[2]->wait_ready;
    $central->sync for 1 .. 6;
    $central->sync_ok;
    cmp_ok(are_equal($central, \@databases, 'under load'), '>', 500,
        '  and much');

    # In the middle of a run another server is asked, which has not yet applied
    # what the first one has numbered.
    my $held = $here->value(
        "select received from communicator_peers where name = 'facade'");
    ask($servers[1], $central, $held, $held);
    my $stalled = Communicator::Test::Session->new($databases[1]);
    $stalled->run('flush tables with read lock');
    $databases[0]->run("insert into authors (token) values ('numbered')");
    my $first = ask($servers[0], $central, $held, $held);
    is($first->{status}, 200, 'a server numbers a message');
    my $asking = fork // die "fork: $!";
    if (!$asking) {
        my $answer = ask($servers[1], $central, $held,
            $first->{headers}{'communicator-last'});
        POSIX::_exit($answer->{status} == 200 ? 0 : 1);
    }
    sleep 1;
    $stalled->run('unlock tables');
    $stalled->stop;
    waitpid $asking, 0;
    is($?, 0, '  and one that is behind it, and is asked next, waits for it');
    $central->sync_ok;

    # haproxy sees which databases cannot be read.
    my $haproxy = Communicator::Test::Haproxy->start(@servers);
    $central->{peers} =~ s/:$balancer->{port}/:$haproxy->{port}/;
    $central->configure;
    ok(wait_until(sub { 3 == grep { $haproxy->is_up($_) } @servers }, 20),
        'haproxy sees that all three can serve');
    $members[2]->stop('crash');
    ok(wait_until(sub { !$haproxy->is_up($servers[2]) }, 20),
        '  and that one cannot, whose database was killed');
    my @failed;
    for (1 .. 6) {
        $here->run("insert into authors (token) values ('without one $_')");
        my $run = $central->sync;
        push @failed, $run->{err} if $run->{exit};
    }
    is_deeply(\@failed, [], '  no run fails meanwhile');
    is($databases[1]->value("select count(*) from authors where token like "
            . "'without one %'"), 6, '  and all arrives');

    # The last one of three serves nobody: it might be cut off.
    $members[1]->stop('crash');
    ok(wait_until(sub { $members[0]->status('ready') ne 'ON' }, 20),
        'the last server rejects queries');
    ok(wait_until(sub { !grep { $haproxy->is_up($_) } @servers }, 20),
        '  haproxy sees that');
    $here->run("insert into authors (token) values ('late')");
    is($central->sync->{exit}, 75, '  a run fails, and says that it passes')
      for 1 .. 4;
    $members[0]->query('',
        "set global wsrep_provider_options = 'pc.bootstrap = yes'");
    ok(wait_until(sub { $members[0]->status('ready') eq 'ON' }, 20),
        'it is told to go on alone');
    ok(wait_until(sub { !$central->sync->{exit} }, 30), '  runs end well again');
    is($databases[0]->value("select count(*) from authors "
            . "where token = 'late'"), 1, '  and messages come');
    is($databases[0]->value('select count(*) from inbound_messages'), 0,
        '  nothing was parked');
    $_->stop for @servers;
    unlike(join("\n", map { $_->log_lines } @servers), qr/exit signal/,
        'no httpd has crashed');
}

done_testing();
