package Communicator::Test::Terminal;

# A terminal as a person sits at: tmux, on a server of its own.
#
#   my $terminal = Communicator::Test::Terminal->new(width => 80);
#   my $seen = $terminal->run([$program, @arguments]);
#   # { screen, colours, during }: the lines at the end, the same with escapes,
#   # and each screen that was there in between
#   $terminal->start([$program, @arguments]);    # one that reads keys
#   my $screen = $terminal->wait_for(qr/words/); # "" if they do not come
#   $terminal->type('q');

use strict;
use warnings;
use Communicator::Test qw(folder run_program spew at_end wait_until);
use Time::HiRes qw(sleep);

my $count = 0;

sub new {
    my ($class, %with) = @_;
    my $dir = folder('terminal');
    my $self = bless { width => 80, height => 40, dir => $dir,
        socket => "$dir/tmux", %with }, $class;

    spew("$dir/rc", "PS1='> '\nunset NO_COLOR PROMPT_COMMAND\n");
    $self->tmux('new-session', '-d', '-x', $self->{width}, '-y',
        $self->{height}, "exec bash --noprofile --rcfile $dir/rc -i");
    at_end(sub { $self->tmux('kill-server') });
    return $self;
}

sub tmux {
    my ($self, @words) = @_;

    return run_program(['tmux', '-f', '/dev/null', '-S', $self->{socket},
        @words], env => { TERM => 'screen' });
}

sub screen {
    my ($self, @more) = @_;

    return $self->tmux('capture-pane', '-p', @more)->{out} =~ s/\s+\z/\n/r;
}

# Type COMMAND (with WORDS of the shell before it); return the line that shows
# its end.
sub start {
    my ($self, $command, $words) = @_;
    my $script = "$self->{dir}/run" . ++$count;
    my $end = "=$count=";

    spew($script, ($words ? "$words " : '') . join(' ',
        map { s/'/'\\''/gr =~ s/.*/'$&'/sr } @$command) . "\necho $end\n");
    $self->type("clear; . $script", 'Enter');
    return $end;
}

sub type { my ($self, @keys) = @_; $self->tmux('send-keys', @keys) }

# Wait for a screen like PATTERN, and return it.
sub wait_for {
    my ($self, $pattern) = @_;
    my $screen;

    return wait_until(sub { ($screen = $self->screen) =~ $pattern }, 20)
      ? $screen : '';
}

# Type COMMAND and wait for its end.
sub run {
    my ($self, $command, $words) = @_;
    my $end = $self->start($command, $words);
    my @during;

    wait_until(sub {
        my $screen = $self->screen;

        push @during, $screen unless @during && $during[-1] eq $screen;
        sleep 0.1;
        $screen =~ /^$end$/m;
    }, 300);
    return { screen => clean($self->screen), during => \@during,
        colours => clean($self->screen('-e')) };
}

# Without what was typed, and the prompt behind.
sub clean {
    my ($screen) = @_;

    return $screen =~ s/\A.*\. \S+run\d+\n//r =~ s/^=\d+=\n.*//msr;
}

1;
