#!/usr/bin/perl

# Proxies on both sides: one between the private network and the world, which
# wants a login and may refuse, and one in front of httpd, which ends TLS. Each
# of their failures is told by its name. The proxies are real ones, of httpd.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha1_base64);
use Test::More;
use Communicator::Test qw(spew slurp folder free_port);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(reply);
use Communicator::Test::Peer;
use Communicator::Test::Server qw(by_ours);
use Communicator::Test::Tls qw(authority certificate httpd has_modules
  load_modules);

plan skip_all => 'no mod_ssl, mod_proxy, mod_headers or mod_remoteip'
  unless has_modules(qw(ssl proxy proxy_http proxy_connect headers remoteip));

my $dir = folder('proxies');
my $authority = authority('ours');
my $certificate = certificate('localhost', $authority);
my $tls = free_port();
# What each virtual host of the facade trusts, by its port.
my %trust = map { free_port() => $_ } 'On', 'X-Forwarded-Proto',
  'X-Forwarded-Proto 192.0.2.1 2001:db8::/32',
  'X-Forwarded-Proto 192.0.2.1 127.0.0.0/8';
my %port_of = reverse %trust;
my $facade = Communicator::Test::Server->new(name => 'facade',
    database => Communicator::Test::Database->new('sqlite3'),
    conf => "CommunicatorModel event table=events\n",
    httpd_conf => load_modules(qw(socache_shmcb ssl remoteip))
      . join('', map { "Listen 127.0.0.1:$_\n<VirtualHost 127.0.0.1:$_>\n"
            . "CommunicatorRequireTLS $trust{$_}\n</VirtualHost>\n" }
          sort keys %trust) . <<"CONF");
RemoteIPHeader X-From
RemoteIPInternalProxy 127.0.0.1
SSLSessionCache shmcb:cache(512000)
Listen 127.0.0.1:$tls
<VirtualHost 127.0.0.1:$tls>
    SSLEngine on
    SSLCertificateFile $certificate->{cert}
    SSLCertificateKeyFile $certificate->{key}
</VirtualHost>
CONF
my $central = Communicator::Test::Peer->new(name => 'central',
    database => Communicator::Test::Database->new('sqlite3'),
    conf => "CommunicatorModel event table=events\n");
my $uri = "https://localhost:$tls/messages.json";

for my $node ($central, $facade) {
    $node->database->create('create table events (id {key}, '
        . 'token varchar(40) not null) {engine};');
    $node->migrate;
}
$facade->start;

# A secret of central's with TEXT: its file.
sub secret {
    my ($name, $text) = @_;

    spew("$dir/$name", "$text\n");
    chmod 0600, "$dir/$name";
    return "$dir/$name";
}

my $password = secret('facade', $facade->{password});
my $login = secret('login', 'me:sesame');
my $users = "$dir/users";
spew($users, 'me:{SHA}' . sha1_base64('sesame') . "=\n");
chmod 0644, $users;
chmod 0755, $dir;

# A proxy that lets those pass who log in, to the ports PORTS.
sub forward {
    my ($ports) = @_;

    return httpd(modules => [qw(proxy proxy_http proxy_connect)], conf => <<"C");
ProxyRequests On
AllowCONNECT $ports
<Proxy "*">
    AuthType Basic
    AuthName proxy
    AuthUserFile $users
    Require valid-user
</Proxy>
C
}

# Let central reach its facade at URI, with WORDS in its line.
sub reach {
    my ($where, $words) = @_;

    $central->configure(peers => "CommunicatorPeer facade uri=$where "
        . "user=communicator password-file=$password "
        . "ca-file=$authority->{cert} $words\n");
}

my $number = 0;

# A run sends an event, and says nothing.
sub arrives {
    my ($what, %env) = @_;

    $central->database->run('insert into events (token) values ('
        . ++$number . ')');
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $run = $central->sync({ env => \%env });
    is($run->{exit} . $run->{err}, '0', $what);
    is($facade->database->value('select count(*) from events'), $number,
        '  the event arrives');
}

