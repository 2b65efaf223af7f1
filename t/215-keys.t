#!/usr/bin/perl

# Keys of several columns, and keys that are references: order lines, join
# tables, one-to-one tables, natural keys that both sides share. The same
# record has other numbers on each side.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my ($pair, $here, $there);

my $models = <<'CONF';
CommunicatorModel post     table=posts
CommunicatorModel tag      table=tags match=name
CommunicatorModel post_tag table=post_tags key=post_id,tag_id references=post_id:post,tag_id:tag
CommunicatorModel line     table=post_lines key=post_id,line_no references=post_id:post
CommunicatorModel rate     table=rates key=post_id,kind references=post_id:post keys=shared
CommunicatorModel option   table=options key=scope,name keys=shared
CommunicatorModel pair     table=pairs key=post_id,tag_id references=post_id:post,tag_id:tag
CommunicatorModel word     table=words key=scope,name keys=shared
CommunicatorModel place    table=places key=post_id,place references=post_id:post
CommunicatorModel detail   table=details key=post_id references=post_id:post
CommunicatorModel shared_detail table=shared_details key=post_id references=post_id:post keys=shared
CONF

sub tables {
    my ($database) = @_;
    my $exact = $database->driver eq 'mysql'
      ? ' collate /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */' : '';
    my $word = "varchar(60)$exact not null";
    my $post = 'bigint not null references posts (id)';

    return <<"SQL";
create table posts (id {key}, title varchar(40)) {engine};
create table tags (id {key}, name $word unique) {engine};
create table post_tags (post_id $post, tag_id bigint not null
    references tags (id), note varchar(40), unique (post_id, tag_id)) {engine};
create table post_lines (post_id $post, line_no integer not null,
    body varchar(40), primary key (post_id, line_no)) {engine};
create table rates (kind $word, post_id $post, rate decimal(8,2),
    primary key (post_id, kind)) {engine};
create table options (scope $word, name $word, value varchar(40),
    primary key (scope, name)) {engine};
create table details (post_id bigint not null primary key
    references posts (id), body varchar(40)) {engine};
create table pairs (post_id $post, tag_id bigint not null
    references tags (id)) {engine};
create table words (scope $word, name $word, value varchar(40)) {engine};
create table places (post_id $post, place integer not null) {engine};
create table loose (a integer not null, b integer, c integer) {engine};
create table shared_details (post_id bigint not null primary key
    references posts (id), body varchar(40)) {engine};
SQL
}

# Other numbers there than here.
sub before {
    my ($node) = @_;
    my $many = $node->name eq 'facade' ? 5 : 1;

    for my $table ('posts (title)', 'tags (name)') {
        $node->database->run("insert into $table values ('gone$_')")
          for 1 .. $many;
    }
    $node->database->run('delete from posts') if $many == 1;
    $node->database->run("delete from posts where title <> 'gone5'")
      if $many == 5;
    $node->database->run("delete from tags where name <> 'gone5'");
}

sub id_of {
    my ($database, $title) = @_;

    return $database->value("select id from posts where title = '$title'");
}

sub tag_of {
    my ($database, $name) = @_;

    return $database->value("select id from tags where name = '$name'");
}

sub lines {
    my ($a, $b);

    $here->run("insert into posts (title) values ('a'), ('b')");
    $a = id_of($here, 'a');
    $here->run("insert into post_lines values ($a, 1, 'one'), ($a, 2, 'two')");
    $pair->sync('order lines');
    $b = id_of($there, 'a');
    isnt($a, $b, 'the post has another number there');
    is_deeply($there->rows('select * from post_lines order by line_no'),
        [[$b, 1, 'one'], [$b, 2, 'two']], '  its lines refer to it');
    $there->run("update post_lines set body = 'TWO' where line_no = 2;"
        . "insert into post_lines values ($b, 3, 'three');"
        . 'delete from post_lines where line_no = 1');
    $pair->sync('changes there');
    is_deeply($here->rows('select * from post_lines order by line_no'),
        [[$a, 2, 'TWO'], [$a, 3, 'three']], '  arrive here');
    $here->run("update post_lines set line_no = line_no + 10;"
        . "update post_lines set body = 'new' where line_no = 13");
    $pair->sync('other keys');
    is_deeply($there->rows('select * from post_lines order by line_no'),
        [[$b, 12, 'TWO'], [$b, 13, 'new']], '  arrive there');
    $here->run("insert into post_lines values ($a, 1, 'again')");
    $pair->sync('a key once more');
    $here->run('delete from post_lines where line_no = 1;'
        . "insert into post_lines values ($a, 1, 'third')");
    $pair->sync('deleted and inserted in one batch');
    is_deeply($there->rows('select * from post_lines order by line_no'),
        [[$b, 1, 'third'], [$b, 12, 'TWO'], [$b, 13, 'new']], '  is there');
    $pair->is_settled('lines');
}

