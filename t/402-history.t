#!/usr/bin/perl

# The forms in which messages are kept (CommunicatorHistory), and what history
# and explain find: each message once, also of times with another form.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test::Database;
use Communicator::Test::Pair;

my ($pair, $here, $there);
my $model = "CommunicatorModel post table=posts\n";

# Keep messages as FORM from now on, on both sides.
sub keep {
    my ($form) = @_;

    for my $node ($pair->nodes) {
        $node->configure(conf => "${model}CommunicatorHistory $form\n");
    }
    $pair->{facade}->restart;
}

# A new post here and a change of it there, both sent.
sub happen {
    my ($title) = @_;

    $here->run("insert into posts (title) values ('$title')");
    $pair->sync("$title is sent");
    $there->run("update posts set title = '$title, changed' "
        . "where title = '$title'");
    $pair->sync("$title is changed");
}

# What history says at NODE, with WORDS: "out create", in order of time.
sub history {
    my ($node, @words) = @_;
    my $run = $node->sync('history', '--json', @words);

    die "history: $run->{err}" if $run->{exit};
    return [map { ($_->{way} // ($_->{sent} ? 'out' : 'in')) . " $_->{action}" }
      reverse @{ decode_json($run->{out}) }];
}

# Rows of messages, and batches that hold them, at DATABASE: sent, received.
sub kept {
    my ($database) = @_;

    return join ' ', map { $database->value($_) }
      'select count(*) from outbound_messages where seq is not null',
      'select count(*) from communicator_batches',
      'select count(*) from inbound_messages',
      'select count(wire) from communicator_received';
}

my %kept = (packed => '0 1 0 1', rows => '1 0 1 0', none => '0 1 0 0');

sub form {
    my ($driver, $form) = @_;

    $pair = Communicator::Test::Pair->new(drivers => [$driver, $driver],
        tables => 'create table posts (id {key}, title varchar(50)) {engine}',
        models => "${model}CommunicatorHistory $form\n");
    ($here, $there) = $pair->databases;
    happen('first');
    is(kept($_), $kept{$form}, "$form: how messages are kept")
      for $here, $there;
    my @seen = $form eq 'none' ? 'out create' : ('out create', 'in update');
    is_deeply(history($pair->{central}), \@seen, '  history');
    is_deeply(history($pair->{central}, '--model', 'post', '--id', 1), \@seen,
        '  of a record');
    # SQLite's rows know the second only.
    is_deeply([sort @{ history($pair->{facade}) }], $form eq 'none'
        ? ['out update'] : ['in create', 'out update'],
        '  at the other side');
    my $run = $pair->{central}->sync('explain', 'post', 1);
    is($run->{exit}, 0, '  explain') or diag $run->{err};
    like($run->{out}, qr/out.*create/s, '  knows what was sent');
    ($form eq 'none' ? \&unlike : \&like)->($run->{out}, qr/\bin\b.*update/s,
        '  and what was received');
}

# Each message once, whatever the form was when it came.
sub changes {
    for my $form (qw(rows packed none packed)) {
        keep($form);
        happen("with $form");
    }
    my $history = history($pair->{central});
    is((grep { $_ eq 'out create' } @$history), 5, 'all that was sent');
    is((grep { $_ eq 'in update' } @$history), 4, 'all that was received');
    is(@{ history($pair->{central}, '--limit', 3) }, 3, '  or some');
    $pair->{central}->sync_ok('purge', '--all');
    is_deeply(history($pair->{central}), ['out create'],
        'purge leaves what the peer has confirmed last');
}

for my $driver (Communicator::Test::Database->drivers) {
    for my $form (qw(rows none packed)) {
        Communicator::Test::Pair->for_each(["$driver-$driver"], $form, sub {
            form($driver, $form);
            changes() if $form eq 'packed';
            $pair->stop;
        });
    }
}

done_testing();
