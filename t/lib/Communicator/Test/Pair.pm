package Communicator::Test::Pair;

# Two nodes with the same or different tables: central, which runs the
# client, and facade behind httpd.
#
#   my $pair = Communicator::Test::Pair->new(drivers => [qw(pgsql mysql)],
#       tables => $sql, models => $conf, before => sub { my ($node) = @_; });
#   $pair->central->run('insert ...');
#   $pair->sync('an insert');
#   is_deeply($pair->facade->rows('select ...'), [...]);
#
# tables: SQL for create(), or code that gives it for a node's database and
# name; models: configuration, or the same code; before: run on each node
# before the triggers are created; own_server: each database has a server that
# no other test uses.

use strict;
use warnings;
use JSON::PP;
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

# Why one of DRIVERS cannot be tested here, or undef.
sub missing {
    my ($class, @drivers) = @_;
    my ($why) = grep { defined }
      map { Communicator::Test::Database->missing($_) } @drivers;

    return $why;
}

# Each kind of database with each, for for_each().
sub all {
    my @drivers = Communicator::Test::Database->drivers;

    return [map { my $central = $_; map { "$central-$_" } @drivers } @drivers];
}

# Pairings in which each kind of database is central and facade, and foreign keys
# fire triggers on both sides, on one, on none: for what each kind does by
# itself. EVERY=1 in the environment: all nine.
sub few {
    my ($class) = @_;

    return $class->all if $ENV{EVERY} || ($ENV{CM_PAIR} // '') =~ /-/;
    return [qw(sqlite3-pgsql pgsql-mysql mysql-sqlite3 mysql-mysql)];
}

# Run TEST as a subtest for each of PAIRS ("central-facade"), and give it the
# two drivers. A LABEL before TEST begins the name. CM_PAIR=pgsql-mysql in the
# environment: only that pair; CM_PAIR=mysql: only those with that database.
sub for_each {
    my ($class, $pairs, @label) = @_;
    my $test = pop @label;

    for my $names (@$pairs) {
        next if $ENV{CM_PAIR} && "-$names-" !~ /-\Q$ENV{CM_PAIR}\E-/;
        my @drivers = split /-/, $names;
        my $name = join ' ', @label, "central $drivers[0],",
          "facade $drivers[1]";
        subtest $name => sub {
            my $why = $class->missing(@drivers);
            plan skip_all => $why if $why;
            $test->(@drivers);
        };
    }
}

sub new {
    my ($class, %with) = @_;
    my ($central, $facade) = @{ $with{drivers} };
    my $self = bless {}, $class;

    $self->{facade} = make('Server', 'facade', $facade, %with);
    $self->{central} = make('Peer', 'central', $central, %with)
      ->knows($self->{facade});
    for my $node ($self->nodes) {
        $with{before}->($node) if $with{before};
        $node->migrate;
    }
    $self->{facade}->start;
    return $self;
}

sub make {
    my ($kind, $name, $driver, %with) = @_;
    my $database = Communicator::Test::Database->new($driver,
        own_server => $with{own_server});
    my ($tables, $models) = map {
        ref $with{$_} ? $with{$_}->($database, $name) : $with{$_}
    } qw(tables models);

    $database->create($tables);
    return "Communicator::Test::$kind"->new(name => $name,
        database => $database, conf => $models);
}

sub nodes { return @{ $_[0] }{qw(central facade)} }
sub central { return $_[0]{central}->database }
sub facade { return $_[0]{facade}->database }
sub databases { return map { $_->database } $_[0]->nodes }

# Run the client, which exits with EXIT: 65 when something is parked.
sub sync {
    my ($self, $what, $exit) = @_;
    my $run = $self->{central}->sync;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{signal} || $run->{exit}, $exit || 0, "sync: $what")
      or diag($run->{out}, $run->{err});
    return $run;
}

# The headers of a request of central, which holds facade's messages up to LAST
# (a packed batch ends there); MORE: others.
sub headers {
    my ($self, $last, %more) = @_;
    my $epoch = 'select epoch from communicator_node';
    my $clock = $last
      ? $self->facade->value('select clock from communicator_batches '
        . "where last_seq = $last") : 0;

    return { 'communicator-protocol' => 2, 'communicator-node' => 'central',
        'communicator-epoch' => $self->central->value($epoch),
        'communicator-peer-epoch' => $self->facade->value($epoch),
        'communicator-received' => $last,
        $last ? ('communicator-held' => "$last $clock") : (), %more };
}

# Expect that SQL gives ROWS on both sides.
sub both_have {
    my ($self, $sql, $rows, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $node ($self->nodes) {
        is_deeply($node->database->rows($sql), $rows,
            $node->name . ": $name");
    }
}

# The messages that DATABASE has received, each with {content}, the attributes
# of its record.
sub received {
    my ($self, $database) = @_;
    my $json = JSON::PP->new->allow_bignum;
    my @names = qw(id action body error done original_id);
    my $rows = $database->rows('select id, action, body, error, '
        . 'case when processed_at is null then 0 else 1 end, original_id '
        . 'from inbound_messages order by id');

    return map {
        my %message;
        @message{@names} = @$_;
        ($message{content}) = values %{ $json->decode($message{body}) };
        \%message;
    } @$rows;
}

# What is parked at DATABASE: the reasons, in order.
sub parked {
    my ($self, $database) = @_;

    return map { $_->[0] } @{ $database->rows('select error from '
        . 'inbound_messages where processed_at is null order by id') };
}

# Expect nothing parked and nothing to send on either side.
sub is_settled {
    my ($self, $name) = @_;
    my @before = map { counts($_) } $self->databases;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->sync("$name: again");
    is_deeply([map { counts($_) } $self->databases], \@before,
        "$name: and nothing more is sent");
    is_deeply([map { $self->parked($_) } $self->databases], [],
        "$name: nothing is parked");
}

sub counts {
    my ($database) = @_;

    return @{ $database->rows('select ' . join(', ',
        map { "(select count(*) from $_)" } qw(outbound_messages
          communicator_batches inbound_messages communicator_received
          communicator_conflicts)))->[0] };
}

sub stop { $_[0]{facade}->stop }

1;
