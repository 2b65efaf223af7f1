#!/usr/bin/perl

# Values of every kind from every database to every other, as docs/values.md
# has them: what the application wrote, what went over the wire, what the
# other side then holds. What a column cannot hold is parked with the reason.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test::Pair;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

# The facade's columns are the narrower ones.
my %types = (
    sqlite3 => {
        whole => 'bigint', small => 'smallint', exact => 'decimal(20,4)',
        cents => 'decimal(9,2)', ratio => 'double', flag => 'boolean',
        day => 'date', hour => 'time', moment => 'datetime',
        zoned => 'timestamp', short => 'varchar(10)', words => 'text',
        kind => 'text', doc => 'json', code => 'text', list => 'text',
        bytes => 'blob', mask => 'int', host => 'text',
        cash => 'decimal(12,2)', born => 'int', tags => 'text',
    },
    pgsql => {
        whole => 'bigint', small => 'smallint', exact => 'numeric(20,4)',
        cents => 'numeric(9,2)', ratio => 'double precision',
        flag => 'boolean', day => 'date', hour => 'time',
        moment => 'timestamp', zoned => 'timestamptz',
        short => 'varchar(10)', words => 'text', kind => 'kind',
        doc => 'jsonb', code => 'uuid', list => 'integer[]',
        bytes => 'bytea', mask => 'bit(5)', host => 'inet',
        cash => 'money', born => 'smallint', tags => 'varchar(20)',
    },
    mysql => {
        whole => 'bigint', small => 'smallint', exact => 'decimal(20,4)',
        cents => 'decimal(9,2)', ratio => 'double', flag => 'boolean',
        day => 'date', hour => 'time(6)', moment => 'datetime(6)',
        zoned => 'timestamp(6) null', short => 'varchar(10)',
        words => 'longtext', kind => "enum('low','high')", doc => 'json',
        code => Communicator::Test::Engine::has_uuid()
          ? 'uuid' : 'varchar(36)', list => 'text',
        bytes => 'longblob',
        mask => 'bit(5)', host => 'varchar(50)', cash => 'decimal(12,2)',
        born => 'year', tags => "set('a','b')",
    },
);
my %wide = (short => 'varchar(40)', small => 'bigint',
    cents => { sqlite3 => 'decimal(20,4)', pgsql => 'numeric(20,4)',
        mysql => 'decimal(20,4)' }, code => 'varchar(50)',
    kind => 'varchar(50)');

sub tables {
    my ($database, $name) = @_;
    my $driver = $database->driver;
    my %type = %{ $types{$driver} };

    if ($name eq 'central') {
        $type{$_} = ref $wide{$_} ? $wide{$_}{$driver} : $wide{$_}
          for keys %wide;
    }
    return ($driver eq 'pgsql' ? "create type kind as enum ('low', 'high');"
        : '') . 'create table things (id {key}, name varchar(100) not null, '
      . join(', ', map { "$_ $type{$_}" } sort keys %type) . ') {engine};';
}

# How MariaDB and the others write bytes, and a number as a character.
my %bytes = (sqlite3 => "x'%s'", pgsql => "'\\x%s'", mysql => "x'%s'");
my %char = (sqlite3 => 'char', pgsql => 'chr', mysql => 'char');

