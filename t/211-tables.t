#!/usr/bin/perl

# Tables of every kind: odd names, keys that are no numbers, columns that the
# database fills, triggers of the application, and what a CommunicatorModel
# may say about them.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my ($pair, $here, $there);

# NAME as an identifier.
sub name {
    my ($database, $name) = @_;
    my $quote = $database->driver eq 'mysql' ? '`' : '"';

    return $quote . $name =~ s/$quote/$quote$quote/gr . $quote;
}

my @odd = ('order', 'select', 'Mixed Case', q(quo"te), q(it's), 'moment',
    'names', 'seq', 'changed', '50%s');

sub tables {
    my ($database, $node) = @_;
    my $driver = $database->driver;
    my %is = ($driver => 1);
    my $exact = $is{mysql}
      ? ' collate /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */' : '';
    my $uuid = $is{sqlite3} ? 'text' : $is{pgsql} ? 'uuid'
      : Communicator::Test::Engine::has_uuid() ? 'uuid' : 'char(36)';
    my $identity = $is{pgsql}
      ? 'id bigint generated always as identity primary key' : 'id {key}';
    my $odd = join ', ', map { name($database, $_) . ' varchar(20)' } @odd;
    # Kinds of tables and columns that only this database has.
    my $parts = $is{sqlite3} ? 'without rowid'
      : $is{mysql} ? 'partition by key (code) partitions 3'
      : 'partition by list (code); create table tags_a partition of tags '
      . "for values in ('a'); create table tags_b partition of tags default";
    my ($hidden, $strict) = ($is{mysql} ? '/*M! invisible */' : '',
        $is{sqlite3} ? 'strict' : '');

    return <<"SQL" . own_trigger($database);
create table @{[ name($database, q(Odd "Table's")) ]} (
    @{[ name($database, 'Key No') ]} {key}, $odd) {engine};
create table made (
    $identity, a integer, b integer generated always as (a * 2) stored)
    {engine};
create table tags (
    code varchar(40)$exact not null primary key, color varchar(20)) {engine}
    $parts;
create table items (id $uuid not null primary key, name varchar(20)) {engine};
create table countries (
    id {key}, code varchar(2) not null unique, name varchar(20)) {engine};
create table wide (
    id {key}, a varchar(20), b varchar(20), c varchar(20)
    @{[ $node eq 'facade' ? ", lang varchar(2) not null default 'en',
        must varchar(2) not null" : '' ]}) {engine};
create table kept (id {key}, a text $hidden) {engine} $strict;
create table letters (id {key}, a varchar(20)) {engine};
create table logged (id {key}, a varchar(20)) {engine};
create table log (id {key}, logged_id bigint, a varchar(20)) {engine};
SQL
}

# The application's own trigger writes into another table that is published.
sub own_trigger {
    my ($database) = @_;
    my $do = 'insert into log (logged_id, a) values (new.id, new.a)';

    return <<"SQL" if $database->driver eq 'pgsql';
create function own_trigger() returns trigger language plpgsql as
    \$\$ begin $do; return new; end \$\$;
create trigger a_own after insert on logged
    for each row execute function own_trigger();
SQL
    return "create trigger a_own after insert on logged for each row $do;"
      if $database->driver eq 'mysql';
    return "create trigger a_own after insert on logged begin $do; end;";
}

sub models {
    my ($database, $node) = @_;
    my $only = $node eq 'central' ? 'only=a,b' : 'except=c,must';
    my $direction = $node eq 'central' ? 'publish' : 'receive';

    return <<"CONF";
CommunicatorModel odd     "table=Odd \\"Table's\\"" "key=Key No"
CommunicatorModel made    table=made
CommunicatorModel tag     table=tags key=code keys=shared
CommunicatorModel item    table=items keys=shared
CommunicatorModel country table=countries match=code
CommunicatorModel wide    table=wide $only
CommunicatorModel kept    table=kept deletes=no
CommunicatorModel letter  table=letters direction=$direction
CommunicatorModel logged  table=logged
CommunicatorModel log     table=log references=logged_id:logged
CONF
}

# Both sides know Germany before they know each other.
sub before {
    my ($node) = @_;

    $node->database->run('insert into countries (code, name) values '
        . "('fr', 'F'), ('de', '" . $node->name . "');"
        . ($node->name eq 'central'
            ? "delete from countries where code = 'fr';" : ''));
}

sub odd_names {
    my ($table, @columns) = map { name($here, $_) } q(Odd "Table's"), @odd;
    my $values = join ', ', map { "'v$_'" } 0 .. $#odd;
    my @there = map { name($there, $_) } q(Odd "Table's"), @odd;

    $here->run("insert into $table (" . join(', ', @columns)
        . ") values ($values);");
    $pair->sync('names that need quotes');
    $there->run("update $there[0] set "
        . join(', ', map { "$there[$_] = 'w'" } 1, 3, 5) . ';');
    $pair->sync('and back');
    my @want = map { "v$_" } 0 .. $#odd;
    @want[0, 2, 4] = ('w') x 3;
    is_deeply($here->rows('select ' . join(', ', @columns) . " from $table"),
        [\@want], 'every column is carried');
    is_deeply($there->rows('select ' . join(', ', @there[1 .. @odd])
        . " from $there[0]"), [\@want], '  both ways');
}

sub made_columns {
    $_->run('insert into made (a) values (1), (2)') for $here, $there;
    $pair->sync('columns that the database fills');
    $there->run('update made set a = 5 where a = 1');
    $pair->sync('change on the other side');
    $pair->both_have('select a, b from made order by a',
        [[2, 4], [2, 4], [5, 10], [5, 10]], 'all are filled');
    unlike($pair->{central}->sync('check')->{out}, qr/^FAIL +model made:/m,
        'check accepts a key that only the database gives');
}

sub keys_of_text {
    my $long = 'k' x 36 . 'nd';

    $here->run("insert into tags values ('a', 'red'), ('a ', 'space'), "
        . "('A', 'large'), ('', 'none'), ('ü/?&\"''', 'odd'), "
        . "('$long', 'long');");
    $there->run("insert into tags values ('a', 'blue'), ('007', 'seven');");
    $pair->sync('keys that are text');
    $pair->both_have("select code from tags order by length(code), code",
        $here->rows('select code from tags order by length(code), code'),
        'the same keys');
    is($here->value('select count(*) from tags'), 7, 'one row for each');
    $pair->both_have("select color from tags where code = 'a'",
        $here->rows("select color from tags where code = 'a'"),
        'of the same key the same values');
    $pair->both_have("select color from tags where code = 'A'", [['large']],
        'case counts');
    $pair->both_have("select color from tags where color = 'space' "
        . 'and length(code) = 2', [['space']], 'a space counts');
    $there->run("update tags set code = 'b' where code = 'A';"
        . "delete from tags where code = '007';");
    $pair->sync('a key that changes');
    $pair->both_have("select code, color from tags where code in "
        . "('A', 'b', '007')", [['b', 'large']], 'is another record');
}

sub uuid_keys {
    my $id = '123E4567-E89B-12D3-A456-426614174000';

    $here->run("insert into items values ('$id', 'a');");
    $pair->sync('a UUID in capitals');
    $there->run("update items set name = 'b' where lower("
        . ($there->driver eq 'pgsql' ? 'id::text' : 'id')
        . ") = lower('$id');");
    $pair->sync('that comes back as the other database writes it');
    $pair->both_have('select name from items', [['b']], 'is one record');
}

sub matches {
    $pair->{central}->sync_ok('publish', 'country', '--all', '--quiet');
    $pair->{facade}->sync_ok('publish', 'country', '--all', '--quiet');
    $pair->sync('records that both have had');
    $pair->both_have('select count(*) from countries', [[2]],
        'are taken for the same');
    $there->run("update countries set name = 'D' where code = 'de'");
    $pair->sync('one changes');
    $pair->both_have('select code, name from countries order by 1',
        [['de', 'D'], ['fr', 'F']], 'on both sides');
}

sub columns {
    $here->run("insert into wide (a, b, c) values ('a', 'b', 'c');");
    $pair->sync('a row without a column that must be', 65);
    like(($pair->parked($there))[0], qr/must/, 'is parked with the reason');
    $there->run($there->driver eq 'sqlite3'
        ? 'alter table wide drop column must'
        : "alter table wide alter column must set default 'x'");
    $pair->{facade}->restart;
    $pair->sync('when it need not be');
    is_deeply($there->rows('select a, b, c, lang from wide'),
        [['a', 'b', undef, 'en']], 'only= goes, what is not sent is not set');
    $there->run("update wide set a = 'A', c = 'C', lang = 'de';");
    $pair->sync('change of what is not carried');
    is_deeply($here->rows('select a, b, c from wide'), [['A', 'b', 'c']],
        'except= stays');
}

sub directions {
    $here->run("insert into kept (a) values ('a'), ('b');"
        . "insert into letters (a) values ('a');");
    $there->run("insert into letters (a) values ('own');");
    $pair->sync('deletes=no, direction=');
    $here->run("delete from kept where a = 'a';");
    $there->run("delete from kept where a = 'b';");
    $pair->sync('deletes');
    is_deeply($here->rows('select a from kept'), [['b']], 'stay here');
    is_deeply($there->rows('select a from kept'), [['a']], 'and there');
    is_deeply($here->rows('select a from letters'), [['a']],
        'nothing is taken with direction=publish');
    is_deeply($there->rows('select a from letters order by 1'),
        [['a'], ['own']], 'nothing is sent with direction=receive');
    $there->run("update kept set a = 'c' where a = 'a';");
    $pair->sync('a change of what was deleted here');
    is_deeply($here->rows('select a from kept order by 1'), [['b'], ['c']],
        'brings it back');
}

sub own_triggers {
    $here->run("insert into logged (a) values ('x');");
    $pair->sync('a trigger of the application');
    $pair->sync('and its like on the other side');
    $pair->both_have('select l.a, t.a from log l '
        . 'join logged t on t.id = l.logged_id', [['x', 'x'], ['x', 'x']],
        'what it wrote on either side is on both');
}

Communicator::Test::Pair->for_each(
    [qw(sqlite3-pgsql pgsql-mysql mysql-sqlite3)], sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => \&models, before => \&before);
    ($here, $there) = $pair->databases;

    odd_names();
    made_columns();
    keys_of_text();
    uuid_keys();
    matches();
    columns();
    directions();
    own_triggers();
    $pair->is_settled('in the end');
    $pair->stop;
});

# Keys that databases write in forms of their own, shared by both sides: what
# the trigger says, what RETURNING gives and what is looked for are the same.
my %key_types = (
    word => { sqlite3 => 'varchar(5)', pgsql => 'char(5)', mysql => 'char(5)' },
    host => { sqlite3 => 'text', pgsql => 'inet', mysql => 'varchar(50)' },
    flag => { map { $_ => 'boolean' } qw(sqlite3 pgsql mysql) },
    moment => { sqlite3 => 'timestamp', pgsql => 'timestamptz',
        mysql => "timestamp(6) default '2000-01-01'" },
    hour => { sqlite3 => 'datetime', pgsql => 'timestamp',
        mysql => 'datetime(3)' },
    price => { map { $_ => 'decimal(6,2)' } qw(sqlite3 pgsql mysql) },
    bits => { sqlite3 => 'int', pgsql => 'bit(5)', mysql => 'int' },
);
my %key_values = (
    word => [map { "'$_'" } qw(ab cd)], flag => [qw(true false)],
    host => [map { "'$_'" } qw(10.0.0.1 fe80::1)],
    moment => [map { "'2024-10-27 0$_:30:00.25'" } 0, 1],
    hour => [map { "'2024-10-27 0$_:30:00.5'" } 0, 1],
    price => [1.5, 2.25], bits => ["b'00101'", "b'10000'"],
);
my @key_names = sort keys %key_types;
my @referred = grep { !/moment|hour|bits/ } @key_names;

sub key_tables {
    my ($database) = @_;

    return join '', map {
        my $type = $key_types{$_}{ $database->driver };
        "create table keyed_$_ (k $type not null primary key, "
          . "name varchar(20)) {engine};\n"
          . "create table child_$_ (id {key}, k $type, name varchar(20)) "
          . '{engine};'
    } @key_names;
}

# A key as SQL of DATABASE.
sub key_of {
    my ($database, $name, $number) = @_;
    my $value = $key_values{$name}[$number];

    return oct "0b$1" if $database->driver ne 'pgsql'
      && $value =~ /^b'(.*)'/;
    return $value;
}

# In every table the rows that SQL makes of the keys' names.
sub on_keys {
    my ($database, $code) = @_;
    my $sql = $database->driver eq 'mysql' ? "set time_zone = '+00:00';" : '';

    $database->run($sql . join ";\n", map { $code->($_,
        key_of($database, $_, 0), key_of($database, $_, 1)) } @key_names);
}

sub keys_are {
    my ($rows, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $pair->both_have("select name from keyed_$_ order by name", $rows,
        "$name: $_") for @key_names;
}

sub keys_of_many_types {
    on_keys($here, sub { "insert into keyed_$_[0] values ($_[1], 'a')" });
    on_keys($there, sub { "insert into keyed_$_[0] values ($_[2], 'b')" });
    $pair->sync('keys that are no integers');
    keys_are([['a'], ['b']], 'created');
    on_keys($there, sub { "update keyed_$_[0] set name = 'c' "
        . "where name = 'a'" });
    on_keys($here, sub { "update keyed_$_[0] set name = 'd' "
        . "where name = 'b'" });
    $pair->sync('changed where they were not made');
    keys_are([['c'], ['d']], 'changed');
    on_keys($here, sub { "update keyed_$_[0] set name = 'g' "
        . "where name = 'c'" });
    on_keys($there, sub { "insert into child_$_[0] (k, name) "
        . "values ($_[2], 'child')" });
    $pair->sync('changed where they were made, and referred to');
    $pair->both_have("select t.name from child_$_ c "
        . "join keyed_$_ t on t.k = c.k", [['d']], "refers: $_")
      for @referred;
    my $run = $pair->{central}->sync('verify');
    is($run->{exit}, 0, 'verify finds them') or diag($run->{out});
    on_keys($there, sub { "delete from keyed_$_[0] where name <> 'd'" });
    $pair->sync('deleted');
    keys_are([['d']], 'deleted');
    on_keys($there, sub { "insert into keyed_$_[0] values ($_[1], 'e')" });
    $pair->sync('made again');
    keys_are([['d'], ['e']], 'made again');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-pgsql mysql-pgsql sqlite3-mysql)], 'shared keys:', sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&key_tables, models => join "\n",
        (map { "CommunicatorModel keyed_$_ table=keyed_$_ key=k "
            . 'keys=shared' } @key_names),
        (map { "CommunicatorModel child_$_ table=child_$_ "
            . "references=k:keyed_$_" } @referred));
    ($here, $there) = $pair->databases;
    keys_of_many_types();
    $pair->is_settled('in the end');
    $pair->stop;
});

