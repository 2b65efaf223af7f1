#!/usr/bin/perl

# A record whose key changes stays the same record, and its children stay its
# children, whatever foreign keys do: the key is each database's own affair.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;
use Communicator::Test::Session;

my ($pair, $here, $there);
my $many = 1000;

my $models = <<'CONF';
CommunicatorBatch 300
CommunicatorModel parent table=parents
CommunicatorModel child  table=children references=parent_id:parent
CommunicatorModel leader table=leaders
CommunicatorModel other  table=others references=leader_id:leader
CommunicatorModel strict table=stricts references=parent_id:parent
CommunicatorModel loose  table=loose references=parent_id:parent
CommunicatorModel note   table=notes references=subject_id:{subject}
CommunicatorModel zero   table=zeros references=parent_id:parent?0
CONF

# The facade allows no other key, and no delete, of those who have "stricts".
sub tables {
    my ($database, $name) = @_;
    my $rule = $name eq 'facade' ? 'restrict' : 'cascade';

    return <<"SQL";
create table parents (id {key}, title varchar(40)) {engine};
create table children (id {key}, body varchar(40), parent_id bigint not null,
    foreign key (parent_id) references parents (id)
    on update cascade on delete cascade) {engine};
create table leaders (id {key}, title varchar(40)) {engine};
create table others (id {key}, body varchar(40), leader_id bigint,
    foreign key (leader_id) references leaders (id)
    on update set null on delete set null) {engine};
create table stricts (id {key}, body varchar(40), parent_id bigint,
    foreign key (parent_id) references parents (id)
    on update $rule on delete $rule) {engine};
create table loose (id {key}, body varchar(40), parent_id bigint) {engine};
create table zeros (id {key}, body varchar(40), parent_id bigint) {engine};
create table notes (id {key}, body varchar(40), subject varchar(40),
    subject_id bigint) {engine};
SQL
}

# Other numbers there than here.
sub before {
    my ($node) = @_;

    return unless $node->name eq 'facade';
    $node->database->run("insert into parents (title) values ('gone')")
      for 1, 2;
    $node->database->run('delete from parents');
}

# Each child with its parent, by their words.
sub families {
    my ($database, $table, $parents) = @_;
    my $column = $parents || 'parents';

    $column =~ s/s$/_id/;
    return $database->rows("select c.body, p.title from $table c left join "
        . ($parents || 'parents') . " p on p.id = c.$column order by 1, 2");
}

# What is counted must not change.
sub counts {
    my $mappings = '(select count(*) from communicator_mappings';

    return [map { @{ $_->rows("select $mappings), "
        . "$mappings where deleted_at > 0)")->[0] } } $here, $there];
}

# Synchronise, and expect that nobody was lost or made again. MADE: records that
# are new. (What refers to a key that another record has had is sent again.)
sub all_stay {
    my ($what, $changed, $made) = @_;
    my $other = $changed == $here ? $there : $here;
    my $parents = 'select id from parents order by id';
    my $children = 'select id from children order by id';
    my @before = ($other->rows($parents), map { $_->rows($children) } $here,
        $there);
    my $counts = counts();

    $pair->sync($what);
    for my $table (qw(children stricts)) {
        is_deeply(families($there, $table), families($here, $table),
            "$what: $table are the same families");
    }
    # SQLite need not enforce foreign keys, so what refers to a key that another
    # record has taken is sent again.
    if ($made || $changed->driver eq 'sqlite3') {
        $pair->sync("$what: once more");
    }
    else {
        is_deeply([$other->rows($parents), map { $_->rows($children) } $here,
            $there], \@before, "$what: all are where they were");
        is_deeply(counts(), $counts, "$what: nobody was deleted or made");
    }
    $pair->is_settled($what);
}

sub fill {
    my @parents = map { "('p$_')" } 1 .. $many;
    my $list = join ', ', @parents;

    $here->run("insert into parents (title) values $list");
    $here->run('insert into children (body, parent_id) '
        . "select title, id from parents");
    $pair->sync('what is there');
}

sub thousand {
    for my $database ($here, $there) {
        my $name = $database == $here ? 'here' : 'there';

        change($database, 'update parents set id = id + 100000');
        all_stay("all keys changed $name", $database);
        my $other = $database->driver eq 'mysql'
          ? "concat(title, '!')" : "title || '!'";
        change($database,
            "update parents set id = id - 100000, title = $other");
        all_stay("and back, with another title, $name", $database);
    }
}

# Run SQL as the application does.
sub change {
    my ($database, $sql) = @_;
    my $sqlite = $database->driver eq 'sqlite3';

    $sql =~ s/\bbegin\b/begin immediate/ if $sqlite;
    $database->run(($sqlite ? 'pragma foreign_keys = on; ' : '') . $sql);
}

