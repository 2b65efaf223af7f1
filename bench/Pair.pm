package Pair;

# A system that copies what changes in one database to another, whichever it
# is: the same work for all, timed and counted in the same way.
#
# A pair is a hash:
#   name     what the table calls it
#   from, to two databases, each on a server of its own, with the table posts
#   pause    stops the system while the changes are made
#   ready    optional: waits for what the system does on its own afterwards
#   resume   lets it go on; returns the CPU seconds of programs that have ended
#   wait     optional: waits until all has arrived (else: the last row)
#   daemons  optional: process ids of its programs, their children count, too
#   stop     optional: ends those programs

use strict;
use warnings;
use Time::HiRes qw(sleep time);
use Load;
use Meter;

# W1: new rows; W2: the same rows, changed by a transaction each.
my @works = (['W1', 'insert', -100], ['W2', 'update', -1]);

# What the work of N rows costs PAIR: { W1 => { rate, cpu, others }, W2 => ... }
sub measure {
    my ($pair, $n) = @_;
    my %cost;

    for (@works) {
        my ($work, $what, $each) = @$_;

        settle($pair) if $what eq 'update';
        $pair->{pause}->();
        Load::run([], $pair->{from}, $what, 'posts', $n, $each);
        # Until then the servers flush the commits that nobody waited for.
        sleep 1;
        $pair->{ready}->() if $pair->{ready};
        $cost{$work} = catch_up($pair, $n);
        check_equal($pair);
    }
    return \%cost;
}

# Do beforehand what the database does from time to time. Not before W1: the
# first rows come to tables that were never analysed.
sub settle {
    my ($pair) = @_;

    return if $pair->{from}->driver ne 'pgsql';
    $_->run('vacuum analyze; checkpoint') for @$pair{qw(from to)};
}

# Let PAIR go on until all has arrived.
sub catch_up {
    my ($pair, $n) = @_;
    my $last = $pair->{from}->value("select title from posts where id = $n");
    my @pids = pids($pair);
    my $machine = Meter::cpu_of_machine();
    my $servers = Meter::cpu_of(@pids);
    my @own = times;
    my $began = time;

    my $ended = $pair->{resume}->() || 0;
    if ($pair->{wait}) { $pair->{wait}->() }
    else { wait_for_row($pair->{to}, $n, $last) }

    my $seconds = time - $began;
    my @own_after = times;
    my $cpu = Meter::cpu_of(@pids) - $servers + $ended;
    my $others = Meter::cpu_of_machine() - $machine - $cpu + $ended;
    $others -= $own_after[$_] - $own[$_] for 0 .. 3;
    return { rate => $n / $seconds, cpu => $cpu * 1e5 / $n,
        others => $others > 0 ? $others / $seconds : 0 };
}

# The servers of both sides, and the system's own programs.
sub pids {
    my ($pair) = @_;

    return ((map { $_->{engine}->server_pid } @$pair{qw(from to)}),
        $pair->{daemons} ? $pair->{daemons}->() : ());
}

# Wait until row N of PostgreSQL's DATABASE has TITLE. The server looks, so that
# no program starts again and again meanwhile.
sub wait_for_row {
    my ($database, $n, $title) = @_;
    my $look = <<"SQL";
do \$\$
begin
    for i in 1 .. 6000 loop
        if exists (select from posts where id = $n and title = '$title') then
            return;
        end if;
        perform pg_sleep(0.01);
    end loop;
    raise 'not yet';
end \$\$;
SQL

    for (1 .. 15) { return if eval { $database->run($look); 1 } }
    die "the changes do not arrive\n";
}

sub check_equal {
    my ($pair) = @_;
    my ($here, $there) = map {
        join ' ', @{ $_->rows('select count(*), min(title), max(title),'
            . ' max(updated_at), sum(length(body)) from posts')->[0] }
    } @$pair{qw(from to)};

    die "the two sides differ:\n$here\n$there\n" if $here ne $there;
}

sub stop {
    my ($pair) = @_;

    $pair->{stop}->() if $pair->{stop};
    $_->stop for @$pair{qw(to from)};
}

1;
