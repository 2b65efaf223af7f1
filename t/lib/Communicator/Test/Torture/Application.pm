package Communicator::Test::Torture::Application;

# The application of the torture test: its tables, and random transactions on
# them. Everything random comes from rand(), whose seed the test sets.

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(one_of tables models triggers statement pause types
  columns composite references changed_at_once);

my $tables = <<'SQL';
create table authors (id {key}, name varchar(80), city varchar(80),
    boss_id bigint {boss}) {engine};
create table tags (id {key}, name varchar(20) unique, color varchar(40))
    {engine};
create table posts (id {key}, author_id bigint {author},
    tag_id bigint {tag}, title varchar(100), body {text},
    score decimal(12,4), published {boolean}, visits bigint) {engine};
create table comments (post_id bigint not null {part},
    comment_no integer not null, body varchar(80),
    primary key (post_id, comment_no)) {engine};
create table taggings (post_id bigint not null {part},
    tag_id bigint not null {tagged}, weight integer,
    primary key (post_id, tag_id)) {engine};
create table countries (code varchar(20) not null primary key, name varchar(80))
    {engine};
create table events (id {key}, token varchar(40) not null) {engine};
create table baskets (id {key}, token varchar(40), items bigint) {engine};
create table goods (id {key}, basket varchar(40)) {engine};
create table test_skew (id integer primary key, offset_us bigint) {engine};
insert into test_skew values (1, 0);
SQL

# The host's clock is wrong by test_skew: what triggers write is moved.
my %skew = (
    sqlite3 => <<'SQL',
create trigger test_skew after insert on outbound_messages
when new.clock > 0 and new.seq is null begin
    update outbound_messages
        set clock = clock + (select offset_us from test_skew)
        where id = new.id;
end;
SQL
    pgsql => <<'SQL',
create function test_skew() returns trigger language plpgsql as $$
begin
    if new.clock > 0 and new.seq is null then
        new.clock := new.clock + (select offset_us from public.test_skew);
    end if;
    return new;
end $$;
create trigger test_skew before insert on outbound_messages
    for each row execute function test_skew();
SQL
    mysql => <<'SQL',
create trigger test_skew before insert on outbound_messages for each row
    set new.clock = if(new.clock > 0 and new.seq is null,
        new.clock + (select offset_us from test_skew), new.clock);
SQL
);

# The application counts the goods in a basket. So a delete that is applied
# changes another row.
my $count = 'update baskets set items = items - 1 where token = old.basket';
my %count = (
    sqlite3 => "create trigger test_count after delete on goods begin $count; "
      . "end;\n",
    pgsql => 'create function test_count() returns trigger language plpgsql '
      . "as \$\$ begin $count; return null; end \$\$;\n"
      . 'create trigger test_count after delete on goods '
      . "for each row execute function test_count();\n",
    mysql => "create trigger test_count after delete on goods for each row "
      . "$count;\n",
);

my %pause = (
    sqlite3 => ".shell sleep %.2f\n",
    pgsql => "select pg_sleep(%.2f);\n",
    mysql => "do sleep(%.2f);\n",
);

# A column of posts: how to make up a value for it. The author and the tag are
# drawn from those that are there.
my %change = (
    title => \&text, body => \&text,
    author_id => sub { id_of($_[1]{authors}) },
    tag_id => sub { id_of($_[1]{tags}) },
    score => sub { sprintf '%.4f', rand 1000 },
    visits => sub { int rand 1e6 },
    published => sub { one_of('true', 'false', 'null') },
);

# What a transaction does, each as often as it stands here.
my @choices = (
    (\&insert_author) x 2, (\&update_author) x 2, \&delete_author,
    (\&insert_post) x 4, (\&update_post) x 8, \&delete_post, \&reborn_post,
    \&touch_posts, \&insert_events, (\&insert_event) x 2,
    \&insert_country, \&update_country, \&replace_country, \&delete_country,
    (\&insert_tag) x 2, \&update_tag, \&delete_tag,
    (\&insert_comment) x 2, \&update_comment, \&move_comment, \&delete_comment,
    (\&insert_tagging) x 2, \&update_tagging, \&move_tagging,
    \&delete_tagging, \&renumber_author, \&renumber_post,
    \&insert_early, (\&insert_awaited) x 2,
    \&fill_basket, \&empty_basket,
);

