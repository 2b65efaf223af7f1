#!/usr/bin/perl

# check names what the catalog of the database says about the models: references
# that are forgotten, keys that both sides give, columns that stay empty,
# triggers. It says nothing where there is nothing to say.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(slurp spew);
use Communicator::Test::Blog qw(make_blog blog_models);
use Communicator::Test::Database;
use Communicator::Test::Pair;
use Communicator::Test::Peer;

# A tracker of issues, as many schemas have it.
my $tracker = <<'SQL';
create table users (id {key}, login varchar(40) not null unique) {engine};
create table issue_statuses (id {key}, name varchar(40)) {engine};
create table projects (id {key}, name varchar(40), issues_count integer)
    {engine};
create table issues (id {key}, subject varchar(40), project_id bigint not null
    references projects (id), author_id bigint not null references users (id),
    status_id bigint references issue_statuses (id), parent_id bigint)
    {engine};
create table journals (id {key}, issue_id bigint, note varchar(40)) {engine};
create table attachments (id {key}, container_id bigint,
    container_type varchar(40), name varchar(40)) {engine};
create table watchers (id {key}, watchable_id bigint, user_id bigint,
    watchable_type varchar(40)) {engine};
create table trackers (id {key}, name varchar(40)) {engine};
create table settings (name varchar(40) not null primary key,
    value varchar(40)) {engine};
create table messages (id {key}, title varchar(40), body varchar(40) not null,
    locked integer not null default 0) {engine};
SQL

my $forgetful = <<'CONF';
CommunicatorModel user       table=users
CommunicatorModel project    table=projects
CommunicatorModel issue      table=issues references=project_id:user
CommunicatorModel journal    table=journals
CommunicatorModel attachment table=attachments
CommunicatorModel watcher    table=watchers references=user_id:user,watchable_id:{watchable_type}
CommunicatorModel tracker    table=trackers keys=shared
CommunicatorModel setting    table=settings key=name keys=shared
CommunicatorModel message    table=messages except=body,locked
CONF

# What helps with all of it.
my $careful = <<'CONF';
CommunicatorModel user       table=users match=login
CommunicatorModel project    table=projects
CommunicatorModel status     table=issue_statuses
CommunicatorModel issue      table=issues references=project_id:project,author_id:user,status_id:status,parent_id:issue
CommunicatorModel journal    table=journals references=issue_id:issue
CommunicatorModel attachment table=attachments references=container_id:{container_type}
CommunicatorModel watcher    table=watchers references=user_id:user,watchable_id:{watchable_type}
CommunicatorModel tracker    table=trackers
CommunicatorModel setting    table=settings key=name keys=shared
CommunicatorModel message    table=messages except=locked
CONF

# A node of DRIVER with the tables of SQL and the models of CONF.
sub node {
    my ($driver, $sql, $conf) = @_;
    my $database = Communicator::Test::Database->new($driver);

    ref $sql ? $sql->($database) : $database->create($sql);
    return Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => $conf)->migrate;
}

# The lines of check with VERDICT about models: [what, hint].
sub lines_of {
    my ($node, $verdict) = @_;
    my $run = $node->sync('check', '--json');

    is($run->{exit}, 0, 'check') or diag($run->{err});
    return [map { [$_->{what}, $_->{hint}] }
          grep { $_->{verdict} eq $verdict && $_->{what} =~ /model/ }
          @{ decode_json($run->{out}) }];
}

sub each_database {
    my ($name, $test) = @_;

    for my $driver (Communicator::Test::Database->drivers) {
        subtest "$name: $driver" => sub {
            my $why = Communicator::Test::Database->missing($driver);
            plan skip_all => $why if $why;
            $test->($driver);
        };
    }
}

