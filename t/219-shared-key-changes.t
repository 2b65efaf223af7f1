#!/usr/bin/perl

# Keys that both sides share change in one statement, and no child is lost or
# made again, whatever foreign keys do. Columns that only the other side has
# stay. Borders between batches lie everywhere.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my $many = 1000;
my $few = 350;

my $models = <<'CONF';
CommunicatorBatch 300
CommunicatorModel code table=codes key=code keys=shared except=own
CommunicatorModel item table=items references=code:code
CommunicatorModel note table=notes references=code:code
CommunicatorModel bond table=bonds references=code:code
CommunicatorModel kind table=kinds key=kind keys=shared
CommunicatorModel part table=parts references=kind:kind
CONF

# Keys of "kinds" cannot change while "parts" refer to them, except at central,
# where that is checked at the end.
sub tables {
    my ($database, $name) = @_;
    my $deferred = $name eq 'central' && $database->driver ne 'mysql'
      ? 'deferrable initially deferred' : '';

    return <<"SQL";
create table codes (code varchar(40) not null primary key, title varchar(40),
    own varchar(40)) {engine};
create table items (id {key}, body varchar(40), code varchar(40) not null,
    foreign key (code) references codes (code)
    on update cascade on delete cascade) {engine};
create table notes (id {key}, body varchar(40), code varchar(40),
    foreign key (code) references codes (code)
    on update cascade on delete set null) {engine};
create table bonds (id {key}, body varchar(40), code varchar(40) not null,
    foreign key (code) references codes (code)
    on update cascade on delete restrict) {engine};
create table kinds (kind varchar(40) not null primary key,
    title varchar(40)) {engine};
create table parts (id {key}, body varchar(40), kind varchar(40) not null,
    foreign key (kind) references kinds (kind)
    on delete cascade $deferred) {engine};
SQL
}

# Run SQL as the application does.
sub change {
    my ($database, $sql) = @_;

    $sql = "pragma foreign_keys = on; $sql" if $database->driver eq 'sqlite3';
    $database->run($sql);
}

# Return SQL of COLUMN behind LETTER.
sub lettered {
    my ($database, $letter, $column) = @_;

    return $database->driver eq 'mysql'
      ? "concat('$letter', $column)" : "'$letter' || $column";
}

# Expect that the rows of the tables CHILDREN, which were BEFORE, are what they
# were, and have their parents with the new keys.
sub have_parents {
    my ($pair, $children, $before, $letter) = @_;

    for my $table (sort keys %$children) {
        my ($parents, $column, $count) = @{ $children->{$table} };

        is_deeply(ids($pair, $table), $before->{$table},
            "all $table are where they were");
        is_deeply($_->rows("select count(*) from $table c join $parents p "
            . "on p.$column = c.$column where p.title = c.body "
            . "and p.$column like '$letter%'"), [[$count]],
            "$table have their parents")
          for $pair->databases;
    }
}

sub ids {
    my ($pair, $table) = @_;

    return [map { $_->rows("select id from $table order by id") }
      $pair->databases];
}

sub renamed {
    my ($pair, $from, $other, $letter) = @_;
    my %children = (items => ['codes', 'code', $many],
        notes => ['codes', 'code', $few], bonds => ['codes', 'code', $few]);
    my %before = map { $_ => ids($pair, $_) } keys %children;

    $other->run("update codes set own = '$letter'");
    change($from, 'update codes set code = '
        . lettered($from, $letter, 'code'));
    $pair->sync("all keys change: $letter");
    is($from->value('select count(*) from communicator_missing '
        . 'where heir_id is not null'), 0,
        'former keys are not noted where foreign keys bind all rows')
      if $from->driver ne 'sqlite3';
    $pair->sync("all keys change: $letter, once more");
    is_deeply($other->rows('select count(*), count(own) from codes '
        . "where code like '$letter%' and own = '$letter'"), [[$many, $many]],
        'all rows have their new keys, and what is only there');
    have_parents($pair, \%children, \%before, $letter);
}

# The peer cannot give the rows new keys before its children have them.
sub deferred {
    my ($pair, $from) = @_;
    my %children = (parts => ['kinds', 'kind', $few]);
    my %before = map { $_ => ids($pair, $_) } keys %children;
    my $new = lettered($from, 'z', 'kind');

    change($from, ($from->driver eq 'mysql'
            ? 'set foreign_key_checks = 0; ' : '')
        . ($from->driver eq 'sqlite3' ? 'begin immediate; ' : 'begin; ')
        . "update kinds set kind = $new; update parts set kind = $new; commit");
    $pair->sync('parents and children change') for 1 .. 2;
    have_parents($pair, \%children, \%before, 'z');
}

# Each side writes what it knows while the other one changes keys to and fro: no
# child is left without its parent, not even until the next run.
sub to_and_fro {
    my ($pair) = @_;
    my ($here, $there) = $pair->databases;
    my ($from, $to) = ('yxc1', 'other');
    my $items = 1;

    for my $database ($here, $there, $here) {
        my $other = $database == $here ? $there : $here;

        change($database, "update codes set code = '$to' "
            . "where code = '$from'");
        change($other, 'insert into items (body, code) '
            . "values ('t1', '$from'); insert into notes (body, code) "
            . "values ('t1', '$from')");
        $pair->sync("$from becomes $to");
        $items++;
        $pair->sync("$from becomes $to, on both sides");
        $pair->both_have("select '$_', count(*), count(code) from $_ "
            . "where body = 't1' and code = '$to'", [[$_, $items, $items]],
            "all $_ have their parent") for qw(items notes);
        ($from, $to) = ($to, $from);
    }
    # MariaDB's cascades are seen by nobody
    for my $database ($here, $here, $there, $there) {
        change($database, "update codes set code = '$to' "
            . "where code = '$from'");
        $pair->sync("$from becomes $to, and nothing else");
        $pair->both_have('select count(code) from notes where body = '
            . "'t1' and code = '$to'", [[$items]], 'no note forgets it');
        ($from, $to) = ($to, $from);
    }
    $pair->both_have("select count(*) from items where body = 't1' "
        . "and code = '$from'", [[$items]], 'no item is deleted');
}

Communicator::Test::Pair->for_each(Communicator::Test::Pair->few, sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => $models);
    my ($here, $there) = $pair->databases;
    my @list = map { "('c$_', 't$_')" } 1 .. $many;
    my $codes = join ', ', @list;
    my $kinds = join ', ', @list[0 .. $few - 1];

    $here->run("insert into codes (code, title) values $codes; "
        . "insert into kinds (kind, title) values $kinds; "
        . 'insert into items (body, code) select title, code from codes; '
        . 'insert into notes (body, code) select title, kind from kinds; '
        . 'insert into bonds (body, code) select title, kind from kinds; '
        . 'insert into parts (body, kind) select title, kind from kinds');
    $pair->sync('what is there');
    renamed($pair, $here, $there, 'x');
    renamed($pair, $there, $here, 'y');
    deferred($pair, $here);
    to_and_fro($pair);
    $pair->sync('what a change of a key leaves to the next run');
    $pair->is_settled('renamed');
    $pair->stop;
});

done_testing();
