#!/usr/bin/perl

# The simulator: nodes in one process, with the time, the network and the
# failures in the hand of a seed. All histories that ever failed, and then the
# same ones in each run, so that this test says the same of the same code; or,
# with SECONDS, fresh ones for so long.
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

# The worlds, how many histories of each a run plays, and how many fresh ones
# at least. Those on servers are slower and leave transactions open.
my @worlds = (['a pair', 1000, 10], ['three nodes', 700, 10, '--nodes', 3]);
my @served = (['a pair on PostgreSQL', 12, 1, '--database', 'pgsql'],
    ['MariaDB and PostgreSQL', 12, 1, '--database', 'mysql/pgsql']);

plan skip_all => 'make check-programs builds t/sim/sim' if !-x $sim;

sub play {
    my ($what, @options) = @_;
    my $run = run_program([$sim, @options], timeout => 60);

    is($run->{exit}, 0, $what) or diag "$run->{out}$run->{err}";
    return $run->{out};
}

# Play the history that OPTIONS name twice.
sub is_repeated {
    my ($what, @options) = @_;
    my @played = map { play('a history', @options, '-v') } 1, 2;

    # The time that it took, the time of the servers, and names of databases.
    s/^1 histories.*|since \w+, .* GMT|communicator_sim_\d+//gm for @played;
    is($played[0], $played[1], "$what repeats its history exactly");
    return;
}

# SEED [OPTIONS] # WHY
sub play_those_that_failed {
    for my $line (split /\n/, slurp(source_dir() . '/t/sim/seeds')) {
        my ($words, $why) = $line =~ /^(\d[^#]*?)\s*#\s*(.*)$/ or next;
        my ($seed, @options) = split ' ', $words;

        play("seed $words: $why", '--seed', $seed, @options);
    }
}

# Let the worlds play at once, for SHARE of the time if histories are fresh.
sub play_worlds {
    my ($share, @worlds) = @_;
    my @running = map {
        my ($what, $count, $least, @options) = @$_;
        my $dir = Communicator::Test::folder('sim');
        my @which = $ENV{SECONDS}
          ? ('--seconds', int($ENV{SECONDS} * $share + 0.5) || 1)
          : ('--seeds', "1-$count");

        {   what => $what,
            least => $ENV{SECONDS} ? $least : $count,
            dir => $dir,
            pid => start_process([$sim, @which, @options],
                out => "$dir/out", err => "$dir/err"),
        }
    } @worlds;

    for my $one (@running) {
        waitpid $one->{pid}, 0;
        my $out = slurp("$one->{dir}/out");
        is($?, 0, "histories of $one->{what}")
          or diag $out . slurp("$one->{dir}/err");
        note $out;
        my ($count) = $out =~ /^(\d+) histories/m;
        cmp_ok($count // 0, '>=', $one->{least}, 'all of them');
    }
}

# A server may be slow, which must not change what happens. It has to be one of
# its own: what waits there for a row may belong to others.
sub is_repeated_on_a_server {
    my $database
      = Communicator::Test::Database->new('mysql', own_server => 1);
    local $ENV{CM_TEST_MYSQL} = $database->params =~ s/ flags=.*//r;

    is_repeated('one on MariaDB', qw(--database mysql --seed 101));
    return;
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

is_repeated('a seed', qw(--seed 47));
SKIP: {
    skip 'MariaDB is needed', 3
      if Communicator::Test::Database->missing('mysql');
    is_repeated_on_a_server();
}
play_those_that_failed();
play_worlds(1 / 2, @worlds);
SKIP: {
    skip 'PostgreSQL and MariaDB are needed', 4 if !find_servers();
    play_worlds(1 / 5, @served);
}
done_testing();
