package Communicator::Test::Torture::Application;

# The application of the torture test: its tables, and random transactions on
# them. Everything random comes from rand(), whose seed the test sets.

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(one_of tables models triggers statement pause types
  columns references changed_at_once);

my $tables = <<'SQL';
create table authors (id {key}, name varchar(80), city varchar(80),
    boss_id bigint {boss}) {engine};
create table tags (id {key}, name varchar(20) unique, color varchar(40))
    {engine};
create table posts (id {key}, author_id bigint {author},
    tag_id bigint {tag}, title varchar(100), body {text},
    score decimal(12,4), published {boolean}, visits bigint) {engine};
create table countries (code varchar(20) not null primary key, name varchar(80))
    {engine};
create table events (id {key}, token varchar(40) not null) {engine};
create table baskets (id {key}, token varchar(40), items bigint) {engine};
create table goods (id {key}, basket varchar(40)) {engine};
create table test_skew (offset_us bigint) {engine};
insert into test_skew values (0);
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
    \&insert_early, (\&insert_awaited) x 2,
    \&fill_basket, \&empty_basket,
);

# The tables; ON_DELETE: what foreign keys do, '' for none of them.
sub tables {
    my ($on_delete) = @_;
    my $to = sub {
        $on_delete ? "references $_[0] (id) on delete $on_delete" : '';
    };

    return $tables =~ s/\{(?:boss|author)\}/$to->('authors')/egr
      =~ s/\{tag\}/$to->('tags')/er;
}

sub models {
    my ($conflict) = @_;
    my $references = 'references=author_id:author,tag_id:tag';

    return <<"CONF";
CommunicatorModel author table=authors references=boss_id:author
CommunicatorModel tag table=tags match=name
CommunicatorModel post table=posts $references $conflict
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
        countries => [qw(code name)],
        events => [qw(token)],
        baskets => [qw(token items)],
        goods => [qw(basket)],
    );
}
sub references { return (author_id => 'authors', boss_id => 'authors',
    tag_id => 'tags') }
sub types { return (authors => 'Author', posts => 'Post', tags => 'Tag',
    countries => 'Country', events => 'Event', baskets => 'Basket',
    goods => 'Good') }

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

# One random statement, or two. IDS: table -> ids there; baskets: their tokens;
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

sub delete_post {
    my ($driver, $ids) = @_;

    return 'delete from posts where id = ' . id_of($ids->{posts}) . ";\n";
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
    return "delete from posts where id = $id;\n"
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

    return 'delete from tags where id = ' . id_of($ids->{tags}) . ";\n";
}

1;
