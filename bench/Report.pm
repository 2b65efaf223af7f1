package Report;

# The figures of the benchmark: printed as they are measured, each with its
# goal, and kept for JSON and for the ratios of later parts.

use strict;
use warnings;
use JSON::PP;

sub new {
    my ($class, %with) = @_;

    return bless { %with, figures => [], failures => [] }, $class;
}

# The figures that follow belong to DRIVER and PART.
sub begin {
    my ($self, $driver, $part) = @_;

    @$self{qw(driver part)} = ($driver, $part);
    print "$driver: $part\n" unless $self->{json};
}

# Keep VALUE. GOAL: min or max, and the number.
sub figure {
    my ($self, $name, $value, $unit, @goal) = @_;
    my %figure = (driver => $self->{driver}, part => $self->{part},
        figure => $name, value => $value + 0, unit => $unit);

    if (@goal) {
        my ($bound, $goal) = @goal;
        @figure{qw(bound goal)} = ($bound, $goal);
        $figure{reached} = ($bound eq 'min' ? $value >= $goal
            : $value <= $goal) ? JSON::PP::true : JSON::PP::false;
    }
    push @{ $self->{figures} }, \%figure;
    print '  ', line(\%figure), "\n" unless $self->{json};
    return $value;
}

# Print TEXT among the figures.
sub note {
    my ($self, $text) = @_;

    chomp $text;
    print "  $text\n" unless $self->{json};
}

sub number {
    my ($value) = @_;

    return sprintf abs $value >= 1000 ? '%.0f' : abs $value >= 10 ? '%.1f'
      : abs $value >= 0.1 ? '%.2f' : '%.4f', $value;
}

sub line {
    my ($figure) = @_;
    my $text = sprintf '%-42s %9s %s', $figure->{figure},
      number($figure->{value}), $figure->{unit};

    return $text unless defined $figure->{goal};
    return sprintf '%-68s (goal: at %s %s) %s', $text,
      $figure->{bound} eq 'min' ? 'least' : 'most', $figure->{goal},
      $figure->{reached} ? 'reached' : 'NOT REACHED';
}

# Report how many times as fast as FLOOR OURS is, both in rows per second.
sub speed {
    my ($self, $name, $ours, $floor, @goal) = @_;

    return unless $ours && $floor;
    return $self->figure($name, $ours / $floor, 'times', @goal);
}

# A figure of this driver, or undef if its part was not run.
sub value {
    my ($self, $part, $name) = @_;
    my ($found) = grep { $_->{driver} eq $self->{driver}
          && $_->{part} eq $part && $_->{figure} eq $name }
      @{ $self->{figures} };

    return $found && $found->{value};
}

# Report what the work NAME cost for COUNT rows; returns rows per second. GOAL:
# rate and cpu, each a bound and its number.
sub cost {
    my ($self, $name, $cost, $count, %goal) = @_;
    my $rate = $count / $cost->{seconds};
    my $per = 1e5 / $count;

    $self->figure($name, $rate, 'rows/s', @{ $goal{rate} || [] });
    $self->figure("$name: CPU", $cost->{cpu} * $per, 's per 100,000',
        @{ $goal{cpu} || [] });
    $self->figure("$name: CPU of $_", $cost->{"cpu_$_"} * $per,
        's per 100,000') for qw(client httpd database);
    $self->figure("$name: wire", $cost->{bytes} / 1e6 * $per,
        'MB per 100,000');
    $self->figure("$name: client", $cost->{client_mb}, 'MB', max => 32);
    $self->figure("$name: httpd child", $cost->{child_mb}, 'MB above idle',
        max => 32);
    $self->figure("$name: others used", $cost->{others}, 'CPUs')
      if $cost->{others} > 0.25;
    return $rate;
}

# The part failed, for REASON.
sub failure {
    my ($self, $reason) = @_;

    chomp $reason;
    push @{ $self->{failures} }, { driver => $self->{driver},
        part => $self->{part}, reason => $reason };
    print STDERR "$self->{driver}: $self->{part} failed: $reason\n";
}

# List again the goals that were not reached, or write everything as JSON, with
# ABOUT. Returns the exit status.
sub finish {
    my ($self, %about) = @_;
    my @figures = @{ $self->{figures} };
    my @goals = grep { defined $_->{goal} } @figures;
    my @missed = grep { !$_->{reached} } @goals;

    if ($self->{json}) {
        print JSON::PP->new->canonical->pretty->encode({ %about,
            goals => scalar @goals, missed => scalar @missed,
            figures => \@figures, failures => $self->{failures} });
        return @{ $self->{failures} } ? 1 : 0;
    }
    printf "%d of %d goals reached%s\n", @goals - @missed, scalar @goals,
      @missed ? '; these are not:' : '';
    print "  $_->{driver}: $_->{part}: ", line($_), "\n" for @missed;
    print "  $_->{driver}: $_->{part} failed: $_->{reason}\n"
      for @{ $self->{failures} };
    return @{ $self->{failures} } ? 1 : 0;
}

1;