# name, column, what is written (SQL; per driver where they differ: others
# cannot), what goes over the wire, who cannot hold it and why.
my @cases = (
    ['nothing', words => 'null', undef],
    ['empty', words => "''", ''],
    ['space', words => "' '", ' '],
    ['spaces behind', short => "'a  '", 'a  '],
    ['largest', whole => '9223372036854775807', '9223372036854775807'],
    ['smallest', whole => '-9223372036854775808', '-9223372036854775808'],
    ['above 2^53', whole => '9007199254740993', '9007199254740993'],
    ['zero', whole => '0', '0'],
    ['scale', exact => '12.5', '12.5000'],
    ['many digits', exact => { pgsql => '1234567890123456.7891',
        mysql => '1234567890123456.7891' }, '1234567890123456.7891',
        sqlite3 => qr/'exact' keeps a floating point number/],
    ['negative', exact => '-0.0001', '-0.0001'],
    ['a third', ratio => '0.30000000000000004', '0.30000000000000004'],
    ['huge', ratio => '1.5e300', '1.5e+300'],
    # SQLite itself reads this as its neighbour.
    ['neighbours', ratio => { pgsql => '77584.7885543589',
        mysql => '77584.7885543589' }, '77584.7885543589'],
    ['tiny', ratio => '-2.5e-300', '-2.5e-300'],
    ['no number', ratio => { pgsql => "'NaN'" }, 'NaN',
        sqlite3 => qr/'ratio' cannot hold NaN/,
        mysql => qr/'ratio' cannot hold NaN/],
    ['endless', ratio => { pgsql => "'-Infinity'", sqlite3 => '-9e999' },
        '-Infinity', mysql => qr/'ratio' cannot hold -Infinity/],
    ['true', flag => 'true', JSON::PP::true],
    ['false', flag => 'false', JSON::PP::false],
    ['seven', flag => { mysql => '7', sqlite3 => '7' }, '7',
        pgsql => qr/'flag' holds true and false only/],
    ['leap day', day => "'2024-02-29'", '2024-02-29'],
    ['first day', day => "'0001-01-01'", '0001-01-01'],
    ['last day', day => "'9999-12-31'", '9999-12-31'],
    ['zero day', day => { mysql => "'0000-00-00'",
        sqlite3 => "'0000-00-00'" }, '0000-00-00',
        pgsql => qr/'day'.*does not exist/],
    ['30th of February', day => { mysql => "'2015-02-30'",
        sqlite3 => "'2015-02-30'" }, '2015-02-30',
        map { $_ => qr/'day'.*does not exist/ } qw(sqlite3 pgsql mysql)],
    ['for ever', day => { pgsql => "'infinity'" }, 'infinity',
        mysql => qr/'day'/, sqlite3 => qr/'day'/],
    ['far day', day => { pgsql => "'12026-01-02'" }, '12026-01-02',
        mysql => qr/day/],
    ['night', hour => "'23:59:59.999999'", '23:59:59.999999'],
    ['midnight', hour => "'00:00:00'", '00:00:00'],
    ['long hours', hour => { mysql => "'-100:00:00'" }, '-100:00:00',
        pgsql => qr/'hour'/],
    ['microseconds', moment => "'2011-06-22 10:11:12.000001'",
        '2011-06-22T10:11:12.000001Z'],
    ['whole second', moment => "'2011-06-22 10:11:12'",
        '2011-06-22T10:11:12Z'],
    ['before 1970', moment => "'1969-12-31 23:59:59.5'",
        '1969-12-31T23:59:59.5Z'],
    ['no time', moment => { mysql => "'0000-00-00 00:00:00'" },
        '0000-00-00T00:00:00Z', pgsql => qr/'moment'.*does not exist/],
    ['half an hour', zoned => { pgsql => "'2011-06-22 00:11:12.25+05:30'",
        sqlite3 => "'2011-06-22T00:11:12.25+05:30'",
        mysql => "'2011-06-22 00:11:12.25'" }, '2011-06-21T18:41:12.25Z'],
    ['in the gap', zoned => { pgsql => "'2024-03-31 01:30:00+00'",
        sqlite3 => "'2024-03-31 01:30:00'",
        mysql => "'2024-03-31 07:00:00'" }, '2024-03-31T01:30:00Z'],
    # MariaDB's timestamps end in 2038, from 11.5 on in 2106.
    ['after 2106', zoned => { pgsql => "'2110-01-01 00:00:00-03:30'",
        sqlite3 => "'2110-01-01T00:00:00-03:30'" }, '2110-01-01T03:30:00Z',
        mysql => qr/zoned/],
    ['planes', words => "'\x{1F600}\x{10FFFD}e\x{301}\x{e9}\x{2028}'",
        "\x{1F600}\x{10FFFD}e\x{301}\x{e9}\x{2028}"],
    ['controls', words => "'\x01\x1b\x7f\t'", "\x01\x1b\x7f\t"],
    ['signs', words => q{'%s {model} $1 ? :a "q" `b` it''s'},
        q{%s {model} $1 ? :a "q" `b` it's}],
    ['nul', words => { mysql => "concat('a', char(0 using utf8mb4), 'b')",
        sqlite3 => "'a' || char(0) || 'b'" }, "a\0b",
        pgsql => qr/'words' cannot hold U\+0000/],
    ['no UTF-8', words => { sqlite3 => "cast(x'61ff' as text)" },
        { hex => '61ff' }, mysql => qr/'words'/, pgsql => qr/'words'/],
    ['fits', short => "'äöüßéèêçñø'", 'äöüßéèêçñø'],
    ['in the enum', kind => "'high'", 'high'],
    ['one of two', doc => q('{"a": [1, 2.5, "ü"]}'),
        '{"a": [1, 2.5, "ü"]}'],
    ['json null', doc => "'null'", 'null'],
    ['json with NUL', doc => { mysql => q('{"a":"\\\\u0000"}'),
        sqlite3 => q('{"a":"\u0000"}') }, '{"a":"\u0000"}',
        pgsql => qr/doc|u0000|unsupported/],
    ['uuid', code => "'123e4567-e89b-12d3-a456-426614174000'",
        '123e4567-e89b-12d3-a456-426614174000'],
    ['array', list => "'{1,2,NULL}'", '{1,2,NULL}'],
    ['bytes', bytes => { map { $_ => sprintf $bytes{$_}, '00ff5c27' }
        keys %bytes }, '00ff5c27'],
    ['bits', mask => { pgsql => "b'00110'", mysql => "b'00110'",
        sqlite3 => '6' }, '6'],
    ['too many bits', mask => { sqlite3 => '32' }, '32',
        map { $_ => qr/'mask' is too small/ } qw(pgsql mysql)],
    ['a host', host => "'10.0.0.1'", '10.0.0.1'],
    ['a host with six', host => "'fe80::1'", 'fe80::1'],
    ['a network', host => "'10.0.0.0/8'", '10.0.0.0/8'],
    ['money', cash => '1234.5', '1234.50'],
    ['a debt', cash => '-0.05', '-0.05'],
    ['a year', born => '2011', '2011'],
    ['the year 5', born => { pgsql => '5', sqlite3 => '5' }, '5',
        mysql => qr/'born' holds the years from 1901 to 2155/],
    ['before Christ', day => { pgsql => "'0044-03-15 BC'" },
        '0044-03-15 BC', map { $_ => qr/'day'.*does not exist/ }
        qw(mysql sqlite3)],
    ['moment before Christ', moment => { pgsql =>
        "'0044-03-15 10:11:12.5 BC'" }, '0044-03-15T10:11:12.5Z BC',
        map { $_ => qr/'moment'.*does not exist/ } qw(mysql sqlite3)],
    ['a set', tags => "'a,b'", 'a,b'],
    ['a set in disorder', tags => { pgsql => "'b,a'", sqlite3 => "'b,a'" },
        'b,a', mysql => qr/'tags' has no such values in its set/],
    ['no bytes', bytes => { map { $_ => sprintf $bytes{$_}, '' }
        keys %bytes }, ''],
);

# What only central's wider columns hold.
my @wide = (
    ['eleven characters', short => "'äöüßéèêçñøx'", 'äöüßéèêçñøx',
        map { $_ => qr/'short' holds 10 characters, the value has 11/ }
        qw(pgsql mysql)],
    ['spaces too many', short => "'abcdefghi  '", 'abcdefghi  ',
        map { $_ => qr/'short' holds 10 characters/ } qw(pgsql mysql)],
    ['too large', small => '32768', '32768',
        map { $_ => qr/'small' is too small for the number/ }
        qw(pgsql mysql)],
    ['more cents', cents => '12.3450', '12.3450',
        map { $_ => qr/'cents' keeps 2 digits after the point/ }
        qw(pgsql mysql)],
    ['more money', cents => '12345678', '12345678.0000',
        map { $_ => qr/'cents' keeps 7 digits before the point/ }
        qw(pgsql mysql)],
    ['no uuid', code => "'uuid'", 'uuid', pgsql => qr/UUIDs/,
        Communicator::Test::Engine::has_uuid() ? (mysql => qr/UUIDs/) : ()],
    ['not in the enum', kind => "'HIGH'", 'HIGH',
        map { $_ => qr/kind/ } qw(pgsql mysql)],
    ['no array', list => { sqlite3 => "'{1,'", mysql => "'{1,'" }, '{1,',
        pgsql => qr/list|array/],
);

# The cases that DRIVER can write.
sub cases_of {
    my ($driver, $name) = @_;

    return grep { !ref $_->[2] || exists $_->[2]{$driver} } @cases,
      $name eq 'central' ? @wide : ();
}

# MariaDB as careless as it was by default, and about dates even more, in a
# zone of its own.
sub write_cases {
    my ($database, $name) = @_;
    my $driver = $database->driver;
    my $sql = $driver eq 'mysql'
      ? "set sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+05:30';\n" : '';

    for my $case (cases_of($driver, $name)) {
        my ($what, $column, $literal) = @$case;
        $literal = $literal->{$driver} if ref $literal;
        $sql .= "insert into things (name, $column) "
          . "values ('$name $what', $literal);\n";
    }
    $database->run($sql);
}

# Whether TO cannot hold all that FROM writes.
sub parks {
    my ($from, $to) = @_;

    return grep {
        my (undef, undef, undef, undef, %refused) = @$_;
        $refused{ $to->database->driver };
    } cases_of($from->database->driver, $from->name);
}

sub same {
    my ($got, $want, $column, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    if ($column eq 'doc') {
        my $json = JSON::PP->new->allow_nonref->canonical;
        $_ = $json->encode($json->decode($_)) for $got, $want;
    }
    elsif ($column eq 'ratio') {
        # The same digits in the same form.
        $_ = sprintf '%.17g', "$_" for grep { /\d/ } $got, $want;
    }
    elsif ($column eq 'cents') {
        # SQLite keeps no scale.
        s/\.?0+$// for $got, $want;
    }
    $got = "$got" if ref($got) =~ /^Math::/;
    return is_deeply($got, $want, $name);
}

# What TO received of FROM's, and what it holds now, as FROM received it.
sub check_cases {
    my ($pair, $from, $to) = @_;
    my $driver = $from->database->driver;
    # The first message of each, and the last one.
    my %sent = map { $_->{content}{name} => $_ }
      reverse $pair->received($to->database);
    my %held = map { $_->{content}{name} => $_ }
      $pair->received($from->database);

    for my $case (cases_of($driver, $from->name)) {
        my ($what, $column, undef, $want, %refused) = @$case;
        my $name = $from->name . " $what";
        my $message = $sent{$name} or fail("$name was received"), next;
        my $why = $refused{ $to->database->driver };

        same($message->{content}{$column}, $want, $column,
            "$driver: '$name' on the wire");
        if ($why) {
            is($message->{done}, 0, "'$what' is parked");
            like($message->{error}, $why, '  with the reason');
            next;
        }
        is($message->{error}, undef, "'$what' is applied");
        same($held{$name}{content}{$column}, $want, $column,
            "'$what' is held by " . $to->database->driver);
    }
}

Communicator::Test::Pair->for_each(Communicator::Test::Pair->all, sub {
    my $pair = Communicator::Test::Pair->new(
        drivers => [@_], tables => \&tables,
        models => "CommunicatorModel thing table=things\n"
          . 'CommunicatorHistory rows');
    my ($here, $there) = $pair->nodes;
    my $parks = parks($here, $there) || parks($there, $here) ? 65 : 0;

    write_cases($_->database, $_->name) for $here, $there;
    $pair->sync('there and back', $parks);
    # Each side says what it holds.
    $_->sync_ok('publish', 'thing', '--all', '--quiet') for $here, $there;
    $pair->sync('all that is held');
    check_cases($pair, $here, $there);
    check_cases($pair, $there, $here);
    $pair->stop;
});

done_testing();
