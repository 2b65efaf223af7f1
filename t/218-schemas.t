#!/usr/bin/perl

# Schemas as real applications have them (t/schemas), from `models --write` to
# random work on both sides: is all the same at the end?
#
#   CM_SCHEMA=forum CM_PAIR=mysql-mysql SEED=7 t/run -v t/218-schemas.t

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;
use Communicator::Test::Schema;

my $seed = $ENV{SEED} // 15;

sub live {
    my ($name, @drivers) = @_;
    my $schema = Communicator::Test::Schema->new($name,
        drivers => \@drivers, seed => $seed);

    $schema->begin;
    is($schema->{lines}[0], $schema->{lines}[1], 'both hosts have one file');
    is_deeply([grep { my $line = $_;
            !grep { $line =~ $_ } @{ $schema->{may_warn} } }
          @{ $schema->{warnings} }], [], 'check warns of nothing else');
    is_deeply([$schema->differences], [], 'the first sync');
    $schema->round("round $_") for 1 .. 3;
    $schema->settle;
    is_deeply([$schema->differences], [], 'the same at the end');
    cmp_ok($schema->{compared}, '>', 20, "  $schema->{compared} rows");
    note("$name @drivers: ", scalar @{ $schema->{edits} || [] },
        ' lines changed by hand, ', scalar @{ $schema->{warnings} },
        ' warnings of both sides');
    $schema->{pair}->is_settled('at the end');
    is($schema->{pair}{central}->sync('verify')->{exit}, 0, 'verify');
    $schema->{pair}->stop;
}

# One pairing each; all three: EVERY=1.
my %pair = (blog => 'sqlite3-pgsql', shop => 'pgsql-pgsql',
    forum => 'mysql-mysql', wordpress => 'mysql-mysql',
    django => 'sqlite3-pgsql');

for my $name (sort keys %pair) {
    next if $ENV{CM_SCHEMA} && $ENV{CM_SCHEMA} ne $name;
    Communicator::Test::Pair->for_each($ENV{EVERY} || $ENV{CM_PAIR}
        ? [qw(pgsql-pgsql mysql-mysql sqlite3-pgsql)] : [$pair{$name}], $name,
        sub { live($name, @_) });
}

done_testing();