# table= cannot name a schema whose name has a dot, but search_path can.
sub in_schema_with_dot {
    my ($database) = @_;
    my $table = 'create table posts (id {key}, title varchar(20)) {engine}';

    return $table if $database->driver ne 'pgsql';
    $database->run('create schema "blog.example"');
    $database->run("alter database $database->{name} "
        . 'set search_path to "blog.example", public');
    $database->connection->close;
    return $table;
}

Communicator::Test::Pair->for_each([qw(pgsql-mysql sqlite3-pgsql)],
    'a schema with a dot:', sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&in_schema_with_dot,
        models => 'CommunicatorModel post table=posts');
    ($here, $there) = $pair->databases;
    $here->run("insert into posts (title) values ('here')");
    $there->run("insert into posts (title) values ('there')");
    $pair->sync('posts');
    $here->run("update posts set title = 'changed' where title = 'there'");
    $there->run("delete from posts where title = 'here'");
    $pair->sync('changes');
    $pair->both_have('select title from posts', [['changed']], 'as changed');
    is($pair->{central}->sync('check')->{exit}, 0, 'check finds all well');
    is($pair->{central}->sync('verify')->{exit}, 0, 'verify finds it');
    $pair->is_settled('in the end');
    $pair->stop;
});

# Values of SQLite in columns that take any: numbers stay numbers. Next to each
# its type there, if it is another one.
my @any = (['1', 'integer'], ["'1'", 'text'], ["'01'", 'text'],
    ["'1.0'", 'text'], ['-7', 'integer'], ['0.1', 'real'], ['1e300', 'real'],
    ['9007199254740993', 'integer'], ["'9007199254740993'", 'text'],
    ["x'01'", 'blob'], ['null', 'null'], ["''", 'text'], ["x''", 'blob'],
    [q('{"hex":"00"}'), 'text'], ['1.0', 'integer'], ['9e999', 'text']);

Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3)], 'any type:', sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => 'create table untyped (id {key}, a); '
          . 'create table stricts (id {key}, a any) strict',
        models => "CommunicatorModel untyped table=untyped\n"
          . 'CommunicatorModel strict table=stricts');
    ($here, $there) = $pair->databases;
    for my $table (qw(untyped stricts)) {
        $here->run("insert into $table (a) values "
            . join ', ', map { "($_->[0])" } @any);
        $pair->sync("all kinds of values in $table");
        is_deeply([map { $_->[0] } @{ $there->rows(
            "select typeof(a) from $table order by id") }],
            [map { $_->[1] } @any], '  they keep their types');
        my ($same) = grep { $any[$_][0] eq '1.0' } 0 .. $#any;
        is_deeply($there->rows("select quote(a) from $table where id <= $same "
            . 'order by id'), $here->rows("select quote(a) from $table "
            . "where id <= $same order by id"), '  and are the same');
        $there->run("update $table set a = 2 where id = 1");
        $there->run("update $table set a = '2' where id = 5");
        $pair->sync('changed on the other side');
        is_deeply($here->rows("select typeof(a), a from $table "
            . 'where id in (1, 5) order by id'),
            [['integer', 2], ['text', 2]], '  they keep them, too');
    }
    $pair->is_settled('in the end');
    $pair->stop;
});

