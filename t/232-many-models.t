#!/usr/bin/perl

# Many models: how many statements each of them costs. What the database answers
# for all tables at once is not asked again for each: MariaDB opens every table
# of the server to answer some of it, so that would cost each model more, the
# more there are.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Through;

plan skip_all => 'not built' unless -x client_file();

# The most statements for one more model: of the first migrate, of the next one,
# and of check.
my %most = (pgsql => [38, 15, 20], mysql => [22, 7, 17]);

# How many statements migrate, migrate and check ask with COUNT models.
sub statements_of {
    my ($driver, $count) = @_;
    my $database = Communicator::Test::Through->new($driver);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => join '', map {
            "CommunicatorModel note_$_ table=notes_$_\n" } 1 .. $count);

    $database->create(join ";\n", map {
            "create table notes_$_ (id {key}, title varchar(20)) {engine}" }
          1 .. $count);
    return map {
        $database->statements;
        $central->sync($_, '--quiet');
        $database->statements;
    } qw(migrate migrate check);
}

sub test {
    my ($driver) = @_;
    my ($few, $many) = (5, 25);
    my @few = statements_of($driver, $few);
    my @many = statements_of($driver, $many);

    for my $i (0 .. 2) {
        # One more, when it waited for another session, is not one per model.
        my $cost = int(($many[$i] - $few[$i]) / ($many - $few));
        cmp_ok($cost, '<=', $most{$driver}[$i],
            (qw(migrate), 'a second migrate', 'check')[$i]
              . ": statements for one more model");
        note "$few[$i] for $few, $many[$i] for $many: $cost";
    }
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        test($driver);
    };
}

done_testing();
