# WordPress: no foreign key, 0 for none, dates that are zero, keys in capitals.
# Some rows of wp_options stay at each host.

my $tables = <<'SQL';
create table wp_users ("ID" {key}, mark varchar(20),
    user_login varchar(60) not null default '',
    user_registered {date} not null default {zero},
    display_name varchar(250) not null default '') {engine};
create table wp_usermeta (umeta_id {key}, mark varchar(20),
    user_id {number} not null default 0, meta_key varchar(255) default null,
    meta_value {text}) {engine};
create table wp_posts ("ID" {key}, mark varchar(20),
    post_author {number} not null default 0,
    post_date {date} not null default {zero},
    post_content {text} not null,
    post_title varchar(200) not null,
    post_status varchar(20) not null default 'publish',
    post_parent {number} not null default 0,
    guid varchar(255) not null default '',
    menu_order integer not null default 0,
    post_type varchar(20) not null default 'post',
    comment_count bigint not null default 0) {engine};
create table wp_postmeta (meta_id {key}, mark varchar(20),
    post_id {number} not null default 0, meta_key varchar(255) default null,
    meta_value {text}) {engine};
create table wp_terms (term_id {key}, mark varchar(20),
    name varchar(200) not null default '', slug varchar(200) not null
    default '', term_group bigint not null default 0) {engine};
create table wp_termmeta (meta_id {key}, mark varchar(20),
    term_id {number} not null default 0, meta_key varchar(255) default null,
    meta_value {text}) {engine};
create table wp_term_taxonomy (term_taxonomy_id {key}, mark varchar(20),
    term_id {number} not null default 0, taxonomy varchar(32) not null
    default '', parent {number} not null default 0,
    count bigint not null default 0) {engine};
create unique index term_id_taxonomy on wp_term_taxonomy (term_id, taxonomy);
create table wp_term_relationships (object_id {number} not null default 0,
    term_taxonomy_id {number} not null default 0, mark varchar(20),
    term_order integer not null default 0,
    primary key (object_id, term_taxonomy_id)) {engine};
create table wp_comments ("comment_ID" {key}, mark varchar(20),
    "comment_post_ID" {number} not null default 0,
    comment_author varchar(60) not null default '',
    comment_date {date} not null default {zero},
    comment_content {text} not null,
    comment_approved varchar(20) not null default '1',
    comment_parent {number} not null default 0,
    user_id {number} not null default 0) {engine};
create table wp_commentmeta (meta_id {key}, mark varchar(20),
    comment_id {number} not null default 0, meta_key varchar(255)
    default null, meta_value {text}) {engine};
create table wp_links (link_id {key}, mark varchar(20),
    link_url varchar(255) not null default '',
    link_owner {number} not null default 1) {engine};
create table wp_options (option_id {key}, mark varchar(20),
    option_name varchar(191) not null
    default '', option_value {text} not null,
    autoload varchar(20) not null default 'yes') {engine};
create unique index option_name on wp_options (option_name);
SQL

# WordPress itself knows MariaDB; the others have what its ports make of that.
my %type = (
    mysql => { key => 'bigint(20) unsigned not null auto_increment '
          . 'primary key', number => 'bigint(20) unsigned',
        date => 'datetime', zero => "'0000-00-00 00:00:00'" },
    pgsql => { number => 'bigint', date => 'timestamp',
        zero => "'0001-01-01 00:00:00'" },
    sqlite3 => { number => 'bigint', date => 'datetime',
        zero => "'0001-01-01 00:00:00'" },
);

