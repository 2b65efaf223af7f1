#!/usr/bin/perl

# Triggers of the application that take part when messages are applied: a row
# that they pass over is not applied, a value that they change is reported
# once, and neither is sent back and forth.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my ($pair, $here, $there);

sub tables {
    my ($database, $node) = @_;

    return <<'SQL';
create table guarded (id {key}, name varchar(50), place integer) {engine};
SQL
}

# A trigger before EVENT that passes over rows of the table "guarded" whose
# NEW or OLD (WHICH) name begins with WORD.
sub pass_over {
    my ($database, $event, $which, $word) = @_;
    my $when = "$which.name like '$word%'";

    $database->run($database->driver eq 'pgsql' ? <<"PGSQL" : <<"SQLITE");
create function pass_over_$event() returns trigger language plpgsql as
    \$\$ begin return null; end \$\$;
create trigger a_pass_$event before $event on guarded for each row
    when ($when) execute function pass_over_$event();
PGSQL
create trigger a_pass_$event before $event on guarded
    when $when begin select raise(ignore); end;
SQLITE
}

sub stop_passing {
    my ($database) = @_;

    $database->run("drop trigger a_pass_$_"
        . ($database->driver eq 'pgsql' ? ' on guarded' : ''))
      for qw(insert update delete);
}

# SELECT name on each side.
sub names_are {
    my ($here_names, $there_names, $name) = @_;
    my $sql = 'select name from guarded order by place';

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply([map { $_->[0] } @{ $here->rows($sql) }], $here_names,
        "$name: here");
    is_deeply([map { $_->[0] } @{ $there->rows($sql) }], $there_names,
        "$name: there");
}

sub rows_passed_over {
    pass_over($there, insert => new => 'no insert');
    pass_over($there, update => new => 'no update');
    pass_over($there, delete => old => 'no delete');
    $here->run("insert into guarded (name, place) values ('a', 1), ('b', 2), "
        . "('no insert', 3), ('c', 4), ('no delete', 5), ('d', 6);");
    $pair->sync('a row that a trigger passes over', 65);
    names_are(['a', 'b', 'no insert', 'c', 'no delete', 'd'],
        ['a', 'b', 'c', 'no delete', 'd'], 'the others are applied');
    like(($pair->parked($there))[0], qr/'?guarded'?.*trigger/,
        'this one is parked with the reason');
    $here->run("update guarded set name = 'no update' where name = 'b';"
        . "update guarded set name = 'A' where name = 'a';"
        . "update guarded set name = 'C' where name = 'c';");
    $pair->sync('an update passed over', 65);
    names_are(['A', 'no update', 'no insert', 'C', 'no delete', 'd'],
        ['A', 'b', 'C', 'no delete', 'd'], 'the others are changed');
    like(($pair->parked($there))[-1],
        qr/0 of 1 rows of table 'guarded' were changed: a trigger/,
        'this one is parked with the reason');
    $here->run("delete from guarded where place in (1, 5, 6);");
    $pair->sync('a delete passed over', 65);
    names_are(['no update', 'no insert', 'C'], ['b', 'C', 'no delete'],
        'the others are deleted');
    like(($pair->parked($there))[-1],
        qr/0 of 1 rows of table 'guarded' were deleted: a trigger/,
        'this one is parked with the reason');
    is(scalar(() = $pair->parked($there)), 3, 'three are parked');
    stop_passing($there);
    $pair->sync('without these triggers');
    $pair->both_have('select name from guarded order by place',
        [['no update'], ['no insert'], ['C']], 'all are applied');
}

for (['sqlite3', 'pgsql'], ['pgsql', 'sqlite3']) {
    my @drivers = @$_;
    next if $ENV{CM_PAIR} && $ENV{CM_PAIR} ne join '-', @drivers;
    subtest "central $drivers[0], facade $drivers[1]" => sub {
        my $why = Communicator::Test::Pair->missing(@drivers);
        plan skip_all => $why if $why;
        $pair = Communicator::Test::Pair->new(drivers => \@drivers,
            tables => \&tables,
            models => 'CommunicatorModel guarded table=guarded');
        ($here, $there) = $pair->databases;
        rows_passed_over();
        $pair->is_settled('in the end');
        $pair->stop;
    };
}

done_testing();
