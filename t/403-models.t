#!/usr/bin/perl

# models: the configuration of a whole database, from its catalog. The same
# schema gives the same lines in every kind of database; what is written is
# accepted by both programs, and the first sync works with it.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(folder slurp spew);
use Communicator::Test::Database;
use Communicator::Test::Pair;
use Communicator::Test::Peer;

# Every shape that a table has in real schemas.
my $shapes = <<'SQL';
create table users (id {key}, login varchar(40) not null unique,
    name varchar(40)) {engine};
create table categories (id {key}, name varchar(40) not null,
    parent_id bigint references categories (id)) {engine};
create table posts (id {key}, title varchar(40), author_id bigint not null
    references users (id), category_id bigint) {engine};
create table tags (id {key}, name varchar(40) not null unique) {engine};
create table posts_tags (post_id bigint not null references posts (id),
    tag_id bigint not null references tags (id)) {engine};
create table comments (id {key}, body varchar(40), commentable_id bigint,
    commentable_type varchar(40), old_post_id bigint default 0 not null,
    ticket_id bigint) {engine};
create table orders (id {key}, user_id bigint not null
    references users (id)) {engine};
create table order_lines (order_id bigint not null references orders (id),
    line_no integer not null, item varchar(40),
    primary key (order_id, line_no)) {engine};
create table shipments (id {key}, order_id bigint not null,
    line_no integer not null, parcel varchar(40), foreign key
    (order_id, line_no) references order_lines (order_id, line_no)) {engine};
create table countries (code varchar(2) not null primary key,
    name varchar(40)) {engine};
create table prices (item varchar(40) not null, country varchar(2) not null
    references countries (code), price integer,
    primary key (item, country)) {engine};
create table profiles (user_id bigint not null primary key
    references users (id), bio varchar(40)) {engine};
create table departments (id {key}, name varchar(40)) {engine};
create table employees (id {key}, name varchar(40), department_id bigint
    references departments (id)) {engine};
alter table departments add column head_id bigint references employees (id);
create table order_line (id {key}) {engine};
create table notes (body varchar(40)) {engine};
create table sessions (session_id varchar(40) not null primary key,
    data varchar(40)) {engine};
create table schema_migrations (version varchar(40) not null primary key)
    {engine};
create table page_cache (id {key}, page varchar(40)) {engine};
create view titles as select title from posts;
SQL

my $lines = <<'CONF';
# The models of this database, by `communicator-sync models`. Both hosts need
# the same names.
CommunicatorModel category table=categories references=parent_id:category
# comments: old_post_id looks like a reference to posts, but no foreign key says
# so: references=old_post_id:post?0
# comments: ticket_id may refer to another table: if it does, name the model in
# references=ticket_id:MODEL
CommunicatorModel comment table=comments references=commentable_id:{commentable_type}
CommunicatorModel country table=countries key=code keys=shared
CommunicatorModel employee table=employees references=department_id:department
CommunicatorModel department table=departments references=head_id:employee
CommunicatorModel order_line table=order_line
# users: rows that both sides have already become one record with match=login,
# which is unique
CommunicatorModel user table=users
CommunicatorModel order table=orders references=user_id:user
CommunicatorModel order_lines table=order_lines key=order_id,line_no references=order_id:order
# posts: category_id looks like a reference to categories, but no foreign key
# says so: references=category_id:category
CommunicatorModel post table=posts references=author_id:user
# tags: rows that both sides have already become one record with match=name,
# which is unique
CommunicatorModel tag table=tags
# posts_tags: no unique index keeps two rows from having the same key
CommunicatorModel posts_tag table=posts_tags key=post_id,tag_id references=post_id:post,tag_id:tag
CommunicatorModel price table=prices key=item,country references=country:country keys=shared
CommunicatorModel profile table=profiles key=user_id references=user_id:user
# shipments: the foreign key (order_id,line_no) to order_lines has several
# columns, which references= cannot name: rows that come before their parents
# wait
CommunicatorModel shipment table=shipments references=order_id:order
# notes: left out: it has no key: no primary key, and no unique index on columns
# that are NOT NULL
# page_cache: left out: it is a cache
# schema_migrations: left out: it lists the migrations that have run in this
# database
# sessions: left out: it holds the sessions of this host's visitors
# titles: left out: it is a view, not a table
CONF

