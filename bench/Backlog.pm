package Backlog;

# Large amounts: a client that has not run for a long time, a purge of many
# messages, one very large message.

use strict;
use warnings;
use Time::HiRes qw(sleep);
use Load;
use Nodes;

# Cost per message and memory must not depend on how many are queued.
sub backlog {
    my ($nodes, $report, $n, $option) = @_;
    my $most = $option->{backlog};
    my @counts = ((grep { $_ < $most } 10_000, 100_000), $most);
    my @costs;

    for my $count (@counts) {
        $nodes->settle;
        $nodes->load('central', 'insert', 'posts', $count, -100);
        my $cost = $nodes->sync;
        $report->cost("backlog of $count", $cost, $count);
        $nodes->check_equal('posts');
        push @costs, { map { $_ => $cost->{$_} / $count } qw(cpu seconds) };
    }
    for (['cpu', 'CPU'], ['seconds', 'time']) {
        my ($key, $what) = @$_;
        $report->figure("$what per message: $most beside $counts[0]",
            $costs[-1]{$key} / $costs[0]{$key}, 'times', max => 1.2);
    }
    purge($nodes, $report, $_->name, $_->database) for $nodes->both;
}

# Purge NODE while its application writes.
sub purge {
    my ($nodes, $report, $node, $database) = @_;
    my ($table, $count) = $node eq 'central'
      ? ('outbound_messages', 'count(seq)')
      : ('communicator_received', 'coalesce(sum(messages), 0)');
    $count = "select $count from $table";
    my $rows = $database->value($count);
    my $load = start_inserts($database);
    my $cost = eval { $nodes->command($node, 'purge', '--all') };
    my $failed = $@;
    my $with = Load::stop($load);
    die $failed unless $cost;

    $rows -= $database->value($count);
    $load = start_inserts($database);
    sleep $cost->{seconds};
    my $without = Load::stop($load);
    $report->figure("purge of $table", $rows / $cost->{seconds},
        'messages/s');
    $report->figure("purge of $table: removed", $rows, 'messages');
    $report->figure("purge of $table: client", $cost->{client_mb}, 'MB',
        max => 32);
    $report->figure("purge of $table: longest insert without",
        1000 * $without->{longest}, 'ms');
    # No goal is given; a person notices a second.
    $report->figure("purge of $table: longest insert meanwhile",
        1000 * $with->{longest}, 'ms', max => 1000);
}

# An application that inserts one row per commit until it is stopped.
sub start_inserts {
    my ($database) = @_;
    my $load = Load::start($database, 'trickle', 'posts', 1_000_000_000, 1);

    sleep 0.2;
    return $load;
}

# One message of 20 MB, which the configuration must allow.
sub big {
    my ($used, $report) = @_;
    my $size = 20_000_000;
    my $nodes = Nodes->new($used->{driver},
        conf => "CommunicatorMaxBody 64M\n")->start;
    my ($central, $facade) = map { $_->database } $nodes->both;
    my $half = $size / 2;

    $central->run('insert into posts (title, body, user_id) values'
        . " ('big', " . ($used->{driver} eq 'sqlite3'
            ? "replace(hex(zeroblob($half)), '00', 'x ')"
            : "repeat('x ', $half)") . ', 7);');
    my $cost = $nodes->sync;
    die "the large message did not arrive\n"
      if ($facade->value('select max(length(body)) from posts') // 0) != $size;
    $report->figure('one message of 20 MB', $cost->{seconds}, 's');
    $report->figure('one message of 20 MB: client', $cost->{client_mb}, 'MB');
    $report->figure('one message of 20 MB: httpd child', $cost->{child_mb},
        'MB above idle');
    $nodes->stop;
}

1;
