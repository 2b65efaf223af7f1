# A blog by Rails: tags that both sides make, comments on anything that answer
# each other, attachments, counters.
{
    tables => <<'SQL',
create table schema_migrations (version varchar(40) not null primary key)
    {engine};
create table ar_internal_metadata ("key" varchar(40) not null primary key,
    value varchar(40)) {engine};
create table users (id {key}, mark varchar(20), login varchar(40) not null,
    name varchar(40)) {engine};
create unique index index_users_on_login on users (login);
create table posts (id {key}, mark varchar(20), user_id bigint not null
    references users (id), title varchar(40), body {text},
    comments_count integer not null default 0, published_at {timestamp})
    {engine};
create table photos (id {key}, mark varchar(20), caption varchar(40)) {engine};
create table tags (id {key}, mark varchar(20), name varchar(40) not null,
    taggings_count integer not null default 0) {engine};
create unique index index_tags_on_name on tags (name);
create table taggings (id {key}, mark varchar(20), tag_id bigint not null
    references tags (id), taggable_type varchar(40) not null,
    taggable_id bigint not null) {engine};
create unique index taggings_idx
    on taggings (tag_id, taggable_id, taggable_type);
create table comments (id {key}, mark varchar(20), body {text},
    user_id bigint references users (id), parent_id bigint
    references comments (id), commentable_type varchar(40) not null,
    commentable_id bigint not null) {engine};
create table active_storage_blobs (id {key}, mark varchar(20),
    "key" varchar(40) not null, filename varchar(40) not null) {engine};
create unique index index_active_storage_blobs_on_key
    on active_storage_blobs ("key");
create table active_storage_attachments (id {key}, mark varchar(20),
    name varchar(40) not null, record_type varchar(40) not null,
    record_id bigint not null, blob_id bigint not null
    references active_storage_blobs (id)) {engine};
create unique index index_active_storage_attachments_uniqueness
    on active_storage_attachments (record_type, record_id, name, blob_id);
SQL
    session => { mysql => "set sql_mode = concat(\@\@sql_mode, "
          . "',ANSI_QUOTES');\n" },
    both => <<'SQL',
insert into schema_migrations values ('20240101000000');
insert into ar_internal_metadata values ('environment', 'production');
SQL
    edits => [
        [tag => sub { "$_[0] match=name" }],
    ],
    records => <<'RECORDS',
users id login name
posts id title body >user_id:users
photos id caption
tags id name
taggings id >tag_id:tags >taggable_id:taggable_type{Post:posts,Photo:photos}
comments id body >user_id:users >parent_id:comments >commentable_id:commentable_type{Post:posts,Photo:photos}
active_storage_blobs id filename
active_storage_attachments id name >blob_id:active_storage_blobs >record_id:record_type{Post:posts,User:users}
RECORDS
    actions => [
        [2, 'insert into users (mark, login, name) values ({new#u}, {new#u}, '
          . '{word});'],
        [4, 'insert into posts (mark, user_id, title, body) values ({new}, '
          . '{one users}, {word}, {word});'],
        [2, 'insert into photos (mark, caption) values ({new}, {word});'],
        [2, 'insert into tags (mark, name) values ({new}, {pick '
          . 'red,blue,green,black,white,pink});'],
        [4, 'insert into taggings (mark, tag_id, taggable_type, taggable_id) '
          . "select {new}, {one tags#t}, 'Post', id from posts where id = "
          . '{one posts}; update tags set taggings_count = taggings_count + 1 '
          . 'where id = {one tags#t};'],
        [1, 'insert into taggings (mark, tag_id, taggable_type, taggable_id) '
          . "values ({new}, {one tags}, 'Photo', {one photos});"],
        [4, 'insert into comments (mark, body, user_id, commentable_type, '
          . "commentable_id) select {new}, {word}, {maybe users}, 'Post', id "
          . 'from posts where id = {one posts#p}; update posts set '
          . 'comments_count = comments_count + 1 where id = {one posts#p};'],
        [2, 'insert into comments (mark, body, user_id, commentable_type, '
          . "commentable_id) values ({new}, {word}, {maybe users}, 'Photo', "
          . '{one photos});'],
        [2, 'insert into comments (mark, body, parent_id, commentable_type, '
          . 'commentable_id) select {new}, {word}, id, commentable_type, '
          . 'commentable_id from comments where id = {one comments};'],
        [2, 'insert into active_storage_blobs (mark, "key", filename) values '
          . '({new#b}, {new#b}, {word}); insert into '
          . 'active_storage_attachments (mark, name, record_type, record_id, '
          . "blob_id) select {new}, 'image', 'Post', p.id, b.id from "
          . 'active_storage_blobs b, posts p where b.mark = {new#b} '
          . 'and p.id = {one posts};'],
        [1, 'insert into active_storage_blobs (mark, "key", filename) values '
          . '({new#b}, {new#b}, {word}); insert into '
          . 'active_storage_attachments (mark, name, record_type, record_id, '
          . "blob_id) select {new}, 'avatar', 'User', {one users}, id from "
          . 'active_storage_blobs where mark = {new#b};'],
        [4, 'update posts set title = {word} where id = {one posts};'],
        [2, 'update posts set user_id = {one users} where id = {one posts};'],
        [1, 'update users set name = {word} where id = {one users};'],
        [2, 'update comments set body = {word} where id = {one comments};'],
        [1, "update comments set commentable_type = 'Photo', commentable_id = "
          . '{one photos} where id = {one comments};'],
        [1, 'update taggings set tag_id = {one tags} where id = '
          . '{one taggings};'],
        [2, 'update comments set parent_id = null where parent_id = '
          . '{one comments#c}; delete from comments where id = '
          . '{one comments#c};'],
        [2, 'delete from taggings where id = {one taggings};'],
        # dependent: :destroy
        [1, 'update comments set parent_id = null where commentable_type = '
          . "'Post' and commentable_id = {one posts#p}; delete from comments "
          . "where commentable_type = 'Post' and commentable_id = "
          . "{one posts#p}; delete from taggings where taggable_type = 'Post' "
          . 'and taggable_id = {one posts#p}; delete from '
          . "active_storage_attachments where record_type = 'Post' and "
          . 'record_id = {one posts#p}; delete from posts where id = '
          . '{one posts#p};'],
    ],
}
