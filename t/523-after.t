#!/usr/bin/perl

# CommunicatorAfterApply: counters and a nested set follow what is received, on
# both sides; what fails is reported, run again, and holds up no message.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(folder slurp spew);
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table posts (id {key}, title varchar(80),
    comments_count integer not null default 0) {engine};
create table comments (id {key}, post_id bigint not null) {engine};
create table categories (id {key}, name varchar(80), parent_id bigint,
    lft integer, rgt integer) {engine};
create table totals (id integer not null primary key,
    posts integer not null) {engine};
SQL

my $models = <<'CONF';
CommunicatorModel post      table=posts except=comments_count
CommunicatorModel comment   table=comments references=post_id:post
CommunicatorModel category  table=categories references=parent_id:category \
                            except=lft,rgt
CommunicatorModel total     table=totals keys=shared
CONF

my $count = 'update posts set comments_count = (select count(*) from comments '
  . 'where comments.post_id = posts.id) where comments_count <> (select '
  . 'count(*) from comments where comments.post_id = posts.id)';

# The place of a row in the depth-first order of the tree, and how many rows are
# below it, give both numbers.
my $tree = <<'SQL';
with recursive tree (id, depth, path) as (
    select id, 0, '/' || cast(1000000 + id as varchar(20))
    from categories where parent_id is null
    union all
    select c.id, t.depth + 1, t.path || '/' || cast(1000000 + c.id as varchar(20))
    from categories c join tree t on c.parent_id = t.id),
places as (select id, 2 * row_number() over (order by path) - 1 - depth as lft,
    (select count(*) from tree d where d.path like t.path || '/%') as below
    from tree t)
update categories set lft = p.lft, rgt = p.lft + 2 * p.below + 1
from places p where p.id = categories.id
SQL

# The function of the guide.
my $guide = <<'SQL';
CREATE FUNCTION rebuild_categories() RETURNS void LANGUAGE sql AS $$
WITH RECURSIVE tree (id, depth, path) AS (
    SELECT id, 0, ARRAY[id] FROM categories WHERE parent_id IS NULL
    UNION ALL
    SELECT c.id, t.depth + 1, t.path || c.id FROM categories c JOIN tree t
        ON c.parent_id = t.id),
places AS (
    SELECT id, 2 * row_number() OVER (ORDER BY path) - 1 - depth AS lft,
        (SELECT count(*) FROM tree d WHERE d.path[:t.depth + 1] = t.path
            AND d.depth > t.depth) AS below
    FROM tree t)
UPDATE categories SET lft = p.lft, rgt = p.lft + 2 * p.below + 1
FROM places p WHERE p.id = categories.id
$$;
SQL

my %routine = (
    sqlite3 => '',
    pgsql => "create function count_comments() returns void language sql as "
      . "'$count';\n$guide",
    mysql => "create procedure count_comments() $count;\n",
);

# The tree is not rebuilt on MariaDB here.
sub actions {
    my ($driver, $name) = @_;
    my %counts = (sqlite3 => $count, pgsql => 'SELECT count_comments()',
        mysql => 'CALL count_comments()');
    my %trees = (sqlite3 => $tree =~ s/\s*\n\s*/ /gr,
        pgsql => 'SELECT rebuild_categories()');

    return join '', map { "CommunicatorAfterApply $_\n" }
      "comment,post \"$counts{$driver}\"",
      ($trees{$driver} ? "category \"$trees{$driver}\"" : ()),
      "post \"update totals set posts = (select count(*) from posts)\"",
      'comment "delete from hot_pages"';
}

sub conf {
    my ($database, $name) = @_;

    return $models . actions($database->driver, $name);
}

sub counts {
    my ($pair, $want, $name) = @_;

    $pair->both_have('select title, comments_count from posts order by title',
        $want, $name);
}

sub trees {
    my ($pair, $want, $name) = @_;

    for my $node ($pair->nodes) {
        next if $node->database->driver eq 'mysql';
        is_deeply($node->database->rows('select name, lft, rgt from categories '
            . 'order by name'), $want, $node->name . ": $name");
    }
}

sub test_derived {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    $_->run('create table hot_pages (id integer);'
        . "insert into hot_pages values (1);") for $central, $facade;
    $central->run('insert into totals (id, posts) values (1, 0);'
        . "insert into posts (title) values ('a'), ('b');"
        . 'insert into comments (post_id) select id from posts;'
        . 'insert into comments (post_id) select min(id) from posts;');
    $facade->run("insert into categories (name) values ('root');"
        . 'insert into categories (name, parent_id) '
        . "select 'left', id from categories;"
        . 'insert into categories (name, parent_id) '
        . "select 'right', id from categories where name = 'root';");
    $pair->sync('posts, and a tree');
    is_deeply($facade->rows('select title, comments_count from posts '
        . 'order by title'), [['a', 2], ['b', 1]], 'the facade counts');
    is($facade->value('select count(*) from hot_pages'), 0,
        'every statement for the model is run');
    is($central->value('select posts from totals'), 2,
        'what a statement changes is sent, in the same run');
    $facade->run("insert into comments (post_id) select id from posts where "
        . "title = 'b';"
        . "insert into categories (name, parent_id) "
        . "select 'leaf', id from categories where name = 'left';");
    $central->run('insert into comments (post_id) select id from posts '
        . "where title = 'b';");
    $pair->sync('comments from both sides');
    is($central->value("select comments_count from posts where title = 'b'"),
        3, 'central counts');
    is($facade->value("select comments_count from posts where title = 'b'"),
        3, 'the facade, too');
    $facade->run('update categories set name = name;');
    $central->run("update categories set name = 'middle' where name = 'left';");
    $pair->sync('a name');
    trees($pair, [['leaf', 3, 4], ['middle', 2, 5], ['right', 6, 7],
        ['root', 1, 8]], 'the nested set follows');
}

