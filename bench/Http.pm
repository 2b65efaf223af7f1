package Http;

# How fast the facade's httpd answers, measured with ab: a file, one SELECT, an
# empty pull.

use strict;
use warnings;
use Communicator::Test qw(build_dir program run_program spew);
use Communicator::Test::Server;
use Meter;

# Lines of httpd.conf for a handler of one SELECT, behind the same password.
sub select_conf {
    my ($nodes) = @_;
    my $dir = $nodes->{facade}{dir};

    return 'LoadModule bench_select_module ' . build_dir()
      . "/bench/mod_select.so\n" . <<"CONF";
<Location "/select">
    AuthType Basic
    AuthName communicator
    AuthUserFile "$dir/passwords"
    Require valid-user
    SetHandler bench-select
</Location>
CONF
}

# Requests per second for PATH, over COUNT persistent connections.
sub ab {
    my ($nodes, $path, $count, @headers) = @_;
    my $server = $nodes->{facade};
    my $result = run_program([program('ab') // die("ab is not installed\n"),
        qw(-q -k -l -t 2 -n 1000000 -c), $count,
        '-A', "$server->{user}:$server->{password}",
        map({ ('-H', $_) } @headers), $server->base . $path]);
    my ($rate) = $result->{out} =~ /^Requests per second: +([\d.]+)/m;

    die "ab $path: $result->{out}$result->{err}\n"
      if !$rate || $result->{out} =~ /^(Failed requests: +[1-9]|Non-2xx)/m;
    return $rate;
}

# Rows per second if the bytes of a run (COST for COUNT rows) came from a file,
# in the same number of requests.
sub static {
    my ($nodes, $cost, $count) = @_;
    my $size = int $cost->{bytes} / $cost->{requests};

    spew("$nodes->{facade}{dir}/batch", 'x' x $size);
    return ab($nodes, '/batch', 1) * $count / $cost->{requests};
}

# The path and headers of central's pull when nothing is queued.
sub empty_pull {
    my ($nodes) = @_;
    my ($central, $facade) = map { $_->database } $nodes->both;
    my ($received, $held, $clock) = @{ $central->rows('select received, held,'
        . " received_clock from communicator_peers where name = 'facade'")->[0]
    };
    my $epoch = 'select epoch from communicator_node';

    return ('/messages.json?from_id=' . ($received + 1),
        'Communicator-Protocol: 2', 'Communicator-Node: central',
        'Communicator-Epoch: ' . $central->value($epoch),
        'Communicator-Peer-Epoch: ' . $facade->value($epoch),
        "Communicator-Received: $received",
        $held ? "Communicator-Held: $held $clock" : ());
}

# The part "pull": an empty pull, compared with a handler that runs one SELECT.
sub pull {
    my ($nodes, $report) = @_;
    my ($path, @headers) = empty_pull($nodes);
    my (@pull, @select);

    for (1 .. 3) {
        push @select, ab($nodes, '/select', 8);
        push @pull, ab($nodes, $path, 8, @headers);
    }
    my $floor = Meter::median(@select);
    my $rate = Meter::median(@pull);
    $report->figure('one SELECT through mod_dbd', $floor, 'requests/s');
    $report->figure('empty pull', $rate, 'requests/s');
    $report->speed("empty pull: of one SELECT's speed", $rate, $floor,
        min => 0.7);
}

1;
