# Django: constraints that are checked at the end of a transaction, join tables
# with an id of their own, tables that extend another one, rows that refer to
# anything by its content type.

{
    tables => <<'SQL',
create table django_migrations (id {key}, app varchar(40) not null,
    name varchar(40) not null) {engine};
create table django_session (session_key varchar(40) not null primary key,
    session_data {text} not null) {engine};
create table django_content_type (id {key}, mark varchar(20),
    app_label varchar(100) not null, model varchar(100) not null,
    constraint content_type_uniq unique (app_label, model)) {engine};
create table auth_permission (id {key}, mark varchar(20),
    name varchar(40) not null, codename varchar(40) not null,
    content_type_id bigint not null references django_content_type (id)
    {deferred},
    constraint permission_uniq unique (content_type_id, codename)) {engine};
create table auth_group (id {key}, mark varchar(20),
    name varchar(40) not null unique) {engine};
create table auth_group_permissions (id {key}, mark varchar(20),
    group_id bigint not null references auth_group (id) {deferred},
    permission_id bigint not null references auth_permission (id) {deferred},
    constraint group_permissions_uniq unique (group_id, permission_id))
    {engine};
create table auth_user (id {key}, mark varchar(20),
    username varchar(40) not null unique, email varchar(40) not null,
    is_active {boolean} not null default true) {engine};
create table auth_user_groups (id {key}, mark varchar(20),
    user_id bigint not null references auth_user (id) {deferred},
    group_id bigint not null references auth_group (id) {deferred},
    constraint user_groups_uniq unique (user_id, group_id)) {engine};
create table places_place (id {key}, mark varchar(20),
    name varchar(40) not null, owner_id bigint
    references auth_user (id) {deferred}) {engine};
create table places_restaurant (place_ptr_id bigint not null primary key
    references places_place (id) {deferred}, mark varchar(20),
    serves_pizza {boolean} not null) {engine};
create table places_waiter (id {key}, mark varchar(20),
    restaurant_id bigint not null
    references places_restaurant (place_ptr_id) {deferred},
    name varchar(40) not null, boss_id bigint
    references places_waiter (id) {deferred}) {engine};
create table accounts_profile (id {key}, mark varchar(20),
    user_id bigint not null unique references auth_user (id) {deferred},
    bio {text} not null) {engine};
create table tags_taggeditem (id {key}, mark varchar(20),
    tag varchar(40) not null, object_id integer not null,
    content_type_id bigint not null references django_content_type (id)
    {deferred}) {engine};
create table django_admin_log (id {key}, mark varchar(20), object_id {text},
    message {text} not null, content_type_id bigint
    references django_content_type (id) {deferred},
    user_id bigint not null references auth_user (id) {deferred}) {engine};
SQL
    both => <<'SQL',
insert into django_migrations (app, name) values ('auth', '0001_initial');
insert into django_content_type (mark, app_label, model) values
    ('ct1', 'auth', 'user'), ('ct2', 'places', 'place'),
    ('ct3', 'places', 'restaurant');
insert into auth_permission (mark, name, codename, content_type_id)
    select 'p' || mark, 'add', 'add_' || model, id from django_content_type;
SQL
    session => { mysql => "set sql_mode = concat(\@\@sql_mode, "
          . "',PIPES_AS_CONCAT');\n" },
    warnings => [qr/a delete of the peer is parked while a row of 'tags_/,
        qr/a delete of the peer is parked while a row of 'django_admin_log'/],
    edits => [
        [django_content_type => sub { "$_[0] match=app_label,model" }],
        [auth_permission => sub { "$_[0] match=content_type_id,codename" }],
    ],
    records => <<'RECORDS',
django_content_type id app_label model
auth_permission id name codename >content_type_id:django_content_type
auth_group id name
auth_group_permissions id >group_id:auth_group >permission_id:auth_permission
auth_user id username email is_active
auth_user_groups id >user_id:auth_user >group_id:auth_group
places_place id name >owner_id:auth_user
places_restaurant place_ptr_id serves_pizza >place_ptr_id:places_place
places_waiter id name >restaurant_id:places_restaurant >boss_id:places_waiter
accounts_profile id bio >user_id:auth_user
django_admin_log id message >content_type_id:django_content_type >user_id:auth_user
RECORDS
    actions => [
        [3, 'insert into auth_user (mark, username, email) values ({new#u}, '
          . '{new#u}, {word});'],
        [1, 'insert into auth_group (mark, name) values ({new#g}, {new#g});'],
        [3, 'insert into auth_user_groups (mark, user_id, group_id) values '
          . '({new}, {one auth_user}, {one auth_group});'],
        [2, 'insert into auth_group_permissions (mark, group_id, '
          . 'permission_id) values ({new}, {one auth_group}, '
          . '{one auth_permission});'],
        # set(): what is not wanted any more goes, the rest comes
        [2, 'delete from auth_user_groups where user_id = {one auth_user#u}; '
          . 'insert into auth_user_groups (mark, user_id, group_id) values '
          . '({new}, {one auth_user#u}, {one auth_group});'],
        [2, 'insert into accounts_profile (mark, user_id, bio) values ({new}, '
          . '{one auth_user}, {word});'],
        [2, 'insert into places_place (mark, name, owner_id) values ({new}, '
          . '{word}, {maybe auth_user});'],
        [4, 'insert into places_place (mark, name, owner_id) values ({new#p}, '
          . '{word}, {maybe auth_user}); insert into places_restaurant select '
          . 'id, {new}, true from places_place where mark = {new#p}; '
          . 'insert into places_waiter (mark, restaurant_id, name) select '
          . '{new}, id, {word} from places_place where mark = {new#p};'],
        [2, 'update places_waiter set boss_id = {maybe places_waiter}, name = '
          . '{word} where id = {one places_waiter};'],
        [1, 'update places_waiter set restaurant_id = {one places_restaurant} '
          . 'where id = {one places_waiter};'],
        [2, 'update places_restaurant set serves_pizza = '
          . '{pick 1,0} = 1 where place_ptr_id = {one places_restaurant};'],
        [2, 'update places_place set name = {word}, owner_id = '
          . '{maybe auth_user} where id = {one places_place};'],
        [2, 'update auth_user set email = {word}, is_active = {pick 1,0} = 1 '
          . 'where id = {one auth_user};'],
        [2, 'insert into django_admin_log (mark, message, content_type_id, '
          . 'user_id) values ({new}, {word}, {one django_content_type}, '
          . '{one auth_user});'],
        # A collector deletes what refers to a row, the row in the end.
        [1, 'update places_waiter set boss_id = null where boss_id in (select '
          . 'id from (select id from places_waiter where restaurant_id = '
          . '{one places_restaurant#r}) x); delete from places_waiter where '
          . 'restaurant_id = {one places_restaurant#r}; delete from '
          . 'places_restaurant where place_ptr_id = {one places_restaurant#r}; '
          . 'delete from places_place where id = {one places_restaurant#r};'],
        [1, 'update places_place set owner_id = null where owner_id = '
          . '{one auth_user#u}; delete from django_admin_log where user_id = '
          . '{one auth_user#u}; delete from accounts_profile where user_id = '
          . '{one auth_user#u}; delete from auth_user_groups where user_id = '
          . '{one auth_user#u}; delete from auth_user where id = '
          . '{one auth_user#u};'],
    ],
}
