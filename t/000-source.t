#!/usr/bin/perl

# The house style, as far as a program can see it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(source_dir slurp run_program program);

my $top = source_dir();
my @files = map { glob "$top/$_/*.[ch]" }
  qw(lib/* mod_communicator client t/unit t/unit/*);
my %text = map { s{^\Q$top/}{}r => slurp($_) } @files;

sub none {
    my ($what, @found) = @_;

    ok(!@found, $what) or diag(join "\n", @found);
}

# TEXT without comments and strings, lines kept.
sub code {
    my ($text) = @_;

    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.)*')}
              {$1 =~ s/[^\n]/ /gr}sge;
    return $text;
}

# The functions of TEXT that are longer than MOST lines.
sub long_functions {
    my ($name, $text, $most) = @_;
    my @lines = split /\n/, $text;
    my ($start, @long);

    for my $n (0 .. $#lines) {
        $start = $n if $lines[$n] eq '{';
        next unless defined $start && $lines[$n] =~ /^\}/;
        push @long, "$name:$start: " . ($n - $start - 1) . ' lines'
          if $n - $start - 1 > $most;
        $start = undef;
    }
    return @long;
}

# The prototypes in a header's TEXT that stand under no comment.
sub undocumented {
    my ($name, $text) = @_;
    my @bad;

    for my $part (split /\n\s*\n/, $text) {
        next if $part =~ m{^\s*(/\*|#|typedef|struct|enum|extern "C"|\})};
        push @bad, "$name: $1" if $part =~ /^(\w[^;{]*\([^;{]*;)/m;
    }
    return @bad;
}

# The headings in a migration's TEXT that no statement follows: comments that
# happen to look like one, and would be reported as a step.
sub empty_sections {
    my ($name, $text) = @_;
    my (undef, @sections) = split /^-- ([\w.-]+): /m, $text;
    my @bad;

    while (my ($heading, $section) = splice @sections, 0, 2) {
        my (undef, @lines) = split /\n/, $section;
        push @bad, "$name: $heading" unless grep { /^(?!--)./ } @lines;
    }
    return @bad;
}

cmp_ok(@files, '>', 60, 'the sources were found');

my $banned = qr{\b(sprintf|vsprintf|strcpy|strcat|strncpy|strncat|strtok|atoi
    |atol|gets|gmtime|localtime|system|popen|alloca)\s*\(}x;
none('no banned function is called', map {
    my $name = $_;
    map { "$name: $_" } grep { /$banned/ } split /\n/, code($text{$name});
} sort keys %text);

none('no file is longer than 600 lines', grep {
    ($text{$_} =~ tr/\n//) > 600
} sort keys %text);
none('no function is longer than 60 lines',
    map { long_functions($_, $text{$_}, 60) } sort keys %text);
none('no line is wider than 80 columns', map {
    my $name = $_;
    map { "$name: $_" } grep { length > 80 } split /\n/, $text{$name};
} grep { !/error_codes\.h/ } sort keys %text);
none('nothing is left to be done', grep {
    $text{$_} =~ /\b(TODO|FIXME|XXX)\b/
} sort keys %text);
none('every function in a header says what it does',
    map { undocumented($_, $text{$_}) } sort grep { /^lib.*\.h$/ } keys %text);

my $makefile = slurp("$top/Makefile.am");
none('every source, test and migration is in Makefile.am', grep {
    my $name = $_;
    $makefile !~ m{(^|\s)\Q$name\E(\s|$)}m
      && !($name =~ m{^t/unit/.*\.c$}
        && $makefile =~ m{(^|\s)\Q@{[$name =~ s/\.c$//r]}\E(\s|$)}m);
} sort(keys %text), map { s{^\Q$top/}{}r } glob("$top/t/*.t"),
    glob("$top/sql/*/*.sql"), glob("$top/t/lib/Communicator/Test/*.pm"));

none('every heading in a migration begins a statement',
    map { empty_sections(s{^\Q$top/}{}r, slurp($_)) } glob "$top/sql/*/0*.sql");

# Programs of Perl that no test runs: ./bootstrap demo, the benchmark.
none('programs of Perl compile', grep {
    run_program([$^X, "-I$top/t/lib", '-c', "$top/$_"])->{exit}
} qw(build-aux/demo bench/run t/sim/mutants));

SKIP: {
    my $format = program('clang-format') or skip 'no clang-format here', 1;
    my $result = run_program([$format, '--dry-run', '-Werror', @files],
        dir => $top);

    is($result->{exit}, 0, 'the format is that of .clang-format')
      or diag(substr $result->{err}, 0, 4000);
}

done_testing();
