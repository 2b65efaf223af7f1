#!/usr/bin/perl

# The examples in conf/ are what their programs take, and do what they say:
# the facade's site serves a sync over TLS, packed both ways; alerts name
# numbers that there are; fail2ban finds the lines that httpd writes;
# ModSecurity lets batches pass. What is not installed is skipped, but not in
# the continuous integration.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Communicator::Test qw(folder run_program slurp spew source_dir own web_user
  quote need);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

my $conf = source_dir() . '/conf';
my $tables = 'create table posts (id {key}, title varchar(200)) {engine};';
my $models = "CommunicatorModel post table=posts\n";
my $dir = folder('files');

# A request over TLS by Python, which has what Perl's core lacks: BODY is sent
# packed; gives { status, encoding, body }.
my $python = <<'PYTHON';
import base64, gzip, json, ssl, sys, urllib.error, urllib.request
url, user, epoch, cafile, body, packed = sys.argv[1:]
context = ssl.create_default_context(cafile=cafile)
data = open(body, 'rb').read() if body else None
headers = {'Accept-Encoding': 'gzip', 'Communicator-Protocol': '2',
           'Content-Type': 'application/json',
           'Communicator-Node': 'central', 'Communicator-Epoch': epoch,
           'Authorization': 'Basic '
           + base64.b64encode(user.encode()).decode()}
if packed == 'yes':
    data = gzip.compress(data)
    headers['Content-Encoding'] = 'gzip'
request = urllib.request.Request(url, data, headers)
try:
    answer = urllib.request.urlopen(request, context=context)
except urllib.error.HTTPError as error:
    answer = error
text = answer.read()
encoding = answer.headers.get('Content-Encoding', '')
if encoding == 'gzip':
    text = gzip.decompress(text)
print(json.dumps({'status': answer.status, 'encoding': encoding,
                  'body': text.decode('utf-8', 'replace')}))
PYTHON

# httpd's own modules are where mod_dbd is.
sub modules_of {
    my ($server) = @_;

    return slurp("$server->{dir}/httpd.conf") =~ m{dbd_module (.*)/} ? $1 : '';
}

sub load {
    my ($modules, @names) = @_;

    return join '', map {
        -e "$modules/mod_$_.so" ? "LoadModule ${_}_module $modules/mod_$_.so\n"
          : ''
    } @names;
}

# A key and a certificate for this host, valid for DAYS from now; when DAYS is
# negative, expired since then. Only `openssl ca` takes both dates in all
# versions, and newer ones refuse a certificate that ends before it starts.
sub certificate {
    my ($days) = @_;
    my ($start, $end) = map {
        strftime('%y%m%d%H%M%SZ', gmtime(time + 86400 * $_))
    } $days - 40, $days;

    spew("$dir/index", '');
    spew("$dir/ca.conf", <<"CONF");
[ca]
default_ca = test
[test]
database = $dir/index
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = policy
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
subjectAltName = DNS:localhost,IP:127.0.0.1
CONF
    for my $command (
        ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost',
            '-keyout', "$dir/key.pem", '-out', "$dir/request.pem"],
        [qw(ca -batch -notext -selfsign), '-config', "$dir/ca.conf", '-in',
            "$dir/request.pem", '-keyfile', "$dir/key.pem", '-startdate',
            $start, '-enddate', $end, '-out', "$dir/cert.pem"]) {
        my $run = run_program(['openssl', @$command]);
        die $run->{err} if $run->{exit};
    }
}

# The example of the facade's site, with the names of this test in it.
sub site {
    my ($server, $models_file) = @_;
    my $text = slurp("$conf/communicator-httpd.conf");
    my ($driver, $params) = ($server->database->driver,
        quote($server->database->params));

    $text =~ s{\*:443}{127.0.0.1:$server->{port}};
    $text =~ s{"/etc/ssl/certs/[^"]*"}{"$dir/cert.pem"};
    $text =~ s{"/etc/ssl/private/[^"]*"}{"$dir/key.pem"};
    $text =~ s{^(\s*DBDriver) .*}{$1 $driver}m;
    $text =~ s{^(\s*DBDParams) .*}{$1 $params}m;
    $text =~ s{/etc/communicator/models\.conf}{$models_file};
    $text =~ s{"/etc/communicator/(passwords|operators)"}
              {"$server->{dir}/passwords"}g;
    return $text;
}

