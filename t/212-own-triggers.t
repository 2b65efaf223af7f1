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

    return <<'SQL' . nested_tables($database);
create table guarded (id {key}, name varchar(50), place integer) {engine};
create table stamped (id {key}, title varchar(50), hits integer,
    changed_by varchar(50)) {engine};
create table later (id {key}, title varchar(50), slug varchar(50))
    {engine};
create table asking (id {key}, title varchar(50), hits integer,
    changed_by varchar(50)) {engine};
SQL
}

# Where statements are nested on PostgreSQL. The other side has no foreign key,
# and one table for the partitions.
sub nested_tables {
    my ($database) = @_;
    my $is_pgsql = $database->driver eq 'pgsql';
    my $cascade = $is_pgsql
      ? 'references tree (id) on update cascade' : '';
    my $sql = join '', map {
        "create table $_ (id integer not null primary key, "
          . "title varchar(50), slug varchar(50)) {engine};\n"
    } qw(chosen kept counter counted retyped);
    my $parted = 'create table parted (id integer not null primary key, '
      . 'title varchar(50), slug varchar(50))';

    $sql .= 'create table tree (id integer not null primary key, '
      . "title varchar(50), tree_id integer $cascade) {engine};\n";
    return "$sql$parted {engine};\n" unless $is_pgsql;
    return "$sql$parted partition by range (id);\n"
      . "create table parted_low partition of parted "
      . "for values from (0) to (1000);\n";
}

sub touched {
    my ($database) = @_;
    my $type = $database->driver eq 'mysql'
      ? 'timestamp(6) not null default current_timestamp(6) '
      . 'on update current_timestamp(6)' : 'timestamp';

    return "create table touched (id {key}, title varchar(50), at $type) "
      . "{engine};\n";
}

# A trigger that writes into changed_by of TABLE who changed the row; ASKING:
# unless it is Communicator.
sub stamp_rows {
    my ($node, $table, $asking) = @_;
    my ($database, $set) = ($node->database, "changed_by = '"
        . $node->name . "'");
    my $asks = $database->driver eq 'sqlite3'
      ? 'not exists (select 1 from communicator_applying)'
      : 'not communicator_applying()';
    my $if = $asking ? $asks : '1 = 1';

    return $database->run(<<"SQL") if $database->driver eq 'pgsql';
create function stamp_$table() returns trigger language plpgsql as
    \$\$ begin if $if then new.$set; end if; return new; end \$\$;
create trigger a_stamp before insert or update on $table for each row
    execute function stamp_$table();
SQL
    return $database->run(join "\n", map { $database->driver eq 'mysql'
          ? "delimiter //\ncreate trigger a_stamp_${table}_$_ before $_ on "
            . "$table for each row begin if $if then set new.$set; end if; "
            . "end//\ndelimiter ;"
          : "create trigger a_stamp_${table}_$_ after $_ on $table when $if "
            . "begin update $table set $set where id = new.id; end;" }
        qw(insert update));
}

# What is said of altered columns: lines of check, problems of status.
sub said_of {
    my ($node) = @_;
    my $check = $node->sync('check')->{out};
    my $status = $node->sync('status')->{out};

    return (scalar(() = $check =~ /does not keep what is written/g),
        scalar(() = $status =~ /^warning: .*does not keep what is written/mg));
}