# A node of DRIVER with the tables of SQL.
sub node {
    my ($driver, $sql) = @_;
    my $database = Communicator::Test::Database->new($driver);

    $database->create($sql);
    return Communicator::Test::Peer->new(name => 'central',
        database => $database);
}

sub models_of {
    my ($node, @arguments) = @_;
    my $run = $node->sync('models', @arguments);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit}, 0, "models @arguments") or diag($run->{err});
    return $run->{out};
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


# What an application of 2004 has: no foreign key, 0 for none.
my $wordpress = <<'SQL';
create table wp_users (id {key}, user_login varchar(60) not null default '')
    {engine};
create table wp_usermeta (umeta_id {key}, user_id bigint not null default 0,
    meta_key varchar(255), meta_value {text}) {engine};
create table wp_posts (id {key}, post_author bigint not null default 0,
    post_title varchar(60), post_parent bigint not null default 0) {engine};
create table wp_postmeta (meta_id {key}, post_id bigint not null default 0,
    meta_key varchar(255), meta_value {text}) {engine};
create table wp_terms (term_id {key}, name varchar(60)) {engine};
create table wp_term_taxonomy (term_taxonomy_id {key},
    term_id bigint not null, taxonomy varchar(32),
    parent bigint not null default 0) {engine};
create table wp_links (link_id {key}, link_owner bigint not null default 1,
    link_category_id bigint) {engine};
create table wp_options (option_id {key}, option_name varchar(191),
    autoload varchar(20)) {engine};
create unique index option_name on wp_options (option_name);
create table old_options (option_id {key}, option_name varchar(191),
    autoload varchar(20)) {engine};
create table wp_term_relationships (object_id bigint not null default 0,
    term_taxonomy_id bigint not null, term_order integer not null default 0,
    primary key (object_id, term_taxonomy_id)) {engine};
create table wp_comments (comment_id {key},
    comment_post_id bigint not null, comment_parent bigint, user_id bigint)
    {engine};
SQL

# The same by Rails: a join table without a key, a tree, a status.
my $redmine = <<'SQL';
create table projects (id {key}, name varchar(60), parent_id bigint,
    lft integer, rgt integer) {engine};
create table trackers (id {key}, name varchar(60)) {engine};
create table projects_trackers (project_id bigint not null,
    tracker_id bigint not null) {engine};
create unique index projects_trackers_unique
    on projects_trackers (project_id, tracker_id);
create table issue_statuses (id {key}, name varchar(60)) {engine};
create table issues (id {key}, tracker_id bigint not null,
    project_id bigint not null, status_id bigint not null,
    author_id bigint, parent_id bigint, root_id bigint) {engine};
create table groups_users (group_id bigint, user_id bigint) {engine};
SQL

sub lines_of { return grep { /^CommunicatorModel/ } split /\n/, $_[0] }