sub test_failure {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    $_->run('drop table hot_pages;') for $central, $facade;
    $facade->run("insert into comments (post_id) select id from posts where "
        . "title = 'a';");
    my $run = $pair->{central}->sync;

    is($run->{exit}, 78, 'a statement that fails gives an exit status');
    like($run->{err}, qr/CommunicatorAfterApply comment failed: .*hot_pages/,
        '  and is reported');
    is($central->value('select count(*) from comments'), 6,
        '  but the messages are applied');
    is($central->value("select comments_count from posts where title = 'a'"),
        3, '  and the other statement has run');
    like($pair->{central}->sync('status')->{out}, qr/AfterApply comment/,
        'status shows it');
    $run = $pair->{central}->sync;
    is($run->{exit}, 78, 'it fails again, without any message');
    $central->run('create table hot_pages (id integer);');
    $pair->sync('it is run again until it succeeds');
    unlike($pair->{central}->sync('status')->{out}, qr/AfterApply/,
        '  and is no longer shown');
    is($central->value('select count(*) from communicator_after'), 0,
        '  nothing is left to do');

    $central->run('delete from comments where post_id = '
        . "(select id from posts where title = 'b');");
    $pair->sync('a failure at the facade does not concern the client');
    is($facade->value('select count(*) from comments'), 3,
        '  the messages are applied there');
    ok((grep { /CM0045: .*hot_pages/ } $pair->{facade}->log_lines),
        '  its log reports it');
    $facade->run('create table hot_pages (id integer);');
    $pair->sync('the next run');
    is($facade->value('select count(*) from communicator_after'), 0,
        '  has it run again there, too');
    is_deeply([map { $_->value('select count(*) from communicator_problems') }
        $central, $facade], [0, 0], '  and the problem is over');
}

# A program that the client starts.
sub test_program {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;
    my $node = $pair->{central};
    my $dir = folder('program');
    my $told = sub {
        my $text = -e "$dir/told" ? slurp("$dir/told") : '';

        unlink "$dir/told";
        return [map { join ' ', sort split } split /\n/, $text];
    };

    spew("$dir/program", "#!/bin/sh\necho \"\$\@\" >>$dir/told\n"
        . "test ! -e $dir/fails\n");
    chmod 0755, "$dir/program";
    $node->configure(
        client_conf => "CommunicatorAfterApplyCommand \"$dir/program -q\"\n");
    like($node->sync('check')->{out}, qr/^ok +CommunicatorAfterApplyCommand/m,
        'check looks at the program');
    $central->run("insert into categories (name) values ('mine');");
    $pair->sync('what is sent');
    is_deeply($told->(), [], 'starts no program');
    $facade->run("insert into posts (title) values ('theirs');"
        . 'insert into comments (post_id) select min(id) from posts;');
    $pair->sync('what is received');
    is_deeply($told->(), ['-q comment post'], 'starts it once, with the models');
    $pair->sync('nothing');
    is_deeply($told->(), [], 'starts it not');

    spew("$dir/fails", '');
    $facade->run("update posts set title = 'changed' where title = 'theirs';");
    my $run = $node->sync;

    is($run->{exit}, 74, 'a program that fails gives an exit status');
    like($run->{err}, qr/CommunicatorAfterApplyCommand .*program.* status 1/,
        '  and is reported');
    like($node->sync('status')->{out}, qr/AfterApplyCommand/, '  also by status');
    for my $title ('again', 'once more') {
        $facade->run("update posts set title = '$title' "
            . "where title <> '$title' and id = (select m from "
            . '(select max(id) as m from posts) as newest);');
        $node->sync;
    }
    is($central->value('select count(*) from communicator_after'), 1,
        '  and one note is enough, however often it fails');
    $told->();
    unlink "$dir/fails";
    $pair->sync('the next run');
    is_deeply($told->(), ['-q post'], '  starts it again');
    unlike($node->sync('status')->{out}, qr/AfterApplyCommand/,
        '  and it is over');
    is($central->value('select count(*) from communicator_after'), 0,
        '  nothing is left to tell');
}

# What other commands apply.
sub test_commands {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;
    my $node = $pair->{central};
    my $missing = 'select count(*) from posts where title = '
      . "'drained' and comments_count = 1";

    $facade->run("insert into posts (title) values ('drained');"
        . 'insert into comments (post_id) select id from posts where '
        . "title = 'drained';");
    is($node->sync('drain')->{exit}, 0, 'drain');
    is($central->value($missing), 1, '  runs the statements');
    $central->run('create unique index titles on posts (title)');
    $facade->run("insert into posts (title) values ('drained');"
        . 'insert into comments (post_id) select max(id) from posts;');
    $pair->{central}->sync;
    $central->run('drop index titles'
        . ($central->driver eq 'mysql' ? ' on posts' : ''));
    is($node->sync('retry')->{exit}, 0, 'retry of what was parked');
    is($central->value($missing), 2, '  runs the statements, too');
    is($central->value('select count(*) from communicator_after'), 0,
        '  and nothing is left to do');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-mysql mysql-sqlite3 sqlite3-pgsql)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => \&conf,
        before => sub {
            my $database = $_[0]->database;
            my $sql = $routine{ $database->driver };

            $database->run($sql) if $sql;
        });

    test_derived($pair);
    test_failure($pair);
    test_program($pair);
    test_commands($pair);
    $pair->stop;
});

done_testing();
