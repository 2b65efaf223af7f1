#!/usr/bin/perl

# References that are not like others: 0 means none, as in WordPress.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my ($pair, $here, $there);

# --- none ---

my $none_models = <<'CONF';
CommunicatorModel member table=members
CommunicatorModel post   table=posts references=author_id:member?0,parent_id:post?0,editor_id:member?0
CommunicatorModel vote   table=votes key=post_id,member_id references=post_id:post,member_id:member?0
CommunicatorModel term   table=terms match=parent_id,name references=parent_id:term?0
CommunicatorModel place  table=places keys=shared
CommunicatorModel shop   table=shops references=place_code:place?-
CONF

sub none_tables {
    my ($database) = @_;
    my $exact = $database->driver eq 'mysql'
      ? ' collate utf8mb4_nopad_bin' : '';
    my $reference = 'bigint not null default 0';

    return <<"SQL";
create table members (id {key}, name varchar(40) not null) {engine};
create table posts (id {key}, author_id $reference, parent_id $reference,
    editor_id bigint, title varchar(40) not null) {engine};
create table votes (post_id bigint not null, member_id $reference,
    stars integer, primary key (post_id, member_id)) {engine};
create table terms (id {key}, parent_id $reference, name varchar(40) not null,
    note varchar(40)) {engine};
create table places (id varchar(20)$exact not null primary key,
    name varchar(40)) {engine};
create table shops (id {key}, place_code varchar(20)$exact not null,
    name varchar(40)) {engine};
SQL
}

# Other numbers there than here.
sub before {
    my ($node) = @_;
    my $database = $node->database;

    return if $node->name eq 'central';
    $database->run("insert into members (name) values ('x'), ('y'), ('z');"
        . "insert into posts (title) values ('x'), ('y');"
        . 'delete from members; delete from posts;');
}

my $posts = 'select p.title, p.author_id = 0, m.name, p.parent_id = 0, '
  . 'q.title from posts p left join members m on m.id = p.author_id '
  . 'left join posts q on q.id = p.parent_id';