sub values_altered {
    my $sql = 'select title, changed_by from stamped';

    $here->run("insert into stamped (title, hits) values ('a', 1);");
    my $run = $pair->sync('a value that a trigger changes');
    is_deeply($here->rows($sql), [['a', 'central']], 'stands here');
    is_deeply($there->rows($sql), [['a', 'facade']], 'is changed there');
    $pair->{facade}->log_has_only(
        qr/CM0044: .*'stamped': column 'changed_by'.*except=changed_by/);
    is_deeply([said_of($pair->{facade})], [1, 1],
        'check and status there say so');
    is_deeply([said_of($pair->{central})], [0, 0], 'not here');
    $pair->is_settled('nothing goes back');
    $there->run("update stamped set title = 'b';");
    $run = $pair->sync('a change there');
    like("$run->{out}$run->{err}", qr/'changed_by' does not keep what/,
        'the run reports the same of here');
    is_deeply($here->rows($sql), [['b', 'central']], 'each has its own');
    is_deeply($there->rows($sql), [['b', 'facade']], '  value');
    $pair->is_settled('nothing goes back and forth');
    $here->run("update stamped set hits = 2;");
    $there->run("insert into stamped (title) values ('c');");
    $run = $pair->sync('further changes');
    unlike("$run->{out}$run->{err}", qr/does not keep/, 'are reported no more');
    $pair->{facade}->log_has_only;
    $pair->is_settled('nor do they come back');
}

sub triggers_that_ask {
    my $sql = 'select title, hits, changed_by from asking order by title';

    $here->run("insert into asking (title, hits) values ('a', 1), ('b', 1);");
    $pair->sync('triggers that ask communicator_applying()');
    $pair->both_have($sql, [['a', 1, 'central'], ['b', 1, 'central']],
        'leave messages alone');
    $there->run("update asking set hits = 2 where title = 'a';");
    $pair->sync('a change there');
    $pair->both_have($sql, [['a', 2, 'facade'], ['b', 1, 'central']],
        'but not those of the application');
    $pair->{facade}->log_has_only;
}

# SQLite runs the trigger that was made last first: it changes the row before
# ours has written down what it was.
sub triggers_made_later {
    my $do = "update later set slug = 'of ' || new.title where id = new.id;";
    my $sql = 'select title, slug from later order by title';

    $here->run("create trigger a_later_$_ after $_ on later "
        . "when new.slug is not 'of ' || new.title begin $do end;")
      for qw(insert update);
    $here->run("insert into later (title, slug) values ('a', 'old');");
    $pair->sync('a row that a later trigger completes');
    $pair->both_have($sql, [['a', 'of a']], 'is sent as it is in the end');
    $here->run("update later set title = 'b', slug = 'z';");
    $pair->sync('and an update');
    $pair->both_have($sql, [['b', 'of b']], 'too');
}

# PostgreSQL captures a nested statement before the one around it.
sub nested_statements {
    my $sql = 'select title, slug from later order by title';

    $here->run(<<"SQL");
create function complete() returns trigger language plpgsql as \$\$ begin
    if new.title = 'gone' then
        delete from later where id = new.id;
    elsif new.slug is distinct from 'of ' || new.title then
        update later set slug = 'of ' || new.title where id = new.id;
    end if;
    return null; end \$\$;
create trigger z_complete after insert or update on later for each row
    execute function complete();
insert into later (title, slug) values ('a', 'z'), ('b', 'z'), ('gone', 'z');
SQL
    $pair->sync('rows that a trigger changes once more');
    $pair->both_have($sql, [['a', 'of a'], ['b', 'of b']],
        'are there once, as they are in the end');
    $here->run("update later set title = 'c', slug = 'z' where title = 'a';");
    $pair->sync('and an update');
    $here->run("update later set title = title || '2';");
    $pair->sync('and one of many rows');
    $pair->both_have($sql, [['b2', 'of b2'], ['c2', 'of c2']], 'too');
    $here->run("update later set id = id + 100, title = title || '3';");
    $pair->sync('and another key');
    $pair->both_have($sql, [['b23', 'of b23'], ['c23', 'of c23']], 'too');
    $here->run("update later set title = 'gone' where title = 'b23';");
    $pair->sync('a row that a trigger deletes');
    $pair->both_have($sql, [['c23', 'of c23']], 'is gone on both sides');
    $there->run("update later set title = 'd';");
    $pair->sync('a change there');
    $pair->sync('and what the trigger here makes of it');
    $pair->both_have($sql, [['d', 'of d']], 'comes back');
    $here->run('drop trigger z_complete on later; delete from later;');
    $pair->sync('without the trigger');
}

