package Load;

# Runs bench/load on a database, and measures what it cost.

use strict;
use warnings;
use Communicator::Test qw(at_end build_dir folder start_process stop_process
  slurp own web_user);
use Meter;

# Start it: do WHAT to TABLE, COUNT rows, EACH per commit (bench/load.c).
sub start {
    my ($database, $what, $table, $count, $each) = @_;
    my $log = folder('load') . '/log';
    my $pid = start_process([build_dir() . '/bench/load', $database->driver,
        $database->params =~ s/ flags=.*//r, $what, $table, $count, $each],
        out => $log);

    my $load = { pid => $pid, log => $log, database => $database };

    # It must not outlive a part that fails.
    at_end(sub { stop_process($load->{pid}) });
    return $load;
}

# What LOAD printed at its end: { seconds, longest }.
sub result {
    my ($load) = @_;

    delete $load->{pid};
    my ($seconds, $longest) = slurp($load->{log}) =~ /^([\d.]+) ([\d.]+)$/
      or die 'load: ', slurp($load->{log});
    my $file = $load->{database}{file};

    own(web_user(), glob "$file*") if $file;
    return { seconds => $seconds, longest => $longest };
}

# Stop LOAD before it is done.
sub stop {
    my ($load) = @_;

    stop_process($load->{pid}, 'TERM', 60);
    return result($load);
}

# Run it to its end, and measure it with the SERVERS (Meter.pm).
sub run {
    my ($servers, @load) = @_;
    my $load;
    my $cost = Meter::measure(sub {
        $load = start(@load);
        return $load->{pid};
    }, @$servers);

    return { %$cost, %{ result($load) } };
}

1;
