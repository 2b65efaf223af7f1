package Communicator::Test;

# What every test needs: where things are, a folder of its own, and processes
# that end when the test ends, however it ends.

use strict;
use warnings;
use feature qw(state);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Communicator::Test::Starter;

our @EXPORT_OK = qw(folder memory_folder source_dir build_dir client_file
  client_of_all module_file shared free_port program
  run_program start_process stop_process at_end spew slurp append wait_until own
  web_user is_alive quote need);

# For programs built with --enable-sanitizers. libmariadb never frees what it
# allocates once, and it is unloaded before leaks are reported, so the report
# could not name it. A thread that ends crashes on its alternate signal stack
# (gcc 12).
$ENV{ASAN_OPTIONS} //= 'detect_leaks=0:use_sigaltstack=0';

my $owner = $$;
my (@at_end, %root);

# What becomes of the folder at the end: kept when a test failed, or always,
# or never.
our $keep = 'failed';

sub source_dir {
    return $ENV{CM_SOURCE_DIR}
      || abs_path(dirname(__FILE__) . '/../../..');
}

# Where the programs were built: as make and bootstrap say, else build/.
sub build_dir {
    my $source = source_dir();

    return $ENV{CM_BUILD_DIR}
      || (-e "$source/build/Makefile" ? "$source/build" : $source);
}

sub client_file { return build_dir() . '/communicator-sync' }

# The client where every user can run it: the checkout may be in a folder that
# only root can enter.
sub client_of_all {
    state $file;

    if (!$file) {
        $file = folder('client') . '/communicator-sync';
        copy(client_file(), $file) && chmod 0755, $file or die "$file: $!";
    }
    return $file;
}

sub module_file { return build_dir() . '/mod_communicator.so' }

# A file of the folder beside the checkout, or undef: it may not be there.
sub shared {
    my $file = source_dir() . "/../shared/$_[0]";

    return -e $file ? abs_path($file) : undef;
}

# Run CODE when the test ends, last in first out.
sub at_end { push @at_end, $_[0] }

# A new folder that servers under other users can reach, in BASE.
sub folder {
    my ($name, $base) = @_;

    $base ||= $ENV{TMPDIR} || '/tmp';
    if (!$root{$base}) {
        $root{$base} = tempdir('cm-XXXXXX', DIR => $base);
        chmod 0755, $root{$base};
    }
    my $dir = "$root{$base}/$name";
    for (my $n = 2; -e $dir; $n++) { $dir = "$root{$base}/$name-$n" }
    mkdir $dir or die "$dir: $!";
    chmod 0755, $dir;
    return $dir;
}

# The same for a database: in memory, where that has room for many. A disk that
# is busy would cost most of the time of a test: servers wait for it whenever a
# table is made or dropped, however they are set.
sub memory_folder {
    my ($name) = @_;
    state $room = `df -Pk /dev/shm 2>&1` =~ /\s(\d+)\s+\d+%/ ? $1 : 0;

    return folder($name, $room > 4 * 1024**2 ? '/dev/shm' : undef);
}

sub spew {
    my ($file, @text) = @_;

    open my $out, '>:utf8', $file or die "$file: $!";
    print $out @text;
    close $out or die "$file: $!";
}

sub append {
    my ($file, @text) = @_;

    open my $out, '>>:utf8', $file or die "$file: $!";
    print $out @text;
    close $out or die "$file: $!";
}

sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;
    my $text = <$in>;
    return defined $text ? $text : '';
}

# The full path of the first of NAMES that can be run.
sub program {
    my (@names) = @_;

    for my $name (@names) {
        return $name if $name =~ m{/} && -x $name;
        for my $dir (split(/:/, $ENV{PATH}), qw(/usr/sbin /sbin)) {
            return "$dir/$name" if -x "$dir/$name";
        }
    }
    return undef;
}

# Skip COUNT tests, within a SKIP block, where one of PROGRAMS (or files) is
# missing: a failure where the continuous integration should have all.
sub need {
    my ($count, @programs) = @_;
    my ($missing) = grep { m{^/} ? !-e : !program($_) } @programs;

    return unless defined $missing;
    fail("$missing is installed") if ($ENV{CI} || '') eq 'true';
    skip "$missing is not installed", $count;
}