# Rows that are nothing but a key, and rows whose key is NULL.

my $key_tables = <<'SQL';
create table slots (id {key}) {engine};
create table labels (code varchar(40) not null unique, name varchar(20))
    {engine};
SQL

# Let the key of labels be NULL from now on.
sub loosen {
    my ($database) = @_;
    my %sql = (
        pgsql => 'alter table labels alter column code drop not null',
        mysql => 'alter table labels modify code varchar(40) null',
        sqlite3 => ".dbconfig defensive off\n"
          . 'pragma writable_schema = on; update sqlite_master '
          . "set sql = replace(sql, 'not null unique', 'unique') "
          . "where name = 'labels'; pragma schema_version = 4711;"
          . 'pragma writable_schema = off',
    );

    $database->run($sql{ $database->driver });
}

sub only_keys {
    my %sql = (mysql => 'insert into slots () values ();');

    for my $database ($here, $there) {
        my $one = $sql{ $database->driver }
          || 'insert into slots default values;';
        $database->run("begin; $one $one commit");
    }
    $pair->sync('records of nothing but a key');
    $pair->both_have('select count(*) from slots', [[4]], 'all are there');
}

sub null_keys {
    loosen($_) for $here, $there;
    my $i = 0;
    for my $database ($here, $there) {
        $database->run("insert into labels values (null, 'none'), "
            . "('k$i', 'one')");
        $i++;
    }
    my $run = $pair->{central}->sync;
    ok(!$run->{signal}, 'a row whose key is NULL crashes nobody');
    $pair->both_have("select code from labels where name = 'one' order by 1",
        [['k0'], ['k1']], 'the others are sent');
    like($run->{err}, qr/a row that has no key/, 'which is reported');
    # The watchdog may find it now or later.
    my $may = { may => qr/CM0033.*key 'code' of table 'labels'/ };
    $pair->{facade}->log_has_only($may, qr/CM0024.*a row that has no key/);
    my $check = $pair->{central}->sync('check');
    isnt($check->{exit}, 0, 'check refuses such a key');
    like($check->{out} . $check->{err}, qr/key 'code' .* may be NULL.*NOT NULL/s,
        '  and says what to do');
    $here->run("update labels set code = 'late' where code is null");
    $pair->{central}->sync;
    $pair->both_have("select code from labels where code = 'late'", [['late']],
        'with a key the row is sent');
    $pair->{facade}->log_has_only($may);
}

