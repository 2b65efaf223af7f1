package Communicator::Test::Hostile;

# Servers that are not what a peer should be, to try the client on.
#
#   my $server = Communicator::Test::Hostile->new(sub {
#       my ($request, $n) = @_;
#       return $n ? gem(202, '') : undef;      # hangs up on the first one
#   });
#   my $central = central($server, 3);         # has 3 messages to push
#   my $run = $central->sync('push');
#   my @seen = $server->requests;
#
# CODE returns the raw reply, undef to hang up; a second value is a time to
# wait before.

use strict;
use warnings;
use Exporter qw(import);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Communicator::Test qw(folder append slurp free_port at_end stop_process);
use Communicator::Test::Database;
use Communicator::Test::Peer;

our @EXPORT_OK = qw(reply ours gem ids good old database say_something central
  confirmed nobody $EPOCH $MODELS);
our $EPOCH = 'e' x 32;

my $json = JSON::PP->new->canonical;

sub new {
    my ($class, $code, $name) = @_;
    my $self = bless { name => $name || 'facade', user => 'u',
        password => 'geheim', log => folder('hostile') . '/log' },
      $class;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 16, ReuseAddr => 1) or die "listen: $!";

    $self->{port} = $socket->sockport;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { serve($self, $socket, $code) };
        POSIX::_exit(0);
    }
    at_end(sub { $self->stop });
    return $self;
}

sub name { $_[0]{name} }
sub url { "http://127.0.0.1:$_[0]{port}/messages.json" }

sub stop {
    my ($self) = @_;

    stop_process(delete $self->{pid}) if $self->{pid};
}

sub read_request {
    my ($client) = @_;
    my $text = '';

    while ($text !~ /\r\n\r\n/) {
        sysread $client, $text, 65536, length $text or return;
        return if $text !~ /^[A-Z]/; # TLS
    }
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($first, @lines) = split /\r\n/, $head;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
    my ($method, $target) = split / /, $first;
    my ($path, $query) = split /\?/, $target, 2;
    while (length $body < ($headers{'content-length'} || 0)) {
        sysread $client, $body, 65536, length $body or last;
    }
    return { method => $method, path => $path, body => $body,
        headers => \%headers,
        query => { map { (split /=/, $_, 2)[0, 1] }
            split /&/, $query // '' } };
}

sub serve {
    my ($self, $socket, $code) = @_;
    my $n = 0;

    while (my $client = $socket->accept) {
        setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
        while (my $request = read_request($client)) {
            append($self->{log}, $json->encode($request), "\n");
            my ($reply, $wait) = $code->($request, $n++);
            select undef, undef, undef, $wait if $wait;
            last unless defined $reply;
            syswrite $client, $reply;
            last if $reply !~ /^content-length:/mi;
        }
        close $client;
    }
}

sub requests {
    my ($self) = @_;

    return map { $json->decode($_) } split /\n/,
      slurp($self->{log});
}

# A server that is not there.
sub nobody {
    my ($name) = @_;

    return bless { name => $name, user => 'u', password => 'geheim',
        port => free_port() }, __PACKAGE__;
}

sub reply {
    my ($status, $type, $body, @headers) = @_;

    return join "\r\n", "HTTP/1.1 $status X", "Content-Type: $type",
      'Content-Length: ' . length $body, @headers, '', $body;
}

# A reply of a peer of ours.
sub ours {
    my ($status, $body, @headers) = @_;

    return reply($status, 'application/json', $body,
        'Communicator-Protocol: 2', 'Communicator-Node: facade',
        "Communicator-Epoch: $EPOCH", @headers);
}

sub gem { return reply($_[0], 'text/html;charset=utf-8', $_[1]) }

sub ids {
    my ($request) = @_;

    return map { $_->{id} } @{ $json->decode($request->{body}) };
}

# A peer of ours as it should be: takes what follows what it holds.
sub good {
    my ($limit) = @_;
    my $held = 0;

    return sub {
        my ($request) = @_;

        return ours(200, '[]', 'Communicator-Last: 0', 'Communicator-More: 0')
          if $request->{method} eq 'GET';
        return ours(200, '{}') if exists $request->{query}{verify};
        my @ids = ids($request);
        return reply(413, 'text/html', '<h1>Too large</h1>')
          if $limit && @ids > $limit;
        $held = $ids[-1] if @ids;
        return ours(202, '{}', "Communicator-Received: $held");
    };
}

# The 2011 one, which wants FIRST to come first.
sub old {
    my ($next) = @_;

    return sub {
        my ($request) = @_;

        return gem(200, '[]') if $request->{method} eq 'GET';
        my @ids = ids($request);
        return gem(202, 'No data given') if !@ids;
        return gem(409, $next) if $ids[0] != $next;
        $next = $ids[-1] + 1;
        return gem(202, '');
    };
}

our $MODELS = "CommunicatorModel post table=posts\n";
sub database {
    my $db = Communicator::Test::Database->new('sqlite3', name => 'central');

    $db->run('create table posts (id integer primary key autoincrement, '
        . 'title varchar(255), body text)');
    return $db;
}

# Let the application of CENTRAL publish posts NUMBERS, as the gem did.
sub say_something {
    my ($central, @numbers) = @_;
    my $values = join ', ', map {
        qq{('{"post":{"title":"t$_"}}', 'central', '$_')} } @numbers;

    $central->database->run('insert into outbound_messages '
        . "(body, origin, original_id) values $values") if @numbers;
}

# A node with COUNT messages to push to SERVER; words: what its peer's line has
# besides, as protocol=gem.
sub central {
    my ($server, $count, %with) = @_;
    my $db = database();
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $db, conf => $MODELS, %with);

    $central->knows($server, $with{words}) if $server;
    $central->migrate;
    say_something($central, 1 .. ($count // 1));
    return $central;
}

sub confirmed {
    my ($central) = @_;

    return $central->database->value(
        'select max(confirmed) from communicator_peers') || 0;
}

1;