# All of "select title, author is none, author, parent is none, parent".
sub posts_are {
    my ($rows, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $database ($here, $there) {
        my $is = $database->rows("$posts order by 1");
        for my $row (@$is) {
            $_ = !defined || /^(?:f|0)$/ ? 0 : 1 for @$row[1, 3];
        }
        is_deeply($is, $rows, $database->driver . ": $name");
    }
}

sub id_of {
    my ($database, $title) = @_;

    return $database->value("select id from posts where title = '$title'");
}

sub none_stays {
    $here->run("insert into members (name) values ('ann');"
        . "insert into posts (author_id, title) select id, 'a' from members;"
        . "insert into posts (title) values ('b')");
    $there->run("insert into posts (title) values ('c')");
    $pair->sync('posts without a parent');
    posts_are([['a', 0, 'ann', 1, undef], ['b', 1, undef, 1, undef],
        ['c', 1, undef, 1, undef]], '0 stays 0');
    $there->run('update posts set parent_id = ' . id_of($there, 'a')
        . " where title = 'c'");
    $here->run('update posts set author_id = 0, parent_id = '
        . id_of($here, 'b') . " where title = 'a'");
    $pair->sync('other parents');
    posts_are([['a', 1, undef, 0, 'b'], ['b', 1, undef, 1, undef],
        ['c', 1, undef, 0, 'a']], 'they arrive, and none, too');
    $there->run("update posts set parent_id = 0 where title = 'a'");
    $pair->sync('none again');
    posts_are([['a', 1, undef, 1, undef], ['b', 1, undef, 1, undef],
        ['c', 1, undef, 0, 'a']], 'it arrives');
    is($_->value('select count(*) from communicator_missing'), 0,
        $_->driver . ': no record is missed') for $here, $there;
}

# A deleted parent leaves the child without one, and does not take it along.
sub deleted_parents {
    my $parent = id_of($here, 'b');

    $there->run('delete from posts where title = \'b\'');
    $here->run("insert into posts (parent_id, title) values ($parent, 'd')");
    $pair->sync('a child of a deleted post');
    is($there->value("select parent_id from posts where title = 'd'"), 0,
        'it has none there');
    is($_->value("select count(*) from posts where title = 'd'"), 1,
        $_->driver . ': it is here') for $here, $there;
    $here->run("update posts set parent_id = 0 where title = 'd'");
    $pair->sync('the application takes notice');
    posts_are([['a', 1, undef, 1, undef], ['c', 1, undef, 0, 'a'],
        ['d', 1, undef, 1, undef]], 'none');
}

# NULL and 0 are the same to the other side, and stay what they are here.
sub nullable {
    $here->run("update posts set editor_id = 0 where title = 'a'");
    $pair->sync('0 instead of NULL');
    is($here->value("select editor_id from posts where title = 'a'"), 0,
        'it stays 0');
    $there->run("update posts set editor_id = (select min(id) from members)"
        . " where title = 'a'");
    $pair->sync('an editor');
    is($here->value('select m.name from posts p join members m '
        . "on m.id = p.editor_id where p.title = 'a'"), 'ann', 'it comes');
    $there->run("update posts set editor_id = NULL where title = 'a'");
    $pair->sync('NULL');
    is($here->value("select editor_id from posts where title = 'a'"), 0,
        'is 0 here');
}

# In a key, and in match=.
sub keys_and_matches {
    my ($a, $b) = map { id_of($_, 'a') } $here, $there;
    my $votes = 'select p.title, v.member_id = 0, v.stars from votes v '
      . 'join posts p on p.id = v.post_id order by 1, 2, 3';

    $here->run("insert into votes values ($a, 0, 3);"
        . "insert into terms (name, note) values ('news', 'here');"
        . "insert into terms (name, parent_id, note) select 'sub', id, 'here' "
        . "from terms");
    $there->run("insert into votes values ($b, 0, 4);"
        . "insert into terms (name, note) values ('news', 'there');"
        . "insert into terms (name, parent_id, note) select 'sub', id, 'there' "
        . "from terms");
    $pair->sync('the same on both sides');
    for my $database ($here, $there) {
        my $rows = $database->rows($votes);
        is(@$rows, 1, $database->driver . ': one vote');
        is($rows->[0][2], 4, '  the newer one');
    }
    $pair->both_have('select t.name, p.name, t.note from terms t '
        . 'left join terms p on p.id = t.parent_id order by t.name desc',
        [['sub', 'news', 'there'], ['news', undef, 'there']],
        'two terms');
    $here->run('update votes set stars = 5');
    $pair->sync('a change');
    is($there->value('select stars from votes'), 5, 'it is that vote');
    $there->run('delete from votes');
    $pair->sync('a delete');
    is($here->value('select count(*) from votes'), 0, 'is followed');
}

sub text {
    $here->run("insert into places values ('n', 'North');"
        . "insert into shops (place_code, name) values ('n', 'one'), "
        . "('-', 'two')");
    $pair->sync('text that means none');
    $there->run("update shops set place_code = '-' where name = 'one';"
        . "update shops set place_code = 'n' where name = 'two'");
    $pair->sync('both change');
    $pair->both_have('select name, place_code from shops order by 1',
        [['one', '-'], ['two', 'n']], 'none and a place');
}

sub none_is_proved {
    my ($run, @rows);

    $run = $pair->{central}->sync('verify');
    is($run->{exit}, 0, 'verify finds no difference')
      or diag($run->{out}, $run->{err});
    @rows = map { $_->rows('select id, parent_id from posts order by 1') }
      $here, $there;
    for my $node ($pair->nodes) {
        $node->sync_ok('publish', $_, '--all', '--quiet')
          for qw(post vote term shop);
    }
    $pair->sync('all once more');
    is_deeply([map { $_->rows('select id, parent_id from posts order by 1') }
        $here, $there], \@rows, 'nothing changes');
    $pair->is_settled('none');
}

sub none {
    ($pair, $here, $there) = open_pair(\@_, tables => \&none_tables,
        models => $none_models, before => \&before);
    none_stays();
    deleted_parents();
    nullable();
    keys_and_matches();
    text();
    none_is_proved();
}

# A peer that knows NULL only.
sub others_null {
    my $tables = sub {
        my $reference = $_[1] eq 'central' ? 'bigint not null default 0'
          : 'bigint';
        return "create table posts (id {key}, parent_id $reference, "
          . 'title varchar(40)) {engine};';
    };
    my $models = sub {
        return 'CommunicatorModel post table=posts references=parent_id:post'
          . ($_[1] eq 'central' ? '?0' : '') . "\n";
    };

    ($pair, $here, $there) = open_pair(\@_, tables => $tables,
        models => $models, before => sub {});
    $here->run("insert into posts (title) values ('a')");
    $there->run("insert into posts (title) values ('b')");
    $pair->sync('one side has 0, the other NULL');
    is_deeply($here->rows('select title, parent_id from posts order by 1'),
        [['a', 0], ['b', 0]], '0 here');
    is_deeply($there->rows('select title, parent_id from posts order by 1'),
        [['a', undef], ['b', undef]], 'NULL there');
    $here->run("update posts set parent_id = (select id from (select id from "
        . "posts where title = 'a') as t) where title = 'b'");
    $pair->sync('a parent');
    $there->run("update posts set parent_id = null where title = 'b';"
        . "delete from posts where title = 'a'");
    $pair->sync('NULL, and its delete');
    is_deeply($here->rows('select title, parent_id from posts'),
        [['b', 0]], 'which is 0 here');
    is($pair->{central}->sync('verify')->{exit}, 0, 'verify agrees');
    $pair->is_settled('0 and NULL');
}

# --- all ---

sub open_pair {
    my ($drivers, %with) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => $drivers, %with);

    return ($pair, $pair->central, $pair->facade);
}

Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3 pgsql-mysql mysql-pgsql
    sqlite3-pgsql)], 'none', \&none);
Communicator::Test::Pair->for_each([qw(sqlite3-pgsql pgsql-mysql
    mysql-sqlite3)], '0 and NULL', \&others_null);
done_testing();