sub id_of {
    my ($database, $title) = @_;

    return $database->value("select id from parents where title = '$title'");
}

sub exchanges {
    my ($database, $name) = @_;
    my ($a, $b, $c);

    $database->run("insert into parents (title) values ('a$name'), ('b$name'), "
        . "('c$name')");
    ($a, $b, $c) = map { id_of($database, "$_$name") } qw(a b c);
    $database->run('insert into children (body, parent_id) values '
        . "('a$name', $a), ('b$name', $b), ('c$name', $c)");
    $pair->sync("three more $name");
    change($database, "begin;
update parents set id = 999999 where id = $c;
update parents set id = $c where id = $b;
update parents set id = $b where id = $a;
update parents set id = $a where id = 999999;
commit;");
    all_stay("keys go round $name", $database);
    change($database, "begin;
update parents set id = 999999 where id = $c;
update children set body = 'moved$name' where parent_id = 999999;
update children set parent_id = 999999 where body = 'a$name';
update parents set id = $c where id = 999999;
commit;");
    all_stay("and back $name", $database);
    ($a, $b) = map { id_of($database, "$_$name") } qw(a b);
    change($database, "begin;
update children set parent_id = $b where body = 'a$name';
update parents set id = 666666 where id = $b;
update parents set id = $b where id = $a;
commit;");
    all_stay("a child moves, and another parent takes the key $name",
        $database);
    ($a, $b) = map { id_of($database, "$_$name") } qw(a b);
    change($database, "begin;
update parents set id = 888888 where id = $a;
insert into parents (id, title) values ($a, 'new$name');
insert into children (body, parent_id) values ('new$name', $a);
update parents set title = 'A$name' where id = 888888;
commit;");
    all_stay("a new record takes the key $name", $database, 1);
    change($database, "begin;
update parents set id = $a + 1000000 where id = $a;
update parents set id = $a where id = 888888;
commit;");
    all_stay("and gives it back $name", $database);
    change($database, "begin;
update parents set id = 777777 where id = $b;
delete from parents where id = 777777;
commit;");
    $pair->sync("changed and deleted $name");
    $pair->both_have("select title from parents where title = 'b$name'", [],
        'is deleted');
    $pair->both_have("select body from children where body = 'b$name'", [],
        'and its child');
    $pair->sync('what a cascade has deleted');
    $pair->is_settled("changed and deleted $name");
}

# A foreign key forgets a key that changes. No trigger of MariaDB sees that:
# there, the record is another one.
sub forgotten {
    my ($database, $name) = @_;
    my $leader;

    $database->run("insert into leaders (title) values ('$name')");
    $leader = $database->value("select id from leaders where title = '$name'");
    $database->run('insert into others (body, leader_id) values '
        . "('$name', $leader)");
    $pair->sync("a leader $name");
    change($database, 'update leaders set id = id + 1000');
    $pair->sync("another key $name");
    is_deeply(families($_, 'others', 'leaders')->[-1], [$name, undef],
        'nobody refers to it') for $here, $there;
    $pair->both_have("select title from leaders where title = '$name'",
        [[$name]], 'it is there');
    $pair->sync('what a cascade has deleted');
    $pair->is_settled("another key $name");
}

# Without a foreign key the application changes the reference itself, here
# before the key. Borders between batches lie between the two.
sub loose {
    my ($database, $name) = @_;
    my $id;

    $database->run("insert into parents (title) values ('l$name')");
    $id = id_of($database, "l$name");
    $database->run("insert into loose (body, parent_id) values ('$name', $id)");
    $pair->sync("a child without a foreign key $name");
    change($database, "begin;
update loose set parent_id = 4444444 where body = '$name';
insert into loose (body) select 'x' from parents;
update parents set id = 4444444 where id = $id;
commit;");
    $pair->sync("it follows its parent's key $name") for 1, 2;
    is_deeply([grep { $_->[0] eq $name } @{ families($_, 'loose') }],
        [[$name, "l$name"]], 'and has the same parent') for $here, $there;
    change($database, "update parents set id = $id where id = 4444444;
update loose set parent_id = $id where parent_id = 4444444;
delete from loose where body = 'x'");
    $pair->sync("and back $name");
    is_deeply([grep { $_->[0] eq $name } @{ families($_, 'loose') }],
        [[$name, "l$name"]], 'and has the same parent') for $here, $there;
    $pair->is_settled("loose $name");
}

# Without a foreign key a child may keep the former key: it follows its parent,
# as on the other side, even twice before a run, or while another run is late.
sub left_behind {
    my ($database, $name) = @_;
    my $id;

    $database->run("insert into parents (title) values ('b$name')");
    $id = id_of($database, "b$name");
    $database->run("insert into loose (body, parent_id) values ('$name 2', $id)");
    $database->run('insert into notes (body, subject, subject_id) values '
        . "('$name', 'Parent', $id), ('$name', 'parent', $id), "
        . "('$name', 'leader', $id)");
    $pair->sync("a child that will be left behind $name");
    change($database, "update parents set id = 5555555 where id = $id");
    change($database, 'update parents set id = 5555556 where id = 5555555');
    $pair->sync("its parent gets another key $name");
    change($database, 'update parents set id = 5555557 where id = 5555556');
    $pair->sync("and another one $name") for 1 .. 3;
    is($database->value("select parent_id from loose where body = '$name 2'"),
        5555557, 'the child has followed');
    is_deeply($database->rows('select subject, subject_id from notes '
            . "where body = '$name' order by id"),
        [['Parent', 5555557], ['parent', 5555557], ['leader', $id]],
        'and what names its model, and nothing else');
    is_deeply([grep { $_->[0] eq "$name 2" } @{ families($_, 'loose') }],
        [["$name 2", "b$name"]], 'and has the same parent')
      for $here, $there;
    change($database, "insert into zeros (body, parent_id) values ('$name', 0)");
    change($database, 'update parents set id = 0 where id = 5555557');
    change($database, "update parents set id = $id where id = 0");
    $pair->sync("and back $name") for 1, 2;
    is($database->value("select parent_id from loose where body = '$name 2'"),
        $id, 'the child, too');
    is($_->value("select parent_id from zeros where body = '$name'"), 0,
        'but what refers to none does not follow') for $here, $there;
    $pair->is_settled("left behind $name");
}

# Where another record takes the former key at once, the child refers to that
# one from now on: so it does on the other side.
sub taken_at_once {
    my ($database, $name) = @_;
    my ($first, $second) = map { "$_$name" } qw(f s);

    $database->run("insert into parents (title) values ('$first'), ('$second')");
    my @ids = map { id_of($database, $_) } $first, $second;
    $database->run('insert into loose (body, parent_id) values '
        . "('$name 4', $ids[0])");
    $pair->sync("a child and two parents $name");
    change($database, "update parents set id = 7777777 where id = $ids[0];
update parents set id = $ids[0] where id = $ids[1];");
    $pair->sync("one parent takes the key of the other $name") for 1, 2;
    is_deeply([grep { $_->[0] eq "$name 4" } @{ families($_, 'loose') }],
        [["$name 4", $second]], 'it refers to the one that has the key')
      for $here, $there;
    $pair->is_settled("taken at once $name");
}

# The same with a child that comes from the other side while the key is being
# changed: nothing tells whoever applies its message.
sub comes_between {
    my ($database, $name) = @_;
    my $other = $database == $here ? $there : $here;
    my $session = Communicator::Test::Session->new($database);
    my ($id, $id_there);

    $database->run("insert into parents (title) values ('c$name')");
    $pair->sync("a parent $name");
    ($id, $id_there) = map { id_of($_, "c$name") } $database, $other;
    $session->run('set session transaction isolation level read committed;')
      if $database->driver eq 'mysql';
    $session->run("begin; update parents set id = 6666666 where id = $id; "
        . "update loose set parent_id = 6666666 where parent_id = $id;");
    $other->run("insert into loose (body, parent_id) "
        . "values ('$name 3', $id_there)");
    $pair->sync("its child comes while its key is being changed $name");
    $session->run('commit;');
    $session->stop;
    $pair->sync("and is committed $name") for 1, 2;
    is_deeply([grep { $_->[0] eq "$name 3" } @{ families($_, 'loose') }],
        [["$name 3", "c$name"]], 'both sides have the same parent')
      for $here, $there;
    $pair->is_settled("comes between $name");
}

sub refused {
    my $id;

    $here->run("insert into parents (title) values ('strict')");
    $id = id_of($here, 'strict');
    $here->run("insert into stricts (body, parent_id) values ('s', $id)");
    $pair->sync('a child that holds its parent there');
    change($here, "update parents set id = id + 5000000 where id = $id");
    all_stay('another key here', $here);
}

sub finish {
    my $run = $pair->{central}->sync('verify');

    is($run->{exit}, 0, 'verify') or diag($run->{out}, $run->{err});
}

Communicator::Test::Pair->for_each(Communicator::Test::Pair->few, sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => $models, before => \&before);
    ($here, $there) = $pair->databases;
    fill();
    thousand();
    exchanges($here, 'here');
    exchanges($there, 'there');
    forgotten($here, 'here');
    forgotten($there, 'there');
    loose($here, 'here');
    loose($there, 'there');
    left_behind($here, 'here');
    left_behind($there, 'there');
    taken_at_once($here, 'here');
    taken_at_once($there, 'there');
    comes_between($here, 'here') if $_[0] ne 'sqlite3';
    comes_between($there, 'there') if $_[1] ne 'sqlite3';
    refused();
    finish();
    $pair->stop;
});

done_testing();
