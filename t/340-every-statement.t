#!/usr/bin/perl

# The connection to the database is lost at every statement of a run: it has
# been executed, its answer never comes. Nothing is lost by that, nothing
# comes twice, and a run says that it may be tried again.
#
# EVERY=1 tries every one; else it is every eleventh, others in each subtest.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Communicator::Test qw(folder spew slurp stop_process at_end);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

my %socket = (pgsql => '.s.PGSQL.5432', mysql => 'my.sock');
my $every = $ENV{EVERY} || 11;
my $last_run = 0;

# A database whose users go through a proxy; the test itself does not.
package Through {
    our @ISA = ('Communicator::Test::Database');

    sub params {
        my ($self) = @_;
        my $from = $self->{engine}{dir};

        return $self->SUPER::params =~ s{\Q$from\E}{$self->{through}}r;
    }
}

# Which statement is lost: "RUN NUMBER" in a file, NUMBER counted from the
# first one of each connection in that run. A cut leaves a mark.
sub plan_cut {
    my ($database, $number) = @_;

    unlink "$database->{through}/cut";
    spew("$database->{through}/plan", ++$last_run . " $number");
}

sub was_cut { return -e "$_[0]{through}/cut" }

# Carry what is said between CLIENT and the server at PATH. A statement is
# what the client says until the server answers.
sub carry {
    my ($client, $path, $dir) = @_;
    my $server = IO::Socket::UNIX->new(Peer => $path) or return;
    my $select = IO::Select->new($client, $server);
    my ($run, $number, $count, $speaks) = ('', 0, 0, 'server');

    while (1) {
        for my $from ($select->can_read) {
            sysread $from, my $data, 65536 or return;
            if ($from == $client && $speaks eq 'server') {
                (my $now, $number) = split ' ', slurp("$dir/plan");
                $count = 0 if $now ne $run;
                $run = $now;
                $count++;
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
    my ($database) = @_;
    my $name = $socket{ $database->driver };
    my $dir = $database->{through} = folder('through');
    my $path = "$database->{engine}{dir}/$name";
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
    bless $database, 'Through';
    plan_cut($database, 0);
}

sub make_node {
    my ($kind, $name, $driver, $proxied) = @_;
    my $database = Communicator::Test::Database->new($driver);

    make_proxy($database) if $proxied;
    $database->create('create table events (id {key}, '
        . 'token varchar(40) not null, text varchar(40)) {engine};');
    return "Communicator::Test::$kind"->new(name => $name,
        database => $database, conf => "CommunicatorModel event table=events\n")
      ->migrate;
}

# On each of NODES a new event, and a change of all that are there.
sub happen {
    my ($number, @nodes) = @_;

    $_->database->run("insert into events (token) values ('"
        . $_->name . " $number'); update events set text = '$number' "
        . "where token like '" . $_->name . "%';") for @nodes;
}

sub events {
    my ($node) = @_;

    return $node->database->rows(
        'select token, text from events order by token');
}

# Cut the connection of the node called WHERE, first at statement FIRST, then
# later each time, until a run has no more statements than that.
sub test {
    my ($driver, $where, $first) = @_;
    my $facade = make_node('Server', 'facade',
        $where eq 'facade' ? $driver : 'sqlite3', $where eq 'facade')->start;
    my $central = make_node('Peer', 'central',
        $where eq 'central' ? $driver : 'sqlite3', $where eq 'central')
      ->knows($facade);
    my $cut = $where eq 'facade' ? $facade->database : $central->database;
    my ($number, $runs, $whole) = ($first, 0, 0);
    my @wrong;

    while ($whole < 2 && $number < 300) {
        happen(++$runs, $central, $facade);
        plan_cut($cut, $number);
        my $run = $central->sync;
        $whole = was_cut($cut) ? 0 : $whole + 1;
        push @wrong, "$number: $run->{exit} $run->{err}"
          unless $run->{exit} == 75 || $run->{exit} == 0;
        $number += $every;
    }
    is_deeply(\@wrong, [], "$runs runs, each cut later, up to $number");
    cmp_ok($number, '>', 30, '  there are many statements');
    plan_cut($cut, 0);
    $central->sync_ok;
    is(@{ events($facade) }, 2 * $runs, 'nothing is lost, nothing twice');
    is_deeply(events($facade), events($central), '  and both are equal');
    is($_->database->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, '  nothing is parked at '
        . $_->name) for $central, $facade;
    is_deeply($_->database->rows('select max(last_seq), sum(messages) from '
        . 'communicator_received'), $_->database->rows('select received, '
        . 'received from communicator_peers'), '  the history has each once at '
        . $_->name) for $central, $facade;
    $facade->stop;
}

my $first = 1;

for my $driver (qw(pgsql mysql)) {
    for my $where (qw(central facade)) {
        subtest "$driver at $where" => sub {
            my $why = Communicator::Test::Database->missing($driver);
            plan skip_all => $why if $why;
            test($driver, $where, $first++);
        };
    }
}

done_testing();
