package Meter;

# What work costs: seconds, CPU of all programs involved, memory, bytes on the
# wire.

use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(sleep time);
use Communicator::Test qw(slurp);

my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub median { return (sort { $a <=> $b } @_)[$#_ / 2] }

# PID and all processes below it.
sub family {
    my ($pid) = @_;
    my @children = split ' ', slurp("/proc/$pid/task/$pid/children");

    return ($pid, map { family($_) } @children);
}

# CPU seconds of the servers PIDS: what they and their children used.
sub cpu_of {
    my $ticks_used = 0;

    for my $server (grep { defined } @_) {
        for my $pid (family($server)) {
            my @fields = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr;
            next unless @fields > 14;
            $ticks_used += $fields[11] + $fields[12];
            $ticks_used += $fields[13] + $fields[14] if $pid == $server;
        }
    }
    return $ticks_used / $ticks;
}

# The same once it stays as it is. What a process has used is in neither place
# while it ends: it is nobody's child any more, and not yet counted as ended.
sub cpu_at_rest {
    my ($before, $now) = (cpu_of(@_));

    for (1 .. 50) {
        sleep 0.02;
        $now = cpu_of(@_);
        last if abs($now - $before) < 0.05;
        $before = $now;
    }
    return $now;
}

# CPU seconds of the whole machine since it started.
sub cpu_of_machine {
    my ($user, $nice, $system, undef, undef, $irq, $softirq)
      = slurp('/proc/stat') =~ /^cpu +(.*)/ ? split ' ', $1 : ();

    return ($user + $nice + $system + $irq + $softirq) / $ticks;
}

# The most memory that PID ever held, in MB.
sub peak_of {
    my ($pid) = @_;

    return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : 0;
}

# Bytes received and sent over loopback, as httpd counts them.
sub wire_of {
    my ($file) = @_;
    my ($bytes, $requests) = (0, 0);

    return (0, 0) unless defined $file;

    for (split /\n/, slurp($file)) {
        my ($in, $out) = split ' ';
        $bytes += $in + $out;
        $requests++;
    }
    return ($bytes, $requests);
}

# Run CODE, which starts a program and returns its process id, and wait for the
# end. WITH: httpd and database (process ids), wire (a log).
sub measure {
    my ($code, %with) = @_;
    my ($bytes, $requests) = wire_of($with{wire});
    my ($httpd, $database) = map { cpu_at_rest($_) } @with{qw(httpd database)};
    my $machine = cpu_of_machine();
    my (undef, undef, $user, $system) = times;
    my $began = time;
    my $pid = $code->();
    my $peak = 0;

    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        my $now = peak_of($pid);
        # exec starts a new count, so the last value is the right one.
        $peak = $now if $now;
        sleep 0.002;
    }
    my $status = $?;
    my $seconds = time - $began;
    # httpd logs the last request after it has answered it.
    sleep 0.01;
    my (undef, undef, $user_after, $system_after) = times;
    my $client = $user_after + $system_after - $user - $system;
    $httpd = cpu_of($with{httpd}) - $httpd;
    $database = cpu_of($with{database}) - $database;
    my ($bytes_after, $requests_after) = wire_of($with{wire});
    my $others = cpu_of_machine() - $machine - $client - $httpd
      - $database;
    return {
        status => $status,
        seconds => $seconds,
        cpu_client => $client,
        cpu_httpd => $httpd,
        cpu_database => $database,
        cpu => $client + $httpd + $database,
        client_mb => $peak,
        bytes => $bytes_after - $bytes,
        requests => $requests_after - $requests,
        others => $others > 0 ? $others / $seconds : 0,
    };
}

1;