# A port that is ours until this process ends, also while the server there is
# restarted: the socket of UDP keeps other tests away, and the system gives no
# port below 32768 to a connection. Another test's server would answer.
sub free_port {
    state $next = $$ * 16;
    state @kept;

    for (1 .. 12_000) {
        my %address = (LocalAddr => '127.0.0.1',
            LocalPort => 20_000 + $next++ % 12_000);
        my $ours = IO::Socket::INET->new(Proto => 'udp', %address) or next;
        my $socket = IO::Socket::INET->new(Listen => 1, %address) or next;
        push @kept, $ours;
        return $address{LocalPort};
    }
    die "no free port: $!";
}

# Who httpd's children are, when the test runs as root.
sub web_user {
    return undef if $>;
    for my $name (qw(www-data apache daemon nobody)) {
        return $name if defined getpwnam $name;
    }
    return undef;
}

# Give FILES to USER, when we may.
sub own {
    my ($user, @files) = @_;

    return if $> || !defined $user;
    my ($uid, $gid) = (getpwnam $user)[2, 3];
    chown $uid, $gid, @files;
}

# Start COMMAND with its output in files; return the process id.
sub start_process {
    my ($command, %with) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    POSIX::setsid();
    open STDIN, '<', $with{in} || '/dev/null';
    open STDOUT, '>>', $with{out} || '/dev/null';
    open STDERR, '>>', $with{err} || $with{out} || '/dev/null';
    %ENV = (%ENV, %{ $with{env} || {} });
    chdir $with{dir} if $with{dir};
    no warnings 'exec';
    exec { $command->[0] } @$command;
    print STDERR "$command->[0]: $!\n";
    POSIX::_exit(127);
}

# Run COMMAND to its end: { exit, signal, out, err }. IN is its input.
sub run_program {
    my ($command, %with) = @_;
    my $dir = folder('run');

    if (defined $with{input}) {
        spew("$dir/in", $with{input});
        $with{in} = "$dir/in";
    }
    my $status = Communicator::Test::Starter->get->run($with{timeout} || 120,
        in => $with{in} || '/dev/null', out => "$dir/out", err => "$dir/err",
        dir => $with{dir}, env => $with{env}, command => $command);
    if (!defined $status) {
        $status = POSIX::SIGKILL();
        append("$dir/err", "killed: it took too long\n");
    }
    my $result = {
        exit => $status >> 8,
        signal => $status & 127,
        out => slurp("$dir/out"),
        err => slurp("$dir/err"),
    };
    remove_tree($dir);
    return $result;
}

sub is_alive {
    my ($pid) = @_;

    waitpid $pid, POSIX::WNOHANG();
    return kill(0, $pid) ? 1 : 0;
}

sub wait_until {
    my ($code, $seconds) = @_;
    my $late = time + ($seconds || 20);

    while (time < $late) {
        my $got = $code->();
        return $got if $got;
        sleep 0.02;
    }
    return 0;
}

# End the process PID by SIGNAL, in the end by KILL.
sub stop_process {
    my ($pid, $signal, $seconds) = @_;

    return unless $pid && is_alive($pid);
    kill $signal || 'TERM', $pid;
    return if wait_until(sub { !is_alive($pid) }, $seconds || 15);
    kill KILL => $pid;
    wait_until(sub { !is_alive($pid) }, 5);
}

# WORD for a configuration file of httpd and of the client.
sub quote {
    my ($word) = @_;

    $word =~ s/(["\\])/\\$1/g;
    return "\"$word\"";
}

# PIPE: prove has gone and reads no more.
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP PIPE);

END {
    if ($$ == $owner) {
        my $status = $?;
        local $SIG{PIPE} = 'IGNORE';
        while (my $code = pop @at_end) { eval { $code->(); 1 } or warn $@ }
        Communicator::Test::Starter::end();
        my $failed = $status || !Test::More->builder->is_passing;
        for my $root (sort values %root) {
            if ($keep eq 'never' || $keep eq 'failed' && !$failed) {
                remove_tree($root);
            }
            elsif ($keep eq 'failed') {
                diag("the folder is left for you: $root");
            }
        }
        $? = $status;
    }
}

1;
