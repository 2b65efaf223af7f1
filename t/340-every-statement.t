#!/usr/bin/perl

# The connection to the database is lost at every statement of a run: it has
# been executed, its answer never comes. Nothing is lost by that, nothing
# comes twice, and a run says that it may be tried again.
#
# EVERY=1 tries every one; else it is every eleventh, others in each subtest.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Through;

my $every = $ENV{EVERY} || 11;

sub make_node {
    my ($kind, $name, $driver, $proxied) = @_;
    my $class = $proxied ? 'Through' : 'Database';
    my $database = "Communicator::Test::$class"->new($driver);

    $database->create('create table events (id {key}, '
        . 'token varchar(40) not null, text varchar(40)) {engine};');
    return "Communicator::Test::$kind"->new(name => $name,
        database => $database, conf => "CommunicatorModel event table=events\n")
      ->migrate;
}

# On each of NODES a new event, and a change of all that are there.
sub happen {
    my ($number, @nodes) = @_;

    $_->database->run("insert into events (token) values ('"
        . $_->name . " $number'); update events set text = '$number' "
        . "where token like '" . $_->name . "%';") for @nodes;
}

sub events {
    my ($node) = @_;

    return $node->database->rows(
        'select token, text from events order by token');
}

# Cut the connection of the node called WHERE, first at statement FIRST, then
# later each time, until a run has no more statements than that.
sub test {
    my ($driver, $where, $first) = @_;
    my $facade = make_node('Server', 'facade',
        $where eq 'facade' ? $driver : 'sqlite3', $where eq 'facade')->start;
    my $central = make_node('Peer', 'central',
        $where eq 'central' ? $driver : 'sqlite3', $where eq 'central')
      ->knows($facade);
    my $cut = $where eq 'facade' ? $facade->database : $central->database;
    my ($number, $runs, $whole) = ($first, 0, 0);
    my @wrong;

    while ($whole < 2 && $number < 300) {
        happen(++$runs, $central, $facade);
        $cut->plan_cut(0);
        $_->sync_ok('publish', 'event', '--all', '-q')
          for $runs % 3 ? () : ($central, $facade);
        $cut->plan_cut($number);
        my $run = $central->sync;
        $whole = $cut->was_cut ? 0 : $whole + 1;
        push @wrong, "$number: $run->{exit} $run->{err}"
          unless $run->{exit} == 75 || $run->{exit} == 0;
        $number += $every;
    }
    is_deeply(\@wrong, [], "$runs runs, each cut later, up to $number");
    cmp_ok($number, '>', 30, '  there are many statements');
    $cut->plan_cut(0);
    $central->sync_ok;
    is(@{ events($facade) }, 2 * $runs, 'nothing is lost, nothing twice');
    is_deeply(events($facade), events($central), '  and both are equal');
    is($_->database->value('select count(*) from communicator_publications'),
        0, '  all is published at ' . $_->name) for $central, $facade;
    is($_->database->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, '  nothing is parked at '
        . $_->name) for $central, $facade;
    is_deeply($_->database->rows('select max(last_seq), sum(messages) from '
        . 'communicator_received'), $_->database->rows('select received, '
        . 'received from communicator_peers'), '  the history has each once at '
        . $_->name) for $central, $facade;
    $facade->stop;
}

my $first = 1;

for my $driver (qw(pgsql mysql)) {
    for my $where (qw(central facade)) {
        subtest "$driver at $where" => sub {
            my $why = Communicator::Test::Database->missing($driver);
            plan skip_all => $why if $why;
            test($driver, $where, $first++);
        };
    }
}

done_testing();