Communicator::Test::Pair->for_each(
    [qw(sqlite3-pgsql pgsql-mysql mysql-sqlite3)], 'keys alone, and NULL:',
    sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $key_tables,
        models => "CommunicatorModel slot table=slots\n"
          . "CommunicatorModel label table=labels key=code\n");
    ($here, $there) = $pair->databases;
    only_keys();
    null_keys();
    $pair->stop;
});

# --- a publication of all tables ---

# What the tables of records looked like before version 24.
sub without_primary {
    my ($database) = @_;

    for my $id (map { $_->[0] } @{ $database->rows(
        'select id from communicator_models') }) {
        my $table = "communicator_records_$id";

        $database->run("alter table $table drop constraint ${table}_identity;"
            . "create unique index ${table}_identity on $table "
            . '(original_id, origin)');
    }
    $database->run('delete from communicator_schema where version >= 24');
    return;
}

# PostgreSQL refuses to change rows of a table that is published by logical
# replication, unless they have a primary key.
Communicator::Test::Pair->for_each(['pgsql-pgsql'], 'all is published:', sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => 'create table posts (id {key}, title varchar(40))',
        models => 'CommunicatorModel post table=posts');
    ($here, $there) = $pair->databases;
    without_primary($here);
    $pair->{central}->migrate;
    $_->run('create publication everything for all tables') for $here, $there;
    $here->run("insert into posts (title) values ('one')");
    $there->run("insert into posts (title) values ('two')");
    $pair->sync('records');
    $_->run("update posts set title = title || '!'") for $there;
    $here->run("delete from posts where title = 'one'");
    $pair->sync('changes');
    $pair->both_have('select title from posts', [['two!']], 'are there');
    $pair->{central}->sync_ok('purge', '--all');
    $pair->is_settled('all is published');
    $pair->stop;
});

