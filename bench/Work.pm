package Work;

# Hundreds of thousands of rows, compared with two floors: the same rows written
# by the same driver and nothing else, and the same bytes from a file.

use strict;
use warnings;
use Http;

# The goals; those of speed are for the machine of docs/performance.md.
my %goal = (
    pgsql => {
        'W1 inserts' => { rate => [min => 28_000], cpu => [max => 4] },
        'W2 updates' => { rate => [min => 22_000], cpu => [max => 4] },
        speed => [min => 0.26],
        cpu => [max => 4],
    },
    mysql => { 'W1 inserts' => { rate => [min => 25_000] } },
    sqlite3 => {
        'W1 inserts' => { rate => [min => 60_000] },
        'W2 updates' => { rate => [min => 60_000] },
    },
);

# W1: new rows; W2: the same rows changed one by one.
sub work {
    my ($nodes, $report, $n) = @_;

    one($nodes, $report, $n, 'W1 inserts', 'insert', -100, 'upsert');
    one($nodes, $report, $n, 'W2 updates', 'update', -1, 'upsert-again');
}

sub one {
    my ($nodes, $report, $n, $name, $what, $each, $upsert) = @_;
    my $goal = $goal{ $nodes->{driver} };

    $nodes->settle;
    $nodes->load('central', $what, 'posts', $n, $each);
    my $cost = $nodes->sync;
    $nodes->check_equal('posts');
    $nodes->settle;
    my $floor = $nodes->load('facade', $upsert, 'plain', $n, 500);
    my $floor_rate = $n / $floor->{seconds};
    my $static = Http::static($nodes, $cost, $n);

    my $rate = $report->cost($name, $cost, $n, %{ $goal->{$name} || {} });
    $report->figure("$name: floor, upsert", $floor_rate, 'rows/s');
    $report->speed("$name: of the upsert's speed", $rate, $floor_rate,
        @{ $goal->{speed} || [] });
    $report->figure("$name: of the upsert's CPU",
        $cost->{cpu} / ($floor->{cpu} || 1e-9), 'times',
        @{ $goal->{cpu} || [] });
    $report->figure("$name: floor, bytes from a file", $static, 'rows/s');
    $report->speed("$name: of the file's speed", $rate, $static);
}

# Both sides have changes to send.
sub mixed {
    my ($nodes, $report, $n) = @_;

    $nodes->settle;
    for my $node ($nodes->both) {
        $node->database->run(sprintf 'update posts set title = %s'
              . ' where id <= %d and id %% 2 = %d',
            $nodes->{driver} eq 'mysql'
            ? "concat('mixed ', id)" : "'mixed ' || id",
            $n, $node->name eq 'central');
    }
    my $rate = $report->cost('both ways', $nodes->sync, $n);
    $nodes->check_equal('posts');
    $report->speed("both ways: of W2's speed", $rate,
        $report->value('work', 'W2 updates'));
}

# Rows that existed before Communicator was installed.
sub first_load {
    my ($nodes, $report, $n) = @_;

    $nodes->settle;
    my $publish = $nodes->sync('publish', 'page', '--all');
    my $rate = $n / $publish->{seconds};
    $report->figure('publish --all', $rate, 'rows/s');
    $rate = $report->cost('first load', $nodes->sync, $n);
    $nodes->check_equal('pages');
    $report->speed("first load: of W1's speed", $rate,
        $report->value('work', 'W1 inserts'));
}

1;