# A trigger NAME of the application on TABLE that does BODY.
sub trigger_of {
    my ($name, $when, $table, $body) = @_;

    $here->run(<<"SQL");
create function $name() returns trigger language plpgsql as
    \$\$ begin $body end \$\$;
create trigger z_$name $when on $table for each row execute function $name();
SQL
}

# Expect after a run that SQL gives the same on both sides, as here.
sub sync_same {
    my ($what, $sql) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $pair->sync($what);
    is_deeply($there->rows($sql), $here->rows($sql), "$what: the same there");
}

# Before the rest of the rows is written, a trigger changes the first ones.
sub nested_before {
    my $sql = 'select title, slug from chosen order by title';

    trigger_of('choose', 'before insert or update', 'chosen',
        "if new.slug = '1' then update chosen set slug = '0' "
          . "where slug = '1' and id <> new.id; end if; return new;");
    $here->run("insert into chosen values (1, 'a', '1'), (2, 'b', '1'), "
        . "(3, 'c', '1');");
    sync_same('rows that a trigger changes before the next', $sql);
    $here->run("update chosen set slug = '1', title = title || '2' "
        . 'where id < 3;');
    sync_same('and updates', $sql);
    is($here->value("select count(*) from chosen where slug = '1'"), 1,
        'one is left');
}

sub nested_in_partition {
    my $sql = 'select title, slug from parted order by title';

    trigger_of('complete_low', 'after insert or update', 'parted_low',
        'if new.slug is distinct from new.title then update parted '
          . 'set slug = new.title where id = new.id; end if; return null;');
    $here->run("insert into parted values (1, 'a', 'z'), (2, 'b', 'z');");
    sync_same('a trigger of a partition alone', $sql);
    $here->run("update parted set title = title || '2', slug = 'z';"
        . "insert into parted_low values (3, 'c', 'z');");
    sync_same('an update, and the partition itself', $sql);
}

# What one statement deletes, and a trigger puts back.
sub nested_put_back {
    my $sql = 'select title, slug from kept order by title';

    trigger_of('keep', 'after delete', 'kept', "if old.slug <> 'kept' then "
          . "insert into kept values (old.id, old.title, 'kept'); end if; "
          . 'return null;');
    $here->run("insert into kept values (1, 'a', 'z'), (2, 'b', 'z'), "
        . "(3, 'c', 'kept');");
    $pair->sync('rows to delete');
    $here->run('delete from kept where id in (1, 3);');
    sync_same('a row that a trigger puts back', $sql);
    is_deeply($there->rows($sql), [['a', 'kept'], ['b', 'z']],
        'and one that it does not');
    $here->run('alter table kept alter id type bigint;'
        . "insert into kept values (4, 'd', 'kept');"
        . 'delete from kept where id in (2, 4);');
    sync_same('and where the key has another type', $sql);
}

# The trigger is another table's, of the same statement.
sub nested_elsewhere {
    my $sql = 'select title, slug from counter';

    trigger_of('count_one', 'after insert', 'counted', 'update counter set '
          . "slug = slug || '1' where id = new.slug::int; return null;");
    $here->run("with a as (insert into counter values (7, 'w', '') "
        . "returning id) insert into counted select 1, 'q', id from a;");
    sync_same('a counter made by the same statement', $sql);
    is_deeply($there->rows($sql), [['w', '1']], 'which counts');
}

sub nested_retyped {
    my $sql = 'select title, slug from retyped order by title';

    trigger_of('complete_retyped', 'after insert or update', 'retyped',
        "if new.title = 'gone' then delete from retyped where id = new.id; "
          . 'elsif new.slug is distinct from new.title then update retyped '
          . 'set slug = new.title where id = new.id; end if; return null;');
    $here->run('alter table retyped alter title type text;'
        . "insert into retyped values (1, 'a', 'z'), (2, 'b', 'z'), "
        . "(3, 'gone', 'z');");
    sync_same('where a column has another type', $sql);
    $here->run("update retyped set id = id + 100, title = title || '2', "
        . "slug = 'z';");
    sync_same('and another key', $sql);
}

