#!/usr/bin/perl

# A delete that the other side cannot follow, because rows there refer to the
# record: a person revives the record, discards the delete, or makes room.

use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

# The orders are only at the facade, and no model.
sub tables {
    my ($database, $name) = @_;

    return 'create table products (id {key}, name varchar(80)) {engine};'
      . 'create table labels (id {key}, name varchar(80) not null unique) '
      . '{engine};'
      . ($name eq 'facade'
        ? 'create table orders (id {key}, product_id bigint not null, '
          . 'foreign key (product_id) references products (id)) {engine};'
        : '');
}

sub id_of {
    my ($database, $name) = @_;

    return $database->value("select id from products where name = '$name'");
}

sub names {
    my ($database) = @_;

    return join ' ', map { $_->[0] } @{ $database->rows(
        'select name from products order by name') };
}

# The numbers of the messages that are parked.
sub parked_ids {
    my ($facade) = @_;

    return map { $_->[0] } @{ $facade->rows('select id from inbound_messages '
        . 'where processed_at is null order by id') };
}

sub begin {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    $central->run("insert into products (name) values ('a'), ('b'), ('c'), "
        . "('d');");
    $pair->{id} = { map { $_ => id_of($central, $_) } qw(a b c d) };
    $pair->sync('products');
    $facade->run('insert into orders (product_id) select id from products '
        . 'order by id;');
    $central->run('delete from products;');
    $pair->sync('deletes that the orders refuse', 65);
    is(names($facade), 'a b c d', 'the rows stay');
    is(scalar(() = parked_ids($facade)), 4, 'and the deletes are parked');
    my $node = $pair->{facade};
    like($node->sync('parked')->{out},
        qr/^hint: delete \(4\): .*revive MODEL ID.*discard PEER ID/m,
        'parked says what to do about them');
    is(join(' ', sort map { $_->{held_by} } @{ decode_json(
            $node->sync('parked', '--json')->{out}) }),
        join(' ', sort map { "orders $_->[0]" } @{ $facade->rows(
                    'select id from orders') }),
        'and which rows hold them');
    like($node->sync('check')->{out}, qr/^warning \s+ model\ product:\ a\ delete
        \ of\ the\ peer\ is\ parked\ while\ a\ row\ of\ 'orders'/mx,
        'check has warned of that');
}

sub decide {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;
    my $node = $pair->{facade};

    $node->sync_ok('discard', 'central', (parked_ids($facade))[0]);
    $node->sync_ok('revive', 'product', id_of($facade, 'b'));
    $pair->{central}->sync_ok('revive', 'product', $pair->{id}{c});
    is($pair->{central}->sync('revive', 'product', $pair->{id}{c})->{exit}, 64,
        'what is revived already cannot be revived');
    $facade->run('delete from orders where product_id = '
        . id_of($facade, 'd') . ';');
    $pair->sync('decisions');
    $pair->sync('and what follows from them');
    is(names($central), 'b c', 'central has what was revived');
    is(names($facade), 'a b c', 'the facade keeps the other row, too');
    is(scalar(() = parked_ids($facade)), 0, 'nothing is parked');
}

# A decision is final: verify is quiet, and repairs nothing.
sub settled {
    my ($pair, $what) = @_;
    my ($central, $facade) = $pair->databases;

    for my $how ([], ['--repair', '--from', 'facade']) {
        my $run = $pair->{central}->sync('verify', @$how);

        is($run->{exit}, 0, "$what: verify @$how") or diag(%$run);
    }
    $pair->sync("$what: after verify --repair");
    is(scalar(() = parked_ids($facade)), 0, "$what: nothing is parked again");
}

sub kept {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    settled($pair, 'discard');
    is(names($facade), 'a b c', 'the row stays');
    $facade->run("update products set name = 'a2' where name = 'a';");
    $pair->sync('a change of the row that was kept');
    is(names($central), 'b c', 'it stays at the facade');
    $pair->{facade}->sync_ok('publish', 'product', '--all');
    $pair->sync('publish --all');
    is(names($central), 'b c', 'publish does not revive it');
    settled($pair, 'publish');
    $pair->{facade}->sync_ok('revive', 'product', id_of($facade, 'a2'));
    $pair->sync('a person thinks again');
    $pair->both_have('select name from products order by name',
        [['a2'], ['b'], ['c']], 'revive works later, too');
    $central->run("update products set name = 'b2' where name = 'b';");
    $facade->run("update products set name = 'c2' where name = 'c';");
    $pair->sync('changes');
    $pair->both_have('select name from products order by name',
        [['a2'], ['b2'], ['c2']], 'what was revived goes on on both sides');
    settled($pair, 'revive');
    $pair->is_settled('decisions');
}

# Both sides use a unique value: parked names the row that has it.
sub collide {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;

    $_->run("insert into labels (name) values ('w'), ('x');")
      for $facade, $central;
    $facade->run("update labels set name = 'v' where name = 'w';");
    $pair->sync('a unique value on both sides', 65);
    for my $node ($pair->nodes) {
        my $list = decode_json($node->sync('parked', '--json')->{out});
        my $id = $node->database->value(
            "select id from labels where name = 'x'");

        is(join(' ', map { $_->{held_by} } @$list), "labels $id",
            'parked names the row that has a unique value');
    }
    $facade->run("update labels set name = 'y' where name = 'x';");
    $pair->sync('another value');
    $pair->sync('another value, back');
    $pair->both_have('select name from labels order by name',
        [['v'], ['w'], ['x'], ['y']], 'then both have both');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-sqlite3 mysql-pgsql sqlite3-mysql)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => "CommunicatorModel product "
          . "table=products\nCommunicatorModel label table=labels\n");

    $_->($pair) for \&begin, \&decide, \&kept, \&collide;
    $pair->stop;
});

done_testing();