# Expect that LINES are those of PATTERNS, a pair each, in any order.
sub like_all {
    my ($lines, $patterns, $name) = @_;
    my @left = @$lines;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $pair (@$patterns) {
        my ($found) = grep { $left[$_][0] =~ $pair->[0]
              && ($left[$_][1] // '') =~ $pair->[1] } 0 .. $#left;

        ok(defined $found, "$name: $pair->[0]");
        splice @left, $found, 1 if defined $found;
    }
    is_deeply(\@left, [], "$name: nothing else");
}

each_database('what is forgotten', sub {
    my $node = node($_[0], $tracker, $forgetful);

    like_all(lines_of($node, 'warning'), [
        [qr/^model issue: 'author_id' refers to 'users', and is sent as it is/,
            qr/^add references=author_id:user$/],
        [qr/^model issue: references=project_id:user, but .* leads to 'projects'/,
            qr/^references=project_id:project$/],
        [qr/^model issue: 'status_id' refers to the table 'issue_statuses'/,
            qr/declare a model for it .* except=status_id$/],
        [qr/^model issue: 'parent_id' seems to refer to 'issues'/,
            qr/^add references=parent_id:issue$/],
        [qr/^model journal: 'issue_id' seems to refer to 'issues'/,
            qr/^add references=issue_id:issue$/],
        [qr/^model attachment: 'container_id' .* 'container_type' names/,
            qr/^add references=container_id:\{container_type\}$/],
        [qr/^model tracker: keys=shared, but this database gives 'id'/,
            qr/keys=mapped/],
        [qr/^model message: 'body' is NOT NULL, has no default/,
            qr/except= or only=/],
    ], 'warnings');
    my $told = lines_of($node, 'ok');
    ok((grep { $_->[0] =~ /^model project: 'issues_count' looks like a count/
              && $_->[1] =~ /except=issues_count/ } @$told), 'a counter');
    ok((grep { $_->[0] =~ /^model user: login is unique/
              && $_->[1] =~ /match=login/ } @$told), 'a unique column');
});

each_database('what is not', sub {
    my ($driver) = @_;
    my $node = node($driver, $tracker, $careful);

    is_deeply(lines_of($node, 'warning'), [], 'no warning');
    ok((grep { $_->[0] eq 'the catalog and the models agree' }
        @{ lines_of($node, 'ok') }), 'but a line');
    is_deeply(lines_of(node($driver, \&make_blog, blog_models()), 'warning'),
        [], 'nor for a blog');
    $node = node($driver, $tracker, '');
    $node->sync_ok('models', '--guess', '--write', "$node->{dir}/all.conf");
    $node->configure(conf => "Include $node->{dir}/all.conf");
    $node->migrate;
    is_deeply(lines_of($node, 'warning'), [],
        'nor with what models --guess proposes');
});

# No foreign key, and 0 for none, as WordPress has it.
my $weblog = <<'SQL';
create table wp_users (id {key}, login varchar(60) not null default '')
    {engine};
create table wp_posts (id {key}, post_author bigint not null default 0,
    title varchar(60), post_parent bigint not null default 0,
    comment_count bigint not null default 0) {engine};
create table wp_postmeta (meta_id {key}, post_id bigint not null default 0,
    meta_key varchar(255)) {engine};
SQL

each_database('without foreign keys', sub {
    my $node = node($_[0], $weblog, <<'CONF');
CommunicatorModel user table=wp_users
CommunicatorModel post table=wp_posts
CommunicatorModel meta table=wp_postmeta key=meta_id
CONF

    like_all(lines_of($node, 'warning'), [
        [qr/^model post: 'post_author' seems to refer to 'wp_users'/,
            qr/^add references=post_author:user\?0$/],
        [qr/^model post: 'post_parent' seems to refer to 'wp_posts'/,
            qr/^add references=post_parent:post\?0$/],
        [qr/^model meta: 'post_id' seems to refer to 'wp_posts'/,
            qr/^add references=post_id:post\?0$/],
    ], 'warnings');
    $node->configure(conf => <<'CONF');
CommunicatorModel user table=wp_users
CommunicatorModel post table=wp_posts references=post_author:user?0,post_parent:post?0
CommunicatorModel meta table=wp_postmeta key=meta_id references=post_id:post?0
CONF
    $node->migrate;
    is_deeply(lines_of($node, 'warning'), [], 'no warning');
});

# --- rows ---

# What refers to nothing, where nothing keeps it away.
my $orphaned = <<'SQL';
create table posts (id {key}, title varchar(40)) {engine};
create table metas (id {key}, post_id bigint not null) {engine};
create table links (post_id bigint not null, tag varchar(20) not null,
    primary key (post_id, tag)) {engine};
create table notes (id {key}, note_id bigint not null,
    note_type varchar(20)) {engine};
create table drafts (id {key}, post_id bigint) {engine};
create table items (id {key}, object_id bigint,
    content_type_id bigint) {engine};
create table content_types (id {key}, model varchar(20)) {engine};
insert into posts (title) values ('one');
insert into metas (post_id) select id from posts;
insert into metas (post_id) values (700), (701);
insert into links values (700, 'red');
insert into notes (note_id, note_type) values (702, 'Post'), (5, 'Ghost');
insert into drafts (post_id) values (700);
SQL

each_database('orphans', sub {
    my $node = node($_[0], $orphaned, <<'CONF');
CommunicatorModel post  table=posts
CommunicatorModel meta  table=metas  references=post_id:post
CommunicatorModel link  table=links  references=post_id:post key=post_id,tag
CommunicatorModel note  table=notes  references=note_id:{note_type}
CommunicatorModel draft table=drafts references=post_id:post
CommunicatorModel item  table=items  references=content_type_id:content_type
CommunicatorModel content_type table=content_types
CONF

    like_all(lines_of($node, 'warning'), [
        [qr/^model meta: 'post_id' of table 'metas' leads to no row .*: 2 rows/,
            qr/delete them/],
        [qr/^model link: 'post_id' .* leads to no row of 'posts': 1 row, /,
            qr/delete/],
        [qr/^model note: 'note_id' .* leads to no row of 'posts': 1 row, /,
            qr/delete/],
        [qr/^model note: .* has 'Ghost', which is the name/, qr/declare/],
        [qr/^model item: 'object_id' refers to what a row of the content/,
            qr/^except=object_id/],
    ], 'warnings');
    $node->configure(conf => <<'CONF');
CommunicatorModel post  table=posts
CommunicatorModel meta  table=metas  references=post_id:post?0
CONF
    $node->migrate;
    is_deeply(lines_of($node, 'warning'), [], 'nothing where 0 means none');
});

# --- triggers ---

my $traced = <<'SQL';
create table posts (id {key}, title varchar(40), stamp varchar(40)) {engine};
create table traces (id {key}, title varchar(40)) {engine};
create table others (id {key}, title varchar(40)) {engine};
SQL

# A trigger NAME of posts that runs BODY; BEFORE: of each row, before it is
# written.
sub trigger {
    my ($database, $name, $body, $before) = @_;
    my $driver = $database->driver;

    return $database->run("create function $name() returns trigger language "
          . "plpgsql as \$\$ begin $body; return new; end \$\$; create trigger "
          . "$name " . ($before ? 'before' : 'after') . ' insert on posts '
          . "for each row execute function $name();") if $driver eq 'pgsql';
    return $database->run("delimiter //\ncreate trigger $name "
          . ($before ? 'before' : 'after') . ' insert on posts for each row '
          . "begin $body; end//\ndelimiter ;") if $driver eq 'mysql';
    return $database->run("create trigger $name after insert on posts "
        . "begin $body; end;");
}

sub stamp_of {
    my ($driver) = @_;

    return "new.stamp := 'x'" if $driver eq 'pgsql';
    return "set new.stamp = 'x'" if $driver eq 'mysql';
    return "update posts set stamp = 'x' where id = new.id";
}

each_database('triggers', sub {
    my ($driver) = @_;
    my $node = node($driver, $traced, "CommunicatorModel post table=posts\n"
        . "CommunicatorModel trace table=traces\n");
    my $database = $node->database;
    my $asks = $driver eq 'sqlite3'
      ? 'insert into traces (title) select new.title where not exists '
      . '(select 1 from communicator_applying)'
      : 'if not communicator_applying() then insert into traces (title) '
      . 'values (new.title); end if';

    trigger($database, 'harmless', 'insert into others (title) values ('
        . 'new.title)');
    trigger($database, 'asks', $asks);
    is_deeply(lines_of($node, 'warning'), [], 'some do no harm');
    trigger($database, 'traces_it', 'insert into traces (title) values ('
        . 'new.title)');
    trigger($database, 'stamps_it', stamp_of($driver), 1);
    like_all(lines_of($node, 'warning'), [
        [qr/^model post: the trigger 'traces_it' writes into 'traces'/,
            qr/communicator_applying/],
        [qr/^model post: the trigger 'stamps_it' changes 'stamp'/,
            qr/communicator_applying.* except=stamp$/],
    ], 'others do');
    $node->configure(conf => "CommunicatorModel post table=posts "
        . "except=stamp\nCommunicatorModel trace table=traces "
        . "direction=receive\n");
    $node->migrate;
    like_all(lines_of($node, 'warning'),
        [[qr/the trigger 'traces_it' writes/, qr/applying/]],
        'a column that is not sent');
});

my $counted = <<'SQL';
create table topics (id {key}, title varchar(40), replies integer,
    last_post varchar(40)) {engine};
create table posts (id {key}, topic_id bigint, title varchar(40)) {engine};
SQL

# A sum that a trigger computes is each side's own.
each_database('what triggers compute', sub {
    my $post = "CommunicatorModel post table=posts references=topic_id:topic\n";
    my $node = node($_[0], $counted, $post
        . 'CommunicatorModel topic table=topics except=replies');

    trigger($node->database, 'count_in', 'update topics set replies = '
        . '(select count(*) from posts p where p.topic_id = topics.id) '
        . 'where id = new.topic_id');
    is_deeply(lines_of($node, 'warning'), [], 'a column that is not carried');
    trigger($node->database, 'name_last', 'update topics set replies = '
        . 'coalesce(replies, 0), last_post = new.title where id = '
        . 'new.topic_id');
    like_all(lines_of($node, 'warning'), [
        [qr/^model post: the trigger 'name_last' writes into 'topics'/,
            qr/computes 'last_post', .*: except=last_post of the model topic/],
    ], 'the second of two columns is');
});

# --- the peer ---

# The same tables on both sides, but for two.
sub peer_tables {
    my ($database, $name) = @_;
    my ($type, $column) = $name eq 'central' ? qw(varchar(40) here)
      : qw(integer there);

    return <<"SQL";
create table authors (id {key}, name varchar(40)) {engine};
create table posts (id {key}, author_id bigint, score $type) {engine};
create table logs (id {key}, $column varchar(40)) {engine};
create table tags (id {key}, name varchar(40)) {engine};
create table drafts (id {key}, name varchar(40)) {engine};
SQL
}

sub peer_models {
    my ($database, $name) = @_;

    return <<'CONF' if $name eq 'central';
CommunicatorModel author table=authors
CommunicatorModel post   table=posts references=author_id:author
CommunicatorModel log    table=logs
CommunicatorModel tag    table=tags
CommunicatorModel draft  table=drafts direction=publish
CONF
    return <<'CONF';
CommunicatorModel author table=authors
CommunicatorModel post   table=posts
CommunicatorModel log    table=logs
CommunicatorModel tag    table=tags keys=shared
CommunicatorModel draft  table=drafts direction=publish
CONF
}

sub models_of_the_peer {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&peer_tables, models => \&peer_models);
    my $node = $pair->{central};

    like_all([grep { $_->[0] =~ /^facade: model/ }
              @{ lines_of($node, 'warning') }], [
        [qr/model post: 'author_id' has references=author_id:author here, no re/,
            qr/^declare the same references=/],
        [qr/model post: 'score' holds text on one side and numbers/,
            qr/except=score/],
        [qr/model log: the tables have no column in common/, qr/table=/],
        [qr/model tag: keys=mapped here, keys=shared there/, qr/same keys=/],
        [qr/model draft: both sides only publish it/, qr/direction=receive/],
    ], 'what does not fit');
    $pair->stop;
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&peer_tables,
        models => 'CommunicatorModel author table=authors');
    $node = $pair->{central};
    is_deeply([grep { $_->[0] =~ /facade/ } @{ lines_of($node, 'warning') }],
        [], 'nothing to say');
    ok((grep { $_->[0] eq 'facade: the models of both sides fit' }
        @{ lines_of($node, 'ok') }), 'but a line');
    $pair->stop;
}