# The tables; ON_DELETE: what foreign keys do, '' for none of them but those of
# tables whose keys are references.
sub tables {
    my ($on_delete) = @_;
    my $to = sub {
        my ($table, $else, $deletes) = @_;
        return $else if !$on_delete;
        return "references $table (id) on update cascade on delete $deletes";
    };
    my %to = (
        (map { $_ => $to->('authors', '', $on_delete) } qw(boss author)),
        tag => $to->('tags', '', $on_delete),
        part => $to->('posts', 'references posts (id)', 'cascade'),
        tagged => $to->('tags', 'references tags (id)', 'cascade'),
    );

    return $tables =~ s/\{(boss|author|tag|part|tagged)\}/$to{$1}/gr;
}

sub models {
    my ($conflict) = @_;
    my $references = 'references=author_id:author,tag_id:tag';

    return <<"CONF";
CommunicatorModel author table=authors references=boss_id:author
CommunicatorModel tag table=tags match=name
CommunicatorModel post table=posts $references $conflict
CommunicatorModel comment table=comments key=post_id,comment_no \\
    references=post_id:post
CommunicatorModel tagging table=taggings key=post_id,tag_id \\
    references=post_id:post,tag_id:tag
CommunicatorModel country table=countries key=code keys=shared
CommunicatorModel event table=events
CommunicatorModel basket table=baskets
CommunicatorModel good table=goods
CONF
}

# The columns that are compared, by table, and which of them refer to what.
sub columns {
    return (
        authors => [qw(name city boss_id)],
        posts => [qw(author_id tag_id title body score published visits)],
        tags => [qw(name color)],
        comments => [qw(post_id comment_no body)],
        taggings => [qw(post_id tag_id weight)],
        countries => [qw(code name)],
        events => [qw(token)],
        baskets => [qw(token items)],
        goods => [qw(basket)],
    );
}

# The columns of keys that have several, by table. These records are called by
# them, since they are the same on all nodes but for the ids in them.
sub composite {
    return (comments => [qw(post_id comment_no)],
        taggings => [qw(post_id tag_id)]);
}

sub references { return (author_id => 'authors', boss_id => 'authors',
    tag_id => 'tags', post_id => 'posts') }
sub types { return (authors => 'Author', posts => 'Post', tags => 'Tag',
    comments => 'Comment', taggings => 'Tagging', countries => 'Country',
    events => 'Event', baskets => 'Basket', goods => 'Good') }

sub triggers { return $skew{ $_[0] } . $count{ $_[0] } }
sub pause { return sprintf $pause{ $_[0] }, $_[1] }
sub one_of { return $_[ rand @_ ] }

# A word as DRIVER reads it, at times one that is hard to carry.
sub text {
    my ($driver) = @_;
    my @hard = ('', "it''s", 'a "quoted" word', 'back\\\\slash', "\x{1F600}",
        "two\nlines", '100%s', "\x{e9}\x{20ac}");
    my $word = rand() < 0.2 ? one_of(@hard)
      : join '', map { chr 97 + rand 26 } 1 .. 4 + rand 8;

    $word =~ s/\\\\/\\/g unless $driver eq 'mysql';
    return "'$word'";
}

sub id_of {
    my ($ids) = @_;

    return @$ids && rand() < 0.8 ? one_of(@$ids) : 'null';
}

# One random statement, or two. IDS: table -> ids there; number: gives a new
# number; cascades: whether foreign keys do; baskets: their tokens;
# emptied: gets the tokens of baskets that are deleted; awaited: ids of authors
# to come, { next, ids }, undef where foreign keys forbid it. TOKEN: gives a new
# one at each call.
sub statement {
    my ($driver, $ids, $token) = @_;

    return one_of(@choices)->($driver, $ids, $token);
}

# A transaction that stays open for a while, and what changes its records as
# soon as it is committed. Returns SQL, and the tokens of events that are there
# then and that are not.
sub changed_at_once {
    my ($driver, $token, $posts) = @_;
    my $pause = $driver eq 'sqlite3' ? '' : pause($driver, rand 0.3);
    my $begin = $driver eq 'sqlite3' ? 'begin immediate' : 'begin';
    my ($first, $second, $third, $deleted) = map { $token->() } 1 .. 4;
    my $id = one_of(@$posts);
    my $sql = "$begin;\ninsert into events (token) values ('$first'), "
      . "('$deleted');\n";

    $sql .= "delete from posts where id = $id;\n" if $id;
    $sql .= "${pause}commit;\n"
      . "update events set token = '$second' where token = '$first';\n"
      . "$begin;\nupdate events set token = '$third' "
      . "where token = '$second';\n${pause}commit;\n"
      . "delete from events where token = '$deleted';\n";
    $sql .= "insert into posts (id, title) select $id, " . text($driver)
      . " where not exists (select 1 from posts where id = $id);\n" if $id;
    return ($sql, [$third], [$first, $second, $deleted]);
}