# --- a database without an encoding ---

# It may hold any bytes: those that are no UTF-8 hold up their record alone.
Communicator::Test::Pair->for_each(['pgsql-pgsql'], 'SQL_ASCII:', sub {
    my $tables = sub {
        my ($database) = @_;
        my ($engine, $name) = @$database{qw(engine name)};

        $engine->drop($name);
        is($engine->query('', "create database $name encoding 'SQL_ASCII' "
            . "template template0 lc_collate 'C' lc_ctype 'C'"), '',
            'a database');
        return 'create table posts (id {key}, title text)';
    };

    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => 'CommunicatorModel post table=posts');
    ($here, $there) = $pair->databases;
    $here->run("insert into posts (title) values ('plain'), "
        . "(E'\\xc3\\xa4'), (E'\\xe4'), ('last');");
    like($pair->{central}->sync->{err}, qr/skipped 1 messages: .*cannot be read/,
        'bytes that are no UTF-8');
    is_deeply($there->rows("select encode(title::bytea, 'escape') from posts "
        . 'order by id'), [['plain'], ['\303\244'], ['last']],
        '  hold up no other record');
    $here->run("update posts set title = 'good' where id = 3");
    $pair->sync('changed');
    is($there->value("select count(*) from posts where title = 'good'"), 1,
        '  and when they are changed the record arrives');
    $pair->{central}->sync_ok('verify');
    $pair->stop;
});

