package Small;

# What a run costs that has nothing to do, or one change to send: on used nodes,
# on fresh ones, and with a pipeline of psql.

use strict;
use warnings;
use Communicator::Test qw(start_process program);
use Meter;
use Nodes;

my $rounds = 15;

sub small {
    my ($nodes, $report, $n) = @_;
    my $handled = 0;
    my %nodes = (used => $nodes, fresh => Nodes->new($nodes->{driver})->start);
    my $pipeline = $nodes->{driver} eq 'pgsql'
      ? make_pipeline($nodes, $n) : undef;
    my (%empty, %one, @piped, @loaded);

    $handled += $_->database->value('select last_seq from communicator_node')
      for $nodes->both;
    $_->settle for values %nodes;
    # Alternate, so that other work of the machine affects all equally.
    for my $round (1 .. $rounds) {
        for my $age (qw(fresh used)) {
            push @{ $empty{$age} }, $nodes{$age}->sync;
            push @{ $one{$age} }, one_change($nodes{$age}, $round);
        }
        push @piped, $pipeline->("id = 7") if $pipeline;
        push @loaded, load_libcurl() if program('curl');
    }
    $nodes{fresh}->stop;
    show_runs($report, \%empty, \%one, $handled);
    show_loaded($report, $empty{used}, \@loaded) if @loaded;
    return unless $pipeline;
    show_pipeline($report, $one{used}, \@piped);
    my $rate = $n / $pipeline->('true')->{seconds};
    $report->figure("psql's pipeline, all rows", $rate, 'rows/s');
    $report->speed("W2 updates: of the pipeline's speed",
        $report->value('work', 'W2 updates'), $rate);
}

# What it costs to start a program with libcurl and its dependencies.
sub load_libcurl {
    return Meter::measure(sub {
        start_process([program('curl'), '--version'], out => '/dev/null');
    });
}

sub one_change {
    my ($nodes, $round) = @_;

    $nodes->{central}->database->run(
        "update users set name = 'round $round' where id = 7;");
    return $nodes->sync;
}

sub median_of {
    my ($what, $costs) = @_;

    return Meter::median(map { $_->{$what} } @$costs);
}

# A tick of the CPU clock is as long as a run, so the mean is more precise.
sub mean_of {
    my ($what, $costs) = @_;
    my $sum = 0;

    $sum += $_->{$what} for @$costs;
    return $sum / @$costs;
}

sub show_runs {
    my ($report, $empty, $one, $handled) = @_;
    my %time = map { $_ => 1000 * median_of(seconds => $one->{$_}) }
      qw(fresh used);
    my %cpu = map { $_ => 1000 * mean_of(cpu => $one->{$_}) } qw(fresh used);

    $report->figure('empty run', 1000 * median_of(seconds => $empty->{used}),
        'ms');
    $report->figure('empty run: CPU of client',
        1000 * mean_of(cpu_client => $empty->{used}), 'ms', max => 15);
    $report->figure('empty run: requests',
        median_of(requests => $empty->{used}), '', max => 3);
    $report->figure('messages handled before', $handled, '');
    $report->figure("one change, $_", $time{$_}, 'ms') for qw(fresh used);
    $report->figure('one change: used beside fresh', $time{used} / $time{fresh},
        'times', max => 1.2);
    $report->figure("one change, $_: CPU of all", $cpu{$_}, 'ms')
      for qw(fresh used);
    $report->figure('one change: used beside fresh, CPU',
        $cpu{used} / $cpu{fresh}, 'times', max => 1.2);
}

sub show_loaded {
    my ($report, $empty, $loaded) = @_;
    my ($ours, $floor) = map { 1000 * mean_of(cpu_client => $_) }
      $empty, $loaded;

    $report->figure('curl --version: CPU', $floor, 'ms');
    $report->figure("empty run: beside that of curl --version", $ours / $floor,
        'times');
}

sub show_pipeline {
    my ($report, $one, $piped) = @_;
    my ($ours, $floor) = map { 1000 * median_of(seconds => $_) } $one, $piped;

    $report->figure("one change by psql's pipeline", $floor, 'ms');
    $report->figure("one change: ours beside the pipeline's", $ours / $floor,
        'times', max => 1);
}

# What one would write without Communicator: psql copies the changed rows to
# another psql, which loads them into a temporary table and upserts them.
# Returns CODE(CONDITION), which changes these rows, copies them, and returns
# what that cost.
sub make_pipeline {
    my ($nodes, $n) = @_;
    my ($from, $to) = map { $_->database } $nodes->both;
    my @columns = qw(title body user_id score published created_at updated_at);
    my $set = join ', ', map { "$_ = excluded.$_" } @columns;
    my $round = 0;

    $_->run('create table piped (like plain including all);'
          . ' create index on piped (updated_at)') for $from, $to;
    $nodes->load($_, 'upsert', 'piped', $n, 500) for qw(central facade);
    return sub {
        my ($condition) = @_;
        my $moment = sprintf '2030-01-01 00:%02d:00', ++$round;

        $from->run("update piped set title = 'round $round',"
            . " updated_at = '$moment' where $condition");
        my $cost = pipe_rows($from->shell_command, $to->shell_command,
            "updated_at >= timestamp '$moment'", $set);
        die "psql's pipeline\n" if $cost->{status}
          || $from->value("select count(*) from piped"
            . " where updated_at >= '$moment'")
          != $to->value("select count(*) from piped"
            . " where updated_at >= '$moment'");
        return $cost;
    };
}

sub pipe_rows {
    my ($from, $to, $condition, $set) = @_;
    my $line = "$from -c \"copy (select * from piped where $condition)"
      . " to stdout\" | $to -c 'create temp table stage (like piped)'"
      . " -c 'copy stage from stdin'"
      . " -c 'insert into piped select * from stage"
      . " on conflict (id) do update set $set'";

    return Meter::measure(sub { start_process(['sh', '-c', $line]) });
}

1;
