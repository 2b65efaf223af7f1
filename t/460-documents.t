#!/usr/bin/perl

# Code, --help, manual pages, the guide and the examples say the same: what one
# of them knows the others know, too. A floor on each number keeps a pattern
# that finds nothing from passing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(source_dir slurp spew folder program run_program
  client_file module_file need);
use Communicator::Test::Database;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $top = source_dir();
my %text = map { $_ => slurp("$top/$_") } 'README', 'NEWS', 'HACKING',
  'SECURITY.md', map { s{^\Q$top/}{}r } glob("$top/docs/*.[58]"),
  glob("$top/docs/*.md"), glob("$top/conf/*");
my $sync = $text{'docs/communicator-sync.8'};
my $conf = $text{'docs/communicator.conf.5'};
my $module = $text{'docs/mod_communicator.8'};
my $guide = $text{'docs/guide.md'};
my $help = run_program([client_file(), '--help'])->{out};

# The lists CODE and WRITTEN hold the same words, at least LEAST of them.
sub same {
    my ($what, $least, $code, $written) = @_;
    my %code = map { $_ => 1 } @$code;
    my %written = map { $_ => 1 } @$written;
    my @unwritten = grep { !$written{$_} } sort keys %code;
    my @unknown = grep { !$code{$_} } sort keys %written;

    cmp_ok(scalar keys %code, '>=', $least, "$what: found in the code");
    is("@unwritten", '', '  each is documented');
    is("@unknown", '', '  and nothing else is');
}

sub section {
    my ($page, $name) = @_;

    return $page =~ /^\.Sh \Q$name\E\n(.*?)(?=^\.Sh |\z)/ms ? $1 : '';
}

# Directives