sub insert_author {
    my ($driver, $ids) = @_;

    return sprintf "insert into authors (name, city, boss_id) values "
      . "(%s, %s, %s);\n", text($driver), text($driver),
      id_of($ids->{authors});
}

sub update_author {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{authors});

    return sprintf "update authors set city = %s, boss_id = %s "
      . "where id = %s;\n", text($driver), id_of($ids->{authors}), $id;
}

sub delete_author {
    my ($driver, $ids) = @_;

    return 'delete from authors where id = ' . id_of($ids->{authors}) . ";\n";
}

sub insert_post {
    my @names = sort keys %change;

    return 'insert into posts (' . join(', ', @names) . ') values ('
      . join(', ', map { $change{$_}->(@_) } @names) . ");\n";
}

sub update_post {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{posts});
    my %set = map { $_ => $change{$_}->(@_) }
      map { one_of(sort keys %change) } 1 .. 1 + rand 3;

    return 'update posts set '
      . join(', ', map { "$_ = $set{$_}" } sort keys %set)
      . " where id = $id;\n";
}

# The rows whose keys refer to one of TABLES by COLUMN, where nothing else
# deletes them.
sub delete_parts {
    my ($ids, $column, $id, @tables) = @_;

    return '' if $ids->{cascades};
    return join '', map { "delete from $_ where $column = $id;\n" } @tables;
}

sub delete_post {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{posts});

    return delete_parts($ids, 'post_id', $id, qw(comments taggings))
      . "delete from posts where id = $id;\n";
}

# A post of an author who comes later, in another transaction. No id that a
# database gives by itself comes near.
sub insert_early {
    my ($driver, $ids) = @_;
    my $awaited = $ids->{awaited} or return '';
    my $id = $awaited->{next} += 1_000_000;

    push @{ $awaited->{ids} }, $id;
    return "insert into posts (title, author_id) values ('early', $id);\n";
}

sub insert_awaited {
    my ($driver, $ids) = @_;
    my $awaited = $ids->{awaited} or return '';
    my $id = shift @{ $awaited->{ids} } or return '';

    return "insert into authors (id, name) values ($id, 'awaited');\n";
}

# Another record under an id that was used before.
sub reborn_post {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{posts});

    return '' if $id eq 'null';
    return delete_parts($ids, 'post_id', $id, qw(comments taggings))
      . "delete from posts where id = $id;\n"
      . "insert into posts (id, title) values ($id, 'again');\n";
}

sub touch_posts { return "update posts set visits = visits + 1;\n" }

sub insert_event {
    my ($driver, $ids, $token) = @_;

    return "insert into events (token) values ('@{[ $token->() ]}');\n";
}

sub insert_events {
    my ($driver, $ids, $token) = @_;

    return 'insert into events (token) values '
      . join(', ', map { "('@{[ $token->() ]}')" } 1 .. 2 + rand 30) . ";\n";
}

sub fill_basket {
    my ($driver, $ids) = @_;
    my $token = join '', map { chr 97 + rand 26 } 1 .. 16;
    my $items = 1 + int rand 4;

    return "insert into baskets (token, items) values ('$token', $items);\n"
      . 'insert into goods (basket) values '
      . join(', ', map { "('$token')" } 1 .. $items) . ";\n";
}

sub empty_basket {
    my ($driver, $ids) = @_;
    my $token = one_of(@{ $ids->{baskets} }) or return '';

    push @{ $ids->{emptied} }, $token;
    return "delete from goods where basket = '$token';\n"
      . "delete from baskets where token = '$token';\n";
}

sub insert_country {
    my ($driver) = @_;
    my $code = 'C' . int rand 10;

    return "insert into countries (code, name) select '$code', "
      . text($driver) . ' where not exists '
      . "(select 1 from countries where code = '$code');\n";
}

