#!/usr/bin/perl

# The whole way, for all nine pairings of databases: what an application
# writes on one side is in the other side's table after communicator-sync ran.

use strict;
use warnings;
use utf8;
use Digest::MD5 qw(md5_hex);
use Encode qw(encode_utf8);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Pair;
use Communicator::Test::Peer;
use Communicator::Test::Server;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

my $tables = <<'SQL';
create table owners (id {key}, name varchar(100) not null) {engine};
create table things (
    id {key}, owner_id bigint, name varchar(255) not null, body {text},
    count bigint, amount decimal(20,4), flag {boolean}, made {timestamp},
    born date, ratio {float}) {engine};
SQL
my $models = <<'CONF';
CommunicatorModel owner  table=owners
CommunicatorModel thing  table=things  references=owner_id:owner
CONF

# Each row: name => { column => value }; what is not named is NULL.
my %row = (
    'plain' => { body => 'text', count => 1, amount => '12.5', flag => 1 },
    'four bytes' => { body => "\x{1F600}\x{1F3F3}\x{FE0F} \x{10FFFD} ü€" },
    'quotes' => { body => q{it's "quoted" \\ \\n -- ; <&> %s %lld 100% $1} },
    'lines' => { body => "one\ntwo\r\nthree\n\n\ttab " },
    'empty' => { body => '' },
    'nothing' => {},
    'above 2^53' => { count => '9007199254740993' },
    'largest' => { count => '9223372036854775807' },
    'smallest' => { count => '-9223372036854775807' },
    'decimal' => { amount => '12345678.0625' },
    'negative' => { amount => '-0.0001' },
    'false' => { flag => 0 },
    'moment' => { made => '2011-06-22 10:11:12.345678' },
    'leap day' => { born => '2024-02-29' },
    'float' => { ratio => '0.1' },
    'tiny float' => { ratio => '1.5e-300' },
    'json in text' => { body => '{"a":[1,null,"\u0041"]}' },
);
my @columns = qw(body count amount flag made born ratio);

sub literal {
    my ($database, $column, $value) = @_;

    return 'null' unless defined $value;
    return $value ? 'true' : 'false' if $column eq 'flag';
    return $value if $column =~ /^(count|amount|ratio)$/;
    $value =~ s/'/''/g;
    $value =~ s/\\/\\\\/g if $database->driver eq 'mysql';
    # The databases' own clients lose a carriage return before a line's end.
    return "'$value'" unless $value =~ s/\r/~CR~/g;
    return sprintf "replace('%s', '~CR~', %s(13))", $value,
      $database->driver eq 'pgsql' ? 'chr' : 'char';
}

sub insert {
    my ($database, $prefix, $owner) = @_;
    my $sql = '';

    for my $name (sort keys %row) {
        $sql .= sprintf "insert into things (owner_id, name, %s)"
          . " values (%s, '%s', %s);\n", join(', ', @columns), $owner,
          "$prefix $name",
          join(', ', map { literal($database, $_, $row{$name}{$_}) }
            @columns);
    }
    $database->run($sql);
}

# Text of 3 MB, made by the database.
sub large {
    my ($database) = @_;

    return $database->driver eq 'sqlite3'
      ? q{replace(printf('%.*c', 500000, 'x'), 'x', 'ab"ü€')}
      : q{repeat('ab"ü€', 500000)};
}

# What stands for a very long TEXT in comparisons and messages.
sub digest {
    my ($text) = @_;

    return $text if length $text < 10000;
    return length($text) . ' characters, '
      . md5_hex(encode_utf8($text));
}

# VALUE in the one form that all databases can be compared in.
sub plain {
    my ($column, $value) = @_;

    return $value unless defined $value;
    if ($column eq 'body') { $value = digest($value) }
    elsif ($column eq 'flag') { $value =~ tr/tf/10/ }
    elsif ($column eq 'amount') { $value =~ s/\.?0+$// if $value =~ /\./ }
    elsif ($column eq 'ratio') { $value = $value + 0 }
    elsif ($column eq 'made') {
        $value =~ s/T/ /;
        $value =~ s/Z$//;
        $value =~ s/\.?0+$// if $value =~ /\./;
    }
    return $value;
}

# All of NODE's things by name, without what differs: ids.
sub things {
    my ($node) = @_;
    my %found;
    my $rows = $node->database->rows('select t.name, o.name, '
        . join(', ', map { "t.$_" } @columns)
        . ' from things t left join owners o on o.id = t.owner_id'
        . " where t.name not like 'own %'");

    for my $row (@$rows) {
        my ($name, $owner, @cells) = @$row;
        $found{$name} = { owner => $owner,
            map { $columns[$_] => plain($columns[$_], $cells[$_]) }
            0 .. $#columns };
    }
    return \%found;
}

# The rows of %row as things() finds them.
sub expected {
    my ($prefix, $owner) = @_;

    return map {
        my $values = $row{$_};
        ("$prefix $_" => { owner => $owner,
            map { $_ => plain($_, $values->{$_}) } @columns });
    } keys %row;
}

sub changes {
    my ($node) = @_;

    return $node->database->numbered;
}

sub received {
    my ($node) = @_;

    return $node->database->value('select coalesce(sum(messages), 0) '
        . 'from communicator_received');
}

sub make_nodes {
    my ($central_driver, $facade_driver) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => Communicator::Test::Database->new($facade_driver),
        conf => $models);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($central_driver),
        conf => $models)->knows($facade);

    $_->database->create($tables) for $central, $facade;
    # Written before the triggers are there: not sent, but ids are used up.
    $facade->database->run('insert into owners (name) values '
        . "('own a'), ('own b'); insert into things (name) values "
        . "('own a'), ('own b'), ('own c');");
    $_->migrate for $central, $facade;
    $facade->start;
    return ($central, $facade);
}

sub test_create {
    my ($central, $facade) = @_;

    $central->database->run("insert into owners (name) values ('Ada');");
    insert($central->database, 'from central', 1);
    $facade->database->run("insert into owners (name) values ('Bob');");
    insert($facade->database, 'from facade', 3);
    $central->sync_ok;
    my $want = { expected('from central', 'Ada'),
        expected('from facade', 'Bob') };
    is_deeply(things($central), $want, 'central has all rows');
    is_deeply(things($facade), $want, 'facade has all rows');
    isnt($central->database->value(
        "select id from things where name = 'from central plain'"),
        $facade->database->value(
        "select id from things where name = 'from central plain'"),
        'ids differ');
}

# Each side changes what the other one made.
sub test_update {
    my ($central, $facade) = @_;
    my %where = (central => 'from facade', facade => 'from central');

    for my $node ($central, $facade) {
        my $from = $where{ $node->name };
        $node->database->run(<<"SQL");
update things set body = '', count = null where name = '$from plain';
update things set body = null, flag = false where name = '$from empty';
update things set body = @{[large($node->database)]}
    where name = '$from nothing';
update things set body = 'one' where name = '$from lines';
update things set body = 'two' where name = '$from lines';
SQL
    }
    $central->sync_ok;
    my $got = things($central);
    is_deeply(things($facade), $got, 'both sides are equal after updates');
    for my $from (values %where) {
        is($got->{"$from plain"}{body}, '', "$from: '' is ''");
        is($got->{"$from plain"}{count}, undef, "$from: a number is NULL now");
        is($got->{"$from empty"}{body}, undef, "$from: NULL is NULL");
        is($got->{"$from empty"}{flag}, 0, "$from: false is false");
        is($got->{"$from nothing"}{body}, digest('ab"ü€' x 500000),
            "$from: a body of 4 MB is whole");
        is($got->{"$from lines"}{body}, 'two', "$from: the last change wins");
    }
}

sub test_delete {
    my ($central, $facade) = @_;

    $central->database->run(
        "delete from things where name = 'from facade quotes';");
    $facade->database->run(
        "delete from things where name = 'from central quotes';");
    $central->sync_ok;
    for my $node ($central, $facade) {
        is($node->database->value(
            "select count(*) from things where name like '% quotes'"), 0,
            $node->name . ' has what was deleted no more');
    }
}

sub test_quiet {
    my ($central, $facade) = @_;
    my $local = 1 + keys(%row) + 4 + 1;    # of the updates, two are one
    my @before = map { (changes($_), received($_)) } $central, $facade;

    is_deeply(\@before, [($local) x 4],
        'each change was sent once, and none came back');
    my $run = $central->sync_ok;
    is($run->{out} . $run->{err}, '', 'a run without work is silent');
    is_deeply([map { (changes($_), received($_)) } $central, $facade],
        \@before, 'and sends nothing');
    is($_->database->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, $_->name . ' has parked nothing')
      for $central, $facade;
    $facade->log_has_only;
}

Communicator::Test::Pair->for_each(Communicator::Test::Pair->all, sub {
    my @nodes = make_nodes(@_);

    test_create(@nodes);
    test_update(@nodes);
    test_delete(@nodes);
    test_quiet(@nodes);
    $nodes[1]->stop;
});

done_testing();
