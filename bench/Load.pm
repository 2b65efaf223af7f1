package Load;

# bench/load at work on a database: what it cost.

use strict;
use warnings;
use Communicator::Test qw(at_end build_dir folder start_process stop_process
  slurp own web_user);
use Meter;

# Start it: WHAT to TABLE, COUNT rows, EACH a commit (bench/load.c).
sub start {
    my ($database, $what, $table, $count, $each) = @_;
    my $log = folder('load') . '/log';
    my $pid = start_process([build_dir() . '/bench/load', $database->driver,
        $database->params =~ s/ flags=.*//r, $what, $table, $count, $each],
        out => $log);

    my $load = { pid => $pid, log => $log, database => $database };

    # Not to outlive a part that failed.
    at_end(sub { stop_process($load->{pid}) });
    return $load;
}

# What LOAD said when it had ended: { seconds, longest }.
sub result {
    my ($load) = @_;

    delete $load->{pid};
    my ($seconds, $longest) = slurp($load->{log}) =~ /^([\d.]+) ([\d.]+)$/
      or die 'load: ', slurp($load->{log});
    my $file = $load->{database}{file};

    own(web_user(), glob "$file*") if $file;
    return { seconds => $seconds, longest => $longest };
}

# End LOAD before it has done all.
sub stop {
    my ($load) = @_;

    stop_process($load->{pid}, 'TERM', 60);
    return result($load);
}

# All of it at once, measured with the SERVERS (Meter.pm).
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