my $table = slurp("$top/lib/config/directives.h");
my @directives = $table =~ /^CM_DIRECTIVE\(\s*\w+, "(\w+)"/mg;
my @own = slurp("$top/mod_communicator/server.c")
  =~ /AP_INIT_\w+\("(\w+)"/g;

same('directives of both programs', 15, \@directives,
    [section($conf, 'DIRECTIVES') =~ /^\.It Cm ([A-Z]\w+)/mg]);
same('directives of httpd', 2, \@own,
    [section($module, 'DIRECTIVES') =~ /^\.It Cm ([A-Z]\w+)/mg]);
my @words = join('', map { slurp("$top/lib/config/$_.c") }
        qw(model_options peer_options))
  =~ /(?:CM_OPTION\(|\.key = )"([a-z-]+)"/g;
same('words of peers and models', 15, \@words,
    [section($conf, 'DIRECTIVES') =~ /^\.It Cm ([a-z-]+)=/mg]);
is(join(' ', grep { $table !~ /\[\Q$_\E=|NAME \Q$_\E=/ } @words), '',
    "  and httpd -L and the message about a wrong line name each");

my $examples = join '', @text{qw(conf/models.conf conf/communicator.conf)};
is(join(' ', grep { $examples !~ /^#? ?$_\s/m } @directives), '',
    'the examples show every directive');

# Options and commands

my ($commands, $options) = $help =~ /^Commands:\n(.*?)^Options:\n(.*?)\n\n/ms;
my @commands = $commands =~ /^  ([a-z]+)/mg;
my @options = $options =~ /--([a-z-]+)/g;

same('commands', 18, \@commands,
    [section($sync, 'COMMANDS') =~ /^\.It Cm ([a-z]+)/mg]);
same('options', 25, \@options, [map { /(?:Fl|,) -([a-z-]+)/g }
    section($sync, 'OPTIONS') =~ /^(\.It Fl .*)/mg]);
for my $command (@commands) {
    my $run = run_program([client_file(), $command, '--help']);

    like($run->{out}, qr/^usage: communicator-sync \[OPTION\.\.\.\] $command\b/,
        "$command has help");
}

# What the documents tell people to type: lines of their own, or in `...`

my %known = map { $_ => 1 } @commands;
my %option = map { $_ => 1 } @options;
my %takes = map { $_ => 1 } $options =~ /--([a-z-]+) [A-Z]+ /g;

# What is wrong with the words behind communicator-sync.
sub mistakes {
    my @words = @_;
    my @wrong;

    while (@words && $words[0] =~ /^--([a-z-]+)/) {
        push @wrong, shift @words unless $option{$1};
        shift @words;
        shift @words if $takes{$1};
    }
    push @wrong, $words[0]
      if @words && $words[0] =~ /^[a-z]/ && !$known{ $words[0] };
    return @wrong, grep { /^--([a-z-]+)/ && !$option{$1} } @words;
}

my ($lines, @wrong) = (0);
for my $name (grep { !/\.(bash|yml)$/ } sort keys %text) {
    (my $plain = $text{$name}) =~ s/^\.(It )?(Li|Ql|Dl) /    /mg;
    for my $line ($plain =~ /(?:^\ {4,}|^(?=communicator-sync\ -?-?\w+$)|`)
            communicator-sync\ +([^\n`\#;|]*)/mxg) {
        $lines++;
        push @wrong, map { "$name: $_" } mistakes(split ' ', $line);
    }
}
cmp_ok($lines, '>', 50, 'lines to type were found');
is("@wrong", '', 'all of them have commands and options that there are');

# Reasons, exit statuses, numbers of the log

my $codes = slurp("$top/lib/base/error_codes.h");
my @codes = map { s/ +/ /gr } $codes =~ /^CM_CODE\((\w+), +\d+, (\d+)/mg;
my @pairs;
push @pairs, join ' ', splice @codes, 0, 2 while @codes;
same('reasons to fail', 25, \@pairs,
    [map { s/ \| / /r } $guide =~ /^\| ([A-Z_]+ \| \d+) \|/mg]);
same('exit statuses', 9, [map { /(\d+)/ } @pairs, '0'],
    [section($sync, 'EXIT STATUS') =~ /^\.It (\d+)/mg]);
same('exit statuses in --help', 9, [map { /(\d+)/ } @pairs, '0'],
    [($help =~ /^Exit status (.*)/ms)[0] =~ /\b(\d+) [a-z]/g]);

my @numbers = slurp("$top/lib/exchange/log.h") =~ /define (CM\d{4})/g;
same('numbers of the log', 30, \@numbers,
    [section($module, 'DIAGNOSTICS') =~ /^\.It Li (CM\d{4})/mg]);
my %number = map { $_ => 1 } @numbers;
is(join(' ', grep { !$number{$_} } $guide =~ /(CM\d{4})/g), '',
    'the guide names no others');

# Manual pages

for my $name (grep { /\.[58]$/ } sort keys %text) {
    my @missing = grep { !section($text{$name}, $_) } 'NAME', 'DESCRIPTION',
      'FILES', 'EXAMPLES', 'DIAGNOSTICS', 'SEE ALSO';

    is("@missing", '', "$name has every section");
  SKIP: {
        need(1, 'mandoc');
        my $run = run_program(['mandoc', '-T', 'lint', "$top/$name"]);
        # Whether pages that are referred to are here is none of its business.
        my @said = grep { !/referenced manual not found/ }
          split /^/, $run->{out};

        is("@said", '', '  and is written well');
    }
}

# Messages that manual pages explain: those of the programs, but for what they
# fill in. The words about certificates are those of OpenSSL.

my $strings = join '', map { slurp($_) }
  map { glob "$top/$_/*.[ch]" } 'lib/*', 'client', 'mod_communicator';
$strings =~ s/"\s*\w*FMT\s*"|%\w+//g;
$strings =~ s/"\s*\n\s*"//g;
my ($messages, @reworded) = (0);
for my $message (map { $text{$_} =~ /^\.It "(.*)"$/mg }
    grep { /\.[58]$/ } sort keys %text) {
    next if $message =~ /^certificate/;
    $messages++;
    push @reworded, $message if grep { index($strings, $_) < 0 }
      grep { length > 7 } map { s/^[\s,]+|[\s,]+$//gr }
      split /\d+|(?<!\w)'[^']*'|\b[A-Z]{3,}\b|\b(?:t?here|pid|class)\b|[():]|\.{3}/,
      $message;
}
cmp_ok($messages, '>', 10, 'messages in manual pages were found');
is(join("\n", @reworded), '', 'each is one of the programs');

# Examples: what stands behind a mark is tried, too

my $server = Communicator::Test::Server->new(name => 'facade', peers => '',
    database => Communicator::Test::Database->new('sqlite3'));

sub loads {
    my ($what, $lines) = @_;

    $server->configure(conf => $lines);
    my ($httpd, $client) = ($server->configtest, $server->sync('configtest'));
    is($httpd->{exit}, 0, "httpd takes $what") or diag($httpd->{err});
    is($client->{exit}, 0, "the client takes $what") or diag($client->{err});
}

loads('models.conf', $text{'conf/models.conf'});
my $marked = $text{'conf/models.conf'} =~ s/^# ?(?=Communicator[A-Z])//mgr;
loads('it with every line', $marked =~ s/^CommunicatorPeer +facade.*//mr);

my $folder = folder('client');
spew("$folder/models.conf", $text{'conf/models.conf'});
spew("$folder/communicator.conf",
    $text{'conf/communicator.conf'} =~ s/^#(?=Communicator)//mgr
      =~ s{(?<=^Include )/etc/communicator}{$folder}mr);
my $run = run_program([client_file(), '-c', "$folder/communicator.conf",
    'configtest', '--dump']);
is("$run->{exit}$run->{err}", '0', 'communicator.conf with every line');
like($run->{out}, qr/^CommunicatorNotifyCommand .*tell-someone/m, '  is read');

my $blocks = 0;
for my $name (qw(README docs/guide.md docs/communicator.conf.5)) {
    my $plain = $text{$name} =~ s/\\e$/\\/mgr;

    while ($plain =~ /^((?:[ ]*(?:DBD|Communicator)\w+[ ].*\n
        (?:(?<=\\\n).*\n)*)+)/mgx) {
        my $block = $1;
        next unless $block =~ /^ *CommunicatorName/m;
        $block = "DBDriver sqlite3\nDBDParams /x\n$block"
          if $block !~ /DBDriver/;
        spew("$folder/block.conf", $block);
        my $run = run_program([client_file(), '-c', "$folder/block.conf",
            'configtest']);
        is("$run->{exit}$run->{err}", '0', "$name: example " . ++$blocks);
    }
}
cmp_ok($blocks, '>=', 6, 'examples in the documents were found');

# What they show of httpd's own configuration.
my ($modules) = Communicator::Test::Server::load_lines()
  =~ m{(\S+)/mod_dbd\.so};
$blocks = 0;
for my $name (qw(README docs/guide.md docs/mod_communicator.8)) {
    for my $block ($text{$name} =~ m{^(\s*<Location .*?</Location>)}msg) {
        $server->configure(conf => '', httpd_conf =>
            join('', map { "LoadModule ${_}_module $modules/mod_$_.so\n" }
                qw(authz_host socache_shmcb ssl)) . $block);
        my $run = $server->configtest;
        is($run->{exit}, 0, "$name: httpd's example " . ++$blocks)
          or diag($run->{err});
    }
}
cmp_ok($blocks, '>=', 5, 'examples for httpd were found');

# cron, systemd, bash

like($text{'conf/communicator.cron'}, qr{^\*/2(\ \*){4}\ _communicator\ .*
    communicator-sync\ --cron}mx, 'a line of cron');
SKIP: {
    need(3, 'systemd-analyze');
    my $analyze = program('systemd-analyze');
    my $client = client_file();

    spew("$folder/communicator-sync.service",
        $text{'conf/communicator-sync.service'}
          =~ s/^ExecStart=\S+/ExecStart=$client/mr);
    spew("$folder/communicator-sync.timer",
        $text{'conf/communicator-sync.timer'});
    spew("$folder/communicator-follow.service",
        $text{'conf/communicator-follow.service'}
          =~ s/^ExecStart=\S+/ExecStart=$client/mr);
    my $run = run_program([$analyze, 'verify', '--man=no',
        map { "$folder/communicator-$_" }
          qw(sync.service sync.timer follow.service)]);
    is(join('', grep { /communicator/ } split /^/m, $run->{err}), '',
        'systemd takes services and timer');
    for my $service (qw(sync follow)) {
        $run = run_program([$analyze, 'security', '--offline=yes',
            '--threshold=20', "$folder/communicator-$service.service"]);
        is($run->{exit}, 0, "  and finds communicator-$service hardened")
          or diag($run->{out}, $run->{err});
    }
}

# What bash completes behind WORDS.
sub completes {
    my ($expected, @words) = @_;
    my $run = run_program(['bash', '-c', '. "$1"; shift; COMP_WORDS=("$@");'
        . 'COMP_CWORD=$(($# - 1)); _communicator_sync;'
        . 'echo "${COMPREPLY[*]}"', 'bash', "$top/conf/communicator-sync.bash",
        client_file(), @words]);

    is($run->{out} . $run->{err}, "$expected\n", "bash completes @words");
}

SKIP: {
    need(5, 'bash');
    my @config = ('-c', "$folder/block.conf");

    completes('verify', 've');
    completes(join(' ', @commands), '');
    completes('--nagios', 'status', '--na');
    completes('author', @config, 'publish', 'au');
    completes('', '--wait', '');
}

# Links, and files that are named

my ($links, @dead) = (0);
for my $name (grep { /\.md$|^[A-Z]+$/ } sort keys %text) {
    my ($dir) = $name =~ m{^(.*/)?};

    $dir //= '';
    for my $link ($text{$name} =~ /\]\(([^)\s]+)\)/g) {
        my ($file, $anchor) = $link =~ /^([^#]*)#?(.*)/;
        next if $file =~ /^https?:/;
        my $there = $file ? "$dir$file" : $name;
        my %has = map { lc(s/[^\w -]//gr =~ s/ /-/gr) => 1 }
          slurp("$top/$there") =~ /^#+ (.*)/mg;
        $links++;
        push @dead, "$name: $link"
          unless -e "$top/$there" && (!$anchor || $has{$anchor});
    }
    for my $file ($text{$name} =~ m{(?<![\w/.-])((?:bench|build-aux|client|conf
            |docs|lib|mod_communicator|packaging|sql|t|\.ci)/[\w./-]*\w)}xg) {
        next if $file =~ /NNN|subject|NAME|FOLDER|DATABASE/;
        $links++;
        push @dead, "$name: $file" unless -e "$top/$file" || (glob "$top/$file*")[0];
    }
}
cmp_ok($links, '>', 20, 'links were found');
is("@dead", '', 'each leads somewhere');
is(join(' ', grep { index($text{$_}, "$top/") >= 0 } sort keys %text), '',
    'no document names the place where the sources are');

# Functions that are named, and the files beside them

sub defines {
    my ($code, $function) = @_;

    return $code =~ /^\w[^;{}()]*\b\Q$function\E\([^;{}]*\)\s*\n\{/m;
}

my %code = map { $_ => slurp($_) }
  map { glob "$top/$_/*.c" } 'lib/*', 'client', 'mod_communicator';
my $architecture = $text{'docs/architecture.md'};
my ($named, @gone) = (0);
for my $function ($architecture =~ /`((?:cm|sync|mod)_\w+)\(\)`/g) {
    $named++;
    push @gone, $function unless grep { defines($_, $function) } values %code;
}
cmp_ok($named, '>', 50, 'architecture.md names functions');
is("@gone", '', '  each is there');

my ($decided) = $architecture =~ /^## Where is X decided\?\n(.*?)^## /ms;
my ($decisions, @elsewhere) = (0);
for my $row ($decided =~ /^(\| .*\?.*)$/mg) {
    my $file = '';

    for my $word ($row =~ /`([^`]+)`/g) {
        $file = "$top/$word" if $word =~ m{/};
        next unless $word =~ /^(\w+)\(\)$/;
        $decisions++;
        push @elsewhere, $row =~ /^\| (.*?\?)/ ? "$1 $word" : $word
          unless grep { defines($code{$_} // '', $1) } glob $file;
    }
}
cmp_ok($decisions, '>', 30, 'it says where things are decided');
is(join("\n", @elsewhere), '', '  each function is in the file beside it');

# t/README: which test covers which hazard, and every file of tests

my ($index, $hazards, @unheard) = (slurp("$top/t/README"), 0);
for my $row ($index =~ /^(\| .*)$/mg) {
    my $test;

    for my $word ($row =~ m{((?:t|bench)/[\w/.-]+\.\w+|"[^"]+")}g) {
        if ($word !~ /^"(.*)"$/) {
            push @unheard, $word unless -e "$top/$word";
            # As if names were written without breaks and backslashes.
            $test = -e "$top/$word"
              ? slurp("$top/$word") =~ s/"\s*\n\s*"//gr =~ s/\\'/'/gr : '';
            next;
        }
        $hazards++;
        push @unheard, $word if index($test, $1) < 0;
    }
}
cmp_ok($hazards, '>', 100, 't/README names tests');
is(join("\n", @unheard), '', '  each of them is there');

done_testing();
