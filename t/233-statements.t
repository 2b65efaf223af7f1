#!/usr/bin/perl

# How many statements a batch costs each side, however many messages it has. A
# statement is a round trip, and is parsed and planned: a batch of 1,200 rows
# takes some twenty of them, and they are a fifth of its CPU.

use strict;
use warnings;
use FindBin;
use List::Util qw(min);
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Through;

plan skip_all => 'not built' unless -x client_file();

my $batch = 20;
my ($few, $many) = (3, 13);

# The most statements for one more batch at the side that sends it, and at the
# side that receives it.
my %most = (
    pgsql => { inserts => [20, 23], updates => [19, 20], adopted => [19, 26] },
    mysql => { inserts => [21, 24], updates => [20, 21], adopted => [20, 27] },
);

my $round = 0;
my %change = (
    inserts => sub { 'insert into posts (title, user_id) values '
          . join ', ', map { "('Post $_', 1)" } 1 .. $_[0] },
    updates => sub { "update posts set title = 'Round " . ++$round
          . "' where id <= $_[0]" },
    adopted => sub { $round++;    # on both sides, by match=
        'insert into tags (name) values '
          . join ', ', map { "('Tag $round $_')" } 1 .. $_[0] },
);

sub make_node {
    my ($kind, $name, $driver) = @_;
    # Where others write too, there is more to stamp again.
    my $database = Communicator::Test::Through->new($driver, own_server => 1);

    $database->create('create table users (id {key}) {engine}; '
        . 'create table posts (id {key}, title varchar(20), user_id bigint) '
        . '{engine}; create table tags (id {key}, name varchar(20)) {engine};');
    return "Communicator::Test::$kind"->new(name => $name,
        database => $database, conf => "CommunicatorModel user table=users\n"
          . "CommunicatorModel post table=posts references=user_id:user\n"
          . "CommunicatorModel tag table=tags match=name\n"
          . "CommunicatorBatch $batch\n")->migrate;
}

# How many statements each side asks to send COUNT batches of WHAT.
sub statements_of {
    my ($what, $count, $central, @facade) = @_;
    my @databases = map { $_->database } $central, @facade;

    my $sql = $change{$what}->($count * $batch);
    $_->run($sql) for $what eq 'adopted' ? @databases : $databases[0];
    $_->statements for @databases;
    $central->sync_ok('push');
    return map { $_->statements } @databases;
}

# The least of three times: that somebody called is noted every ten seconds.
sub least_of {
    my @least = statements_of(@_);

    for (2, 3) {
        my @again = statements_of(@_);
        @least = map { min($least[$_], $again[$_]) } 0 .. $#least;
    }
    return @least;
}

sub test {
    my ($driver) = @_;
    my $facade = make_node('Server', 'facade', $driver)->start;
    my $central = make_node('Peer', 'central', $driver)->knows($facade);

    $central->database->run('insert into users values (1)');
    $central->sync_ok;
    for my $what (qw(inserts updates adopted)) {
        my @few = least_of($what, $few, $central, $facade);
        my @many = least_of($what, $many, $central, $facade);

        for my $side (0, 1) {
            my $cost = ($many[$side] - $few[$side]) / ($many - $few);
            cmp_ok($cost, '<', $most{$driver}{$what}[$side] + 1,
                "$what: statements for one more batch that is "
                  . ($side ? 'received' : 'sent'));
            note "$few[$side] for $few, $many[$side] for $many: $cost";
        }
    }
    $facade->stop;
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        test($driver);
    };
}

done_testing();
