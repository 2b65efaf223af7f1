package Triggers;

# What the application pays: its statements on a table with Communicator's
# triggers, compared with the same on a table without. Alternating; medians.

use strict;
use warnings;
use Meter;

my $rounds = 3;

sub triggers {
    my ($nodes, $report, $n) = @_;
    my $rows = int $n / 5;
    my @kinds = (
        ['inserts, one by one (W1)', sub {
            $nodes->load('central', 'insert', $_[0], $rows, -100)
        }],
        ['updates, one by one (W2)', sub {
            $nodes->load('central', 'update', $_[0], $rows, -1)
        }],
        ['insert ... select', sub { bulk($nodes, $_[0], $rows) }],
    );
    push @kinds, ['copy', copy_code($nodes, $rows)]
      if $nodes->{driver} eq 'pgsql';

    $nodes->load('central', 'upsert', 'source', $rows, 500);
    for my $kind (@kinds) {
        my ($name, $code) = @$kind;
        my %cost;
        for (1 .. $rounds) {
            push @{ $cost{$_} }, $code->($_) for qw(plain posts);
        }
        show($report, $name, \%cost, $rows);
    }
    $nodes->sync;
}

sub show {
    my ($report, $name, $cost, $rows) = @_;

    for (['cpu', 'CPU'], ['seconds', 'time']) {
        my ($key, $what) = @$_;
        my %median = map {
            $_ => Meter::median(map { $_->{$key} } @{ $cost->{$_} })
        } qw(plain posts);

        $report->figure("$name: plain, $what", $median{plain} / $rows * 1e5,
            's per 100,000');
        $report->figure("$name: with trigger, $what",
            $median{posts} / ($median{plain} || 1e-9), 'times', max => 2.4);
    }
}

my $columns = 'title, body, user_id, score, published, created_at, updated_at';

sub bulk {
    my ($nodes, $table, $rows) = @_;

    return $nodes->sql('central', "insert into $table ($columns)"
        . " select $columns from source order by id limit $rows;\n");
}

sub copy_code {
    my ($nodes, $rows) = @_;
    my $file = "$nodes->{central}{dir}/rows.copy";

    return sub {
        my ($table) = @_;

        $nodes->sql('central', "\\copy (select $columns from source order by"
            . " id limit $rows) to '$file'\n") unless -e $file;
        return $nodes->sql('central',
            "\\copy $table ($columns) from '$file'\n");
    };
}

1;
