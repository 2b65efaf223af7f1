#!/usr/bin/perl

# Several hosts run httpd on one database. A balancer sends each request to any
# of them, and they are killed at random, children and all, while applications
# write on both sides. The central side has a standby, whose client runs at the
# same time now and then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file module_file is_alive start_process spew);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Tls;

my $kills = $ENV{KILLS} || 20;
my ($writers, $transactions) = (3, 60);
my $models = <<'CONF';
CommunicatorModel author table=authors
CommunicatorModel book   table=books references=author_id:author
CONF
my $tables = <<'SQL';
create table authors (id {key}, token varchar(40) not null) {engine};
create table books (id {key}, author_id bigint not null,
    token varchar(40) not null, edition integer not null,
    foreign key (author_id) references authors (id)) {engine};
SQL

plan skip_all => 'not built' unless -x client_file() && -e module_file();
plan skip_all => 'mod_proxy_balancer is not installed'
  unless Communicator::Test::Tls::can_balance();

# Applications that insert, change and delete at NODE. Returns their process
# ids.
sub start_writers {
    my ($node, $driver) = @_;
    my $name = $node->name;
    my %last = (mysql => 'last_insert_id()',
        pgsql => "currval('authors_id_seq')");
    my @pids;

    for my $writer (1 .. $writers) {
        my $sql = '';
        for my $n (1 .. $transactions) {
            my $token = "$name-$writer-$n";
            my $pause = $driver eq 'mysql' ? 'do sleep(0.02);'
              : 'select pg_sleep(0.02);';
            $sql .= "begin; insert into authors (token) values ('$token'); "
              . "insert into books (author_id, token, edition) "
              . "values ($last{$driver}, '$token', 1); $pause "
              . ($n % 7 ? 'commit' : 'rollback') . ";\n"
              . "update books set edition = edition + 1 where token = "
              . "'$name-$writer-" . ($n - 1) . "';\n$pause\n";
            $sql .= "delete from books where token = '$token';\n"
              if $n % 11 == 0;
        }
        spew("$node->{dir}/writer-$writer.sql", $sql);
        push @pids, start_process([$node->database->client_command],
            in => "$node->{dir}/writer-$writer.sql",
            out => "$node->{dir}/writer-$writer.out");
    }
    return @pids;
}

# As if the power of its host had failed.
sub kill_server {
    my ($server) = @_;
    my $pid = $server->{pid};

    kill KILL => -$pid, $pid, $server->children;
    Communicator::Test::wait_until(sub { !is_alive($pid) });
    delete $server->{pid};
    unlink "$server->{dir}/httpd.pid";
}

sub token_rows {
    my ($database) = @_;

    return $database->rows('select a.token, b.token, b.edition from authors a '
        . 'left join books b on b.author_id = a.id order by a.token, b.token');
}

sub exchange {
    my ($driver) = @_;
    my @databases = map { my $database =
          Communicator::Test::Database->new($driver);
        $database->create($tables); $database } 1, 2;
    my @servers = map { Communicator::Test::Server->new(
            database => $databases[1], conf => $models) } 1, 2;
    my $balancer;

    $servers[0]->migrate;
    $_->start for @servers;
    $balancer = Communicator::Test::Tls::balancer(0, @servers);
    # The central hosts know one facade, under the balancer's address.
    my @hosts = map {
        my $host = Communicator::Test::Peer->new(name => 'central',
            database => $databases[0], conf => $models);
        local $servers[0]{port} = $balancer->{port};
        $host->knows($servers[0]);
    } 1, 2;
    $_->add_user($servers[0]{user}, $servers[0]{password}) for $servers[1];
    $hosts[0]->migrate;

    my @pids = map { start_writers($_, $driver) } $hosts[0], $servers[0];
    my ($killed, $runs, %exits) = (0, 0);
    while (grep { is_alive($_) } @pids or $killed < $kills) {
        # The standby runs, too, before the other host has ended.
        my @running = map { $_->sync_start } $runs++ % 3 ? $hosts[0] : @hosts;
        if ($killed < $kills) {
            select undef, undef, undef, rand 0.03;
            my @victims = rand() < 0.4 ? @servers : $servers[rand @servers];
            kill_server($_) for @victims;
            $killed += @victims;
            $_->start for @victims;
        }
        for my $pid (@running) {
            waitpid $pid, 0;
            $exits{ $? >> 8 }++;
        }
    }
    note "$runs runs, ", join ', ', map { "$exits{$_} times $_" } sort keys
      %exits;
    is_deeply([grep { !/^(?:0|69|75)$/ } keys %exits], [],
        "$killed servers killed: runs failed for passing reasons only");
    $hosts[$_ % 2]->sync for 1 .. 3;
    $hosts[0]->sync_ok;
    my $rows = token_rows($databases[0]);
    is_deeply(token_rows($databases[1]), $rows, 'both sides are equal');
    cmp_ok(scalar @$rows, '>', $writers * $transactions, '  with many rows');
    my %seen;
    is_deeply([grep { $seen{$_}++ } map { $_->[0] } @$rows], [],
        '  and none twice');
    is($hosts[0]->sync('verify')->{exit}, 0, 'verify says so, too');
    is($databases[$_]->value('select count(*) from inbound_messages'), 0,
        'nothing waits') for 0, 1;
    is($_->value("select sum(last_seq - first_seq + 1) - max(last_seq) "
            . 'from communicator_received'), 0, 'no number twice, no gap')
      for @databases;
    $_->stop for @servers;
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        exchange($driver);
    };
}

done_testing();
