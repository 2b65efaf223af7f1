#!/usr/bin/perl

# The layers of docs/architecture.md are kept: who may include what (folder by
# folder: build-aux/structure), who may write SQL, what leaves the module.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(source_dir module_file slurp run_program);

my $top = source_dir();

# The files of DIRS as [name, text without comments].
sub sources {
    return map {
        my $text = slurp($_);
        $text =~ s{/\*.*?\*/}{ }sg;
        [s{^\Q$top/}{}r, $text];
    } map { glob "$top/$_" } @_;
}

# Those lines of FILES that match PATTERN, as "file: line".
sub lines_with {
    my ($pattern, @files) = @_;

    return map {
        my ($name, $text) = @$_;
        map { "$name: $_" } grep { $_ =~ $pattern } split /\n/, $text;
    } @files;
}

sub none {
    my ($what, @found) = @_;

    ok(!@found, $what) or diag(join "\n", @found);
}

my @lib = sources('lib/*/*.[ch]');
my @edge = sources('mod_communicator/*.[ch]', 'client/*.[ch]');

cmp_ok(@lib, '>', 40, 'the library was found');
cmp_ok(@edge, '>', 6, 'the module and the client were found');

my $structure = run_program(["$top/build-aux/structure", '--check']);
is($structure->{out} . $structure->{err}, '',
    'folders include only those below them, and names lead to their files');
my $floors = run_program(["$top/build-aux/structure"]);
cmp_ok(() = $floors->{out} =~ /^  \w+ +->/mg, '>', 10,
    'the floors of lib/ were found');

none('lib/ includes neither httpd nor curl', lines_with(
    qr{#\s*include\s*[<"](httpd|http_|ap_|util_|mod_|curl)}, @lib));
none('only the store calls apr_dbd', lines_with(
    qr{\bapr_dbd_(?!init\b)[a-z_]+\s*\(},
    grep { $_->[0] !~ m{^lib/store/} } @lib, @edge));
none('the module and the client write no SQL', lines_with(
    qr{"[^"]*\b(select\s.*\sfrom|insert\s+into|update\s+\w+\s+set
        |delete\s+from|create\s+(table|index|trigger)|alter\s+table
        |drop\s+table|begin\s+immediate|savepoint)\b}xi, @edge));
none('the module parses no JSON', lines_with(
    qr{\bjson_(?!write)}, grep { $_->[0] =~ /^mod/ } @edge));

# Which files write each table: what docs/architecture.md says, and what is in
# the code (migrations aside, which write all tables).
my ($tables) = slurp("$top/docs/architecture.md") =~ /^## Tables\n(.*?)^## /ms;
my %said = map { /^\| (\w+) \| ([^|]+) \|/ ? ($1 => $2) : () }
    split /\n/, $tables;
delete $said{table};
cmp_ok(keys %said, '>', 10, 'the tables were found');
my %written;
for my $file (sources('lib/*/*.c'),
    map { sources("sql/*/$_.sql") } qw(capture publish)) {
    my ($name, $text) = @$file;
    $name =~ s{^lib/}{};
    $name =~ s{^sql/\w+}{sql/*};
    $text =~ s/"\s*"//g;
    $text =~ s/(?:\w+->)?records->table\b/"communicator_records"/g;
    my @tables = $text =~ /(?:INSERT\ INTO|UPDATE|DELETE\ FROM)\s+
        (?:\{place\}\.)?(\w+)/gx;
    push @tables, $text =~ /cm_bulk_create\(\s*"(\w+)"/g
        if $text =~ /cm_bulk_(insert|update|delete)\w*\(/;
    $written{$_}{$name} = 1 for @tables;
}
is(join(' ', map { "`$_`" } sort keys %{ $written{$_} // {} }),
    join(' ', sort $said{$_} =~ m{(`\w+/[^`]+`)}g),
    "$_ is written by the files that docs/architecture.md names")
    for sort keys %said;

my $symbols = run_program(['nm', '-D', '--defined-only', module_file()]);
is(join(' ', $symbols->{out} =~ /^\S+ [A-Z] (\S+)$/mg),
    'communicator_module', 'nothing but the module leaves the .so');

done_testing();
