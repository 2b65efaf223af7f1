#!/usr/bin/perl

# A delete that is applied can change other rows here: by a foreign key with
# ON DELETE SET NULL, by a trigger of the application. When the same batch
# deletes these rows too, nothing is left of such a change: a deleted record
# does not come back as a new one. When it updates these rows, such a change does
# not bring back what they were before.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table tree (id integer not null primary key, name varchar(20) unique,
    tree_id integer references tree (id) on delete set null) {engine};
create table authors (id integer not null primary key, name varchar(20),
    posts integer) {engine};
create table posts (id integer not null primary key, author_id integer,
    title varchar(20)) {engine};
SQL
my $models = <<'CONF';
CommunicatorModel tree    table=tree     references=tree_id:tree
CommunicatorModel author  table=authors  except=posts
CommunicatorModel post    table=posts    references=author_id:author
CONF

# On NODE the application counts the posts of an author, and adds a dash to the
# author's name for each that is gone.
sub count_posts {
    my ($node) = @_;
    my $database = $node->database;
    my $name = $database->driver eq 'mysql' ? "concat(name, '-')"
      : "name || '-'";
    my $change = "update authors set posts = posts - 1, name = $name "
      . 'where id = old.author_id';

    return $database->run(<<"SQL") if $database->driver eq 'pgsql';
create function fewer() returns trigger language plpgsql as
    \$\$ begin $change; return null; end \$\$;
create trigger fewer after delete on posts for each row
    execute function fewer();
SQL
    $database->run($database->driver eq 'mysql'
        ? "create trigger fewer after delete on posts for each row $change;"
        : "create trigger fewer after delete on posts begin $change; end;");
}

sub deleted {
    my ($pair, $here, $there, $name) = @_;
    my $keys = $here->driver eq 'sqlite3' ? 'pragma foreign_keys=on;' : '';

    $here->run("$keys begin; delete from tree; delete from posts; "
        . 'delete from authors; commit;');
    $pair->{central}->sync_ok for 1 .. 3;
    for my $database ($here, $there) {
        is($database->value("select count(*) from $_"), 0,
            "$name: no row of $_ comes back") for qw(tree posts authors);
    }
}

# The name is free for the new root only after the old one is deleted, and the
# leaf waits for the new root: so the old one's delete comes first.
sub replaced {
    my ($pair, $here, $there, $name) = @_;
    my $keys = $here->driver eq 'sqlite3' ? 'pragma foreign_keys=on;' : '';
    my $sql = 'select l.name, r.name from tree l left join tree r '
      . "on r.id = l.tree_id where l.name in ('old', 'new')";

    $here->run(<<'SQL');
insert into tree (id, name) values (10, 'root');
insert into tree (id, name, tree_id) values (11, 'old', 10);
SQL
    $pair->{central}->sync_ok for 1, 2;
    $here->run("$keys begin; delete from tree where id = 10; "
        . "insert into tree (id, name) values (12, 'root'); "
        . "update tree set name = 'new', tree_id = 12 where id = 11; commit;");
    $pair->{central}->sync_ok for 1 .. 3;
    is_deeply($_->rows($sql), [['new', 'root']],
        "$name: a leaf of a new root") for $here, $there;
}

# The trigger changes an author twice whom the same batch changes, too.
sub counted {
    my ($pair, $here, $there, $name) = @_;
    my $before = $there->numbered;

    $here->run("begin; update authors set name = 'moved' where id = 1; "
        . 'delete from posts; commit;');
    $pair->{central}->sync_ok for 1 .. 3;
    is($there->numbered - $before, 1,
        "$name: two changes of an author are one message");
    is($_->value("select count(*) from authors where name = 'moved----'"), 1,
        '  and both sides have it') for $here, $there;
    $here->run('insert into posts (id, author_id, title) '
        . "values (3, 1, 'p'), (4, 1, 'q');");
    $pair->{central}->sync_ok;
}

sub fill {
    my ($pair, $here, $there) = @_;

    $here->run(<<'SQL');
insert into tree (id, name) values (1, 'a');
insert into tree (id, name, tree_id) values (2, 'b', 1);
insert into tree (id, name, tree_id) values (3, 'c', 2);
insert into authors (id, name, posts) values (1, 'x', 2), (2, 'y', 0);
insert into posts (id, author_id, title) values (1, 1, 'p'), (2, 1, 'q');
SQL
    $pair->{central}->sync_ok for 1, 2;
    is($there->value('select count(*) from posts'), 2, 'records arrive');
}

Communicator::Test::Pair->for_each(
    [qw(sqlite3-sqlite3 pgsql-sqlite3 mysql-pgsql pgsql-mysql)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => $models,
        before => \&count_posts);

    for ([$pair->databases], [reverse $pair->databases]) {
        my ($here, $there) = @$_;

        replaced($pair, $here, $there,
            $here == $pair->central ? 'pushed' : 'pulled');
        fill($pair, $here, $there);
        counted($pair, $here, $there,
            $here == $pair->central ? 'pushed' : 'pulled');
        deleted($pair, $here, $there,
            $here == $pair->central ? 'pushed' : 'pulled');
    }
    $pair->{facade}->log_has_only;
    $pair->stop;
});

done_testing();