# The rows of the cascade stand in the statement's own transition table.
sub nested_cascade {
    my $sql = 'select t.title, p.title from tree t left join tree p '
      . 'on p.id = t.tree_id order by t.title';

    $here->run("insert into tree values (1, 'root', null), (2, 'a', 1), "
        . "(3, 'b', 2);");
    $pair->sync('a tree');
    $here->run("update tree set id = id + 100, title = title || '2';");
    sync_same('new keys that cascade into the table itself', $sql);
    is_deeply($there->rows($sql), [['a2', 'root2'], ['b2', 'a2'],
        ['root2', undef]], 'each once, below its parent');
}

sub nested_otherwise {
    my @conflicts = map { $_->value(
        'select count(*) from communicator_conflicts') } $here, $there;

    nested_before();
    nested_in_partition();
    nested_put_back();
    nested_elsewhere();
    nested_retyped();
    nested_cascade();
    is_deeply([map { $_->value('select count(*) from communicator_conflicts') }
        $here, $there], \@conflicts, 'no conflict is made of it');
}

# The remedies: a trigger that asks, or except=; migrate forgets.
sub remedies {
    $_->sync_ok('migrate') for $pair->nodes;
    is_deeply([map { said_of($_) } $pair->nodes], [(0) x 4],
        'migrate forgets which columns were altered');
    $here->run("insert into stamped (title) values ('d');");
    $pair->sync('while the trigger is as it was');
    is_deeply([said_of($pair->{facade})], [1, 1], 'it is reported again');
    $pair->{facade}->log_has_only(qr/CM0044/);
    my $again = $pair->{facade}->sync('migrate', '--dry-run')->{out};
    like($again, qr/forgets which columns/, 'migrate says what it does');
}

# A column that MariaDB sets by itself.
sub on_update {
    my $moment = '2024-10-27 00:30:00.250000';

    $here->run("insert into touched (title, at) values ('a', '$moment');");
    $pair->sync('a column with ON UPDATE CURRENT_TIMESTAMP');
    $here->run("update touched set title = 'b', at = '$moment';");
    $pair->sync('an update that does not change it');
    is_deeply($there->rows('select title, at from touched'),
        [['b', $moment]], 'leaves it there as it is here');
    is($pair->{central}->sync('verify', 'touched')->{exit}, 0,
        'verify finds no difference');
    $there->run("update touched set title = 'c';");
    $pair->sync('the application there');
    isnt($there->value('select at from touched'), $moment, 'does change it');
    is($pair->{central}->sync('verify', 'touched')->{exit}, 0,
        '  on both sides');
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

my @models = map { "CommunicatorModel $_ table=$_" }
  qw(guarded stamped asking later chosen kept counter counted retyped
  parted);
push @models,
  'CommunicatorModel tree table=tree references=tree_id:tree';

Communicator::Test::Pair->for_each(
    [qw(sqlite3-pgsql pgsql-sqlite3 sqlite3-mysql mysql-mysql)], sub {
    my ($central, $facade) = @_;
    my $mysql = $facade eq 'mysql';

    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => sub { tables(@_) . ($mysql ? touched(@_) : '') },
        models => join("\n", @models, $mysql
            ? 'CommunicatorModel touched table=touched' : ()),
        before => sub {
            my ($node) = @_;
            stamp_rows($node, 'stamped');
            stamp_rows($node, 'asking', 1);
        });
    ($here, $there) = $pair->databases;
    # MariaDB's triggers cannot pass over a row
    rows_passed_over() unless $mysql;
    on_update() if $mysql;
    $pair->{facade}->log_has_only(qr/CM0014/) unless $mysql;
    values_altered();
    triggers_that_ask();
    triggers_made_later() if $central eq 'sqlite3';
    nested_statements() if $central eq 'pgsql';
    nested_otherwise() if $central eq 'pgsql';
    remedies();
    $pair->is_settled('in the end');
    $pair->stop;
});

done_testing();