# It fails as it should; check says so at its step.
sub fails {
    my ($what, $exit, $message, $hint, %env) = @_;
    my $run = $central->sync('--timeout', '5s', { env => \%env });

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit}, $exit, "$what: exit status");
    like($run->{err}, $message, '  and why') or return;
    like($run->{err}, qr/^hint: .*$hint/m, '  and what to do');
    unlike($run->{err}, qr/sesame|wrong one/, '  without the password');
    $run = $central->sync('check', { env => \%env });
    like($run->{out}, qr/^FAIL +facade: name, route and port: .*$message/m,
        '  check knows the step');
}

my $forward = forward($tls);
my $at = "proxy=http://localhost:$forward->{port}";

subtest 'through a proxy' => sub {
    reach($uri, "$at proxy-user-file=$login");
    arrives('with proxy= and a login', https_proxy => 'http://localhost:1');
    like($forward->{log}->(), qr/^me CONNECT localhost:$tls HTTP\S+ 200$/m,
        '  by a tunnel');
    like($central->sync('check')->{out},
        qr{^ok +facade: through the proxy http://\S+ \(proxy=\)$}m,
        '  check names it');
    reach("http://localhost:$facade->{port}/messages.json",
        "$at proxy-user-file=$login insecure=yes");
    arrives('plain HTTP');
    like($forward->{log}->(), qr/^me GET http:/m, '  by the proxy');
    reach($uri =~ s/localhost/127.0.0.1/r, 'proxy=none');
    arrives('past the proxy of the environment',
        https_proxy => 'http://localhost:1');
};

subtest 'what a proxy refuses' => sub {
    reach($uri, $at);
    fails('no login', 77, qr/the proxy 'http:\S+ wants a login \(407\)/,
        qr/proxy-user-file=.*communicator|node\.conf:/);
    reach($uri, "$at proxy-user-file=" . secret('wrong', 'me:wrong one'));
    fails('a wrong login', 77, qr/the proxy 'http:\S+ refuses this login \(407\)/,
        qr/proxy-user-file=/);
    reach('https://localhost:1/', "$at proxy-user-file=$login");
    fails('a port that is forbidden', 77,
        qr/the proxy 'http:\S+ forbids the way to \S+ \(403\)/,
        qr/CONNECT.*AllowCONNECT/);
    reach("http://localhost:$facade->{port}/", "$at insecure=yes");
    fails('no login for plain HTTP', 77, qr/the proxy wants a login \(407\)/,
        qr/proxy-user-file=/);
    reach('https://facade.invalid/', '');
    fails('the proxy of the environment', 77, qr/wants a login \(407\)/,
        qr/proxy-user-file=/, https_proxy => "http://localhost:$forward->{port}");
    reach($uri, "$at proxy-user-file=" . secret('alone', 'me'));
    is($central->sync->{exit}, 78, 'a login without a password');
    chmod 0644, $login;
    reach($uri, "$at proxy-user-file=$login");
    my $run = $central->sync;
    is($run->{exit}, 78, 'a login that others may read');
    like($run->{err}, qr/others may read or change the file '\Q$login\E'/,
        '  is named');
    chmod 0600, $login;
};

subtest 'what a proxy cannot do' => sub {
    my $closed = free_port();
    my $all = forward("$closed 443 1-65535");

    reach("https://localhost:$closed/",
        "proxy=http://localhost:$all->{port} proxy-user-file=$login");
    fails('no httpd behind it', 75, qr/the proxy \S+ does not reach \S+ \(503\)/,
        qr/is the peer's httpd running/);
    for my $case ([502, qr/does not reach/], [504, qr/waited too long for/]) {
        my ($status, $what) = @$case;
        my $proxy = Communicator::Test::Hostile->new(sub {
            reply($status, 'text/html', '<h1>no</h1>') });

        reach($uri, "proxy=http://localhost:$proxy->{port}");
        fails("its $status", 75, qr/the proxy \S+ $what \S+ \($status\)/,
            qr/uri= right/);
        $proxy->stop;
    }
    reach($uri, "proxy=http://localhost:$closed");
    fails('no proxy', 75, qr/the proxy 'http:\S+:$closed' cannot be used: /,
        qr/is it running, is its address \(proxy=\) right/);
};

# In front of the facade: it ends TLS, and says so in a header.
sub front {
    my ($conf, $to) = @_;
    my $front = certificate('localhost', $authority);

    return httpd(modules => [qw(socache_shmcb ssl proxy proxy_http headers)],
        conf => <<"CONF");
SSLSessionCache shmcb:cache(512000)
SSLEngine on
SSLCertificateFile $front->{cert}
SSLCertificateKeyFile $front->{key}
ProxyPass / http://127.0.0.1:$to/
$conf
CONF
}

# What the facade answers to a request with HEADER, that a client elsewhere
# makes, where it trusts as in TRUST: mod_remoteip says so.
sub status {
    my ($trust, $header, $from) = @_;
    my $epoch = $central->database->value('select epoch from '
        . 'communicator_node');

    local $facade->{port} = $port_of{$trust};
    return $facade->get('/messages.json?from_id=1', by_ours(
        'communicator-epoch' => $epoch,
        defined $header ? ('x-forwarded-proto' => $header) : (),
        defined $from ? ('x-from' => $from) : ()))->{status};
}

subtest 'TLS ends in front of httpd' => sub {
    my $header = 'X-Forwarded-Proto';
    my $remote = '192.0.2.7';

    $facade->log_has_only;
    is(status('On', 'https', $remote), 403, 'nobody is believed by default');
    $facade->log_has_only(qr/CM0003: plain HTTP is accepted only from this/);
    is(status($header, 'https', $remote), 200,
        'a proxy on this host is, where configured');
    is(status($header, $_, $remote), 403, 'it says ' . ($_ // 'nothing'))
      for 'http', undef, 'https, http';
    is(status($header, 'http'), 403, '  also of clients on this host');
    $facade->log_has_only(qr/CM0003: the header X-Forwarded-Proto of a trusted/);
    my $front = front('RequestHeader set X-Forwarded-Proto https',
        $port_of{$header});
    reach("https://localhost:$front->{port}/messages.json", '');
    arrives('through a proxy that ends TLS');
    is(status("$header 192.0.2.1 2001:db8::/32", 'https', $remote), 403,
        'another proxy is not believed');
    $facade->log_has_only(qr/CM0003: .* 127\.0\.0\.1 is not a trusted proxy/);
    is(status("$header 192.0.2.1 127.0.0.0/8", 'https', $remote), 200,
        '  one of the named networks is');
};

subtest 'what something in front of the peer cannot do' => sub {
    my $front = front('ProxyTimeout 1', free_port());

    reach("https://localhost:$front->{port}/messages.json", '');
    my $run = $central->sync('--timeout', '5s');
    is($run->{exit}, 75, '503 of a proxy without its httpd');
    for my $case ([502, 75, qr/does not reach the peer's httpd \(502\)/,
            qr/is the peer's httpd running\?/],
        [504, 75, qr/waited too long for the peer \(504\)/,
            qr/ProxyTimeout.*CommunicatorBatch/]) {
        my ($status, $exit, $message, $hint) = @$case;
        my $server = Communicator::Test::Hostile->new(sub {
            reply($status, 'text/html', '<h1>no</h1>') });

        reach("http://127.0.0.1:$server->{port}/", '');
        $run = $central->sync('--timeout', '5s');
        is($run->{exit}, $exit, "status $status");
        like($run->{err}, $message, '  and why');
        like($run->{err}, qr/^hint: .*$hint/m, '  and what to do');
        $server->stop;
    }
};

done_testing();
