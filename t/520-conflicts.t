#!/usr/bin/perl

# Changes of one record on both sides: what wins, and that what loses is
# kept; what is parked, and when it goes on.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table posts (id {key}, title varchar(80), body {text}) {engine};
create table notes (id {key}, title varchar(80)) {engine};
create table pages (id {key}, title varchar(80)) {engine};
create table tags (id {key}, name varchar(40) unique, color varchar(40))
    {engine};
create table slots (id {key}, name varchar(40)) {engine};
create table uses (id {key}, tag_id bigint, slot_id bigint, what varchar(40))
    {engine};
SQL

my $models = <<'CONF';
CommunicatorModel post  table=posts
CommunicatorModel note  table=notes  conflict=central
CommunicatorModel page  table=pages  conflict=hold
CommunicatorModel tag   table=tags   match=name
CommunicatorModel slot  table=slots
CommunicatorModel use   table=uses   references=tag_id:tag,slot_id:slot
CONF

my $hour = 3600e6;

# Run SQL as the application of DATABASE, at CLOCK (microseconds).
sub change {
    my ($database, $sql, $clock) = @_;

    $database->run("$sql; update outbound_messages set clock = $clock "
        . 'where seq is null and clock > 0;');
}

# The conflicts that DATABASE has noted since the last look, without clocks.
sub conflicts {
    my ($database) = @_;
    my $rows = $database->rows('select model, column_name, lost_value, '
        . 'won_value, case when lost_clock is null or lost_clock = 0 or '
        . 'won_clock is null or won_clock = 0 then 1 else 0 end '
        . 'from communicator_conflicts order by id');

    $database->run('delete from communicator_conflicts;');
    return [map { join ' ', map { $_ // '-' } @$_ } @$rows];
}

sub both_note {
    my ($pair, $want, $name) = @_;

    is_deeply(conflicts($_->database), $want, $_->name . ": $name")
      for $pair->nodes;
}

# A record of TABLE that both sides have, made at time 0.
sub begin {
    my ($pair, $table) = @_;
    my $id = $pair->{id}++;

    change($pair->central, "delete from $table", 1e15) if $id;
    $pair->sync("an end of $table") if $id;
    conflicts($_) for $pair->databases;
    change($pair->central, "insert into $table (title) values ('old')",
        1e15 + $hour);
    $pair->sync("a beginning of $table");
}
sub clock { return sprintf '%.0f', 1e15 + $_[0] * $hour }

sub test_newest {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    begin($pair, 'posts');
    change($central, "update posts set title = 'c'", clock(2));
    change($facade, "update posts set body = 'f'", clock(3));
    $pair->sync('two columns');
    $pair->both_have('select title, body from posts', [[qw(c f)]],
        'changes of two columns merge');
    both_note($pair, [], 'and are no conflict');

    change($central, "update posts set title = 'newer'", clock(5));
    change($facade, "update posts set title = 'older', body = 'g'", clock(4));
    $pair->sync('one column');
    $pair->both_have('select title, body from posts', [[qw(newer g)]],
        'of one column the newer change wins');
    both_note($pair, ['post title "older" "newer" 0'],
        'what lost is kept, once');

    change($facade, "update posts set title = 'then'", clock(6));
    $pair->sync('a change');
    change($central, "update posts set title = 'than'", clock(7));
    $pair->sync('and one that knows it');
    $pair->both_have('select title from posts', [['than']], 'in sequence');
    both_note($pair, [], 'is no conflict');

    change($central, "update posts set title = 'a'", clock(8));
    change($facade, "update posts set title = 'b'", clock(8));
    $pair->sync('at the same microsecond');
    $pair->both_have('select title from posts', [['b']],
        'on equal clocks the greater value wins');
    both_note($pair, ['post title "a" "b" 0'], 'which is a conflict, too');

    change($central, "update posts set title = 'fast'", clock(99));
    $pair->sync('a fast clock');
    change($facade, "update posts set title = 'slow'", clock(9));
    $pair->sync('a later change by a slow clock');
    $pair->both_have('select title from posts', [['slow']],
        'a fast clock does not win for ever');
    $pair->is_settled('newest');
}

sub test_delete {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    begin($pair, 'posts');
    change($central, 'delete from posts', clock(2));
    change($facade, "update posts set title = 'late'", clock(3));
    $pair->sync('a delete against a later change');
    $pair->both_have('select title from posts', [], 'the delete wins');
    both_note($pair, ['post title "late" - 0'], 'the change is kept');

    begin($pair, 'posts');
    change($central, "update posts set body = 'more'", clock(3));
    change($facade, 'delete from posts', clock(2));
    $pair->sync('a delete on the other side');
    $pair->both_have('select title from posts', [], 'the delete wins');
    both_note($pair, ['post body "more" - 0'], 'the change is kept');

    begin($pair, 'posts');
    change($central, "update posts set title = 'mine'", clock(2));
    change($facade, "update posts set body = 'theirs'", clock(3));
    $pair->{central}->sync_ok('pull');
    change($facade, 'delete from posts', clock(4));
    $pair->sync('a delete after a change of another column');
    both_note($pair, ['post title "mine" - 0'],
        'a change is kept that the delete did not know, though it is older');
    $pair->is_settled('deletes');
}

sub test_node {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    begin($pair, 'notes');
    change($central, "update notes set title = 'central'", clock(2));
    change($facade, "update notes set title = 'facade'", clock(3));
    $pair->sync('conflict=central');
    $pair->sync('and what central says again');
    $pair->both_have('select title from notes', [['central']],
        'conflict=central: the older change of central wins');
    is_deeply(conflicts($central), ['note title "facade" "central" 0'],
        'what lost is kept');
    change($facade, "update notes set title = 'facade'", clock(4));
    $pair->sync('a change that knows it');
    $pair->both_have('select title from notes', [['facade']],
        'changes of the facade count');
    $pair->is_settled('conflict=central');
}

sub test_hold {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    begin($pair, 'pages');
    change($central, "update pages set title = 'central'", clock(2));
    change($facade, "update pages set title = 'facade'", clock(3));
    $pair->sync('conflict=hold', 65);
    is($central->value('select title from pages'), 'central',
        'both sides keep what they have');
    is($facade->value('select title from pages'), 'facade', '  for now');
    like(($pair->parked($_))[-1], qr/'title' was changed on both sides/,
        'parked with the reason') for $central, $facade;
    change($facade, "insert into pages (title) values ('another')", clock(4));
    $pair->sync('another record');
    is($central->value("select count(*) from pages where title = 'another'"),
        1, 'other records go on');
    $facade->run("delete from pages where title = 'another';");
    decide($pair, 'retry', 'facade', 'takes theirs');

    change($central, "update pages set title = 'ours'", clock(20));
    change($facade, "update pages set title = 'theirs'", clock(30));
    $pair->sync('conflict=hold', 65);
    decide($pair, 'discard', 'ours', 'keeps ours');

    change($central, "update pages set title = 'one'", clock(40));
    change($facade, "update pages set title = 'two'", clock(50));
    $pair->sync('conflict=hold', 65);
    change($facade, "update pages set title = 'three'", clock(60));
    $pair->sync('a further change');
    is($central->value('select title from pages'), 'one',
        'a further change there decides nothing here');
    is(scalar(() = $pair->parked($central)), 2, '  and waits, too');
    decide_first($pair);
    $pair->both_have('select title from pages', [['three']],
        'until a person has taken what is theirs');
    $pair->is_settled('conflict=hold');
}

# A person at central takes the first message that is parked there, and with it
# what its author did later.
sub decide_first {
    my ($pair) = @_;
    my $id = $pair->central->value('select min(id) from inbound_messages '
        . 'where processed_at is null');

    $pair->{central}->sync_ok('retry', 'facade', $id);
    $pair->sync('a decision');
}

# A person decides at central by COMMAND; the facade is told.
sub decide {
    my ($pair, $command, $want, $what) = @_;
    my $id = $pair->central->value(
        'select id from inbound_messages where processed_at is null');

    $pair->{central}->sync_ok($command, 'facade', $id);
    $pair->sync("$command at one side $what");
    $pair->both_have('select title from pages', [[$want]],
        'both sides are told');
    is_deeply([map { $pair->parked($_) } $pair->databases], [],
        'and nothing waits for anybody');
}

# Both sides make the same tag before they hear of each other.
sub test_match {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    for my $database ($facade, $central) {
        my $is_central = $database == $central;
        change($database, "insert into tags (name, color) values ('red', '"
            . ($is_central ? 'ruby' : 'rose') . "'), ('$is_central', 'x')",
            clock(1 + $is_central));
        change($database, 'insert into uses (what, tag_id) select '
            . "'use$is_central', id from tags where name = 'red'", clock(3));
    }
    $pair->sync('the same record on both sides');
    $pair->both_have('select name, color from tags order by name',
        [['', 'x'], [qw(1 x)], [qw(red ruby)]], 'match=: it is adopted');
    $pair->both_have('select u.what, t.name from uses u join tags t '
        . 'on t.id = u.tag_id order by u.what',
        [[qw(use red)], [qw(use1 red)]], 'and referred to');
    change($facade, "update tags set color = 'rust' where name = 'red'",
        clock(4));
    $pair->sync('a change at the facade');
    $pair->both_have("select color from tags where name = 'red'",
        [['rust']], 'from then on it is one record');
    change($central, "update tags set color = 'pink' where name = 'red'",
        clock(6));
    $pair->sync('a change at central');
    $pair->both_have("select color from tags where name = 'red'",
        [['pink']], 'on both sides');
    $pair->is_settled('match=');
    change($central, "delete from tags where name = 'red'", clock(7));
    $pair->sync('a delete');
    $pair->both_have('select count(*) from tags', [[2]], 'until it goes');
}

# At the facade names of slots are unique, and this one is taken.
sub test_parked {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    $facade->run('create unique index slots_name on slots (name);');
    $facade->run("insert into slots (name) values ('a');");
    $central->run("insert into slots (name) values ('a'), ('b');"
        . 'insert into uses (what, slot_id) select name, id from slots;');
    $pair->sync('a name that is taken is parked there, and said here', 65);
    my @parked = $pair->parked($facade);
    is(scalar @parked, 2, 'the record, and what refers to it');
    like($parked[1], qr/is not here yet/, '  which waits');
    is($facade->value("select count(*) from uses where what = 'b'"), 1,
        'others go on');
    $central->run("update slots set name = 'aa' where name = 'a' and id = "
        . '(select m from (select min(id) as m from slots) s);');
    $pair->sync('a later change of the same record');
    is(scalar(() = $pair->parked($facade)), 0,
        'a message that mends it releases it, and what waits for it');

    $central->run("insert into slots (name) values ('a');"
        . 'insert into uses (what, slot_id) select name, id from slots '
        . "where name = 'a' and id = (select max(id) from slots);");
    $pair->sync('taken again', 65);
    is(scalar(() = $pair->parked($facade)), 2, 'parked again');
    $facade->run("update slots set name = 'c' where name = 'a';");
    $pair->sync('the cause is gone');
    is(scalar(() = $pair->parked($facade)), 0,
        'the next run releases it there by itself');
    $pair->both_have('select s.name, u.what from slots s left join uses u '
        . 'on u.slot_id = s.id order by s.name, u.what',
        [[qw(a a)], [qw(aa a)], [qw(b b)], ['c', undef]],
        'both sides are equal');
    $pair->is_settled('what was parked');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-sqlite3 mysql-pgsql sqlite3-mysql)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => $models);

    $_->($pair) for \&test_newest, \&test_delete, \&test_node,
      \&test_match, \&test_parked, \&test_hold;
    $pair->stop;
});

done_testing();
