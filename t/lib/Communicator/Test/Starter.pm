package Communicator::Test::Starter;

# Programs that are run to their end, started by a small process that does
# nothing else. The test's own process has loaded so much that each fork of it
# costs some 15 ms of CPU: a copy of its page tables and, until the next one, of
# each page that is written.
#
#   my $starter = Communicator::Test::Starter->get;
#   my ($pid, $status) = $starter->run($seconds, in => $file, out => $file,
#       err => $file, dir => $dir, env => \%more, command => \@command);

use strict;
use warnings;
use Cwd qw(getcwd);
use File::Basename qw(dirname);

my $program = dirname(__FILE__) . '/starter';
my $starter;

# The starter of this process: a child of the test has another one.
sub get {
    my ($class) = @_;

    return $starter
      if $starter && $starter->{owner} == $$ && !$starter->{busy};
    return $starter = $class->new;
}

sub new {
    my ($class) = @_;
    my $self = bless { owner => $$ }, $class;

    pipe my $in, $self->{requests} or die "pipe: $!";
    pipe $self->{answers}, my $out or die "pipe: $!";
    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};
    open STDIN, '<&', $in;
    open STDOUT, '>&', $out;
    exec $^X, $program;
    die "$^X: $!";
}

# Run a program. Returns its status, or undef after SECONDS, when it was killed.
sub run {
    my ($self, $seconds, %with) = @_;
    my %env = (%ENV, %{ $with{env} || {} });
    my @words = ($with{dir} || getcwd(), umask,
        @with{qw(in out err)}, 2 * keys %env, %env, @{ $with{command} });

    # What exec would do with characters.
    utf8::encode($_) for grep { utf8::is_utf8($_) } @words;
    my $request = pack '(N/a*)*', @words;
    $self->{busy} = 1;
    send_all($self->{requests}, pack('N', length $request) . $request);
    my $pid = $self->answer;
    my $status = $self->answer($seconds);

    if (!defined $status) {
        kill KILL => $pid;
        $self->answer;
    }
    $self->{busy} = 0;
    return $status;
}

sub send_all {
    my ($handle, $text) = @_;

    while (length $text) {
        my $sent = syswrite $handle, $text;
        die "the starter has ended: $!\n" if !defined $sent && !$!{EINTR};
        substr $text, 0, $sent // 0, '';
    }
}

# The next number that the starter says, or undef after SECONDS.
sub answer {
    my ($self, $seconds) = @_;
    my $late = $seconds && time + $seconds;
    my $text = '';

    while (length $text < 4) {
        if ($late) {
            my $ready = '';
            return undef if time > $late;
            vec($ready, fileno $self->{answers}, 1) = 1;
            next if select($ready, undef, undef, 1) <= 0;
        }
        my $got = sysread $self->{answers}, $text, 4 - length $text,
          length $text;
        die "the starter has ended\n"
          if defined $got ? !$got : !$!{EINTR};
    }
    return unpack 'N', $text;
}

# It has no more to do: END of the test.
sub end {
    return unless $starter && $starter->{owner} == $$;
    close $starter->{requests};
    kill TERM => $starter->{pid};
    waitpid $starter->{pid}, 0;
    undef $starter;
}

1;