Communicator::Test::Pair->for_each(
    [qw(sqlite3-pgsql pgsql-mysql mysql-sqlite3)], 'the peer',
    \&models_of_the_peer);

# --- what only one database has ---

sub only {
    my ($driver, $name, $test) = @_;

    subtest "$name: $driver" => sub {
        my $why = Communicator::Test::Database->missing($driver);
        plan skip_all => $why if $why;
        $test->($driver);
    };
}

each_database('a column that nothing explains', sub {
    my ($driver) = @_;
    my $sql = 'create table posts (id {key}, title varchar(40), '
      . 'old_system_id bigint) {engine}';
    my $line = 'CommunicatorModel post table=posts';
    my $node = node($driver, $sql, "$line\n");
    my $says = sub {
        return grep { $_->[0] =~ /^model post: 'old_system_id' may refer to/
              && $_->[1] =~ /references=old_system_id:MODEL/ }
          @{ lines_of($_[0], 'ok') };
    };

    is(scalar $says->($node), 1, 'has a line');
    is_deeply(lines_of($node, 'warning'), [], '  which is no warning');
    is(scalar $says->(node($driver, $sql, "$line except=old_system_id\n")), 0,
        'not if it is not sent');
});

each_database('numbers that the applications give', sub {
    my ($driver) = @_;
    my $sql = 'create table bills (id integer not null, title varchar(40), '
      . 'unique (id))';
    my $node = node($driver, $sql, "CommunicatorModel bill table=bills\n");

    like_all(lines_of($node, 'warning'), [[
        qr/^model bill: the application gives 'id' its numbers: .* is parked/,
        qr/^newkey=max, or keys=shared/]], 'a warning');
    $node = node($driver, $sql, "CommunicatorModel bill table=bills newkey=max\n");
    is_deeply(lines_of($node, 'warning'), [], 'none with newkey=max');
    $node = node($driver, $sql, "CommunicatorModel bill table=bills keys=shared\n");
    is_deeply(lines_of($node, 'warning'), [], 'nor with keys=shared');
});

