#!/usr/bin/perl

# Applications in sessions of their own: whoever they are, whatever they have
# set and however they write, the other side gets what they have committed,
# and they themselves notice nothing.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(encode);
use Test::More;
use Communicator::Test qw(run_program folder);
use Communicator::Test::Pair;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

my $tables = <<'SQL';
create table posts (
    id {key}, title varchar(60) not null, n bigint, at {zoned}) {engine};
create table days (day date not null primary key, name varchar(20)) {engine};
SQL
my $models = <<'CONF';
CommunicatorModel post table=posts
CommunicatorModel day  table=days key=day keys=shared
CONF
my $all = 'select title, n from posts order by coalesce(n, -1), title';
my ($pair, $here, $there);

# Expect POSTS, lists of title and n, on both sides. They are sorted by n, as
# the order of titles differs between the collations of MariaDB's versions.
sub posts_are {
    my ($posts, $name) = @_;
    my @sorted = sort { ($a->[1] // -1) <=> ($b->[1] // -1) } @$posts;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $pair->sync($name);
    $pair->both_have($all, \@sorted, $name);
}

sub outbox { return $here->value('select count(*) from outbound_messages') }

# Run BYTES as they are in a session with OPTIONS of the database's client.
sub session {
    my ($options, $bytes) = @_;
    my $file = folder('session') . '/sql';

    open my $out, '>:raw', $file or die "$file: $!";
    print $out $bytes;
    close $out or die "$file: $!";
    my $run = run_program([$here->client_command(@$options)], in => $file);
    is($run->{exit}, 0, 'the session of an application')
      or diag $run->{err};
    return $run->{out};
}

# What every database knows: transactions, statements over many rows.
sub statements {
    my %begin = (sqlite3 => 'begin immediate');
    my $begin = $begin{ $here->driver } || 'begin';

    $here->run(<<"SQL");
insert into posts (title, n) values ('a', 1), ('b', 2), ('c', 3);
$begin;
insert into posts (title) values ('never');
update posts set n = 99;
delete from posts where title = 'a';
rollback;
$begin;
update posts set n = 20 where title = 'b';
savepoint s;
insert into posts (title) values ('not this');
update posts set n = 30 where title = 'c';
rollback to savepoint s;
commit;
SQL
    posts_are([['a', 1], ['b', 20], ['c', 3]], 'what was committed');
    my $before = outbox();
    $here->run(<<'SQL');
update posts set title = title, n = n;
update posts set n = 1 where title = 'a';
delete from posts where title = 'nobody';
SQL
    is(outbox(), $before, 'what changes nothing says nothing');
    $here->run(<<'SQL');
update posts set title = 'A' where title = 'a';
update posts set title = 'b ' where title = 'b';
update posts set title = 'ç' where title = 'c';
SQL
    $pair->sync('case, a space, an accent');
    is_deeply($there->rows('select title, length(title) from posts '
        . 'order by n'), [['A', 1], ['ç', 1], ['b ', 2]], 'they count');
    $here->run(<<'SQL');
insert into posts (title, n) select 'copy', n + 1 from posts;
update posts set id = id + 1000, title = 'moved' where n = 2;
delete from posts where n = 4 or n = 3;
SQL
    posts_are([['A', 1], ['b ', 20], ['copy', 21], ['moved', 2]],
        'INSERT with SELECT, another key, DELETE');
    $here->run('delete from posts');
    posts_are([], 'all of them deleted');
}

# What changes again and again between two runs is sent once, and a value that
# the other side had given meanwhile is known to have lost.
sub bursts {
    my $seq = sub { $_[0]->value('select last_seq from communicator_node') };
    my $before;

    $here->run("insert into posts (title, n) values ('burst', 0), ('b', 1);");
    $pair->sync('two posts');
    $before = $seq->($here);
    $there->run("update posts set n = -7 where title = 'burst'");
    $here->run(join '', "begin;\n",
        (map { "update posts set n = $_ where title = 'burst';\n" } 1 .. 1000),
        "commit;\n");
    posts_are([['b', 1], ['burst', 1000]], 'a thousand changes of a row');
    is($seq->($here) - $before, 1, '  are one message');
    is_deeply([map { @{ $_->rows('select lost_value, won_value'
                      . ' from communicator_conflicts') } } $here, $there],
        [(['-7', '1000']) x 2], '  which notes what the other side had, once');
    $here->run("update posts set n = n + 1; update posts set title = 'c',"
        . " n = n + 1 where title = 'b'; update posts set n = n + 1;"
        . "update posts set title = 'd' where n = 4;");
    posts_are([['d', 4], ['burst', 1002]], 'with changes of other columns');
    is($seq->($here) - $before, 1 + 4, '  one for each columns in turn');
    $here->run("update posts set n = n + 1; delete from posts;");
    posts_are([], 'deleted at last');
    $here->run('delete from communicator_conflicts');
    $there->run('delete from communicator_conflicts');
}

# A change that cannot be recorded must not be committed either.
sub without_outbox {
    my $legacy =
      $here->driver eq 'sqlite3' ? "pragma legacy_alter_table = on;\n" : '';
    my $count = 'select count(*) from posts';
    my $before = $here->value($count);

    $here->run("${legacy}alter table outbound_messages rename to aside;");
    ok(!eval { $here->run("insert into posts (title) values ('lost')"); 1 },
        'without the outbox nothing can be changed');
    is($here->value($count), $before, '  and nothing is');
    $here->run("${legacy}alter table aside rename to outbound_messages;");
}

# What an application writes into the outbox itself may be anything; and so may
# be what a trigger once wrote: migrate publishes that record again.
sub garbage {
    $_->run("insert into outbound_messages (body) values ('garbage');")
      for $here, $there;
    $here->run("insert into posts (title, n) values ('unread', 77);"
        . "update outbound_messages set body = '{\"post\":{\"n\":00077}}'"
        . " where seq is null and action = 'create';");
    my $run = $pair->{central}->sync;
    like($run->{err}, qr/: skipped 2 messages: .* cannot be read/,
        'messages that nobody can read are skipped, and that is reported here');
    $run = $pair->sync('as long as they are there', 65);
    $pair->{facade}->log_has_only(
        qr/CM0024: skipped 1 messages .* cannot be read/);
    my $status = $pair->{central}->sync('status', '--nagios');
    isnt($status->{exit}, 0, 'a monitor sees them');
    like($status->{out}, qr/'facade withheld'=2/, '  how many there are');
    is($pair->{central}->sync('migrate')->{exit}, 0, 'migrate');
    $pair->{central}->sync;
    is($there->value("select n from posts where title = 'unread'"), 77,
        '  publishes the record again');
    $run = $pair->{central}->sync('status', '--nagios');
    like($run->{out}, qr/'facade withheld'=1/, '  and the other one stays');
    for my $node ($pair->nodes) {
        my ($peer, $seq) = @{ $node->database->rows('select peer, seq'
            . ' from communicator_withheld where ended_at = 0')->[0] };
        is($node->sync('discard', $peer, $seq)->{exit}, 0, 'discard');
    }
    $pair->sync('without it');
    $here->run("delete from posts where title = 'unread'");
    $pair->sync('nor the record');
}

sub pgsql {
    $here->run(<<'SQL');
create role cm_test_writer login;
grant insert, update, delete, select on posts, days to cm_test_writer;
grant usage on sequence posts_id_seq to cm_test_writer;
SQL
    my $out = session(['-qAt', '-U', 'cm_test_writer'], encode('latin1',
            <<'SQL'));
set client_encoding = latin1;
set timezone = 'America/St_Johns';
set datestyle = 'German';
set search_path = pg_catalog;
set standard_conforming_strings = off;
set escape_string_warning = off;
set default_transaction_isolation = 'serializable';
insert into public.posts (title, n, at)
    values ('süß \\ ''', 1, '2011-06-22 10:11:12.5');
insert into public.days values ('22.06.2011', 'Wednesday');
select lastval() = max(id), lastval() = currval('public.posts_id_seq')
    from public.posts;
update public.posts set n = 2;
prepare p as insert into public.posts (title, n) values ($1, $2);
execute p('prepared', 3);
delete from public.posts where n = 2 and false;
select lastval() = max(id) from public.posts;
copy public.posts (title, n) from stdin;
copied 1	10
copied 2	\N
\.
select lastval() = max(id) from public.posts;
with moved as (delete from public.posts where title = 'copied 1' returning n)
    insert into public.posts (title, n) select 'with', n from moved;
SQL
    is($out, "t|t\nt\nt\n", 'lastval() is the application\'s own');
    posts_are([['copied 2', undef], ['prepared', 3], ["süß \\ '", 2],
            ['with', 10]], 'an application without rights, in Latin-1');
    is($there->value("select at from posts where n = 2"),
        '2011-06-22 12:41:12.5', 'in its zone');
    $there->run("update days set name = 'Mittwoch'");
    $pair->sync('a key that is a date');
    $pair->both_have('select day, name from days',
        [['2011-06-22', 'Mittwoch']], 'is the same in any style');
    my $before = outbox();
    $here->run("set session_replication_role = replica;"
        . "update posts set n = 5 where n = 2;");
    is(outbox(), $before, 'a replica tells nobody');
    $here->run(<<'SQL');
create table notes (id int primary key, post bigint references posts);
insert into notes select 1, max(id) from posts;
truncate notes, posts restart identity;
drop table notes;
insert into posts (title, n) values ('after', 1);
SQL
    posts_are([['after', 1]], 'TRUNCATE, and the same ids in a new life');
    $before = outbox();
    $here->run("begin; set local communicator.applying = 'posts';"
        . 'truncate posts cascade; rollback;');
    is(outbox(), $before, 'TRUNCATE within an application of messages is none');
    $here->run('begin; truncate posts; rollback;');
    is(outbox(), $before, 'nor is one that is rolled back');
    $here->run('create table parents (id bigint primary key);'
        . 'insert into parents values (1);'
        . 'alter table posts add foreign key (n) references parents;'
        . "truncate parents cascade;");
    posts_are([], 'TRUNCATE of a parent CASCADE');
    $here->run('drop table parents cascade');
    $here->run("drop owned by cm_test_writer; drop role cm_test_writer;");
}

sub mysql {
    my $user = "cm_$$";
    my $name = $here->{name};

    $here->run("create user $user\@localhost;"
        . "grant insert, update, delete, select on $name.posts to "
        . "$user\@localhost;");
    my $out = session(["-u$user", '-N', '--default-character-set=latin1'],
        encode('latin1', <<'SQL'));
set time_zone = '-03:30',
    sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'
        /*M! ',ORACLE' */,
    autocommit = 0, sql_safe_updates = 1, group_concat_max_len = 4,
    character_set_connection = latin2, collation_connection = latin2_bin;
insert into posts (title, n, at) values ('süß \ ', 1, '2011-06-22 10:11:12.5');
select last_insert_id() = max(id) from posts;
insert into posts (title, n) values ('one', 2), ('two', 3);
select last_insert_id() + 1 = max(id) from posts;
commit;
insert into posts (title) values ('never');
SQL
    is($out, "1\n1\n", 'LAST_INSERT_ID() is the application\'s own');
    $here->run("drop user $user\@localhost;");
    posts_are([['one', 2], ['süß \\ ', 1], ['two', 3]],
        'an application without rights, in Latin-1');
    $here->run(<<'SQL');
set names utf8mb3;
set sql_mode = '', @communicator_applying = null, foreign_key_checks = 0;
insert into posts (title, n) values (convert(x'f09f9880' using utf8mb4), 4);
set session transaction isolation level serializable;
replace into posts (id, title, n) select id, 'replaced', n from posts
    where n = 2;
insert into posts (id, title, n) select id, title, n from posts as p
    where p.n = 3 on duplicate key update title = 'updated';
insert ignore into posts (id, title) select id, 'ignored' from posts as p;
SQL
    my @posts = (['replaced', 2], ['süß \\ ', 1], ['updated', 3],
        ["\x{1F600}", 4]);
    posts_are(\@posts, 'REPLACE, ON DUPLICATE KEY, utf8mb3');
    locked_tables(@posts);
    prepared(@posts, ['locked', 6]);
    $here->run('truncate posts');
    $here->run("insert into posts (title, n) values ('after', 1);");
    $pair->sync('TRUNCATE is not seen');
    is_deeply($here->rows($all), [['after', 1]], 'here there is one');
    is($there->value("select count(*) from posts where title = 'after'"), 1,
        'there it is another one');
}

# MariaDB refuses the statement when outbound_messages is not locked, too.
sub locked_tables {
    my @posts = @_;

    $here->run(<<'SQL');
lock tables posts write, outbound_messages write;
insert into posts (title, n) values ('locked', 5);
update posts set n = 6 where n = 5;
unlock tables;
SQL
    posts_are([@posts, ['locked', 6]], 'LOCK TABLES');
}

# A transaction that is prepared holds up no others, and is captured when it
# commits: by another session, after others have been sent.
sub prepared {
    my @posts = @_;

    session([], <<'SQL');
xa start 'one';
insert into posts (title, n) values ('prepared', 7);
xa end 'one';
xa prepare 'one';
SQL
    $here->run("insert into posts (title, n) values ('other', 8);");
    $pair->sync('beside a transaction that is prepared');
    is($there->value('select count(*) from posts where n in (7, 8)'), 1,
        'the other one has come');
    $here->run("xa commit 'one';");
    posts_are([@posts, ['prepared', 7], ['other', 8]], 'XA PREPARE');
}

sub sqlite3 {
    my $out = session([], encode('UTF-8', <<'SQL'));
pragma case_sensitive_like = on;
pragma recursive_triggers = on;
pragma foreign_keys = on;
insert into posts (title, n) values ('one', 1), ('süß', 2);
select last_insert_rowid() = max(id), changes() = 2 from posts;
update posts set n = n + 10;
select last_insert_rowid() = max(id), changes() = 2 from posts;
insert or replace into posts (id, title, n)
    select id, 'replaced', 3 from posts where n = 11;
insert into posts (id, title) select id, '' from posts where n = 12
    on conflict (id) do update set title = 'upserted';
insert or ignore into posts (id, title) select id, 'ignored' from posts;
insert or ignore into posts (title) values (null);
SQL
    is($out, "1|1\n1|1\n", 'its own ids and counts');
    posts_are([['replaced', 3], ['upserted', 12]], 'REPLACE and UPSERT');
}

my %session = (pgsql => \&pgsql, mysql => \&mysql, sqlite3 => \&sqlite3);

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $why = Communicator::Test::Pair->missing($driver, 'sqlite3');
        plan skip_all => $why if $why;
        $pair = Communicator::Test::Pair->new(drivers => [$driver, 'sqlite3'],
            tables => $tables, models => $models);
        ($here, $there) = $pair->databases;

        statements();
        bursts();
        $session{$driver}->();
        without_outbox();
        garbage();
        $pair->is_settled('in the end');
        $pair->stop;
    };
}

done_testing();
