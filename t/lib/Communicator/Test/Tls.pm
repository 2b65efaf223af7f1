package Communicator::Test::Tls;

# Certificates, and what stands between two nodes: an httpd without our module,
# as a proxy and a balancer, and servers of openssl.
#
#   my $authority = authority('ours');
#   my $certificate = certificate('127.0.0.1', $authority); # { cert, key }
#   my $proxy = httpd(modules => [qw(proxy proxy_connect)], conf => '...');
#   $proxy->{port}; $proxy->{log}->();       # its access log

use strict;
use warnings;
use Exporter qw(import);
use Communicator::Test qw(folder spew slurp run_program start_process
  stop_process free_port wait_until at_end web_user own);
use Communicator::Test::Server;
use IO::Socket::INET;

our @EXPORT_OK = qw(authority certificate httpd has_modules load_modules
  openssl_server);

my $count = 0;

sub openssl {
    my $run = run_program(['openssl', @_]);

    die "openssl @_: $run->{err}" if $run->{exit};
}

# A certificate that signs others: { cert, key, name }.
sub authority {
    my ($name) = @_;
    my $dir = folder('tls');

    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        qw(-days 30 -subj), "/CN=$name", '-addext',
        'basicConstraints=critical,CA:TRUE', '-keyout', "$dir/ca.key", '-out',
        "$dir/ca.pem");
    return { name => $name, cert => "$dir/ca.pem", key => "$dir/ca.key" };
}

# The certificate of NAME, for this host, signed by AUTHORITY.
sub certificate {
    my ($name, $authority) = @_;
    my $dir = folder('tls');

    spew("$dir/ext", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj),
        "/CN=$name", '-keyout', "$dir/key.pem", '-out', "$dir/request");
    openssl(qw(x509 -req -days 30 -in), "$dir/request", '-CA',
        $authority->{cert}, '-CAkey', $authority->{key}, '-set_serial',
        ++$count, '-extfile', "$dir/ext", '-out', "$dir/cert.pem");
    chmod 0600, "$dir/key.pem";
    return { cert => "$dir/cert.pem", key => "$dir/key.pem" };
}

sub module_dir {
    my ($dir) = grep { -e "$_/mod_dbd.so" } '/usr/lib/apache2/modules',
      '/usr/lib64/httpd/modules', Communicator::Test::Server::apxs('LIBEXECDIR');

    return $dir // '';
}

sub has_modules {
    return !grep { !-e module_dir() . "/mod_$_.so" } @_;
}

sub load_modules {
    return join '', map { "LoadModule ${_}_module " . module_dir()
          . "/mod_$_.so\n" } grep { has_modules($_) } @_;
}

# An httpd on a port of its own; WITH: modules, conf. It ends with the test.
sub httpd {
    my (%with) = @_;
    my $dir = folder('httpd');
    my $port = free_port();
    my $run_as = defined web_user() ? 'User ' . web_user() . "\nGroup #"
      . (getpwnam web_user())[3] . "\n" : '';

    spew("$dir/httpd.conf", load_modules(qw(mpm_event unixd log_config
        authn_core authn_file auth_basic authz_core authz_user authz_host),
        @{ $with{modules} }), <<"CONF");
ServerRoot "$dir"
PidFile "$dir/httpd.pid"
Listen 127.0.0.1:$port
ServerName localhost
DefaultRuntimeDir "$dir"
${run_as}ErrorLog "$dir/error.log"
CustomLog "$dir/access.log" "%u %r %>s"
StartServers 1
ThreadsPerChild 4
MaxRequestWorkers 4
MinSpareThreads 1
MaxSpareThreads 4
$with{conf}
CONF
    my $pid = start_process([Communicator::Test::Server::httpd(),
        '-DFOREGROUND', '-f', "$dir/httpd.conf"], out => "$dir/out");
    at_end(sub { stop_process($pid) });
    wait_until(sub { listens($port) }, 20)
      or die slurp("$dir/out"), slurp("$dir/error.log");
    return { port => $port, dir => $dir, log => sub {
        slurp("$dir/access.log") } };
}

my @balancing = qw(proxy proxy_http proxy_balancer lbmethod_byrequests
  slotmem_shm);

# Whether httpd can be a balancer.
sub can_balance { return has_modules(@balancing) }

# An httpd that sends requests to any of SERVERS, and remembers nothing of who
# asked. A server that fails is left alone for RETRY seconds.
sub balancer {
    my ($retry, @servers) = @_;
    my $members = join '', map {
        "    BalancerMember http://127.0.0.1:$_->{port} retry=$retry\n" }
      @servers;

    return httpd(modules => \@balancing, conf => <<"CONF");
<Proxy balancer://facade>
$members    ProxySet failonstatus=503
</Proxy>
ProxyPass / balancer://facade/
CONF
}

sub listens {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0],
        Timeout => 2);
}

# A server of openssl with CERTIFICATE that is started with OPTIONS: its port.
sub openssl_server {
    my ($certificate, @options) = @_;
    my $port = free_port();
    my $pid = start_process(['openssl', 's_server', '-accept',
        "127.0.0.1:$port", '-cert', $certificate->{cert}, '-key',
        $certificate->{key}, '-www', @options], out => folder('tls') . '/log');

    at_end(sub { stop_process($pid) });
    wait_until(sub { listens($port) }, 10) or die "openssl does not start\n";
    return $port;
}

1;
