package Slony;

# Slony, an origin and a subscriber, as Debian has it. The subscriber's daemon
# is stopped while the changes are made.

use strict;
use warnings;
use Time::HiRes qw(sleep time);
use Communicator::Test qw(at_end folder run_program slurp spew start_process
  stop_process wait_until);
use Meter;
use Wire;

# A daemon that found nothing new looks again after so many seconds at most.
my $longest_sleep = 10;

# Fetch it into DEBIAN; returns its name with the version.
sub fetch {
    my ($debian) = @_;
    my $version = $debian->add('slony1-2-bin',
        "postgresql-$debian->{postgresql}-slony1-2");

    return "Slony $version";
}

sub pair {
    my ($debian, $name) = @_;
    my ($from, $to) = map { Wire::logical_database() } 1 .. 2;
    my $self = bless { debian => $debian, dir => folder('slony'),
        from => $from, to => $to };

    $self->create;
    $self->start(1, $from);
    $self->start(2, $to);
    $self->subscribe;
    return { name => $name, from => $from, to => $to,
        pause => sub { $self->signal('STOP'); $self->{paused} = time },
        ready => sub { $self->make_event },
        resume => sub { $self->signal('CONT'); 0 },
        daemons => sub { values %{ $self->{slon} } },
        stop => sub { $self->stop } };
}

# Run COMMANDS of slonik.
sub slonik {
    my ($self, $commands) = @_;
    my $usr = $self->{debian}->root . '/usr';

    spew("$self->{dir}/slonik", "cluster name = bench;\n",
        "node 1 admin conninfo = '", $self->{from}->params, "';\n",
        "node 2 admin conninfo = '", $self->{to}->params, "';\n", $commands);
    my $result = run_program(["$usr/bin/slonik", "$self->{dir}/slonik"],
        env => { SLONY_SHARE_DIR => "$usr/share/slony1" });
    die "slonik: $result->{out}$result->{err}\n$commands\n"
      if $result->{exit};
}

sub create {
    my ($self) = @_;
    my ($from, $to) = map { $_->params } @$self{qw(from to)};

    $self->slonik("init cluster (id = 1, comment = 'from');\n");
    $self->slonik(<<"SLONIK");
store node (id = 2, comment = 'to', event node = 1);
store path (server = 1, client = 2, conninfo = '$from');
store path (server = 2, client = 1, conninfo = '$to');
SLONIK
}

# Start the daemon of node NUMBER.
sub start {
    my ($self, $number, $database) = @_;

    $self->{slon}{$number} = start_process([
        $self->{debian}->root . '/usr/bin/slon', 'bench', $database->params],
        out => "$self->{dir}/slon-$number.log");
    at_end(sub { $self->stop });
}

sub subscribe {
    my ($self) = @_;

    $self->slonik(<<'SLONIK');
create set (id = 1, origin = 1, comment = 'all');
set add table (set id = 1, origin = 1, id = 1,
    fully qualified name = 'public.posts');
subscribe set (id = 1, provider = 1, receiver = 2, forward = no);
SLONIK
    wait_until(sub {
        $self->{to}->value('select count(*) from _bench.sl_subscribe'
            . ' where sub_active')
          && $self->{to}->value("select count(*) from pg_trigger"
            . " where tgname like '_bench_denyaccess%'")
    }, 120) or die 'not subscribed: ', slurp("$self->{dir}/slon-2.log");
    # Until then it confirms the events of the subscription.
    sleep $longest_sleep;
}

# Close the changes by an event, as the origin's daemon does every 2 seconds.
# A daemon whose time to sleep has passed begins at once when it goes on.
sub make_event {
    my ($self) = @_;

    $self->slonik("sync (id = 1);\n");
    my $rest = $self->{paused} + $longest_sleep + 1 - time;
    sleep $rest if $rest > 0;
}

# Send SIGNAL to the subscriber's daemon.
sub signal {
    my ($self, $signal) = @_;

    kill $signal, Meter::family($self->{slon}{2});
}

sub stop {
    my ($self) = @_;

    return unless $self->{slon};
    $self->signal('CONT') if $self->{slon}{2};
    stop_process($_) for values %{ delete $self->{slon} };
}

1;
