package Communicator::Test::Blog;

# The application that demo and tests put into a database: authors, posts that
# refer to them, comments that refer to posts.

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(make_blog blog_models show_table);

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

# The rows of TABLE as text, under the names of its columns.
sub show_table {
    my ($database, $table, @columns) = @_;
    my $rows = $database->rows('select ' . join(', ', @columns)
        . " from $table order by 1");
    my @lines = ([@columns], map { [map { $_ // 'NULL' } @$_] } @$rows);
    my @width = (0) x @columns;

    for my $line (@lines) {
        for my $n (0 .. $#columns) {
            $line->[$n] =~ s/\n/\\n/g;
            $width[$n] = length $line->[$n] if $width[$n] < length $line->[$n];
        }
    }
    splice @lines, 1, 0, [map { '-' x $_ } @width];
    return join '', map {
        my $line = $_;
        '    ' . join('  ', map { sprintf '%-*s', $width[$_], $line->[$_] }
            0 .. $#columns) =~ s/\s+$//r . "\n";
    } @lines;
}

1;
