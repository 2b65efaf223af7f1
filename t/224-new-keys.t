#!/usr/bin/perl

# newkey=max: applications of both sides give their records the highest number
# plus one. Whoever comes second gets another number, and what refers to it
# follows.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table invoices (id integer not null, title varchar(40), unique (id));
create table entries (id integer not null, title varchar(40),
    invoice_id integer not null, unique (id));
SQL

my $models = <<'CONF';
CommunicatorModel invoice table=invoices newkey=max
CommunicatorModel entry table=entries references=invoice_id:invoice newkey=max
CONF

# Insert an invoice with a line, as the application does.
sub insert {
    my ($database, $title) = @_;

    $database->run('insert into invoices (id, title) '
        . "select coalesce(max(id), 0) + 1, '$title' from invoices;"
        . 'insert into entries (id, title, invoice_id) '
        . "select coalesce(max(l.id), 0) + 1, 'of $title', "
        . "(select id from invoices where title = '$title') from entries l;");
}

sub both_have {
    my ($pair, $titles, $name) = @_;

    $pair->both_have('select i.title, l.title, count(*) from invoices i '
        . 'join entries l on l.invoice_id = i.id group by i.title, l.title '
        . 'order by i.title', [map { [$_, "of $_", 1] } @$titles], $name);
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-mysql mysql-sqlite3 sqlite3-pgsql)], 'max + 1', sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => $models);
    my ($central, $facade) = $pair->databases;

    insert($central, $_) for qw(c1 c2);
    insert($facade, $_) for qw(f1 f2 f3);
    $pair->sync('the same numbers on both sides');
    both_have($pair, [qw(c1 c2 f1 f2 f3)], 'all are on both sides');
    insert($central, 'c3');
    insert($facade, 'f4');
    $pair->sync('and again');
    both_have($pair, [qw(c1 c2 c3 f1 f2 f3 f4)], 'these, too');
    $facade->run("delete from entries where title = 'of c2';"
        . "delete from invoices where title = 'c2';"
        . "update entries set title = 'changed' where title = 'of c1';");
    $pair->sync('changes of records that have other numbers here');
    is($central->value("select count(*) from invoices where title = 'c2'"), 0,
        'a delete finds the right one');
    is($central->value("select title from entries where invoice_id = "
        . "(select id from invoices where title = 'c1')"), 'changed',
        'a change, too');
    $central->run('update invoices set id = 1000 where title = '
        . "'f4'; update entries set invoice_id = 1000 where title = 'of f4';");
    $pair->sync('a number that changes');
    is($facade->value("select count(*) from invoices where title = 'f4'"), 1,
        'it stays one record');
    is($facade->value("select i.title from invoices i join entries l on "
        . "l.invoice_id = i.id where l.title = 'of f4'"), 'f4',
        '  with its line');
    $pair->sync('what refers to it is sent again');
    $pair->is_settled('nothing is left');
    is($pair->{central}->sync('verify')->{exit}, 0, 'verify finds them equal');
    $pair->stop;
});

done_testing();
