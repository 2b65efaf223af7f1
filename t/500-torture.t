#!/usr/bin/perl

# Nodes on mixed databases, applications at work on all of them, a bad
# network, kills, restarts, wrong clocks: after quiet all hold the same,
# nothing is lost, nothing came twice.
#
# SEEDS="17 4711" plays these seeds again; "1-200" many (make torture). STEPS
# is the length of a run. The seed decides the databases and the rules, too.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Torture;

my @all = grep { !Communicator::Test::Database->missing($_) }
  Communicator::Test::Database->drivers;
my @seeds = map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ }
  split ' ', $ENV{SEEDS} || '1 4 5';
my $steps = $ENV{STEPS} || 12;

# Seconds for one seed. The short run of `check` passes over one that has not
# come to its end by then; with SEEDS it is a failure.
my $limit = $ENV{LIMIT} || 180;
my $survived = 0;

for my $seed (@seeds) {
    srand $seed;
    my $turned = $seed % 5 == 0;
    my @drivers = map { $all[rand @all] }
      1 .. 2 + ($turned || $seed % 3 == 0);
    my ($torture, $alive, @differences);
    my $ended = eval {
        # All of it, from the start of the servers to their end; and once more
        # in case somebody takes it for a failure of his own.
        local $SIG{ALRM} = sub {
            alarm 20;
            $torture ? $torture->out_of_time : die "out of time\n";
        };
        alarm $limit;
        $torture = Communicator::Test::Torture->new(seed => $seed,
            drivers => \@drivers, turned => $turned,
            own_servers => $seed % 4 == 0);
        $alive = eval { $torture->step for 1 .. $steps; 1 } || 0;
        die $@ if $@ eq "out of time\n";
        ok($alive, "seed $seed (@drivers): $steps steps") or diag $@;
        ok($torture->settle, "seed $seed: comes to rest")
          or diag $torture->{last_words}, $torture->recent;
        @differences = $torture->differences;
        ok(!@differences, "seed $seed: equal; " . $torture->summary)
          or diag join "\n", @differences[0 .. ($#differences < 20
              ? $#differences : 20)], map({ "  $_" } @{ $torture->{log} }),
              $torture->story;
        $torture->stop;
        alarm 0;
        1;
    };
    alarm 0;
    if (!$ended) {
        diag "seed $seed: $@", join "\n", map { @{ $_ || [] } }
          $torture ? @$torture{qw(log stuck)} : ();
        ok(!$ENV{SEEDS}, "seed $seed: not judged, it ran out of time");
        next;
    }
    $survived += $alive && !@differences;
    last if $ENV{FAIL_FAST} && @differences;
}

note "$survived of " . @seeds . ' runs survived';
done_testing();
