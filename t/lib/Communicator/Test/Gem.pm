package Communicator::Test::Gem;

# A node that still runs the gem: ../shared/legacy_peer.py stands for it.
#
#   my $why = Communicator::Test::Gem->missing;
#   my $gem = Communicator::Test::Gem->new('remote');
#   $gem->serve;
#   $gem->publish('post', { title => 'a', body => 'b' });
#   my $run = $gem->communicate($server->base);
#
# Further words after the name go to each command: --typed-map, --sane-ids.

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;
use Communicator::Test qw(shared program run_program start_process
  stop_process folder free_port wait_until at_end own web_user);
use Communicator::Test::Database;

my $json = JSON::PP->new->utf8;

# Why there is no gem, or undef.
sub missing {
    return '../shared/legacy_peer.py is not there'
      if !shared('legacy_peer.py');
    return 'python3 is not installed' if !program('python3');
    return;
}

sub new {
    my ($class, $name, @words) = @_;
    my $dir = folder("gem-$name");
    my $file = "$dir/gem.sqlite";
    my $self = bless { name => $name, file => $file, words => [@words],
        user => 'testuser', password => 'pwd', port => free_port() }, $class;

    $self->run('init');
    own(web_user(), $dir, $file); # of httpd, when the gem is replaced
    $self->{database}
      = Communicator::Test::Database->new('sqlite3', file => $file);
    return $self;
}

sub name { return $_[0]{name} }
sub database { return $_[0]{database} }
sub url { return "http://127.0.0.1:$_[0]{port}/messages.json" }

sub command {
    my ($self, $command, @arguments) = @_;
    my @name = $command eq 'init' ? () : ('--name', $self->{name});

    return [program('python3'), shared('legacy_peer.py'),
        split(' ', $command), '--db', $self->{file}, @name,
        $command =~ /^(?:serve|client)/ ? @{ $self->{words} } : (),
        @arguments];
}

sub run {
    my ($self, @command) = @_;

    return run_program($self->command(@command));
}

# Its application saves a record: a new one, or the one with ID.
sub publish {
    my ($self, $model, $attributes, $id) = @_;
    my $run = $self->run('publish', $model, $json->encode($attributes),
        $id ? ('--id', $id) : ());

    die $run->{err} if $run->{exit};
    return;
}

# Push to the server at BASE, and pull from it.
sub communicate {
    my ($self, $base) = @_;

    return $self->run('client communicate', '--url', $base);
}

sub serve {
    my ($self) = @_;

    $self->{pid} = start_process($self->command('serve', '--port',
        $self->{port}), out => "$self->{file}.log");
    at_end(sub { $self->stop });
    wait_until(sub { IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port}) });
    return $self;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};

    stop_process($pid) if $pid;
    return;
}

1;
