package Follow;

# communicator-sync --follow: how long a change takes to the other side, what
# an idle process costs, and what the application pays for it.

use strict;
use warnings;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(client_file start_process stop_process slurp
  wait_until at_end);
use Communicator::Test::Session;
use Load;
use Meter;
use Nodes;

my $changes = 60; # one after the other
my $busy = 10;    # seconds of 1,000 changes per second, nearly
my $commits = 2000;

sub follow {
    my ($driver, $report) = @_;
    my $nodes = Nodes->new($driver)->start;
    my ($central, $facade) = $nodes->both;

    show_throughput($nodes, $report);
    my $pid = start($nodes);
    show_latency($report, 'idle, there', 15, $central, $facade,
        sub { trickle($central->database) });
    show_latency($report, 'idle, here', 15, $facade, $central,
        sub { trickle($facade->database) });
    show_latency($report, 'busy, there', 100, $central, $facade,
        sub { load($central->database) });
    show_idle($nodes, $report, $pid);
    stop_process($pid);
    $nodes->sync;
    $nodes->check_equal('posts');
    $nodes->stop;
}

sub start {
    my ($nodes) = @_;
    my $central = $nodes->{central};
    my $pid = start_process([client_file(), '--config', $central->config_file,
        '--follow'], out => "$central->{dir}/follow.log");

    at_end(sub { stop_process($pid) });
    sleep 1;
    return $pid;
}

# One change, and then another.
sub trickle {
    my ($database) = @_;
    my $session = Communicator::Test::Session->new($database);

    for my $n (1 .. $changes) {
        $session->run("update users set name = 'change $n' where id = 7");
        sleep 0.1;
    }
    $session->stop;
}

sub load {
    my ($database) = @_;
    my $load = Load::start($database, 'trickle', 'posts', 1_000_000_000, 2);

    sleep $busy;
    Load::stop($load);
}

# How long each batch took from FROM to TO while WORK went on, at most: from the
# last change before it, or its own change if it has one message, until it was
# received.
sub latencies {
    my ($from, $to, $work) = @_;
    my $seq = 'select last_seq from communicator_node';
    my $before = $from->database->value($seq);

    $work->();
    my $last = sub { $from->database->value($seq) };
    wait_until(sub { $to->database->value('select coalesce(max(last_seq), 0)'
            . ' from communicator_received') >= $last->() }, 60);
    my %received = map { @$_ } @{ $to->database->rows(
        'select last_seq, received_at from communicator_received') };
    my ($clock, @times);
    for (@{ $from->database->rows('select first_seq, last_seq, clock from '
                . "communicator_batches where last_seq > $before "
                . 'order by first_seq') }) {
        my ($first, $end, $its) = @$_;
        my $began = $first == $end ? $its : $clock;

        push @times, ($received{$end} - $began) / 1000
          if $began && $received{$end};
        $clock = $its;
    }
    return @times;
}

sub show_latency {
    my ($report, $name, $goal, @way) = @_;
    my @times = sort { $a <=> $b } latencies(@way);

    die "nothing has moved\n" if !@times;
    $report->figure("$name: median", Meter::median(@times), 'ms',
        max => $goal);
    $report->figure("$name: 9 of 10", $times[0.9 * $#times], 'ms');
}

# What both sides use while nothing moves: at first, and after a minute.
sub show_idle {
    my ($nodes, $report, $pid) = @_;
    my $httpd = $nodes->{facade}->pid;
    my $used = sub {
        my ($seconds) = @_;
        my @before = map { Meter::cpu_of($_) } $pid, $httpd;

        sleep $seconds;
        my @after = map { Meter::cpu_of($_) } $pid, $httpd;
        return map { 100 * ($after[$_] - $before[$_]) / $seconds } 0, 1;
    };
    my @soon = $used->(20);
    # The request that waits is as old as half a minute.
    sleep 75;
    my @later = $used->(20);

    $report->figure('idle: CPU of client', $soon[0], '%');
    $report->figure('idle: CPU of httpd', $soon[1], '%');
    $report->figure('idle for a minute: CPU of client', $later[0], '%',
        max => 1);
    $report->figure('idle for a minute: CPU of httpd', $later[1], '%',
        max => 1);
}

# The application's commits, each of one row, with the process and without.
sub show_throughput {
    my ($nodes, $report) = @_;
    my %seconds;

    for (1 .. 3) {
        for my $with (0, 1) {
            my $pid = $with ? start($nodes) : undef;

            push @{ $seconds{$with} }, $nodes->load('central', 'insert',
                'posts', $commits, 1)->{seconds};
            stop_process($pid) if $pid;
            $nodes->sync;
        }
    }
    my %rate = map { $_ => $commits / Meter::median(@{ $seconds{$_} }) } 0, 1;
    $report->figure('commits without it', $rate{0}, 'commits/s');
    $report->figure('commits with it', $rate{1}, 'commits/s');
    $report->speed('commits with it: of the speed without', @rate{1, 0},
        min => 0.97);
}

1;
