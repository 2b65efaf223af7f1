#!/usr/bin/perl

# The simulator: nodes in one process, with the time, the network and the
# failures in the hand of a seed. All histories that ever failed, and fresh
# ones for SECONDS.
#
# A failure prints its seed. build/t/sim/sim --seed N -v plays it again, and
# --shrink leaves out of it what is not needed to fail.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(build_dir run_program slurp source_dir start_process);
use Communicator::Test::Database;

my $sim = build_dir() . '/t/sim/sim';
my $seconds = $ENV{SECONDS} || 60;
my @style = $ENV{SECONDS} ? () : '--plain';

# Fresh histories on SQLite, half of them of pairs: one process each. Then some
# on servers, which are slower and leave transactions open.
my @worlds = (['a pair'], ['three nodes', '--nodes', 3]);
my @served = (['a pair on PostgreSQL', '--database', 'pgsql'],
    ['MariaDB and PostgreSQL', '--database', 'mysql/pgsql']);

plan skip_all => 'make check-programs builds t/sim/sim' if !-x $sim;

sub play {
    my ($what, @options) = @_;
    my $run = run_program([$sim, @options], timeout => 60);

    is($run->{exit}, 0, $what) or diag "$run->{out}$run->{err}";
    return $run->{out};
}

# SEED [OPTIONS] # WHY
sub play_those_that_failed {
    for my $line (split /\n/, slurp(source_dir() . '/t/sim/seeds')) {
        my ($words, $why) = $line =~ /^(\d[^#]*?)\s*#\s*(.*)$/ or next;
        my ($seed, @options) = split ' ', $words;

        play("seed $words: $why", '--seed', $seed, @options);
    }
}

# Let each of WORLDS play for so long; it should come to MOST histories. The
# styles that seek what is rare are for `make sim`: they find faults that are
# known and open (docs/testing.md).
sub play_fresh {
    my ($all, $most, @worlds) = @_;
    my @running = map {
        my ($what, @options) = @$_;
        my $dir = Communicator::Test::folder('sim');

        {   what => $what,
            dir => $dir,
            pid => start_process(
                [$sim, @style, '--seconds', int($all + 0.5) || 1, @options],
                out => "$dir/out", err => "$dir/err"),
        }
    } @worlds;

    for my $one (@running) {
        waitpid $one->{pid}, 0;
        my $out = slurp("$one->{dir}/out");
        is($?, 0, "fresh histories of $one->{what}")
          or diag $out . slurp("$one->{dir}/err");
        note $out;
        my ($count) = $out =~ /^(\d+) histories/m;
        cmp_ok($count // 0, '>=', $most, 'many of them');
    }
}

# Say where the servers are; returns whether both are there.
sub find_servers {
    for my $driver (qw(pgsql mysql)) {
        return 0 if Communicator::Test::Database->missing($driver);
        my $database = Communicator::Test::Database->new($driver);
        $ENV{ 'CM_TEST_' . uc $driver } = $database->params =~ s/ flags=.*//r;
    }
    return 1;
}

# t/sim/mutants takes rules out of the code: they must still be there.
is(system($^X, source_dir() . '/t/sim/mutants', '--check'), 0,
    'the rules of t/sim/mutants.txt are in the code');

my @played = map { play('a history', qw(--seed 47 -v)) } 1, 2;

s/^1 histories.*//m for @played;
is($played[0], $played[1], 'a seed repeats its history exactly');
play_those_that_failed();
play_fresh($seconds / 2, 10, @worlds);
SKIP: {
    skip 'PostgreSQL and MariaDB are needed', 4 if !find_servers();
    play_fresh($seconds / 5, 1, @served);
}
done_testing();