# The facade's site: a real sync through it, and what is packed.
sub test_site {
    my $facade = Communicator::Test::Server->new(name => 'facade', conf => $models,
        database => Communicator::Test::Database->new('sqlite3'));
    my $central = Communicator::Test::Peer->new(name => 'central',
        conf => $models,
        database => Communicator::Test::Database->new('sqlite3'));
    my $modules = modules_of($facade);
    my $url = "https://localhost:$facade->{port}";

    certificate(30);
    # All that stands in node.conf but the database, as in models.conf.
    my $node = slurp("$facade->{dir}/node.conf") =~ s/^DBD.*\n//gmr;
    spew("$dir/models.conf", $node);
    my $httpd = slurp("$facade->{dir}/httpd.conf");
    $httpd =~ s{^Include .*?</Location>\n}{}ms;
    spew("$facade->{dir}/httpd.conf", $httpd,
        load($modules, qw(socache_shmcb ssl filter deflate authz_host)),
        site($facade, "$dir/models.conf"));
    is($facade->configtest->{err}, "Syntax OK\n", "the facade's site loads")
      or return;
    $_->database->create($tables) for $facade, $central;
    $facade->migrate->start;
    $facade->add_user('operator', 'night');
    $facade->{password} = 'secret';
    $central->knows($facade, "ca-file=$dir/cert.pem");
    $central->{peers} =~ s{uri=\S+}{uri=$url/messages.json};
    $central->configure;
    $central->migrate;
    $central->database->run("insert into posts (title) values ('over TLS')");
    $facade->database->run("insert into posts (title) values ('and back')");
    $central->sync_ok;
    is($_->database->value('select count(*) from posts'), 2,
        $_->name . ' has both records') for $facade, $central;

    like($central->sync('check')->{out},
        qr/^ok +facade: its certificate is valid for 29 d$/m,
        'check looks at the certificate');

    my $epoch = $central->database->value(
        'select epoch from communicator_node');
    my $ask = sub {
        my ($path, $user, $body, $packed) = @_;
        my $run = run_program(['python3', '-c', $python, "$url$path", $user,
            $epoch, "$dir/cert.pem", $body // '', $packed // 'no']);
        return decode_json($run->{out} || "{\"body\":\"broken\"}");
    };
    my $login = 'communicator:secret';
    is($ask->('/messages.json?from_id=1', 'communicator:wrong')->{status}, 401,
        'not without the password');
    my $answer = $ask->('/messages.json?from_id=1', $login);
    is($answer->{encoding}, 'gzip', 'replies are packed');
    spew("$dir/batch", '[]');
    is($ask->('/messages.json', $login, "$dir/batch", 'yes')->{status}, 202,
        'packed requests are taken');
    spew("$dir/bomb", '[' . ' ' x 30_000_000 . ']');
    like($ask->('/messages.json', $login, "$dir/bomb", 'yes')->{status},
        qr/^(4|5)\d\d$/, 'but none that unpacks without end');
    $answer = $ask->('/communicator-status?format=nagios', 'operator:night');
    like($answer->{body}, qr/^COMMUNICATOR OK - last contact \d+ s ago/,
        'operators see how it is');
    $answer = $ask->('/communicator-status?format=prometheus', 'operator:night');
    test_certificates($facade, $central);
    $facade->stop;
    return { metrics => $answer->{body},
        of_client => $central->sync('status', '--prometheus')->{out},
        log => slurp("$facade->{dir}/error.log") };
}

# What an operator is told before a certificate expires, and when it has.
sub test_certificates {
    my ($facade, $central) = @_;

    certificate(2);
    $facade->restart;
    my $check = $central->sync('check');
    is($check->{exit}, 0, 'a certificate that expires soon');
    like($check->{out}, qr/^warning\ +facade:\ its\ certificate\ expires\ in\ 4\d\ h\n
        \ +hint:\ renew\ it/mx, '  is a warning') or diag($check->{out});
    certificate(-1);
    $facade->restart;
    $check = $central->sync('check');
    is($check->{exit}, 76, 'one that has expired');
    like($check->{out}, qr/^FAIL\ +facade:\ TLS\ and\ certificate:\ .*expired.*\n
        \ +hint:\ renew\ the\ certificate/mx, '  is named')
      or diag($check->{out});
}

sub test_alerts {
    my ($metrics, $of_client) = @_;
    my $alerts = slurp("$conf/prometheus-alerts.yml") =~ s/^#.*\n//gmr;
    my %known = map { $_ => 1 } "$metrics$of_client" =~ /^# TYPE (\w+)/mg;
    my %used = map { $_ => 1 } $alerts =~ /\b(communicator_[a-z_]+)\b/g;

    cmp_ok(keys %used, '>=', 8, 'the alerts look at numbers');
    my %good = map { ("communicator_$_" => 1) } qw(build_info problems
      pending_messages peer_pending_messages oldest_parked_timestamp_seconds
      last_push_timestamp_seconds last_pull_timestamp_seconds
      made_messages_total received_messages_total confirmed_messages_total
      sync_last_run_timestamp_seconds sync_last_success_timestamp_seconds
      sync_failed_runs);
    is(join(' ', grep { !$used{$_} && !$good{$_} } sort keys %known), '',
        '  at each that can be bad');
    delete $used{communicator_conflicts};
    is(join(' ', grep { !$known{$_} } sort keys %used), '',
        '  all of which there are');
    SKIP: {
        need(4, 'promtool');
        my $run = run_program(['promtool', 'check', 'rules',
            "$conf/prometheus-alerts.yml"]);
        is($run->{exit}, 0, '  promtool takes the alerts') or diag($run->{out});
        for my $text ($metrics, $of_client) {
            spew("$dir/metrics", $text);
            $run = run_program(['promtool', 'check', 'metrics'],
                in => "$dir/metrics");
            is($run->{exit}, 0, '  and the numbers') or diag($run->{err});
        }
        spew("$dir/alerts-test.yml", <<"YAML");
rule_files: [$conf/prometheus-alerts.yml]
tests:
  - interval: 1m
    input_series:
      - series: communicator_last_contact_timestamp_seconds{job="c",instance="f",peer="a"}
        values: '0x30'
      - series: communicator_last_contact_timestamp_seconds{job="c",instance="f",peer="b"}
        values: '0+60x30'
      - series: communicator_expect_every_seconds{job="c",instance="f"}
        values: '600x30'
    alert_rule_test:
      - eval_time: 20m
        alertname: CommunicatorSilent
        exp_alerts:
          - exp_labels: { severity: critical, job: c, instance: f, peer: a }
            exp_annotations:
              summary: 'a does not connect to f'
              description: 'Run `communicator-sync check` on the host of a; check cron, network and password there.'
YAML
        $run = run_program(['promtool', 'test', 'rules',
            "$dir/alerts-test.yml"]);
        is($run->{exit}, 0, '  which cry when a peer is silent')
          or diag($run->{out}, $run->{err});
    }
}

# What httpd logs of strangers, and of others.
sub strangers {
    my $facade = Communicator::Test::Server->new(name => 'facade',
        conf => $models,
        database => Communicator::Test::Database->new('sqlite3'));

    $facade->database->create($tables);
    $facade->add_user('nobody', 'known');
    $facade->migrate->start;
    my $get = sub { $facade->get('/messages.json?from_id=1', @_) };
    $get->(user => 'communicator', password => 'guess');
    $get->(user => 'admin [client 192.0.2.1:1] CM0002: ', password => 'x');
    $get->(user => 'nobody', password => 'known');
    my $bad = () = slurp("$facade->{dir}/error.log") =~ /^.*\[client /mg;
    $get->();
    $facade->post('/messages.json', '[1');
    $facade->stop;
    return ("$facade->{dir}/error.log", $bad);
}

sub test_fail2ban {
    need(3, 'fail2ban-regex');
    my ($log, $bad) = strangers();
    mkdir "$dir/$_" for qw(fail2ban fail2ban/filter.d);
    run_program(['cp', '-r', '/etc/fail2ban/.', "$dir/fail2ban/"]);
    unlink glob "$dir/fail2ban/jail.d/*";
    spew("$dir/fail2ban/filter.d/communicator.conf",
        slurp("$conf/fail2ban-filter.conf"));
    spew("$dir/fail2ban/jail.d/communicator.conf",
        slurp("$conf/fail2ban-jail.conf") =~ s{^logpath.*}{logpath = $log}mr);
    my $run = run_program(['fail2ban-regex', '--config', "$dir/fail2ban",
        '--print-all-matched', $log,
        "$dir/fail2ban/filter.d/communicator.conf"]);
    my ($matched) = $run->{out} =~ /, (\d+) matched,/;
    is($matched, $bad, 'fail2ban sees each stranger, and nobody else')
      or diag($run->{out}, $run->{err}, slurp($log));
    unlike($run->{out}, qr/^\|?\s*192\.0\.2\.1\b/m,
        '  and takes no name for an address');
    $run = run_program(['fail2ban-client', '-c', "$dir/fail2ban", '-t']);
    is($run->{exit}, 0, '  and takes the jail') or diag($run->{out}, $run->{err});
}

sub test_modsecurity {
    my $facade = Communicator::Test::Server->new(name => 'facade',
        conf => $models,
        peers => "CommunicatorPeer central user=communicator protocol=gem\n",
        database => Communicator::Test::Database->new('sqlite3'));
    my $modules = modules_of($facade);
    my @text = ("x' or 1=1; drop table posts; <script>alert(1)</script>") x 200;

    need(2, "$modules/mod_security2.so");
    spew("$dir/strict.conf", <<"CONF");
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecDataDir "$dir"
SecTmpDir "$dir"
SecRule REQUEST_BODY|ARGS "<script" "id:1,phase:2,deny,status:403"
CONF
    own(web_user(), $dir);
    $facade->configure(httpd_conf => load($modules, qw(unique_id security2))
        . "Include $dir/strict.conf\nInclude $conf/modsecurity.conf\n");
    $facade->database->create($tables =~ s/varchar\(200\)/{text}/r);
    $facade->migrate->start;
    my $n = 0;
    my $batch = encode_json([map {
        { id => ++$n, origin => 'central', original_id => $n,
          body => encode_json({ post => { title => $_ x 20 } }) }
    } @text]);
    cmp_ok(length $batch, '>', 131072, 'a large batch of hostile text');
    is($facade->post('/messages.json', $batch)->{status}, 202,
        '  passes ModSecurity');
    $facade->stop;
}

sub test_icinga {
    need(1, 'icinga2');
    my $library = -e '/usr/share/icinga2/include/itl'
      ? '/usr/share/icinga2/include' : skip('no library of Icinga', 1);
    mkdir "$dir/icinga";
    spew("$dir/icinga/icinga2.conf", <<"CONF");
const PluginDir = "/usr/lib/nagios/plugins"
include <itl>
include <plugins>
object Endpoint "here" {}
object Zone "here" { endpoints = [ "here" ] }
object Host "facade" {
  zone = "here"
  check_command = "dummy"
  vars.communicator_agent = "here"
  vars.communicator_operator = "operator:night"
}
include "$conf/icinga.conf"
CONF
    my $run = run_program(['icinga2', 'daemon', '-C', '-c',
        "$dir/icinga/icinga2.conf", '-D', "DataDir=$dir/icinga",
        '-D', "CacheDir=$dir/icinga", '-D', "LogDir=$dir/icinga",
        '-D', "InitRunDir=$dir/icinga", '-D', 'RunAsUser=' . getpwuid($>),
        '-D', 'RunAsGroup=' . getgrgid((split ' ', $))[0])],
        env => { ICINGA2_USER => scalar getpwuid($>),
            ICINGA2_GROUP => scalar getgrgid((split ' ', $))[0]) });
    is($run->{exit}, 0, 'Icinga takes its commands')
      or diag($run->{out}, $run->{err});
}

my $site = test_site();
test_alerts(@$site{qw(metrics of_client)}) if $site;
SKIP: { test_fail2ban() }
SKIP: { test_modsecurity() }
SKIP: { test_icinga() }

done_testing();
