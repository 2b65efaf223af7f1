package Communicator::Test::Through;

# A database on a server whose users reach it through a proxy, which cuts a
# connection at a statement: it has been executed, its answer never comes. The
# test itself does not go through it.
#
#   my $database = Communicator::Test::Through->new('pgsql');
#   $database->plan_cut(7);     # the 7th statement of each connection
#   ... $database->was_cut
#   $database->plan_cut(0);     # none
#   ... $database->statements   # how many, since this was last asked

use strict;
use warnings;
use parent 'Communicator::Test::Database';
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Communicator::Test qw(folder spew slurp stop_process at_end);

my %socket = (pgsql => '.s.PGSQL.5432', mysql => 'my.sock');
my $last_run = 0;

sub new {
    my ($class, @database) = @_;
    my $self = $class->SUPER::new(@database);

    $self->make_proxy;
    return $self;
}

sub params {
    my ($self) = @_;
    my $from = $self->{engine}{dir};

    return $self->SUPER::params =~ s{\Q$from\E}{$self->{through}}r;
}

# Which statement is lost: "RUN NUMBER" in a file, NUMBER counted from the
# first one of each connection in that run. A cut leaves a mark.
sub plan_cut {
    my ($self, $number) = @_;

    unlink "$self->{through}/cut";
    # at once: carry() may be reading
    my $plan = "$self->{through}/plan";
    spew("$plan.new", ++$last_run . " $number");
    rename "$plan.new", $plan or die "$plan: $!";
}

sub was_cut { return -e "$_[0]{through}/cut" }

# How many statements all connections have asked since the last call. Those
# that stay open keep the file.
sub statements {
    my ($self) = @_;
    my $file = "$self->{through}/statements";
    my $count = -s $file || 0;

    truncate $file, 0 if $count;
    return $count;
}

# Carry what is said between CLIENT and the server at PATH. A statement is
# what the client says until the server answers.
sub carry {
    my ($client, $path, $dir) = @_;
    my $server = IO::Socket::UNIX->new(Peer => $path) or return;
    my $select = IO::Select->new($client, $server);
    my ($run, $number, $count, $speaks) = ('', 0, 0, 'server');
    open my $counter, '>>', "$dir/statements" or die "$dir/statements: $!";

    while (1) {
        for my $from ($select->can_read) {
            sysread $from, my $data, 65536 or return;
            if ($from == $client && $speaks eq 'server') {
                (my $now, $number) = split ' ', slurp("$dir/plan");
                $count = 0 if $now ne $run;
                $run = $now;
                $count++;
                syswrite $counter, '.';
            }
            $speaks = $from == $client ? 'client' : 'server';
            if ($speaks eq 'server' && $number && $count == $number) {
                spew("$dir/cut", '');
                return;
            }
            my $to = $from == $client ? $server : $client;
            print $to $data;
            $to->flush;
        }
    }
}

sub make_proxy {
    my ($self) = @_;
    my $name = $socket{ $self->driver };
    my $dir = $self->{through} = folder('through');
    my $path = "$self->{engine}{dir}/$name";
    my $listen = IO::Socket::UNIX->new(Local => "$dir/$name", Listen => 16)
      or die "$dir/$name: $!";

    chmod 0777, $dir, "$dir/$name";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
        while (1) {
            my $client = $listen->accept or next;
            next if fork;
            carry($client, $path, $dir);
            POSIX::_exit(0);
        }
    }
    at_end(sub { stop_process($pid) });
    $self->plan_cut(0);
}

1;
