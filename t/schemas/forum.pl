# A forum: boards as a nested set that both sides fill, categories as one that
# one side arranges, a counter and a last post that triggers keep, tables that
# refer to each other, subscriptions without a unique index.

my $tables = <<'SQL';
create table users (id {key}, mark varchar(20), login varchar(40) not null
    unique) {engine};
create table categories (id {key}, mark varchar(20), name varchar(40),
    lft integer not null, rgt integer not null) {engine};
create table boards (id {key}, mark varchar(20), name varchar(40),
    parent_id bigint references boards (id), category_id bigint
    references categories (id) on delete set null,
    lft integer not null default 0, rgt integer not null default 0) {engine};
create table topics (id {key}, mark varchar(20), board_id bigint not null
    references boards (id) on delete cascade, user_id bigint
    references users (id) on delete set null, title varchar(40),
    replies integer not null default 0, last_post_id bigint LAST) {engine};
create table posts (id {key}, mark varchar(20), topic_id bigint not null
    references topics (id) on delete cascade, user_id bigint
    references users (id) on delete set null, reply_to_id bigint
    references posts (id) on delete set null, body {text}) {engine};
create table votes (user_id bigint not null references users (id)
    on delete cascade, post_id bigint not null references posts (id)
    on delete cascade, mark varchar(20), score integer,
    primary key (user_id, post_id)) {engine};
create table subscriptions (topic_id bigint not null references topics (id)
    on delete cascade, user_id bigint not null references users (id)
    on delete cascade) {engine};
SQL
my $last = 'references posts (id) on delete set null';
my $alter = 'alter table topics add constraint topics_last_post foreign key '
  . "(last_post_id) $last;\n";

# The triggers by FORMAT: name, event, statement.
sub counters {
    my ($format) = @_;

    return sprintf($format, 'count_in', 'insert', 'update topics set replies '
        . '= replies + 1, last_post_id = new.id where id = new.topic_id')
      . sprintf($format, 'count_out', 'delete', 'update topics set replies = '
        . 'replies - 1 where id = old.topic_id');
}

# The nested set by the parents, the boards of one parent by their marks.
my $numbers = 'with recursive tree as (select id, cast(mark || \'/\' as %s) '
  . 'as path from boards where parent_id is null union all select b.id, '
  . 'tree.path || b.mark || \'/\' from boards b join tree on b.parent_id = '
  . 'tree.id), counted as (select a.id, (select count(*) from tree b '
  . 'where b.path < a.path) as ahead, (select count(*) from tree b where '
  . 'substr(b.path, 1, length(a.path)) = a.path) as size, length(a.path) - '
  . 'length(replace(a.path, \'/\', \'\')) as depth from tree a) select id, '
  . '2 * ahead - depth + 2 as lft, 2 * ahead - depth + 1 + 2 * size as rgt '
  . 'from counted';
my $from = 'update boards set lft = n.lft, rgt = n.rgt from (%s) n '
  . 'where n.id = boards.id;';

# What is between the cells lft and rgt of a category goes to the end.
my $to_end = join ', ', map {
    my $between = '%1$s between {cell categories lft#c} and '
      . '{cell categories rgt#c}';
    sprintf "%1\$s = case when $between then %1\$s + (select max(rgt) from "
      . '(select rgt from categories) x) - {cell categories rgt#c} '
      . 'when %1$s > {cell categories rgt#c} then %1$s - '
      . '({cell categories rgt#c} - {cell categories lft#c} + 1) '
      . 'else %1$s end', $_;
} qw(lft rgt);

{
    tables => {
        sqlite3 => $tables =~ s/LAST/$last/r,
        pgsql => $tables =~ s/LAST//r . $alter,
        mysql => $tables =~ s/LAST//r . $alter,
    },
    after => {
        pgsql => counters('create function %1$s() returns trigger language '
            . "plpgsql as \$\$ begin %3\$s; return null; end \$\$;\n"
            . 'create trigger %1$s after %2$s on posts for each row '
            . "execute function %1\$s();\n"),
        mysql => counters('create trigger %1$s after %2$s on posts '
            . "for each row %3\$s;\n"),
        sqlite3 => counters('create trigger %1$s after %2$s on posts '
            . "begin %3\$s; end;\n"),
    },
    warnings => [qr/'subscriptions' has no unique index/,
        qr/^model \w+: what foreign keys do to .* is seen by no trigger/],
    session => { mysql => "set sql_mode = concat(\@\@sql_mode, "
          . "',PIPES_AS_CONCAT');\n" },
    edits => [
        [board => sub { "$_[0] except=lft,rgt" }],
        [topic => sub { $_[0] =~ s/,last_post_id:post//r
              . ' except=replies,last_post_id' }],
    ],
    rebuild => {
        sqlite3 => sprintf($from, sprintf $numbers, 'text'),
        pgsql => sprintf($from, sprintf $numbers, 'text'),
        mysql => 'update boards join (' . sprintf($numbers, 'char(400)')
          . ') n on n.id = boards.id set boards.lft = n.lft, '
          . 'boards.rgt = n.rgt;',
    },
    records => <<'RECORDS',
users id login
categories id name lft rgt
boards id name lft rgt >parent_id:boards >category_id:categories
topics id title replies >board_id:boards >user_id:users
posts id body >topic_id:topics >user_id:users >reply_to_id:posts
votes user_id,post_id score >user_id:users >post_id:posts
RECORDS
    actions => [
        [2, 'insert into users (mark, login) values ({new#u}, {new#u});'],
        [3, 'insert into categories (mark, name, lft, rgt) select {new}, '
          . '{word}, 1 + coalesce(max(rgt), 0), 2 + coalesce(max(rgt), 0) '
          . 'from categories having {side} = 0;'],
        [2, "update categories set $to_end where {side} = 0;"],
        [1, 'update categories set name = {word} where id = '
          . '{one categories};'],
        [3, 'insert into boards (mark, name, parent_id, category_id) '
          . 'values ({new}, {word}, {maybe boards}, {maybe categories});'],
        # Moved at one side only: two moves could make a circle.
        [2, 'update boards set parent_id = {one boards#a} where id = '
          . '{one boards#b} and {one boards#a} < {one boards#b} '
          . 'and {side} = 0;'],
        [4, 'insert into topics (mark, board_id, user_id, title) values '
          . '({new}, {one boards}, {one users#u}, {word}); insert into posts '
          . '(mark, topic_id, user_id, body) values ({new}, {last topics}, '
          . '{one users#u}, {word});'],
        [6, 'insert into posts (mark, topic_id, user_id, reply_to_id, body) '
          . 'select {new}, topic_id, {maybe users}, id, {word} from posts '
          . 'where id = {one posts};'],
        [2, 'update posts set body = {word} where id = {one posts};'],
        [1, 'update topics set board_id = {one boards} where id = '
          . '{one topics};'],
        [4, 'insert into votes values ({one users}, {one posts}, {new}, '
          . '{n 5});'],
        [1, 'update votes set score = {n 5} where {row votes};'],
        [1, 'update votes set user_id = {one users} where {row votes};'],
        [1, 'delete from votes where {row votes};'],
        [3, 'insert into subscriptions select t.id, u.id from topics t, users '
          . 'u where t.id = {one topics} and u.id = {one users} and not exists '
          . '(select 1 from subscriptions s where s.topic_id = t.id and '
          . 's.user_id = u.id);'],
        [1, 'delete from subscriptions where topic_id = {one topics};'],
        [2, 'delete from posts where id = {one posts};'],
        [1, 'delete from topics where id = {one topics};'],
        [1, 'delete from users where id = {one users};'],
    ],
}