each_database('names of columns', sub {
    my $node = node($_[0], $wordpress);
    my $out = models_of($node, '--guess');

    is(join("\n", lines_of($out)), <<'CONF' =~ s/\n\z//r, 'WordPress');
CommunicatorModel wp_user table=wp_users
CommunicatorModel wp_post table=wp_posts references=post_author:wp_user?0,post_parent:wp_post?0
CommunicatorModel wp_comment table=wp_comments key=comment_id references=comment_parent:wp_comment,comment_post_id:wp_post,user_id:wp_user
CommunicatorModel wp_link table=wp_links key=link_id references=link_owner:wp_user?0
CommunicatorModel wp_option table=wp_options key=option_id match=option_name "where=option_name NOT IN ('siteurl', 'home', 'cron', 'rewrite_rules') AND option_name NOT LIKE '%transient%'"
CommunicatorModel wp_postmeta table=wp_postmeta key=meta_id references=post_id:wp_post?0
CommunicatorModel wp_term table=wp_terms key=term_id
CommunicatorModel wp_term_taxonomy table=wp_term_taxonomy key=term_taxonomy_id references=parent:wp_term?0,term_id:wp_term
CommunicatorModel wp_term_relationship table=wp_term_relationships key=object_id,term_taxonomy_id references=object_id:wp_post,term_taxonomy_id:wp_term_taxonomy
CommunicatorModel wp_usermeta table=wp_usermeta key=umeta_id references=user_id:wp_user?0
CONF
    like($out, qr/link_category_id may refer to another table/,
        '  what is not clear is named');
    like($out, qr/old_options: left out: it holds the addresses/,
        '  what is each host\'s own is left out');
    is_deeply([lines_of(models_of($node, '--table', 'wp_comments', '--table',
        'wp_u*'))],
        ['CommunicatorModel wp_comment table=wp_comments key=comment_id',
        'CommunicatorModel wp_usermeta table=wp_usermeta key=umeta_id',
        'CommunicatorModel wp_user table=wp_users'],
        'nothing is guessed without --guess');
    $node = node($_[0], 'create table readings (id bigint not null, '
        . 'day varchar(10) not null, primary key (id, day)) {engine};');
    unlike(models_of($node), qr/id may refer/,
        'a part of a key that is named id names no other table');
    $node = node($_[0], $redmine);
    $out = models_of($node, '--guess');
    is(join("\n", lines_of($out)), <<'CONF' =~ s/\n\z//r, 'Redmine');
CommunicatorModel issue_status table=issue_statuses
CommunicatorModel project table=projects references=parent_id:project
CommunicatorModel tracker table=trackers
CommunicatorModel issue table=issues references=parent_id:issue,project_id:project,root_id:issue,status_id:issue_status,tracker_id:tracker
CommunicatorModel projects_tracker table=projects_trackers key=project_id,tracker_id references=project_id:project,tracker_id:tracker
CONF
    like($out, qr/groups_users: left out: it has no key/,
        '  a key that may be NULL is none');
});

each_database('shapes', sub {
    my $node = node($_[0], $shapes);

    is(models_of($node), $lines, 'the lines');
});

# Join tables with an id of their own, one record of another, and rows that
# refer to anything by a row that names its table.
my $django = <<'SQL';
create table django_content_type (id {key}, app_label varchar(40) not null,
    model varchar(40) not null) {engine};
create unique index content_type_uniq
    on django_content_type (app_label, model);
create table auth_group (id {key}, name varchar(40)) {engine};
create table auth_user (id {key}, name varchar(40)) {engine};
create table auth_user_groups (id {key}, user_id bigint not null
    references auth_user (id), group_id bigint not null
    references auth_group (id)) {engine};
create unique index user_groups_uniq on auth_user_groups (user_id, group_id);
create table profiles (id {key}, user_id bigint not null unique
    references auth_user (id)) {engine};
create table taggings (id {key}, name varchar(40),
    taggable_type varchar(40) not null, taggable_id bigint not null) {engine};
create unique index taggings_uniq on taggings (taggable_type, taggable_id);
create table bookmarks (id {key}, name varchar(40) not null,
    user_id bigint not null references auth_user (id)) {engine};
create unique index bookmarks_uniq on bookmarks (user_id, name);
create table tagged_item (id {key}, object_id bigint not null,
    content_type_id bigint not null references django_content_type (id))
    {engine};
create table admin_log (id {key}, object_id {text}, content_type_id bigint
    references django_content_type (id)) {engine};
create table tag_note (id {key}, item_id bigint references tagged_item (id))
    {engine};
SQL

each_database('Django', sub {
    my $node = node($_[0], $django);
    my $out = models_of($node);

    is(join("\n", lines_of($out)), <<'CONF' =~ s/\n\z//r, 'lines');
CommunicatorModel django_content_type table=django_content_type
CommunicatorModel admin_log table=admin_log references=content_type_id:django_content_type except=object_id
CommunicatorModel auth_group table=auth_group
CommunicatorModel auth_user table=auth_user
CommunicatorModel auth_user_group table=auth_user_groups references=group_id:auth_group,user_id:auth_user match=user_id,group_id
CommunicatorModel bookmark table=bookmarks references=user_id:auth_user
CommunicatorModel profile table=profiles references=user_id:auth_user match=user_id
CommunicatorModel tag_note table=tag_note
CommunicatorModel tagging table=taggings references=taggable_id:{taggable_type} match=taggable_type,taggable_id
CONF
    like($out, qr/match=user_id,name/, '  a name is for a person to decide');
    like($out =~ s/\n# / /gr,
        qr/tagged_item: left out: object_id .* references=object_id:MODEL/,
        '  what references= cannot say is left out');
    like($out =~ s/\n# / /gr,
        qr/tag_note: item_id refers to tagged_item, which is not a model/,
        '  and named where others refer to it');
});

# Foreign keys that are no references also say who comes first; numbers of an
# order are nobody's name; tables that one host keeps for itself.
my $tenants = <<'SQL';
create table nodes (id bigint not null, version bigint not null,
    lat integer, primary key (id, version)) {engine};
create table a_node_tags (node_id bigint not null, version bigint not null,
    k varchar(40) not null, primary key (node_id, version, k),
    foreign key (node_id, version) references nodes (id, version)) {engine};
create table warehouses (id {key}, code varchar(20) not null unique) {engine};
create table bins (id {key}, warehouse_code varchar(20),
    foreign key (warehouse_code) references warehouses (code)) {engine};
create table boards (id {key}, lft integer not null unique,
    rgt integer not null unique) {engine};
create table board_images (id {key}, board_id bigint not null,
    position integer not null, unique (board_id, position),
    foreign key (board_id) references boards (id)) {engine};
create table ids (name varchar(40) not null primary key,
    nextid bigint not null) {engine};
create table forum_sessions (session_id varchar(40) not null primary key)
    {engine};
SQL

each_database('parents first', sub {
    my $node = node($_[0], $tenants);
    my $out = models_of($node);

    is(join("\n", lines_of($out)), <<'CONF' =~ s/\n\z//r, 'lines');
CommunicatorModel node table=nodes key=id,version
CommunicatorModel a_node_tag table=a_node_tags key=node_id,version,k
CommunicatorModel warehouse table=warehouses
CommunicatorModel bin table=bins
CommunicatorModel board table=boards
CommunicatorModel board_image table=board_images references=board_id:board
CONF
    unlike($out, qr/match=(?:lft|rgt|board_id)/, '  no match= by a place');
    like($out, qr/^# ids: left out: it holds the next numbers/m,
        '  each side counts for itself');
    like($out, qr/^# forum_sessions: left out/m, '  and has its visitors');
});

sub write_models {
    my ($node) = @_;
    my $file = "$node->{dir}/tables.conf";
    my $run = $node->sync('models', '--write', $file, '--verbose');

    is($run->{exit}, 0, $node->name . ': models --write')
      or diag($run->{err});
    like($run->{out}, qr/tables\.conf: 15 models, 5 tables left out/,
        '  says what it has written');
    return $file;
}

# What is left of a pair's rows when every number is replaced by what it means.
my @meanings = (
    'select c.name, p.name from categories c left join categories p '
      . 'on p.id = c.parent_id order by 1',
    'select p.title, u.login from posts p join users u on u.id = p.author_id '
      . 'order by 1',
    'select c.body, c.commentable_type, p.title from comments c join posts p '
      . 'on p.id = c.commentable_id order by 1',
    'select p.title, t.name from posts_tags x join posts p on p.id = x.post_id '
      . 'join tags t on t.id = x.tag_id order by 1, 2',
    'select u.login, l.line_no, l.item, s.parcel from order_lines l '
      . 'join orders o on o.id = l.order_id join users u on u.id = o.user_id '
      . 'left join shipments s on s.order_id = l.order_id '
      . 'and s.line_no = l.line_no order by 1, 2',
    'select p.item, c.name, p.price from prices p join countries c '
      . 'on c.code = p.country order by 1, 2',
    'select u.login, p.bio from profiles p join users u on u.id = p.user_id',
    'select d.name, e.name, w.name from departments d join employees e '
      . 'on e.id = d.head_id join departments w on w.id = e.department_id',
);

sub fill {
    my ($here, $there) = @_;

    $there->run("insert into users (login) values ('a'), ('b'), ('c');"
        . 'delete from users');
    $here->run("insert into users (id, login) values (11, 'ann'), (12, 'bob');"
        . "insert into categories (id, name) values (21, 'root');"
        . "insert into categories (id, name, parent_id) values (22, 'leaf', 21);"
        . "insert into posts (id, title, author_id) values (31, 'one', 12);"
        . 'insert into comments (id, body, commentable_id, commentable_type) '
        . "values (35, 'yes', 31, 'Post');"
        . "insert into tags (id, name) values (41, 'red'), (42, 'blue');"
        . 'insert into posts_tags values (31, 41), (31, 42);'
        . 'insert into orders (id, user_id) values (51, 11);'
        . "insert into order_lines values (51, 1, 'cup'), (51, 2, 'mug');"
        . 'insert into shipments (id, order_id, line_no, parcel) '
        . "values (61, 51, 2, 'P1');"
        . "insert into countries values ('de', 'Germany');"
        . "insert into prices values ('cup', 'de', 3);"
        . "insert into profiles values (12, 'reads');"
        . "insert into departments (id, name) values (71, 'sales');"
        . "insert into employees (id, name, department_id) "
        . "values (81, 'eve', 71); update departments set head_id = 81");
}

sub first_sync {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $shapes, models => '');
    my ($central, $facade) = $pair->nodes;
    my @files = map { write_models($_) } $central, $facade;
    my ($here, $there) = $pair->databases;

    is(slurp($files[0]), slurp($files[1]), 'both hosts write the same');
    for my $node ($central, $facade) {
        $node->configure(conf => "Include $node->{dir}/tables.conf");
        $node->sync_ok('configtest');
        $node->migrate;
    }
    is($facade->configtest->{exit}, 0, 'httpd accepts it');
    $facade->restart;
    fill($here, $there);
    $pair->sync('the first sync');
    for my $sql (@meanings) {
        my $rows = $here->rows($sql);

        isnt(scalar @$rows, 0, "some $sql");
        is_deeply($there->rows($sql), $rows, '  the same there');
    }
    is($central->sync('verify')->{exit}, 0, 'verify');
    is($central->sync('check')->{exit}, 0, 'check');
    $pair->stop;
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-mysql mysql-sqlite3 sqlite3-pgsql)], \&first_sync);

# Run again after the schema has changed.
each_database('diff', sub {
    my $node = node($_[0], $shapes);
    my $file = write_models($node);
    my $database = $node->database;
    my $run = $node->sync('models', '--write', $file);

    isnt($run->{exit}, 0, 'a file that declares something is not replaced');
    like($run->{err}, qr/declares something already/, '  and it says so');
    $node->configure(conf => "Include $file");
    is(models_of($node, '--diff'), '', 'nothing differs');
    is(models_of($node), $lines, 'the lines are the same as before');
    $node->migrate;
    is(models_of($node), $lines, '  and beside tables of Communicator');
    $database->create('drop view titles; drop table profiles; '
        . 'create table votes (id {key}, post_id bigint not null '
        . 'references posts (id)) {engine}; '
        . 'alter table tags add column post_id bigint references posts (id)');
    is(models_of($node, '--diff'), <<"DIFF", 'what has changed');
! tag ($file:23): references=post_id:post is missing
+ CommunicatorModel vote table=votes references=post_id:post
- profile ($file:27): there is no table 'profiles'
DIFF
    my @json = map { decode_json($_) } split /\n/,
      models_of($node, '--diff', '--json', '--table', 'vo*');
    is_deeply(\@json, [{ change => 'new', table => 'votes',
        text => 'CommunicatorModel vote table=votes references=post_id:post' }],
        'as JSON, of some tables');
    my $more = "$node->{dir}/more.conf";
    is($node->sync('models', '--write', $more)->{exit}, 0, 'one more file');
    is_deeply([lines_of(slurp($more))],
        ['CommunicatorModel vote table=votes references=post_id:post'],
        '  has what is not configured yet');
    $node->configure(conf => "Include $file\nInclude $more");
    $node->sync_ok('configtest');
});

done_testing();
