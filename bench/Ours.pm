package Ours;

# Communicator as one of the pairs: two nodes, each on a server of its own.

use strict;
use warnings;
use Nodes;
use Wire;

# MAKE returns an empty database.
sub pair {
    my ($name, $driver, $make) = @_;
    my $nodes = Nodes->new($driver, database => $make)->start;
    my ($from, $to) = map { $_->database } $nodes->both;

    return { name => $name, from => $from, to => $to, pause => sub { },
        resume => sub { $nodes->sync->{cpu_client} }, wait => sub { },
        daemons => sub { $nodes->{facade}->pid },
        stop => sub { $nodes->stop } };
}

1;
