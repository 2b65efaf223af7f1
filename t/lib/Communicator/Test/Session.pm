package Communicator::Test::Session;

# A session of the database's own client that stays open: a transaction that
# ends when the test says so.
#
#   my $session = Communicator::Test::Session->new($database);
#   $session->run('begin; insert ...');    # waits until it is done
#   $session->start('select ... for update');   # does not
#   $session->finish;                      # waits for what was started
#   $session->stop;                        # what is not committed is undone

use strict;
use warnings;
use IO::Handle;
use POSIX ();
use Time::HiRes qw(sleep);
use Communicator::Test qw(folder slurp wait_until at_end stop_process
  is_alive);

my %waiting = (
    pgsql => 'select count(*) from pg_stat_activity '
      . 'where datname = current_database() and wait_event_type = \'Lock\'',
    mysql => 'select count(*) from information_schema.innodb_trx t '
      . 'join information_schema.processlist p on p.id = '
      . 't.trx_mysql_thread_id where p.db = database() '
      . 'and t.trx_state = \'LOCK WAIT\'',
);

sub new {
    my ($class, $database) = @_;
    my $mysql = $database->driver eq 'mysql';
    my @command = $database->client_command($mysql ? '--unbuffered' : ());
    my $dir = folder('session');
    my $self = bless { out => "$dir/out", marks => 0 }, $class;

    pipe my $in, $self->{in} or die "pipe: $!";
    $self->{in}->autoflush(1);
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        POSIX::setsid();
        close $self->{in};
        open STDIN, '<&', $in;
        open STDOUT, '>>', $self->{out};
        open STDERR, '>>', $self->{out};
        no warnings 'exec';
        exec { $command[0] } @command;
        POSIX::_exit(127);
    }
    close $in;
    my $pid = $self->{pid};
    at_end(sub { stop_process($pid) });
    return $self;
}

# How many sessions of DATABASE wait for a lock. MariaDB answers with what it
# saw before until nobody has asked for a tenth of a second.
sub waiting {
    my ($class, $database) = @_;

    sleep 0.15 if $database->driver eq 'mysql';
    return $database->value($waiting{ $database->driver });
}

# Begin with SQL, which may have to wait.
sub start {
    my ($self, $sql) = @_;

    printf { $self->{in} } "%s;\nselect 'mark %d.';\n", $sql,
      ++$self->{marks};
}

# Return whether all that was started is done.
sub is_done { return slurp($_[0]{out}) =~ /mark $_[0]{marks}\./ }

sub finish {
    my ($self) = @_;

    wait_until(sub { $self->is_done || !is_alive($self->{pid}) }, 60);
    $self->is_done or die 'the session is stuck: ' . slurp($self->{out});
}

sub run {
    my ($self, $sql) = @_;

    $self->start($sql);
    $self->finish;
}

sub stop {
    my ($self) = @_;

    close $self->{in};
    wait_until(sub { !is_alive($self->{pid}) }, 20);
    stop_process($self->{pid});
}

1;