# --- keys with a collation of their own ---

# PostgreSQL compares texts of two collations only if it is told by which one.
Communicator::Test::Pair->for_each(['pgsql-pgsql'], 'collations:', sub {
    my $word = 'varchar(20) collate "POSIX"';
    my $models = 'CommunicatorModel word table=words key=word keys=shared '
      . qq{"where=note <> 'private'"\n}
      . 'CommunicatorModel use table=uses references=word:word';

    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => "create table words (word $word not null primary key,"
          . " note varchar(40)); create table uses (id {key},"
          . " word $word references words (word))",
        models => $models);
    ($here, $there) = $pair->databases;
    $here->run('alter table words disable trigger all;'
        . "insert into words values ('old', 'a');"
        . 'alter table words enable trigger all;'
        . "insert into words values ('new', 'b'), ('own', 'private');"
        . "insert into uses (word) values ('new')");
    $pair->{central}->sync_ok('publish', '--all', '--missing');
    $pair->sync('words');
    $pair->both_have("select word from words where note <> 'private' order by "
        . '1', [['new'], ['old']], 'the words');
    is($pair->{central}->sync('verify')->{exit}, 0, '  and verify');
    $pair->{central}->configure(conf => $models =~ s/private/secret/r);
    like($pair->{central}->sync('migrate')->{out},
        qr/1 rows of table 'words' were never sent/, '  and another where=');
    $pair->stop;
});

done_testing();
