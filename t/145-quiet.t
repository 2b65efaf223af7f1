#!/usr/bin/perl

# A pull when nothing is new is answered by one statement. Its answer is the
# one that was given in full, and whatever is new is seen at once.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Pair;
use Communicator::Test::Session;

my ($pair, $facade);

sub value { return $facade->database->value(@_) }
sub run { return $facade->database->run(@_) }

# A pull of what follows LAST, as central asks; MORE: other headers.
sub pull {
    my ($last, %more) = @_;

    return $facade->get('/messages.json?from_id=' . ($last + 1),
        headers => $pair->headers($last, %more));
}

# ANSWER without what differs each time.
sub essence {
    my ($answer) = @_;
    my %headers = map { $_ => $answer->{headers}{$_} }
      grep { /^c/ && !/clock/ } keys %{ $answer->{headers} };

    return { status => $answer->{status}, content => $answer->{content},
        headers => \%headers };
}

# Let the peer's last pull be so old that the next is answered in full.
sub forget { run('update communicator_peers set last_pull_at = 0') }

sub is_code {
    my ($answer, $code, $name) = @_;

    is($answer->{headers}{'communicator-error'}, $code, $name);
}

sub test {
    my ($driver) = @_;
    $pair = Communicator::Test::Pair->new(drivers => [$driver, $driver],
        tables => 'create table posts (id {key}, title varchar(100))'
          . ' {engine};',
        models => 'CommunicatorModel post table=posts');
    $facade = $pair->{facade};
    run("insert into posts (title) values ('a'), ('b');");
    $pair->{central}->sync_ok;
    pull(2);
    forget();
    my $full = pull(2);
    is_deeply(essence(pull(2)), essence($full), 'the same answer as in full');
    is($full->{content}, '[]', '  which is nothing');

    is_code(pull(2, 'communicator-epoch' => 'f' x 32), 'EPOCH',
        'another database is refused');
    is_code(pull(2, 'communicator-peer-epoch' => 'f' x 32), 'EPOCH',
        'one that knows another is refused');
    is_code(pull(2, 'communicator-held' => '2 1'), 'EPOCH',
        'another message under this number is refused');
    run("update communicator_peers set received = 5 where name = 'central'");
    is_code(pull(2, 'communicator-newest' => 4), 'EPOCH',
        'one that never wrote what is held here is refused');
    run("update communicator_peers set received = 0 where name = 'central'");

    run("insert into inbound_messages (peer, id, model, body)"
        . " values ('central', 1, 'post', '{');");
    is(pull(2)->{headers}{'communicator-parked'}, 1, 'what is parked is told');
    run('delete from inbound_messages');
    run('update communicator_node set paused_at = 1');
    is_code(pull(2), 'PAUSED', 'a pause is seen');
    run('update communicator_node set paused_at = 0');

    pull(2);
    run("insert into communicator_missing (model, local_record_id)"
        . " values ('post', '2')");
    pull(2);
    is(value('select count(*) from communicator_missing'), 0,
        'what came late is not missing any more');
    pull(2);
    run("insert into posts (title) values ('c');");
    like(pull(2)->{content}, qr/"id":3,/, 'a new message is seen');
    like(pull(2)->{content}, qr/"id":3,/, 'and again, once it has its number');
    pull(3);
    is(value("select confirmed from communicator_peers"
          . " where name = 'central'"), 3, 'until it is confirmed');
    test_late($driver) if $driver ne 'sqlite3';
    $facade->log_has_only(qr/CM0009/);
}

# What commits late, with a lower id than what has its number.
sub test_late {
    my $late = Communicator::Test::Session->new($facade->database);

    $late->run("begin; insert into posts (title) values ('late')");
    run("insert into posts (title) values ('d');");
    like(pull(3)->{content}, qr/"id":4,/, 'what is committed is seen');
    pull(4) for 1 .. 3;
    is(pull(4)->{content}, '[]', 'beside an open transaction nothing is new');
    $late->run('commit');
    like(pull(4)->{content}, qr/late/, 'what commits late is seen at once');
    $late->stop;
    pull(5);
}

for my $driver (Communicator::Test::Database->drivers) {
    SKIP: {
        my $missing = Communicator::Test::Pair->missing($driver);
        skip "$driver: $missing", 1 if $missing;
        subtest $driver => sub { test($driver) };
    }
}

done_testing();
