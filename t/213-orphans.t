#!/usr/bin/perl

# One side deletes a record, the other changes those that cannot be without it:
# foreign keys delete them (on MariaDB no trigger sees that), so they count as
# deleted on both sides, and nothing waits for ever.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

# NULLABLE is "not null", or nothing: then a foreign key deletes them all the
# same.
sub tables {
    my ($nullable) = @_;

    return <<"SQL";
create table users (id {key}, name varchar(20)) {engine};
create table posts (id {key}, user_id bigint $nullable, title varchar(50),
    foreign key (user_id) references users (id) on delete cascade) {engine};
create table comments (id {key}, post_id bigint $nullable, text varchar(50),
    foreign key (post_id) references posts (id) on delete cascade) {engine};
SQL
}

my $models = <<'CONF';
CommunicatorModel user     table=users
CommunicatorModel post     table=posts     references=user_id:user
CommunicatorModel comment  table=comments  references=post_id:post
CONF

# A user, two posts and two comments, made on HERE.
sub make_records {
    my ($here) = @_;

    $here->run(<<'SQL');
insert into users (name) values ('u');
insert into posts (user_id, title) select id, 'p1' from users;
insert into posts (user_id, title) select id, 'p2' from users;
insert into comments (post_id, text) select id, 'c' from posts;
SQL
}

# HERE deletes the user while THERE does SQL.
sub deleted_while {
    my ($pair, $here, $there, $what, $sql) = @_;
    my $keys = $here->driver eq 'sqlite3' ? 'pragma foreign_keys=on;' : '';

    make_records($here);
    $pair->{central}->sync_ok for 1, 2;
    is($there->value('select count(*) from comments'), 2, "$what: arrived");
    $here->run("$keys delete from users;");
    $there->run($sql);
    $pair->{central}->sync for 1 .. 4;
    $pair->both_have('select title from posts', [], "$what: no post is left");
    $pair->both_have('select text from comments', [], '  and no comment');
    is(join("\n", map { $pair->parked($_) } $here, $there), '',
        '  nothing is parked');
    is($pair->{central}->sync('verify')->{exit}, 0, '  both sides are equal');
}

sub delete_and_change {
    my ($nullable, @drivers) = @_;
    my $pair = Communicator::Test::Pair->new(drivers => \@drivers,
        tables => tables($nullable), models => $models);

    for ([$pair->databases], [reverse $pair->databases]) {
        my ($here, $there) = @$_;
        my $side = $here == $pair->central ? 'central' : 'facade';
        deleted_while($pair, $here, $there, "$side deletes, posts change",
            "update posts set title = 'edited';");
        deleted_while($pair, $here, $there,
            "$side deletes, comments change",
            "update comments set text = 'edited';");
        deleted_while($pair, $here, $there, "$side deletes, posts come",
            "insert into posts (user_id, title) select id, 'new' "
            . 'from users;');
        deleted_while($pair, $here, $there,
            "$side deletes, posts come with comments",
            "insert into posts (user_id, title) select id, 'new' from users; "
            . "insert into comments (post_id, text) select id, 'new' "
            . "from posts where title = 'new';");
    }
    for my $database ($pair->databases) {
        cmp_ok($database->value('select count(*) from '
            . "communicator_conflicts where lost_value like '%edited%'"),
            '>', 0, $database->driver . ' keeps the values that are lost');
    }
    $pair->{facade}->log_has_only;
    $pair->stop;
}

for my $nullable ('not null', '') {
    Communicator::Test::Pair->for_each(
        [qw(mysql-mysql pgsql-mysql mysql-sqlite3)], $nullable || 'null',
        sub { delete_and_change($nullable, @_) });
}

done_testing();
