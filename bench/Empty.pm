package Empty;

# A first sync on empty tables that were never analysed, and whose statistics
# are not updated meanwhile; then a second one. The second one may be faster
# only by what caches save.

use strict;
use warnings;
use Nodes;

sub empty {
    my ($driver, $report, $n) = @_;
    my $nodes = Nodes->new($driver);
    my $rows = $n < 20_000 ? $n : 20_000;
    my @rates;

    $nodes->start;
    keep_unanalysed($_->database) for $nodes->both;
    for my $name ('first sync', 'second sync') {
        $nodes->load('central', 'insert', 'pages', $rows, -100);
        my $cost = $nodes->sync;
        $nodes->check_equal('pages');
        push @rates, $report->figure($name, $rows / $cost->{seconds},
            'rows/s');
    }
    $report->speed('first sync: of the second one\'s speed', @rates,
        min => 0.5);
    $nodes->stop;
}

# PostgreSQL analyses tables by itself after a minute, which would hide the cost
# of a plan without statistics.
sub keep_unanalysed {
    my ($database) = @_;

    return if $database->driver ne 'pgsql';
    $database->run("alter table $_ set (autovacuum_enabled = false)")
      for qw(outbound_messages inbound_messages communicator_received
      pages),
      map { "communicator_records_$_->[0]" }
      @{ $database->rows('select id from communicator_models') };
}

1;
