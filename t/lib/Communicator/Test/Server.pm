package Communicator::Test::Server;

# A node as httpd serves it: a throw-away httpd on a free loopback port with
# mod_dbd, Basic authentication and our module.
#
#   my $server = Communicator::Test::Server->new(name => 'facade',
#       database => $db, peers => "CommunicatorPeer central user=communicator",
#       conf => "CommunicatorModel post table=posts")->migrate->start;
#   my $answer = $server->get('/messages.json?from_id=1');
#   $server->log_has_only(qr/CM0007/);
#
# conf: for httpd and client alike; httpd_conf: for httpd only; location:
# inside <Location "/messages.json">.

use strict;
use warnings;
use parent 'Communicator::Test::Peer';
use Digest::SHA qw(sha1_base64);
use Exporter qw(import);
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Communicator::Test qw(start_process stop_process free_port run_program
  program spew append slurp quote own web_user at_end wait_until is_alive
  module_file);

our @EXPORT_OK = qw(by_ours);

my @modules = qw(mpm_event unixd log_config authn_core authn_file auth_basic
  authz_core authz_user dbd);

sub new {
    my ($class, %with) = @_;
    my $self = $class->SUPER::new(name => 'facade',
        peers => "CommunicatorPeer central user=communicator\n",
        location => '', httpd_conf => '', port => free_port(), %with);

    $self->add_user($self->{user}, $self->{password});
    at_end(sub { $self->stop });
    return $self;
}

# Options of a request: the headers by which a peer of ours is known.
sub by_ours {
    return (headers => { 'communicator-protocol' => 2,
        'communicator-node' => 'central', 'communicator-epoch' => 'e' x 32,
        @_ });
}

sub url { return "http://127.0.0.1:$_[0]{port}/messages.json" }
sub base { return "http://127.0.0.1:$_[0]{port}" }
sub pid { return $_[0]{pid} }
sub port { return $_[0]{port} }

# One more account for Basic authentication.
sub add_user {
    my ($self, $user, $password) = @_;
    my $file = "$self->{dir}/passwords";

    append($file, "$user:{SHA}", sha1_base64($password), "=\n");
    chmod 0644, $file;
}

# What apxs says about NAME; empty without apxs.
sub apxs {
    my ($name) = @_;
    my $apxs = $ENV{APXS} || program('apxs', 'apxs2') or return '';
    my $result = run_program([$apxs, '-q', $name]);

    return $result->{out} =~ s/\s+$//r;
}

sub httpd {
    return $ENV{HTTPD} if $ENV{HTTPD};
    return program('apache2', 'httpd')
      || program(apxs('SBINDIR') . '/' . apxs('PROGNAME'))
      || die "httpd is not installed\n";
}

sub load_lines {
    my ($dir) = grep { -e "$_/mod_dbd.so" } '/usr/lib/apache2/modules',
      '/usr/lib64/httpd/modules';
    my $lines = '';

    $dir //= apxs('LIBEXECDIR') || die "httpd's modules are not found\n";
    for my $name (@modules) {
        next unless -e "$dir/mod_$name.so";
        $lines .= "LoadModule ${name}_module $dir/mod_$name.so\n";
    }
    return $lines . 'LoadModule communicator_module ' . module_file() . "\n";
}

sub configure {
    my ($self, %change) = @_;
    my $user = web_user();

    $self->SUPER::configure(%change);
    $self->{database}{of_httpd} = 1;
    my $dir = $self->{dir};
    my $run_as = defined $user
      ? "User $user\nGroup #" . (getpwnam $user)[3] . "\n" : '';
    spew("$dir/httpd.conf", <<"CONF");
ServerRoot "$dir"
PidFile "$dir/httpd.pid"
Listen 127.0.0.1:$self->{port}
ServerName 127.0.0.1
DefaultRuntimeDir "$dir"
@{[load_lines()]}
${run_as}ErrorLog "$dir/error.log"
LogLevel info
CustomLog "$dir/access.log" "%h %u %t \\"%r\\" %>s %b"
DocumentRoot "$dir"
Timeout 30
StartServers 2
ThreadsPerChild 8
MaxRequestWorkers 32
MinSpareThreads 8
MaxSpareThreads 32
DBDExptime 10
Include "$dir/node.conf"
<Location "/messages.json">
    AuthType Basic
    AuthName communicator
    AuthUserFile "$dir/passwords"
    Require valid-user
    Communicator On
    $self->{location}
</Location>
$self->{httpd_conf}
CONF
}

