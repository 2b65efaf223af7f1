#!/usr/bin/perl

# TLS between client and httpd: ports and versions that do not fit, and a
# certificate of the client in place of a password, at a real httpd that demands
# one (SSLVerifyClient require).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(spew slurp folder free_port run_program source_dir);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Tls qw(authority certificate has_modules load_modules
  openssl_server);

plan skip_all => 'no mod_ssl' unless has_modules('ssl');

my $ours = authority('ours');
my $others = authority('others');
my $host = certificate('localhost', $ours);
my $mine = certificate('communicator', $ours);
my $strange = certificate('communicator', $others);
my $dir = folder('secrets');
my $port = free_port();

# The site wants a certificate, and its name is the user: as in the guide.
my ($site) = slurp(source_dir() . '/docs/guide.md')
  =~ /^( {4}SSLCACertificateFile.*?<\/Location>\n)/ms;
$site =~ s{"/etc/\S+"}{$ours->{cert}};
my $facade = Communicator::Test::Server->new(name => 'facade',
    database => Communicator::Test::Database->new('sqlite3'),
    conf => "CommunicatorModel event table=events\n",
    httpd_conf => load_modules(qw(socache_shmcb ssl)) . <<"CONF");
SSLSessionCache shmcb:cache(512000)
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    SSLEngine on
    SSLCertificateFile $host->{cert}
    SSLCertificateKeyFile $host->{key}
    $site
</VirtualHost>
CONF
my $central = Communicator::Test::Peer->new(name => 'central',
    database => Communicator::Test::Database->new('sqlite3'),
    conf => "CommunicatorModel event table=events\n");

for my $node ($central, $facade) {
    $node->database->create('create table events (id {key}, '
        . 'token varchar(40) not null) {engine};');
    $node->migrate;
}
$facade->start;

# Let central reach PORT with WORDS in its line, and run it.
sub run {
    my ($where, $words, @more) = @_;

    $central->configure(peers => "CommunicatorPeer facade "
        . "uri=https://localhost:$where/messages.json proxy=none "
        . "ca-file=$ours->{cert} $words\n");
    return $central->sync(@more, '--timeout', '5s');
}

sub fails {
    my ($what, $exit, $message, $hint, @run) = @_;
    my $run = run(@run);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit}, $exit, "$what: exit status");
    like($run->{err}, $message, '  and why');
    like($run->{err}, qr/^hint: .*$hint/m, '  and what to do');
}

subtest 'ports and versions' => sub {
    spew("$dir/password", "secret\n");
    chmod 0600, "$dir/password";
    my $login = "user=communicator password-file=$dir/password";
    my $one_one = openssl_server($host, '-tls1_1', '-cipher',
        'ALL:@SECLEVEL=0');

    fails('the port of http', 76, qr/no TLS is spoken at this port: /,
        qr/port of https \(\S+:\d+\)/, $facade->{port}, $login);
    fails('only TLS 1.1', 76, qr/no common version of TLS: /,
        qr/SSLProtocol/, $one_one, $login);
    fails('an authority that is not trusted', 76, qr/certificate/,
        qr/ca-file=/, openssl_server($strange), $login);
};

subtest 'a certificate of the client' => sub {
    my $certificate = "cert=$mine->{cert} key=$mine->{key}";

    $central->database->run("insert into events (token) values ('first')");
    my $run = run($port, $certificate);
    is($run->{exit} . $run->{err}, '0', 'is the login');
    is($facade->database->value('select token from events'), 'first',
        '  and a record arrives');
    like(slurp("$facade->{dir}/access.log"), qr/ communicator \[.* 202 /,
        '  of the user that it names');
    like(run($port, $certificate, 'check')->{out},
        qr/^ok +facade: Communicator answers$/m, '  check goes its way');
    spew("$dir/both.pem", slurp($mine->{cert}), slurp($mine->{key}));
    chmod 0600, "$dir/both.pem";
    is(run($port, "cert=$dir/both.pem")->{exit}, 0, 'one file has both');

    run_program(['openssl', 'pkcs8', '-topk8', '-in', $mine->{key}, '-out',
        "$dir/locked.pem", '-passout', 'pass:sesame']);
    chmod 0600, "$dir/locked.pem";
    my $locked = "cert=$mine->{cert} key=$dir/locked.pem";
    for my $case (['sesame', 0], ['another', 74]) {
        my ($word, $exit) = @$case;

        spew("$dir/word", "$word\n");
        chmod 0600, "$dir/word";
        $run = run($port, "$locked key-password-file=$dir/word");
        is($run->{exit}, $exit, "an encrypted key and '$word'");
    }
    like($run->{err}, qr/^hint: .*key-password-file=/m, '  is explained');
    unlike($run->{err}, qr/sesame|another/, '  without the password');
    fails('an encrypted key without a password', 74, qr/key|PEM/,
        qr/key-password-file=/, $port, $locked);
};

subtest 'certificates that are no good' => sub {
    fails('none', 76, qr/wants a certificate of this host|refuses the hands/,
        qr/cert=/, $port, 'user=communicator password-file=' . "$dir/password");
    fails('of an unknown authority', 76, qr/does not trust this host's/,
        qr/SSLCACertificateFile/, $port,
        "cert=$strange->{cert} key=$strange->{key}");
    fails('with a key of another', 74, qr/key/, qr/belong together/, $port,
        "cert=$mine->{cert} key=$strange->{key}");
    chmod 0644, $mine->{key};
    fails('with a key that others may read', 78, qr/\Q$mine->{key}\E/,
        qr/chmod 6[04]0/, $port, "cert=$mine->{cert} key=$mine->{key}");
    chmod 0600, $mine->{key};
    is(run($port, "cert=$dir/nothing key=$mine->{key}")->{exit}, 74,
        'a file that is not there');
    my $someone = certificate('someone', $ours);
    my $run = run($port, "cert=$someone->{cert} key=$someone->{key}");
    is($run->{exit}, 77, 'of a user who is no peer');
    $facade->log_has_only(qr/CM0002/);
};

done_testing();