only('pgsql', 'sequences and constraints', sub {
    my $node = node($_[0], 'create table odd (id serial primary key, '
          . 'code varchar(40) unique deferrable); alter sequence odd_id_seq '
          . 'increment by 2; create table identity (id bigint generated by '
          . 'default as identity (increment by 2) primary key)',
        "CommunicatorModel odd table=odd keys=shared\n"
          . "CommunicatorModel identity table=identity keys=shared\n");

    is_deeply(lines_of($node, 'warning'), [], 'every second number');
    ok((grep { $_->[0] =~ /'odd_code_key' is DEFERRABLE/ }
        @{ lines_of($node, 'ok') }), 'a constraint that is checked late');
});

only('pgsql', 'row security', sub {
    my $node = node($_[0], 'create table posts (id serial primary key, '
          . 'title varchar(40))', "CommunicatorModel post table=posts\n");
    my $conf = "$node->{dir}/node.conf";

    $node->database->run(<<'SQL');
create role hidden login;
grant all on all tables in schema public to hidden;
grant all on all sequences in schema public to hidden;
alter table posts enable row level security;
create policy most on posts using (title <> 'hidden');
SQL
    is_deeply(lines_of($node, 'warning'), [], 'who may see all rows');
    spew($conf, slurp($conf) =~ s/user=postgres/user=hidden/r);
    like_all(lines_of($node, 'warning'),
        [[qr/^model post: row security applies to the user 'hidden'/,
            qr/ALTER ROLE hidden BYPASSRLS/]], 'who may not');
    $node->database->run('drop owned by hidden; drop role hidden');
});

