#!/usr/bin/perl

# References that are not like others: 0 means none, as in WordPress; another
# column names the model, as in Rails.

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
      ? ' collate /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */' : '';
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

sub none {
    ($pair, $here, $there) = open_pair(\@_, tables => \&none_tables,
        models => $none_models, before => \&before);
    none_stays();
    deleted_parents();
    nullable();
    keys_and_matches();
    text();
    is_proved(qw(post vote term shop));
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

# --- another column names the model ---

my $typed_models = <<'CONF';
CommunicatorModel comment table=comments references=subject_id:{subject_type}
CommunicatorModel photo   table=photos
CommunicatorModel post    table=posts
CommunicatorModel shop    table=shops keys=shared
CommunicatorModel tag     table=tags match=name
CommunicatorModel tagging table=taggings key=subject_type,subject_id,tag_id references=subject_id:{subject_type},tag_id:tag
CommunicatorModel visit   table=visits references=about:{kind}?0
CONF

sub typed_tables {
    my ($database) = @_;
    my $exact = $database->driver eq 'mysql'
      ? ' collate /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */' : '';

    return <<"SQL";
create table comments (id {key}, subject_type varchar(40)$exact,
    subject_id bigint, body varchar(40)) {engine};
create table photos (id {key}, title varchar(40)) {engine};
create table posts (id {key}, title varchar(40)) {engine};
create table shops (id bigint not null primary key, title varchar(40)) {engine};
create table tags (id {key}, name varchar(40)$exact not null unique) {engine};
create table taggings (subject_type varchar(40)$exact not null,
    subject_id bigint not null, tag_id bigint not null, note varchar(40),
    primary key (subject_type, subject_id, tag_id)) {engine};
create table visits (id {key}, kind varchar(40)$exact not null,
    about bigint not null default 0, note varchar(40)) {engine};
SQL
}

# Other numbers there than here, and of photos others than of posts.
sub before_typed {
    my ($node) = @_;
    my $database = $node->database;

    $database->run("insert into photos (title) values ('x'), ('y')");
    $database->run("insert into posts (title) values ('x'), ('y'), ('z'), "
        . "('u')") if $node->name eq 'facade';
    $database->run("delete from photos where title <> 'y';"
        . "delete from posts where title <> 'u'");
}

my $subjects = "coalesce(case when %s.%s = 'Photo' then (select title from "
  . "photos where id = %1\$s.%3\$s) else (select title from posts "
  . "where id = %1\$s.%3\$s) end, '-')";

# All of "select body, subject's type, subject's title", by body.
sub comments_are {
    my ($rows, $name) = @_;

    $pair->both_have('select body, subject_type, '
        . sprintf($subjects, qw(comments subject_type subject_id))
        . ' from comments order by 1', $rows, $name);
}

sub photo_of {
    my ($database, $title) = @_;

    return $database->value("select id from photos where title = '$title'");
}

sub subjects {
    my ($post, $photo);

    $here->run("insert into posts (title) values ('a'), ('b');"
        . "insert into photos (title) values ('p')");
    $there->run("insert into photos (title) values ('q')");
    for my $node ($pair->nodes) {
        $node->sync_ok('publish', $_, '--all', '--quiet') for qw(photo post);
    }
    $pair->sync('posts and photos');
    ($post, $photo) = (id_of($here, 'a'), photo_of($here, 'p'));
    isnt($post, id_of($there, 'a'), 'posts have other numbers there');
    $here->run('insert into comments (subject_type, subject_id, body) values '
        . "('Post', $post, 'one'), ('Photo', $photo, 'two'), "
        . "('post', $post, 'by its name'), ('Video', 7, 'unknown'), "
        . "(null, null, 'none')");
    $pair->sync('comments');
    comments_are([['by its name', 'post', 'a'], ['none', undef, '-'],
        ['one', 'Post', 'a'], ['two', 'Photo', 'p'],
        ['unknown', 'Video', '-']], 'they are about the same');
    is($there->value("select subject_id from comments where body = 'unknown'"),
        7, 'what names no model is sent as it is');
    like($pair->{central}->sync('check')->{out},
        qr/'subject_type' of table 'comments' has 'Video', which/,
        'check says so');
    $there->run("update comments set subject_type = 'Photo', subject_id = "
        . photo_of($there, 'q') . " where body = 'one';"
        . "update comments set subject_type = 'Post', subject_id = "
        . id_of($there, 'b') . " where body = 'unknown'");
    $pair->sync('about something else');
    comments_are([['by its name', 'post', 'a'], ['none', undef, '-'],
        ['one', 'Photo', 'q'], ['two', 'Photo', 'p'],
        ['unknown', 'Post', 'b']], 'both columns come');
    $here->run('delete from comments where body in '
        . "('by its name', 'none', 'unknown')");
    $pair->sync('deletes');
}

# Both sides give a comment another subject: no mix of both. Only one column
# changes here, both there.
sub both_change {
    my $same = photo_of($here, 'p');
    my $sql = 'select column_name, substr(lost_value, 2, 4), '
      . 'substr(won_value, 2, 5) from communicator_conflicts';

    $here->run("insert into posts (id, title) select $same, 'z' where not "
        . "exists (select 1 from posts where id = $same);"
        . "update posts set title = 'same number' where id = $same");
    $pair->sync('a post with the number of a photo');
    $here->run("update comments set subject_type = 'Post' where body = 'two'");
    $there->run("update comments set subject_type = 'Photo', subject_id = "
        . photo_of($there, 'q') . " where body = 'two'");
    $pair->sync('both change');
    comments_are([['one', 'Photo', 'q'], ['two', 'Photo', 'q']],
        'the newer subject');
    $pair->both_have($sql, [['subject_id', 'Post', 'Photo']],
        'the other one is kept, as one value');
    $there->run("update comments set subject_type = 'Photo', subject_id = "
        . photo_of($there, 'p') . " where body = 'two'");
    $here->run("update comments set subject_type = 'Post', subject_id = $same"
        . " where body = 'two'");
    $pair->sync('the other way round');
    comments_are([['one', 'Photo', 'q'], ['two', 'Post', 'same number']],
        'again');
}

# A subject that the other side deletes, with and without its comment.
sub subject_gone {
    my $post;

    $here->run("insert into posts (title) values ('old')");
    $pair->sync('a post');
    $post = id_of($there, 'old');
    $here->run("delete from posts where title = 'old'");
    $there->run('insert into comments (subject_type, subject_id, body) '
        . "values ('Post', $post, 'late')");
    $pair->sync('it is deleted while a comment comes');
    is_deeply($here->rows('select subject_type, subject_id from comments '
            . "where body = 'late'"), [['Post', undef]], 'it is about none');
    $there->run("update comments set body = 'later' where body = 'late'");
    $pair->sync('a change of it');
    is($here->value("select body from comments where subject_id is null"),
        'later', 'that comes, too');
    $there->run("update comments set subject_type = 'Photo', subject_id = "
        . photo_of($there, 'q') . " where body = 'later'");
    $pair->sync('about something else');
    comments_are([['later', 'Photo', 'q'], ['one', 'Photo', 'q'],
        ['two', 'Post', 'same number']], 'another subject');
    $here->run("delete from comments where body = 'later'");
    $pair->sync('a delete');
}

sub typed_keys {
    my ($post, $tag);
    my $taggings = 'select subject_type, '
      . sprintf($subjects, qw(taggings subject_type subject_id))
      . ', note from taggings order by 1, 2';

    for ([$here, 'here'], [$there, 'there']) {
        my ($database, $note) = @$_;
        $post = id_of($database, 'a');
        $database->run("insert into tags (name) values ('t')");
        $tag = $database->value("select id from tags where name = 't'");
        $database->run("insert into taggings values "
            . "('Post', $post, $tag, '$note')");
        $database->run("insert into taggings values ('Photo', "
            . photo_of($database, 'q') . ", $tag, '$note')")
          if $note eq 'here';
    }
    $pair->sync('tags on both sides');
    $pair->both_have($taggings, [['Photo', 'q', 'here'],
        ['Post', 'a', 'there']], 'one each');
    $there->run("update taggings set note = 'new' where note = 'here'");
    $pair->sync('a change');
    $pair->both_have($taggings, [['Photo', 'q', 'new'],
        ['Post', 'a', 'there']], 'of one');
    $here->run("delete from taggings where subject_type = 'Photo'");
    $pair->sync('a delete');
    $pair->both_have($taggings, [['Post', 'a', 'there']], 'of the other');
}

# NOT NULL, and 0 for none.
sub typed_none {
    my $photo = photo_of($there, 'p');

    $there->run("insert into visits (kind, note) values ('', 'nothing'), "
        . "('Photo', 'no photo');"
        . "insert into visits (kind, about, note) values ('Photo', $photo, "
        . "'one')");
    $here->run("delete from photos where title = 'p'");
    $pair->sync('a photo that is deleted');
    is_deeply($here->rows('select kind, about, note from visits order by note'),
        [['Photo', 0, 'no photo'], ['', 0, 'nothing'], ['Photo', 0, 'one']],
        'is none');
    $there->run('update visits set about = 0');
    $pair->sync('there, too');
    $here->run("insert into shops values (42, 'corner'); insert into visits "
        . "(kind, about, note) values ('Shop', 42, 'a shop')");
    $pair->sync('a shop, which has one number');
    $pair->both_have("select kind, about from visits where note = 'a shop'",
        [['Shop', 42]], 'that stays');
}

sub typed {
    ($pair, $here, $there) = open_pair(\@_, tables => \&typed_tables,
        models => $typed_models, before => \&before_typed);
    subjects();
    both_change();
    subject_gone();
    typed_keys();
    typed_none();
    is_proved(qw(comment tagging visit));
    is_deeply([map { $_->value("select count(*) from communicator_missing") }
        $here, $there], [0, 0], 'nothing is missed');
}

# A peer that does not know it, as one of an earlier version: what it gets is
# translated. What it sends is parked, since its ids mean other records here.
sub undeclared {
    my $photo;

    ($pair, $here, $there) = open_pair(\@_, tables => \&typed_tables,
        models => $typed_models, before => \&before_typed);
    $pair->{facade}->configure(conf => $typed_models
          =~ s/ references=subject_id:\{subject_type\}$//mr);
    $pair->{facade}->migrate;
    $pair->{facade}->restart;
    $here->run("insert into photos (title) values ('p')");
    $there->run("insert into photos (title) values ('q')");
    $pair->sync('photos');
    $here->run('insert into comments (subject_type, subject_id, body) values '
        . "('Photo', " . photo_of($here, 'p') . ", 'one')");
    $pair->sync('a comment');
    comments_are([['one', 'Photo', 'p']], 'which is translated');
    $there->run('insert into comments (subject_type, subject_id, body) values '
        . "('Photo', " . photo_of($there, 'q') . ", 'two'), "
        . "(null, null, 'three')");
    $pair->sync('two from there', 65);
    like(join('', $pair->parked($here)),
        qr/refers to a photo here, but 'facade' sends it as a plain value/,
        'what it means is not guessed');
    is($here->value("select count(*) from comments where body = 'three'"), 1,
        'one that means nothing is taken');
}

# --- another spelling ---

my $spelled_models = <<'CONF';
CommunicatorModel place table=places keys=shared
CommunicatorModel shop  table=shops references=place_id:place
CONF

# What foreign keys take for equal, as the database does.
my %spelling = (sqlite3 => 'varchar(20) collate nocase',
    mysql => 'varchar(20) character set utf8mb4 collate utf8mb4_general_ci',
    pgsql => 'numeric');

sub spelled_tables {
    my ($database) = @_;
    my $type = $spelling{ $database->driver };

    return <<"SQL";
create table places (id $type not null primary key,
    name varchar(40)) {engine};
create table shops (id {key}, place_id $type not null,
    name varchar(40), note varchar(40),
    foreign key (place_id) references places (id)) {engine};
SQL
}

sub spelled {
    my @ids = $_[0] eq 'pgsql' ? qw(1.0 1.00 2.50 2.5) : qw(de DE fr Fr);
    my $places = 'select s.name, p.name, s.note from shops s left join places '
      . 'p on p.id = s.place_id order by 1';

    ($pair, $here, $there) = open_pair(\@_, tables => \&spelled_tables,
        models => $spelled_models);
    $here->run("insert into places values ('$ids[0]', 'Germany'); "
        . "insert into shops (place_id, name) values ('$ids[1]', 'a')");
    $there->run("insert into places values ('$ids[2]', 'France'); "
        . "insert into shops (place_id, name) values ('$ids[3]', 'b')");
    $pair->sync('shops with the keys of places in another spelling');
    $pair->both_have($places, [['a', 'Germany', undef], ['b', 'France', undef]],
        'both have their place');
    $here->run("update shops set note = 'x' where name = 'b'");
    $there->run("update shops set note = 'y' where name = 'a'");
    $pair->sync('changes of the other side');
    $pair->both_have($places, [['a', 'Germany', 'y'], ['b', 'France', 'x']],
        'and keep it');
    is($here->value("select place_id from shops where name = 'a'"), $ids[1],
        'in the spelling of the application');
    is_proved('shop');
}

# --- all ---

sub is_proved {
    my (@models) = @_;
    my $run = $pair->{central}->sync('verify');

    is($run->{exit}, 0, 'verify finds no difference')
      or diag($run->{out}, $run->{err});
    for my $node ($pair->nodes) {
        $node->sync_ok('publish', $_, '--all', '--quiet') for @models;
    }
    $pair->sync('all once more');
    is($pair->{central}->sync('verify')->{exit}, 0, 'nothing changes');
    $pair->is_settled('all');
}

sub open_pair {
    my ($drivers, %with) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => $drivers, %with);

    return ($pair, $pair->central, $pair->facade);
}

Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3 pgsql-mysql mysql-pgsql
    sqlite3-pgsql)], 'none', \&none);
Communicator::Test::Pair->for_each([qw(sqlite3-pgsql pgsql-mysql
    mysql-sqlite3)], '0 and NULL', \&others_null);
Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3 pgsql-mysql
    mysql-pgsql sqlite3-pgsql)], 'a column names the model', \&typed);
Communicator::Test::Pair->for_each(['sqlite3-pgsql'], 'not declared there',
    \&undeclared);
Communicator::Test::Pair->for_each([qw(mysql-sqlite3 sqlite3-mysql
    pgsql-pgsql)], 'another spelling', \&spelled);
done_testing();
