#!/usr/bin/perl

# What httpd sees by itself: the task that looks after start and at intervals,
# the section in mod_status' page, and the dump of the configuration.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(slurp run_program wait_until);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

my $tables = 'create table posts (id {key}, title varchar(20)) {engine};';
my $models = "CommunicatorModel post table=posts\n";
my ($facade_db, $central_db)
  = map { Communicator::Test::Database->new('sqlite3') } 1, 2;
my $facade = Communicator::Test::Server->new(name => 'facade',
    database => $facade_db, conf => "${models}CommunicatorExpectEvery 3s\n");
my ($modules) = slurp("$facade->{dir}/httpd.conf") =~ m{dbd_module (.*)/};

$facade->configure(httpd_conf => <<"CONF");
LoadModule status_module $modules/mod_status.so
<Location "/server-status">
    SetHandler server-status
</Location>
CONF
$_->create($tables) for $facade_db, $central_db;
my $central = Communicator::Test::Peer->new(name => 'central',
    database => $central_db, conf => $models)->knows($facade)->migrate;

# Wait until the log has a line like PATTERN, and return it.
sub logged {
    my ($pattern, $name) = @_;
    my $line = '';

    wait_until(sub {
        ($line) = grep { $_ =~ $pattern }
          split /\n/, substr slurp("$facade->{dir}/error.log"),
          $facade->{log_seen};
        $line;
    }, 15);
    like($line // '', $pattern, $name);
}

# The lines of ours in server-status?auto, by name.
sub auto {
    my $text = $facade->get('/server-status?auto')->{content};

    return { map { /^(Communicator\w+): (.*)$/ ? ($1 => $2) : () }
        split /\n/, $text };
}

# A database without our tables: said once, with what to do.

$facade->start;
logged(qr/:error\].*CM0033: Communicator cannot work: .* \(run .*migrate/,
    'without tables the log says what to do');
is($facade->get('/server-status')->{status}, 200, 'mod_status shows its page');
wait_until(sub { defined auto()->{CommunicatorState} });
is(auto()->{CommunicatorState}, 2, '  and that we cannot work');
sleep 3;
is(() = (join "\n", $facade->log_lines) =~ /CM0033/g, 1, '  it is said once');
$facade->migrate;
logged(qr/:notice\].*CM0034: database, tables and triggers are/,
    'and when it is over');

# A peer that does not come, and comes.

logged(qr/:error\].*CM0035:.'central' has never been in contact.*\(run/,
    'a silent peer is in the log');
$facade->log_lines;
$facade_db->run("insert into posts (title) values ('a'), ('b')");
$central->sync_ok;
logged(qr/:notice\].*CM0036: peer 'central' is back/, '  and when it is back');
logged(qr/:error\].*CM0035:.'central' has been silent for \d/,
    '  and falls silent again');
$facade->log_lines;

# What mod_status tells.

$facade_db->run("insert into posts (title) values ('c'), ('d')");
ok(wait_until(sub { auto()->{CommunicatorPending} == 2 }),
    'mod_status has the numbers of the moment');
my $auto = auto();
is(join(' ', sort keys %$auto), join(' ', map { "Communicator$_" }
    qw(LastContact OldestPending Parked Pending SampleAge State)),
    '  under these names');
is((grep { !/^-?\d+$/ } values %$auto), 0, '  all are numbers');
my %seen;
is((grep { $seen{s/:.*//r}++ && !/^(TLSSession|Total)/ } grep { /^Communi/ }
    split /\n/, $facade->get('/server-status?auto')->{content}), 0,
    '  and no name stands twice');
like($facade->get('/server-status')->{content},
    qr{<h2>Communicator</h2>.*<td>facade</td><td>critical</td><td>2</td>}s,
    '  and people see a table');

# Triggers that are gone are found soon, and after a restart.

my @all = map { $_->[0] } @{ $facade_db->rows(
    "select name from sqlite_master where type = 'trigger' and name like "
      . "'communicator%'") };
$facade_db->run("drop trigger $_") for @all;
logged(qr/CM0033:.*the triggers of table 'posts' are missing/,
    'triggers that are gone are in the log');
$facade->log_lines;
$facade->migrate;
logged(qr/CM0034/, '  and when they are back');
$facade->log_lines;

my $trigger = $facade_db->value(
    "select name from sqlite_master where type = 'trigger' limit 1");
$facade_db->run("drop trigger $trigger");
$facade->restart;
logged(qr/CM0033:.*the triggers of table 'posts' are incomplete/,
    'a trigger that is gone is in the log');
$facade->migrate;
logged(qr/CM0034/, '  and when it is back');
logged(qr/CM0035/, '  and a peer is waited for anew');
$facade->log_has_only(qr/CM0033/, qr/CM0034/, qr/CM0035/);

# What is in effect, per virtual host.

$facade->configure(httpd_conf => <<"CONF");
<VirtualHost 127.0.0.1:$facade->{port}>
    ServerName other.example.org
    DBDriver pgsql
    DBDParams "host=db user=app password=s3cret dbname=app"
    CommunicatorName other
    CommunicatorModel note table=notes direction=receive
    CommunicatorBatch 100 200K
    <Location "/messages.json">
        Communicator On
    </Location>
</VirtualHost>
CONF
my $dump = run_program([$facade->httpd, '-t', '-D', 'DUMP_COMMUNICATOR', '-f',
    "$facade->{dir}/httpd.conf"], env => $facade->sanitizer);
is($dump->{exit}, 0, '-D DUMP_COMMUNICATOR');
my ($main, $other) = split /^(?=# virtual host)/m, $dump->{out};
like($main, qr/^# main server.*^CommunicatorName facade$/ms,
    '  the main server');
like($main, qr/^CommunicatorExpectEvery 3000ms$/m, '  its settings');
like($main, qr{^CommunicatorPeer central user=communicator  \# .*node.conf:\d}m,
    '  its peers, and where they are written');
like($other, qr/^# virtual host other.example.org .*^CommunicatorName other$/ms,
    '  the virtual host');
like($other, qr/^CommunicatorModel\ post\ .*
    ^CommunicatorModel\ note\ table=notes\ key=id\ direction=receive/xms, '  its models, and those of all');
like($other, qr/^DBDParams "host=db user=app password=\*\*\* dbname=app"$/m,
    '  its database, without the password');
unlike($dump->{out}, qr/s3cret/, '  which is nowhere');

done_testing();
