package First;

# Rows that existed before Communicator: read from the table as they are sent,
# or as rows of the outbox. Each way on fresh nodes, in turn.

use strict;
use warnings;
use List::Util 'sum';
use Nodes;

my $turns = 3;
my %way = (
    'from the table' => ['--all'],
    'through the outbox' => ['--where', '1 = 1'],
);

sub ways {
    my ($driver, $report, $n) = @_;
    my $rows = $n < 20_000 ? $n : 20_000;
    my %cpu;

    for (1 .. $turns) {
        push @{ $cpu{$_} }, once($driver, $rows, @{ $way{$_} })
          for sort keys %way;
    }
    my @cpu = map {
        $report->note(join ' ', "$_:", map { sprintf '%.1f', $_ }
            @{ $cpu{$_} });
        $report->figure("first load $_: CPU", sum(@{ $cpu{$_} }) / $turns,
            's per 100,000');
    } sort keys %way;
    $report->speed('first load from the table: of the CPU through the outbox',
        @cpu, max => 0.9);
}

# Return the CPU per 100,000 of ROWS that are published with OPTIONS and sent.
sub once {
    my ($driver, $rows, @options) = @_;
    my $nodes = Nodes->new($driver);

    $nodes->load('central', 'insert', 'pages', $rows, -100);
    $nodes->start;
    $nodes->settle;
    my $publish = $nodes->sync('publish', 'page', @options);
    my $sync = $nodes->sync;
    $nodes->check_equal('pages');
    $nodes->stop;
    return ($publish->{cpu} + $sync->{cpu}) * 1e5 / $rows;
}

1;
