package Peers;

# What a user could take instead, doing the same work on the same machine in
# the same run, with the same programs and settings of the database server.

use strict;
use warnings;
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Bucardo;
use Debian;
use Ours;
use Pair;
use Replication;
use Slony;
use Wire;

my $ours = 'Communicator';
my $lazy = 'logical replication';

# How fast we should be, and how much CPU we may use, relative to others.
my %goal = (
    Bucardo => { W1 => 2.5, W2 => 1.8, cpu => 1 },
    Slony => { W1 => 1 },
    'MariaDB replication' => { W2 => 4 },
);

sub peers {
    my ($driver, $report, $n) = @_;
    my (@results, $first);

    return $report->note('none for SQLite') if $driver eq 'sqlite3';
    local $Communicator::Test::Engine::pg_bin;
    my $systems = $driver eq 'pgsql' ? pgsql_systems($report)
      : mysql_systems();
    for (@$systems) {
        my ($name, $make) = @$_;
        my $pair = eval { $make->($name) };
        my $cost = $pair && eval { Pair::measure($pair, $n) };

        $report->failure("$name: $@") unless $cost;
        eval { Pair::stop($pair); 1 } or warn $@ if $pair;
        next unless $cost;
        push @results, [$name, $cost];
        $first = $cost if $name eq $ours;
        report($report, $name, $cost, $first);
    }
    table($report, $driver, $n, \@results);
}

# [name, function that makes the pair], those that are to be had here.
sub pgsql_systems {
    my ($report) = @_;
    my @systems = ([$ours => sub {
        Ours::pair($_[0], 'pgsql', \&Wire::logical_server)
    }]);
    my $debian = eval { Debian->new };

    $report->note("without Bucardo and Slony: $@") unless $debian;
    for (['Bucardo', \&Bucardo::fetch, \&Bucardo::pair],
        ['Slony', \&Slony::fetch, \&Slony::pair]) {
        my ($peer, $fetch, $pair) = @$_;
        my $name = $debian && eval { $fetch->($debian) };

        $report->note("without $peer: $@") if $debian && !$name;
        push @systems, [$name => sub { $pair->($debian, @_) }] if $name;
    }
    # All of them, ours too, on the server that has their extensions.
    $Communicator::Test::Engine::pg_bin = $debian->pg_bin if $debian;
    return [@systems,
        [$lazy => sub { Replication::pgsql_pair($_[0], 'off') }],
        ["$lazy, durable" => sub { Replication::pgsql_pair($_[0], 'on') }]];
}

sub mysql_systems {
    return [[$ours => sub {
        Ours::pair($_[0], 'mysql', sub {
            Communicator::Test::Database->new('mysql', own_server => 1)
        })
    }], ['MariaDB replication' => \&Replication::mysql_pair]];
}

# Report what it cost NAME, and OURS relative to that.
sub report {
    my ($report, $name, $cost, $ours) = @_;
    my $goal = $goal{ $name =~ s/ [\d.]+$//r } || {};

    for my $work (qw(W1 W2)) {
        my $own = $cost->{$work};

        $report->figure("$name: $work", $own->{rate}, 'rows/s');
        $report->figure("$name: $work: CPU", $own->{cpu}, 's per 100,000');
        next if !$ours || $ours == $cost;
        $report->speed("$name: $work: ours, of that speed",
            $ours->{$work}{rate}, $own->{rate},
            $goal->{$work} ? (min => $goal->{$work}) : ());
        $report->figure("$name: $work: ours, of that CPU",
            $ours->{$work}{cpu} / ($own->{cpu} || 1e-9), 'times',
            $goal->{cpu} ? (max => $goal->{cpu}) : ());
    }
}

# All side by side.
sub table {
    my ($report, $driver, $n, $results) = @_;

    $report->note("N = $n; CPU: s per 100,000 rows, of all servers and"
        . ' programs of a system on both sides;');
    $report->note('others: CPUs that other programs used meanwhile, W1 / W2');
    $report->note(sprintf '%-30s %9s %6s %9s %6s  %s', '', 'W1 rows/s', 'CPU',
        'W2 rows/s', 'CPU', 'others');
    for (@$results) {
        my ($name, $cost) = @$_;

        $report->note(sprintf '%-30s %9.0f %6.2f %9.0f %6.2f  %.1f / %.1f',
            $name, (map { @{ $cost->{$_} }{qw(rate cpu)} } qw(W1 W2)),
            map { $cost->{$_}{others} } qw(W1 W2));
    }
}

1;
