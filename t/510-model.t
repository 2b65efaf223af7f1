#!/usr/bin/perl

# The models of docs/model: they hold, each rule is needed, and the page there
# describes it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(program run_program slurp source_dir);

plan skip_all => 'spin or gcc is not installed'
  if grep { !program($_) } qw(spin gcc);

my $run =
  run_program(['sh', source_dir() . '/docs/model/check'], timeout => 600);
my @results = $run->{out} =~ /^((?:not )?ok) \d+ - (.*)$/mg;

while (my ($result, $what) = splice @results, 0, 2) {
    is($result, 'ok', $what);
}
my $page = slurp(source_dir() . '/docs/model/README.md');
my @rules = $run->{out} =~ /without ([A-Z_]+)/g;
cmp_ok(scalar @rules, '>=', 36, 'there are rules');
is_deeply([grep { $page !~ /^\| \Q$_\E: /m } @rules],
          [], 'README.md describes each of them');
is($run->{exit}, 0, 'all of it was checked') or diag "$run->{out}$run->{err}";
done_testing();
