#!/usr/bin/perl

# The model of delivery (docs/model): it holds, and each rule is needed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(program run_program source_dir);

plan skip_all => 'spin or gcc is not installed'
  if grep { !program($_) } qw(spin gcc);

my $run = run_program(['sh', source_dir() . '/docs/model/check']);
my @results = $run->{out} =~ /^((?:not )?ok) \d+ - (.*)$/mg;

while (my ($result, $what) = splice @results, 0, 2) {
    is($result, 'ok', $what);
}
is($run->{exit}, 0, 'all of it was checked') or diag "$run->{out}$run->{err}";
done_testing();
