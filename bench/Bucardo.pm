package Bucardo;

# Bucardo, two masters, as Debian has it. Its control database is on the server
# of the first side. It does not start by itself when a row changes: a
# notification starts it, so that all changes are made before.

use strict;
use warnings;
use File::Copy qw(copy);
use Communicator::Test qw(at_end folder is_alive program run_program slurp
  stop_process wait_until);
use Communicator::Test::Database;
use Wire;

# Fetch it into DEBIAN; returns its name with the version.
sub fetch {
    my ($debian) = @_;
    my $major = $debian->{postgresql};
    my $version = $debian->add('bucardo');
    my $exact = Debian::installed("postgresql-$major");

    # The server's own version, if it can still be had; otherwise the newest
    # with its server.
    eval { $debian->add("postgresql-plperl-$major=$exact"); 1 }
      or $debian->add("postgresql-plperl-$major");
    return "Bucardo $version";
}

sub pair {
    my ($debian, $name) = @_;
    my $self = bless { debian => $debian, dir => folder('bucardo') };

    # Its database functions need Perl modules.
    local $ENV{PERL5LIB} = $debian->environment->{PERL5LIB};
    my ($from, $to) = map { Wire::logical_database() } 1 .. 2;
    $self->{server} = $from->{engine};
    $self->install($from, $to);
    $self->start($from);
    return { name => $name, from => $from, to => $to, pause => sub { },
        resume => sub { $self->kick },
        daemons => sub { $self->pid },
        stop => sub { $self->stop } };
}

# Run the command bucardo.
sub command {
    my ($self, @command) = @_;
    my $result = run_program([program('perl'),
        $self->{debian}->root . '/usr/bin/bucardo', '--no-bucardorc',
        '--dbhost', $self->{server}{dir}, '--dbport', 5432,
        '--dbuser', 'postgres', '--dbname', 'bucardo', @command],
        dir => $self->{dir}, env => { %{ $self->{debian}->environment },
            HOME => $self->{dir}, PGUSER => 'postgres' });

    die "bucardo @command: $result->{out}$result->{err}\n" if $result->{exit};
}

sub install {
    my ($self, $from, $to) = @_;
    my $dir = $self->{dir};

    # It looks for its tables in the current folder first.
    copy($self->{debian}->root . '/usr/share/bucardo/bucardo.schema', $dir)
      or die "bucardo.schema: $!";
    $self->command('install', '--batch', '--piddir', '.');
    # Relative to where it is started: it makes names lower case.
    $self->command('set', $_) for 'piddir=.', 'reason_file=reason',
      'log_conflict_file=conflict.log', 'warning_file=warning.log';
    for (['a', $from], ['b', $to]) {
        my ($name, $database) = @$_;

        $self->command('add', 'db', $name, "dbname=$database->{name}",
            "host=$database->{engine}{dir}", 'port=5432', 'user=postgres');
    }
    $self->command(qw(add sync bench), 'dbs=a:source,b:source',
        qw(tables=posts autokick=0));
}

# Start its daemon, and wait until the child that copies has connected.
sub start {
    my ($self, $from) = @_;

    $self->command('start', '--log-destination', $self->{dir});
    $self->{started} = 1;
    at_end(sub { $self->stop });
    wait_until(sub {
        $from->value('select count(*) from pg_stat_activity'
            . " where application_name like 'bucardo KID%'")
    }, 60) or die 'Bucardo does not start: ',
      slurp("$self->{dir}/log.bucardo");
    sleep 1;
}

sub pid {
    my ($self) = @_;

    return slurp("$self->{dir}/bucardo.mcp.pid") =~ /^(\d+)/ ? $1 : undef;
}


# Notify it that there are changes.
sub kick {
    my ($self) = @_;
    my $error = $self->{server}->query('bucardo',
        'notify "bucardo_kick_sync_bench"');

    die "Bucardo: $error\n" if $error;
    return 0;
}

# End all its processes; only once, since their ids may be given again.
sub stop {
    my ($self) = @_;

    return unless delete $self->{started};
    my $pid = $self->pid or return;
    my @family = Meter::family($pid);

    stop_process($_) for grep { is_alive($_) } @family;
}

1;