{
    tables => {
        map {
            my $type = $type{$_};
            ($_ => $tables =~ s/\{(\w+)\}/$type->{$1} \/\/ "{$1}"/ger);
        } keys %type
    },
    session => { mysql => "set sql_mode = 'ANSI_QUOTES';\n" },
    both => "insert into wp_options (mark, option_name, option_value) values "
      . "('site', 'siteurl', 'https://x'), "
      . "('transient', '_transient_x', '1');\n",
    options => ['--guess'],
    records => <<'RECORDS',
wp_users ID user_login user_registered display_name
wp_usermeta umeta_id meta_key meta_value >user_id:wp_users
wp_posts ID post_date post_content post_title post_status guid menu_order post_type >post_author:wp_users >post_parent:wp_posts
wp_postmeta meta_id meta_key meta_value >post_id:wp_posts
wp_terms term_id name slug term_group
wp_termmeta meta_id meta_key meta_value >term_id:wp_terms
wp_term_taxonomy term_taxonomy_id taxonomy >term_id:wp_terms >parent:wp_terms
wp_term_relationships object_id,term_taxonomy_id term_order >object_id:wp_posts >term_taxonomy_id:wp_term_taxonomy
wp_comments comment_ID comment_author comment_date comment_content comment_approved >comment_post_ID:wp_posts >comment_parent:wp_comments >user_id:wp_users
wp_commentmeta meta_id meta_key meta_value >comment_id:wp_comments
wp_links link_id link_url >link_owner:wp_users
wp_options option_id option_name option_value
RECORDS
    actions => [
        [2, 'insert into wp_users (mark, user_login, user_registered) '
          . "values ({new#u}, {new#u}, '2024-05-01 10:00:00'); insert into "
          . "wp_usermeta (mark, user_id, meta_key, meta_value) select {new}, "
          . '"ID", \'nickname\', {word} from wp_users where mark = {new#u};'],
        [5, 'insert into wp_posts (mark, post_author, post_content, '
          . 'post_title) values ({new}, {maybe wp_users 0}, {word}, {word});'],
        [2, 'insert into wp_posts (mark, post_author, post_content, '
          . 'post_title, post_parent, menu_order, post_type) values ({new}, '
          . "{maybe wp_users 0}, {word}, {word}, {maybe wp_posts 0}, {n 9}, "
          . "'page');"],
        # A revision, and the post that it was made of.
        [3, 'insert into wp_posts (mark, post_author, post_date, post_content, '
          . 'post_title, post_parent, post_status, post_type) select {new}, '
          . 'post_author, post_date, post_content, post_title, "ID", '
          . "'inherit', 'revision' from wp_posts where \"ID\" = "
          . '{one wp_posts#p}; update wp_posts set post_content = {word}, '
          . "post_date = '2024-05-0{pick 1,2,3} 11:00:00' where "
          . '"ID" = {one wp_posts#p};'],
        [3, 'insert into wp_postmeta (mark, post_id, meta_key, meta_value) '
          . "values ({new}, {one wp_posts}, '_edit_lock', {word});"],
        [2, 'update wp_postmeta set meta_value = {word} where meta_id = '
          . '{one wp_postmeta};'],
        [3, 'insert into wp_terms (mark, name, slug) values ({new#t}, '
          . '{new#t}, {new#t}); insert into wp_term_taxonomy (mark, term_id, '
          . 'taxonomy, parent) select {new}, term_id, '
          . "{pick category,post_tag}, {maybe wp_terms 0} from wp_terms where "
          . 'mark = {new#t};'],
        [1, 'insert into wp_termmeta (mark, term_id, meta_key, meta_value) '
          . "values ({new}, {one wp_terms}, 'color', {word});"],
        [1, 'update wp_term_taxonomy set parent = {maybe wp_terms 0} '
          . 'where term_taxonomy_id = {one wp_term_taxonomy};'],
        [5, 'insert into wp_term_relationships select "ID", '
          . 'term_taxonomy_id, {new}, 0 from wp_posts, wp_term_taxonomy where '
          . '"ID" = {one wp_posts} and term_taxonomy_id = '
          . '{one wp_term_taxonomy#t}; update wp_term_taxonomy set count = '
          . 'count + 1 where term_taxonomy_id = {one wp_term_taxonomy#t};'],
        [1, 'delete from wp_term_relationships where '
          . '{row wp_term_relationships};'],
        [4, 'insert into wp_comments (mark, "comment_post_ID", '
          . 'comment_content, comment_parent, user_id) values ({new}, '
          . '{one wp_posts#p}, {word}, {maybe wp_comments 0}, '
          . '{maybe wp_users 0}); update wp_posts set comment_count = '
          . 'comment_count + 1 where "ID" = {one wp_posts#p};'],
        [2, "update wp_comments set comment_approved = 'spam' where "
          . '"comment_ID" = {one wp_comments};'],
        [1, 'insert into wp_commentmeta (mark, comment_id, meta_key) values '
          . "({new}, {one wp_comments}, '_wp_trash');"],
        [1, 'insert into wp_links (mark, link_url, link_owner) values ({new}, '
          . '{word}, {maybe wp_users 0});'],
        [2, 'insert into wp_options (mark, option_name, option_value) values '
          . '({new#o}, {new#o}, {word});'],
        [2, 'update wp_options set option_value = {word} where option_id = '
          . "{one wp_options} and mark not in ('site', 'transient');"],
        # wp_delete_post()
        [2, 'update wp_posts set post_parent = 0 where post_parent = '
          . "{one wp_posts#p} and post_type <> 'revision'; delete from "
          . 'wp_commentmeta where comment_id in (select "comment_ID" from '
          . 'wp_comments where "comment_post_ID" = {one wp_posts#p}); '
          . 'delete from wp_comments where "comment_post_ID" = '
          . '{one wp_posts#p}; delete from wp_postmeta where post_id = '
          . '{one wp_posts#p}; delete from wp_term_relationships where '
          . 'object_id = {one wp_posts#p}; delete from wp_posts where "ID" = '
          . "{one wp_posts#p} or (post_parent = {one wp_posts#p} and "
          . "post_type = 'revision');"],
        # wp_delete_user(), whose posts another one gets
        [1, 'update wp_posts set post_author = {one wp_users#b} where '
          . 'post_author = {one wp_users#a} and {one wp_users#a} <> '
          . '{one wp_users#b}; delete from wp_usermeta where user_id = '
          . '{one wp_users#a} and {one wp_users#a} <> {one wp_users#b}; '
          . 'delete from wp_users where "ID" = {one wp_users#a} and '
          . '{one wp_users#a} <> {one wp_users#b};'],
    ],
}
