package Communicator::Test::Haproxy;

# haproxy in front of several servers, configured as the guide says: it asks
# the status page of each whether its database can be read.
#
#   my $haproxy = Communicator::Test::Haproxy->start(@servers);
#   $haproxy->{port}; $haproxy->is_up($server)

use strict;
use warnings;
use IO::Socket::UNIX;
use Communicator::Test qw(folder free_port program spew start_process
  stop_process wait_until at_end);

# What the page needs in the httpd of each server.
sub page {
    return <<'CONF';
<Location "/communicator-status">
    SetHandler communicator-status
    CommunicatorStatus On
    Require all granted
</Location>
CONF
}

sub haproxy { return program('haproxy') || '/usr/sbin/haproxy' }

sub start {
    my ($class, @servers) = @_;
    my $dir = folder('haproxy');
    my $self = bless { dir => $dir, port => free_port() }, $class;
    my $lines = join '', map {
        "    server s$_->{port} 127.0.0.1:$_->{port} check inter 300ms\n" }
      @servers;

    spew("$dir/haproxy.cfg", <<"CFG");
global
    stats socket $dir/stats
defaults
    mode http
    timeout connect 5s
    timeout client 2m
    timeout server 2m
frontend facade
    bind 127.0.0.1:$self->{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /communicator-status?format=json
    http-check expect status 200
$lines
CFG
    my $pid = start_process([haproxy(), '-db', '-f', "$dir/haproxy.cfg"],
        out => "$dir/out");
    at_end(sub { stop_process($pid) });
    wait_until(sub { -e "$dir/stats" }, 10) or die 'haproxy does not start';
    return $self;
}

# Whether it sends requests to SERVER.
sub is_up {
    my ($self, $server) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/stats") or return;

    print $socket "show stat -1 4 -1\n";
    $socket->flush;
    my ($state) = map { (split /,/)[17] } grep { /^nodes,s$server->{port},/ }
      <$socket>;
    return ($state || '') =~ /^UP/;
}

1;