# What httpd says of the configuration: { exit, err }.
sub configtest {
    my ($self) = @_;

    return run_program([httpd(), '-t', '-f', "$self->{dir}/httpd.conf"],
        env => sanitizer());
}

# If the module was built with --enable-sanitizers, httpd must load their
# library first.
my $sanitizer;

sub sanitizer {
    $sanitizer //= run_program(['ldd', module_file()])->{out} =~
      /(\S*libasan\S*) \(/ ? { LD_PRELOAD => $1 } : {};
    return $sanitizer;
}

sub start {
    my ($self) = @_;
    my $dir = $self->{dir};

    $self->{log_seen} //= 0;
    $self->{pid} = start_process([httpd(), '-DFOREGROUND', '-f',
        "$dir/httpd.conf"], out => "$dir/httpd.out", env => sanitizer());
    wait_until(sub { !is_alive($self->{pid}) || $self->answers }, 20)
      && is_alive($self->{pid})
      or die 'httpd does not start: ', slurp("$dir/httpd.out"),
        slurp("$dir/error.log");
    return $self;
}

sub answers {
    my ($self) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port}, Timeout => 2);
}

# As apachectl graceful-stop: at SIGTERM httpd's event MPM closes the sockets of
# connections that its threads are freeing, and may crash (2.4.71).
sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill WINCH => $pid;
    wait_until(sub { !is_alive($pid) }, 5);
    stop_process($pid);
}

sub restart {
    my ($self) = @_;

    $self->stop;
    return $self->start;
}

sub graceful {
    my ($self) = @_;
    my $seen = -s "$self->{dir}/error.log";

    kill USR1 => $self->{pid};
    return wait_until(sub {
        substr(slurp("$self->{dir}/error.log"), $seen) =~ /resuming normal/
    }, 20);
}

# The process ids of httpd's children.
sub children {
    my ($self) = @_;

    return split ' ', slurp("/proc/$self->{pid}/task/$self->{pid}/children");
}

# One request; WITH: user, password (user => undef: none), headers, content.
sub request {
    my ($self, $method, $path, %with) = @_;
    my ($user, $password) = exists $with{user}
      ? @with{qw(user password)} : @$self{qw(user password)};
    my %headers = %{ $with{headers} || {} };

    $headers{authorization}
      = 'Basic ' . encode_base64("$user:" . ($password // ''), '')
      if defined $user;
    return HTTP::Tiny->new(timeout => $with{timeout} || 60,
        max_redirect => 0)->request($method, $self->base . $path,
        { headers => \%headers,
          defined $with{content} ? (content => $with{content}) : () });
}

sub get {
    my ($self, $path, %with) = @_;

    return $self->request(GET => $path, %with);
}

sub post {
    my ($self, $path, $content, %with) = @_;

    $with{headers} = { 'content-type' => 'application/x-www-form-urlencoded',
        %{ $with{headers} || {} } };
    return $self->request(POST => $path, %with, content => $content);
}

# What was logged since the last look.
sub log_lines {
    my ($self) = @_;
    my $log = slurp("$self->{dir}/error.log");
    my $new = substr $log, $self->{log_seen} || 0;

    $self->{log_seen} = length $log;
    return split /\n/, $new;
}

# Pass when the log since the last look has a line for each of EXPECTED and
# no other warning, error or crash. { may => PATTERN } before them: such a line
# may be there, or not yet.
sub log_has_only {
    my ($self, @expected) = @_;
    my $may = ref $expected[0] eq 'HASH' ? shift(@expected)->{may} : qr/^\b$/;
    my @lines = $self->log_lines;
    my @bad = grep { /[\w:]:(?:warn|error|crit|alert|emerg)\]/
          || /exit signal|runtime error:|AddressSanitizer/ } @lines;
    # What httpd's event MPM says when it is stopped as connections close.
    @bad = grep { !/\[mpm_event:error\].*Bad file descriptor/ } @bad;
    # The watchdog may repeat what CM0009 said about an exchange.
    @bad = grep { !/CM0035: cannot (?:send|receive) messages/ && $_ !~ $may }
      @bad;
    my @missing;

    for my $pattern (@expected) {
        push @missing, $pattern unless grep { $_ =~ $pattern } @lines;
        @bad = grep { $_ !~ $pattern } @bad;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(!@bad && !@missing, "$self->{name}: the log is as expected")
      || diag((map { "not expected: $_\n" } @bad),
        map { "missing: $_\n" } @missing);
}

1;
