package Communicator::Test::Blog;

# The applications that tests put into a database: authors, posts that refer to
# them, comments that refer to posts; and that of the gem's own tests.

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(make_blog blog_models make_gem_blog gem_models);

sub make_blog {
    my ($database) = @_;

    $database->create(<<'SQL');
create table authors (
    id {key}, name varchar(255) not null, email varchar(255)) {engine};
create table posts (
    id {key}, author_id bigint, title varchar(255) not null, body {text},
    published {boolean}, created_at {timestamp}) {engine};
create table comments (
    id {key}, post_id bigint, text {text} not null) {engine};
SQL
}

sub blog_models {
    return <<'CONF';
CommunicatorModel author   table=authors
CommunicatorModel post     table=posts     references=author_id:author
CommunicatorModel comment  table=comments  references=post_id:post
CONF
}

sub make_gem_blog {
    my ($database) = @_;

    $database->create(<<'SQL');
create table posts (
    id {key}, title varchar(400) not null, body {text} not null,
    created_at {timestamp}, updated_at {timestamp}) {engine};
create table comments (
    id {key}, title varchar(255), body {text} not null,
    created_at {timestamp}, updated_at {timestamp}) {engine};
SQL
}

sub gem_models {
    return <<'CONF';
CommunicatorModel post     table=posts
CommunicatorModel comment  table=comments  except=title
CONF
}

1;