only('pgsql', 'rights', sub {
    my $node = node($_[0], 'create table posts (id serial primary key, '
          . 'title varchar(40))', "CommunicatorModel post table=posts\n");
    my $conf = "$node->{dir}/node.conf";

    $node->database->run(<<'SQL');
create role clerk login;
grant all on all tables in schema public to clerk;
grant all on all sequences in schema public to clerk;
SQL
    spew($conf, slurp($conf) =~ s/user=postgres/user=clerk/r);
    is($node->sync('check')->{exit}, 0, 'a login that may do everything');
    for my $lack ('insert, update, delete on communicator_batches',
        'delete on communicator_after', 'insert on communicator_journal') {
        my ($table) = $lack =~ /(\w+)$/;

        $node->database->run("revoke $lack from clerk");
        my $run = $node->sync('check');
        isnt($run->{exit}, 0, "may not $lack");
        like($run->{out}, qr/rights.*\b$table\b/s, 'check says so');
        $node->database->run("grant all on $table to clerk");
    }
    $node->database->run('drop owned by clerk; drop role clerk');
});

only('pgsql', 'a subscription', sub {
    my $node = node($_[0], 'create table posts (id serial primary key, '
          . 'title varchar(40))', "CommunicatorModel post table=posts\n");
    my $database = $node->database;

    # As if it had been connected: the server has no logical WAL.
    $database->run(<<'SQL');
create subscription others connection 'dbname=nowhere' publication all_of_it
    with (connect = false, slot_name = none);
set allow_system_table_mods = on;
insert into pg_subscription_rel (srsubid, srrelid, srsubstate)
    select oid, 'posts'::regclass, 'r' from pg_subscription
    where subname = 'others';
SQL
    like_all(lines_of($node, 'warning'),
        [[qr/^model post: logical replication writes .* not published/,
            qr/verify --repair/]], 'whose changes no trigger sees');
    $database->run('drop subscription others');
});