# The same pair inserted on both sides is one record.
sub joins {
    my ($a, $b, $x, $y);
    my $all = 'select p.title, t.name, j.note from post_tags j '
      . 'join posts p on p.id = j.post_id join tags t on t.id = j.tag_id '
      . 'order by 1, 2';

    $here->run("insert into tags (name) values ('x'), ('y')");
    $there->run("insert into tags (name) values ('y')");
    $pair->sync('tags');
    ($a, $b) = map { id_of($_, 'a') } $here, $there;
    ($x, $y) = map { tag_of($here, $_) } qw(x y);
    $here->run("insert into post_tags values ($a, $x, 'h'), ($a, $y, 'h')");
    ($x, $y) = map { tag_of($there, $_) } qw(x y);
    $there->run("insert into post_tags values ($b, $y, 't')");
    $pair->sync('the same pair on both sides');
    $pair->both_have($all, [['a', 'x', 'h'], ['a', 'y', 't']],
        'is one record, with the newer values');
    $there->run("update post_tags set note = 'new'");
    $pair->sync('a change');
    $pair->both_have($all, [['a', 'x', 'new'], ['a', 'y', 'new']], 'both');
    $there->run('delete from post_tags;'
        . "insert into post_tags values ($b, $x, 'b')");
    $pair->sync('all replaced');
    $pair->both_have($all, [['a', 'x', 'b']], 'by what is there');
    $here->run('delete from post_tags');
    $pair->sync('and deleted');
    $pair->both_have($all, [], 'nothing is left');
    $pair->is_settled('joins');
}

