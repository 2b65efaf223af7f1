package Large;

# What is large: a table of many rows that existed before Communicator, and a
# transaction that stays open while many changes pass. Memory, and the cost of
# a message, must not grow with either.

use strict;
use warnings;
use Communicator::Test::Session;
use Nodes;

my $parts = 10;

# What the open transaction does: it keeps the database from removing what is
# newer. SQLite has one writer, so there it only reads.
my %open = (
    sqlite3 => 'begin; select count(*) from users',
    map { $_ => "begin; insert into users (name) values ('late'); "
          . 'select count(*) from users' } qw(pgsql mysql),
);

sub large {
    my ($driver, $report, $n, $option) = @_;
    my $nodes = Nodes->new($driver);

    $nodes->load('central', 'insert', 'pages', $n, -500);
    $nodes->start;
    table($nodes, $report, $n);
    held($nodes, $report, $option->{backlog});
    $nodes->stop;
}

# The first load of a table of COUNT rows, and the proof that all are there.
sub table {
    my ($nodes, $report, $count) = @_;
    my $publish = $nodes->sync('publish', 'page', '--all');

    $report->figure("publish --all of $count", $publish->{seconds}, 's');
    $report->cost("first load of $count", $nodes->sync, $count);
    $report->cost("verify of $count", $nodes->sync('verify'), $count);
    $nodes->check_equal('pages');
}

# A transaction is open while COUNT changes pass, a run for each tenth of them.
sub held {
    my ($nodes, $report, $count) = @_;
    my $part = int($count / $parts) || 1;
    my $session = Communicator::Test::Session->new(
        $nodes->{central}->database);
    my (@costs, @empty);

    $session->run($open{ $nodes->{driver} });
    for (1 .. $parts) {
        $nodes->load('central', 'insert', 'posts', $part, -100);
        push @costs, $nodes->sync;
        push @empty, $nodes->sync;
    }
    $report->cost("behind an open transaction", $costs[-1], $part);
    $report->figure("CPU per message: the last tenth beside the first",
        $costs[-1]{cpu} / $costs[0]{cpu}, 'times', max => 1.2);
    $report->figure("empty run behind $_->[0]", $_->[1]{seconds}, 's')
      for [$part, $empty[0]], [$part * $parts, $empty[-1]];
    $session->run('commit');
    $session->stop;
    $report->figure('the run after it has ended', $nodes->sync->{seconds},
        's');
    $nodes->check_equal('posts');
    my ($here, $there) = map { $_->database->value(
            "select count(*) from users where name = 'late'") } $nodes->both;
    die "the late one is missing\n" if $here != $there;
}

1;