only('mysql', 'a user that is gone', sub {
    my $node = node($_[0], 'create table posts (id bigint primary key '
          . 'auto_increment, title varchar(40))',
        "CommunicatorModel post table=posts\n");
    my $database = $node->database;
    my $conf = "$node->{dir}/node.conf";
    my $ours = slurp($conf);
    my $user = "gone_$$";

    # As after a dump of another server: the triggers are made by a user who is
    # removed then.
    $database->run("create user $user\@localhost; "
          . "grant all on $database->{name}.* to $user\@localhost;");
    spew($conf, $ours =~ s/user=root/user=$user/r);
    $node->sync_ok('migrate', '--drop-triggers', 'post');
    $node->sync_ok('migrate');
    spew($conf, $ours);
    is_deeply(lines_of($node, 'warning'), [], 'a user who is there');
    $database->run("drop user $user\@localhost");
    ok(!eval { $database->run("insert into posts (title) values ('x')"); 1 },
        'without the user no statement of the application runs');
    my $check = $node->sync('check');
    is($check->{exit}, 78, 'check fails');
    like($check->{out}, qr/the user '$user\@localhost', who is not here/,
        '  and says who is missing');
    like($node->sync('status')->{out}, qr/: the triggers of table 'posts' are/,
        'status sees it, too');
    $node->sync_ok('migrate');
    $database->run("insert into posts (title) values ('x')");
    is($database->value('select count(*) from outbound_messages'), 1,
        'migrate makes them again');
});

only('mysql', 'ON UPDATE', sub {
    my $node = node($_[0], 'create table posts (id bigint primary key '
          . 'auto_increment, changed_at timestamp not null default '
          . 'current_timestamp on update current_timestamp, seen_at timestamp '
          . 'not null default current_timestamp on update current_timestamp)',
        "CommunicatorModel post table=posts except=seen_at\n");

    is_deeply([map { $_->[0] =~ /every update sets '(.*?)'/ }
            @{ lines_of($node, 'ok') }], ['changed_at'],
        'a column that every update sets');
});

done_testing();