sub shared {
    my ($a, $b) = map { id_of($_, 'a') } $here, $there;
    my $rates = 'select p.title, r.kind, r.rate from rates r '
      . 'join posts p on p.id = r.post_id order by 2';
    my $options = 'select scope, name, value from options order by 1, 2';
    my $odd = q(q"uote, \\\\ and ä);

    $odd =~ s/\\\\/\\/ if $here->driver ne 'mysql';
    $here->run("insert into rates values ('day', $a, 5), ('week', $a, 6);"
        . "insert into options values ('s', 'n', 'here'), ('s', '$odd', 'o')");
    $odd = q(q"uote, \\\\ and ä);
    $odd =~ s/\\\\/\\/ if $there->driver ne 'mysql';
    $there->run("insert into rates values ('day', $b, 7);"
        . "insert into options values ('s', 'n', 'there'), ('s', 'm', 'm')");
    $pair->sync('the same keys on both sides');
    $pair->both_have($rates, [['a', 'day', '7.00'], ['a', 'week', '6.00']],
        'are one record, though a part of the key has other numbers')
      if $here->driver ne 'sqlite3' && $there->driver ne 'sqlite3';
    $pair->both_have($options, [['s', 'm', 'm'], ['s', 'n', 'there'],
        ['s', q(q"uote, \\ and ä), 'o']], 'are one record');
    $here->run("delete from options where name = 'n';"
        . "delete from rates where kind = 'week'");
    $there->run("update options set value = 'v' where value = 'o'");
    $pair->sync('deletes and an update');
    $pair->both_have($options, [['s', 'm', 'm'],
        ['s', q(q"uote, \\ and ä), 'v']], 'both');
    $pair->both_have('select kind from rates', [['day']], 'both');
    $there->run("insert into options values ('s', 'n', 'new life')");
    $pair->sync('a key once more');
    $pair->both_have("select value from options where name = 'n'",
        [['new life']], 'is there again');
    $pair->is_settled('shared');
}

# A key that is a reference.
sub details {
    my ($a, $b) = map { id_of($_, 'a') } $here, $there;

    for my $table (qw(details shared_details)) {
        my $all = "select p.title, d.body from $table d "
          . 'join posts p on p.id = d.post_id order by 1';

        $here->run("insert into $table values ($a, 'here')");
        $pair->sync("a record of $table");
        $pair->both_have($all, [['a', 'here']], 'belongs to the same post');
        $there->run("update $table set body = 'there'");
        $pair->sync('a change there');
        $pair->both_have($all, [['a', 'there']], 'arrives');
        my ($c, $d) = map { id_of($_, 'b') } $here, $there;
        $here->run("insert into $table values ($c, 'h')");
        $there->run("insert into $table values ($d, 't')");
        $pair->sync('the same on both sides');
        $pair->both_have($all, [['a', 'there'], ['b', 't']], 'is one record');
        $there->run("delete from $table");
        $pair->sync('deletes');
        $pair->both_have($all, [], 'nothing is left');
    }
    $pair->sync('what the deletes of records with two names send');
    $pair->is_settled('details');
}

# Tables without any key and without a unique index: key= all their columns.
sub without_index {
    my ($a, $b, $x, $y);
    my $pairs = 'select p.title, t.name from pairs j '
      . 'join posts p on p.id = j.post_id join tags t on t.id = j.tag_id '
      . 'order by 1, 2';
    my $words = 'select scope, name, value from words order by 1, 2';

    ($a, $b) = map { id_of($_, 'a') } $here, $there;
    ($x, $y) = map { tag_of($here, $_) } qw(x y);
    $here->run("insert into pairs values ($a, $x), ($a, $y);"
        . "insert into words values ('s', 'n', 'here'), ('s', 'o', 'here')");
    ($x, $y) = map { tag_of($there, $_) } qw(x y);
    $there->run("insert into pairs values ($b, $y);"
        . "insert into words values ('s', 'n', 'there')");
    $pair->sync('rows of tables without any key');
    $pair->both_have($pairs, [['a', 'x'], ['a', 'y']], 'each pair once');
    $pair->both_have($words, [['s', 'n', 'there'], ['s', 'o', 'here']],
        'each word once');
    $there->run("delete from pairs; insert into pairs values ($b, $x);"
        . "update words set value = 'new'; delete from words where name = 'o'");
    $pair->sync('all replaced');
    $pair->both_have($pairs, [['a', 'x']], 'by what is there');
    $pair->both_have($words, [['s', 'n', 'new']], 'the word that is left');
    $pair->sync('what the deletes of records with two names send');
    $pair->is_settled('tables without any key');
    twice($a, tag_of($here, 'x'), $pairs);
    taken($a, $b);
}

# The same row once more is withheld, and named.
sub twice {
    my ($post, $tag, $pairs) = @_;
    my $client = $pair->{central};
    my $row = qr/\Q["$post","$tag"]\E/;

    $here->run("insert into pairs values ($post, $tag);"
        . "insert into words values ('s', 'n', 'again'), ('s', 'p', 'p')");
    my $run = $pair->sync('rows that are there already', 65);
    like($run->{out} . $run->{err}, qr/another row of its table is/,
        '  are reported');
    is_deeply($there->rows($pairs), [['a', 'x']], '  there it is once');
    is_deeply($there->rows('select name, value from words order by 1'),
        [['n', 'new'], ['p', 'p']], '  and other rows arrive');
    like($client->sync('parked')->{out}, $row, '  parked names it');
    $run = $client->sync('check');
    is($run->{exit}, 78, '  check fails') or diag($run->{out});
    like($run->{out} . $run->{err}, qr/several rows of table 'pairs' are $row/,
        '  and names it');
    $here->run('delete from pairs; delete from words;'
        . "insert into pairs values ($post, $tag);"
        . "insert into words values ('s', 'n', 'one')");
    $pair->sync('one of them is left', 65);
    $pair->both_have($pairs, [['a', 'x']], 'once');
    is($client->sync('retry')->{exit}, 0, '  and is sent again by retry');
    $pair->sync('retry');
    $pair->both_have('select name, value from words', [['n', 'one']], 'once');
    $pair->is_settled('rows that were twice');
    one_of_two($post, $tag, $pairs);
}

# SQL: do ACTION, "delete from" or "update", to one of the rows of TABLE that
# match WHERE, which are equal.
sub to_one {
    my ($database, $action, $table, $set, $where) = @_;
    my $row = { sqlite3 => 'rowid', pgsql => 'ctid' }->{ $database->driver };

    return "$action $table $set where $where limit 1" if !$row;
    return "$action $table $set where $row = "
      . "(select min($row) from $table where $where)";
}

# Two equal rows are one record. If one of them goes, the record has the other;
# if one gets another key, that is a new record.
sub one_of_two {
    my ($post, $tag, $pairs) = @_;
    my $client = $pair->{central};
    my $words = 'select name, value from words order by 1, 2';
    my $both = "insert into pairs values ($post, $tag);"
      . "insert into words values ('s', 'n', 'two')";
    my $ours = "post_id = $post and tag_id = $tag";

    $here->run($both);
    $pair->sync('twice again', 65);
    $here->run(to_one($here, 'delete from', 'pairs', '', $ours) . ';'
        . to_one($here, 'delete from', 'words', '', "value = 'one'"));
    $pair->sync('one of two is deleted', 65);
    $pair->both_have($pairs, [['a', 'x']], 'one of two goes, the record stays');
    $pair->both_have($words, [['n', 'two']], '  and has the row that is left');
    is($client->sync('retry')->{exit}, 0, '  retry');
    $pair->sync('retry');
    $here->run($both);
    $pair->sync('and twice again', 65);
    my $y = tag_of($here, 'y');
    $here->run(to_one($here, 'update', 'pairs', "set tag_id = $y", $ours) . ';'
        . to_one($here, 'update', 'words', "set name = 'o'", "name = 'n'"));
    $pair->sync('one of two gets another key', 65);
    $pair->both_have($pairs, [['a', 'x'], ['a', 'y']],
        'one of two gets another key: two records');
    $pair->both_have($words, [['n', 'two'], ['o', 'two']], '  each with a row');
    is($client->sync('retry')->{exit}, 0, '  retry');
    $pair->sync('retry');
    $pair->is_settled('one of two rows');
    none_of_two($post, $tag, $pairs);
}

# The other side deletes the record of two equal rows: both go.
sub none_of_two {
    my ($post, $tag, $pairs) = @_;
    my $client = $pair->{central};

    $here->run("insert into pairs values ($post, $tag);"
        . "insert into words values ('s', 'n', 'three')");
    $pair->sync('twice once more', 65);
    $there->run("delete from pairs; delete from words where name = 'n'");
    $pair->sync('deleted there', 65);
    $pair->both_have($pairs, [], 'both rows go');
    $pair->both_have('select name, value from words', [['o', 'two']], '  both');
    my $run = $client->sync('retry');
    is($run->{exit}, 0, '  nothing is left to retry') or diag($run->{err});
    like($run->{out}, qr/is dropped: no row has its key any more/, '  it says');
    $pair->sync('nothing is withheld');
    $pair->is_settled('none of two rows');
}

# A row comes in whose key another row has.
sub taken {
    my ($a, $b) = @_;
    my $all = 'select p.title, s.place from places s '
      . 'join posts p on p.id = s.post_id order by 1, 2';

    $here->run("insert into places values ($a, 1), ($a, 2)");
    $there->run("insert into places values ($b, 1)");
    $pair->sync('the same place on both sides', 65);
    is_deeply($there->rows($all), [['a', 1], ['a', 2]], 'there each is once');
    is_deeply($here->rows($all), [['a', 1], ['a', 2]], 'here each is once');
    like(join("\n", $pair->parked($there)),
        qr/another row of table 'places' is \Q["$b","1"]\E in 'post_id,place'/,
        '  what comes there is parked and names the row');
    $there->run('delete from places where place = 1');
    $pair->sync('a place is free');
    $pair->sync('a place is free');
    $pair->both_have($all, [['a', 1], ['a', 2]], 'and taken');
}

# What operators do.
sub operate {
    my $client = $pair->{central};
    my $a = id_of($here, 'a');
    my $run = $client->sync('publish', 'line', '--all', '--json');

    is($run->{exit}, 0, 'publish --all') or diag($run->{err});
    like($run->{out}, qr/"published": ?3/, '  all lines');
    $run = $client->sync('publish', 'line', '--json', "[\"$a\", \"12\"]",
        "$a,13");
    is($run->{exit}, 0, 'publish IDs') or diag($run->{err});
    like($run->{out}, qr/"published": ?2/, '  two lines');
    isnt($client->sync('publish', 'line', '5')->{exit}, 0, '  not half a key');
    $run = $client->sync('explain', 'line', "$a,12");
    is($run->{exit}, 0, 'explain') or diag($run->{err});
    like($run->{out}, qr/^line \Q["$a","12"]\E: is in table post_lines/m,
        '  names the record');
    $pair->{facade}->sync_ok('publish', $_, '--all') for qw(post tag);
    $pair->sync('what was published');
    $run = $client->sync('verify');
    is($run->{exit}, 0, 'verify') or diag($run->{out}, $run->{err});
    $run = $client->sync('check');
    is($run->{exit}, 0, 'check') or diag($run->{out}, $run->{err});
}

# What cannot be a key.
sub refused {
    my $client = $pair->{central};
    my $check = sub {
        my ($key) = @_;

        $client->configure(
            conf => "CommunicatorModel loose table=loose $key\n");
        my $run = $client->sync('migrate');
        isnt($run->{exit}, 0, "migrate refuses $key");
        return $run->{out} . $run->{err};
    };

    like($check->('key=a,x'), qr/table 'loose' has no column 'x'/,
        'without the column');
    $here->run('create unique index loose_key on loose (a, b)');
    like($check->('key=a,b'), qr/key 'b' of table 'loose' may be NULL/,
        'NULL');
}

Communicator::Test::Pair->for_each(Communicator::Test::Pair->few, sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => $models, before => \&before);
    ($here, $there) = $pair->databases;
    lines();
    joins();
    shared();
    details();
    without_index();
    operate();
    refused();
    $pair->stop;
});

done_testing();