sub update_country {
    my ($driver) = @_;

    return sprintf "update countries set name = %s where code = 'C%d';\n",
      text($driver), rand 10;
}

sub replace_country {
    my ($driver) = @_;
    my $code = 'C' . int rand 10;
    my $replace = $driver eq 'pgsql' ? 'insert' : 'replace';
    my $else = $driver eq 'pgsql'
      ? ' on conflict (code) do update set name = excluded.name' : '';

    return "$replace into countries (code, name) values ('$code', "
      . text($driver) . ")$else;\n";
}

sub delete_country {
    return sprintf "delete from countries where code = 'C%d';\n", rand 10;
}

# The same few on all nodes: whoever comes second is adopted.
sub insert_tag {
    my ($driver) = @_;
    my $name = one_of(qw(red green blue black white));

    return "insert into tags (name, color) select '$name', " . text($driver)
      . " where not exists (select 1 from tags where name = '$name');\n";
}

sub update_tag {
    my ($driver, $ids) = @_;

    return sprintf "update tags set color = %s where id = %s;\n",
      text($driver), id_of($ids->{tags});
}

sub delete_tag {
    my ($driver, $ids) = @_;

    my $id = id_of($ids->{tags});

    return delete_parts($ids, 'tag_id', $id, 'taggings')
      . "delete from tags where id = $id;\n";
}

sub insert_comment {
    my ($driver, $ids) = @_;

    return sprintf "insert into comments (post_id, comment_no, body) "
      . "select id, %d, %s from posts where id = %s;\n",
      $ids->{number}->(), text($driver), id_of($ids->{posts});
}

sub update_comment {
    my ($driver, $ids) = @_;

    return sprintf "update comments set body = %s where post_id = %s;\n",
      text($driver), id_of($ids->{posts});
}

# One part of the key changes.
sub move_comment {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{posts});

    return sprintf "update comments set post_id = %s where post_id = %s;\n",
      id_of($ids->{posts}), $id
      if $id ne 'null' && rand() < 0.5 && @{ $ids->{posts} } > 1;
    return sprintf "update comments set comment_no = comment_no + %d "
      . "where post_id = %s;\n", 1_000_000 * $ids->{number}->(), $id;
}

sub delete_comment {
    my ($driver, $ids) = @_;

    return sprintf "delete from comments where post_id = %s "
      . "and comment_no %% 2 = 0;\n", id_of($ids->{posts});
}

sub insert_tagging {
    my ($driver, $ids) = @_;

    return sprintf "insert into taggings (post_id, tag_id, weight) "
      . "select p.id, t.id, %d from posts p, tags t where p.id = %s "
      . "and t.id = %s and not exists (select 1 from taggings x "
      . "where x.post_id = p.id and x.tag_id = t.id);\n",
      rand 100, id_of($ids->{posts}), id_of($ids->{tags});
}

sub update_tagging {
    my ($driver, $ids) = @_;

    return sprintf "update taggings set weight = %d where tag_id = %s;\n",
      rand 100, id_of($ids->{tags});
}

sub move_tagging {
    my ($driver, $ids) = @_;
    my ($from, $to) = map { id_of($ids->{tags}) } 1 .. 2;

    return '' if $from eq 'null' || $to eq 'null';
    return "delete from taggings where tag_id = $to;\n"
      . "update taggings set tag_id = $to where tag_id = $from;\n";
}

sub delete_tagging {
    my ($driver, $ids) = @_;

    return sprintf "delete from taggings where tag_id = %s;\n",
      id_of($ids->{tags});
}

# The key of a record changes, to one that no database gives by itself. Where
# no foreign key does it, the application changes what refers to it.
sub renumber_author {
    my ($driver, $ids) = @_;
    my $id = id_of($ids->{authors});
    my $new = -$ids->{number}->();
    my $sql = "update authors set id = $new where id = $id;\n";

    $sql .= "update posts set author_id = $new where author_id = $id;\n"
      . "update authors set boss_id = $new where boss_id = $id;\n"
      unless $ids->{cascades};
    return $sql;
}

sub renumber_post {
    my ($driver, $ids) = @_;
    my $new = -$ids->{number}->();

    return '' unless $ids->{cascades};
    return "update posts set id = $new where id = " . id_of($ids->{posts})
      . ";\n";
}

1;
