package Communicator::Test::Proxy;

# A bad network: a TCP proxy on loopback that cuts, loses, delays and repeats.
#
#   my $proxy = Communicator::Test::Proxy->new(
#       to => $server->port, seed => 7, trouble => 0.4);
#   ... http://127.0.0.1:$proxy->{port}/messages.json ...
#   $proxy->trouble(0);     # from now on a good network
#   $proxy->stop;
#
# One connection in `trouble` (0 to 1) meets a fate, drawn from the seed. With
# `fate` every connection meets that one. It speaks just enough HTTP/1.1 to
# know where a request ends: Content-Length or none.
#
# judge: a function of the request, and of the reply once it is there, as they
# stand; what it gives is said in the peer's place ('': the connection is
# closed), undef lets them pass.
#
# strip_request, strip_reply: a pattern; headers whose names match it do not
# pass. It is set before the first connection, or by `strip`.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Communicator::Test qw(stop_process);

our @FATES = qw(refuse cut_request lose_request lose_reply cut_reply
    repeat bad_gateway login_page slow);

sub new {
    my ($class, %option) = @_;
    my $self = bless {trouble => 0, seed => 1, %option}, $class;
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', Listen => 16, ReuseAddr => 1)
        or die "cannot listen: $!";

    pipe my $read, my $write or die "cannot make a pipe: $!";
    $self->{port} = $listen->sockport;
    $self->{owner} = $$;
    $self->{pid} = fork // die "cannot fork: $!";
    if (!$self->{pid}) {
        close $write;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { serve($self, $listen, $read) };
        POSIX::_exit(0);
    }
    close $read;
    $write->autoflush(1);
    $self->{control} = $write;
    return $self;
}

sub trouble {
    my ($self, $trouble, $fate) = @_;
    print { $self->{control} } "$trouble " . ($fate // '') . "\n";
    select undef, undef, undef, 0.05;
}

# From now on headers that match these patterns do not pass; undef: all do.
sub strip {
    my ($self, $request, $reply) = @_;
    my @patterns = map { unpack 'H*', $_ // '' } $request, $reply;
    print { $self->{control} } "strip -$patterns[0] -$patterns[1]\n";
    select undef, undef, undef, 0.05;
}

sub stop {
    my ($self) = @_;
    return if !$self->{pid} || $self->{owner} != $$;
    stop_process($self->{pid}, 'TERM', 5);
    delete $self->{pid};
}

sub DESTROY { local ($?, $@); $_[0]->stop }

# Take one connection after the other; each is small and on loopback.
sub serve {
    my ($self, $listen, $control) = @_;
    my $select = IO::Select->new($listen, $control);

    srand $self->{seed};
    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my @ready = $select->can_read;
        if (grep { $_ == $control } @ready) {
            # The last word counts; nothing may stay behind in a buffer.
            sysread $control, my $lines, 65536 or return;
            my @words = split ' ', (split /\n/, $lines)[-1];
            if ($words[0] eq 'strip') {
                @$self{qw(strip_request strip_reply)}
                    = map { pack 'H*', substr $_, 1 } @words[1, 2];
                next;
            }
            @$self{qw(trouble fate)} = @words;
        }
        for my $ready (grep { $_ == $listen } @ready) {
            my $client = $listen->accept or next;
            $client->blocking(1);
            eval {
                local $SIG{ALRM} = sub { die "slow\n" };
                alarm 60;
                connection($self, $client);
            };
            alarm 0;
            close $client;
        }
    }
}

# Requests of one connection, until one side has enough or fate strikes.
sub connection {
    my ($self, $client) = @_;
    while (defined(my $request = message($client))) {
        my $fate = rand() < $self->{trouble}
            ? $self->{fate} || $FATES[rand @FATES] : '';
        return if $fate eq 'refuse';
        if ($fate eq 'cut_request') {
            exchange($self, substr($request, 0, int rand length $request), 1);
            return;
        }
        return if $fate eq 'lose_request';
        if ($fate eq 'bad_gateway' || $fate eq 'login_page') {
            print $client page($fate);
            return;
        }
        select undef, undef, undef, rand 0.3 if $fate eq 'slow';
        $request = stripped($request, $self->{strip_request});
        my $word = $self->{judge} && $self->{judge}->($request);
        my $reply = $word
            // stripped(exchange($self, $request), $self->{strip_reply});
        $word = $self->{judge}->($request, $reply)
            if $self->{judge} && !defined $word && defined $reply;
        $reply = $word if defined $word;
        return if defined $word && $word eq '';
        $reply = exchange($self, $request) if $fate eq 'repeat';
        return if $fate eq 'lose_reply' || !defined $reply;
        $reply = substr $reply, 0, int rand length $reply
            if $fate eq 'cut_reply';
        print $client $reply or return;
        return if $fate eq 'cut_reply' || $reply =~ /^Connection: close\r$/mi;
    }
}

# TEXT without the headers whose names match PATTERN.
sub stripped {
    my ($text, $pattern) = @_;
    return $text if !defined $text || !length($pattern // '');
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($first, @lines) = split /\r\n/, $head;
    @lines = grep { !/^(?:$pattern)[^:]*:/i } @lines;
    return join("\r\n", $first, @lines, '', '') . ($body // '');
}

# Send a request and give the reply; with CUT only send.
sub exchange {
    my ($self, $request, $cut) = @_;
    my $server = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{to}) or return;
    print $server $request;
    return if $cut;
    my $reply = message($server, $request =~ /^HEAD/);
    close $server;
    return $reply;
}

# One HTTP message, whole; undef at the end of the connection.
sub message {
    my ($socket, $no_body) = @_;
    my $text = '';
    until ($text =~ /\r\n\r\n/) {
        sysread $socket, $text, 65536, length $text or return;
    }
    my $head = 4 + index $text, "\r\n\r\n";
    return $text if $no_body || $text =~ m{^HTTP/1\.1 (?:1\d\d|204|304)};
    my ($size) = $text =~ /^Content-Length: *(\d+)/mi;
    if (!defined $size && $text =~ /^Transfer-Encoding: *chunked/mi) {
        until ($text =~ /\r\n0\r\n\r\n\z/) {
            sysread $socket, $text, 65536, length $text or return $text;
        }
        return $text;
    }
    while (length($text) < $head + ($size // 0)) {
        sysread $socket, $text, 65536, length $text or return $text;
    }
    return $text;
}

# What proxies and portals say in the peer's place.
sub page {
    my ($kind) = @_;
    my ($status, $body) = $kind eq 'login_page'
        ? ('200 OK', '<html><form>Please log in</form></html>')
        : ('502 Bad Gateway', '<html>The proxy could not connect</html>');
    return "HTTP/1.1 $status\r\nContent-Type: text/html\r\nContent-Length: "
        . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

1;
