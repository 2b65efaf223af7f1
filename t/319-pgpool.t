#!/usr/bin/perl

# PostgreSQL behind pgpool-II, which sends reads to a standby that is late. What
# Communicator reads there would be older than what it has written and sent: it
# would look as if the database had been restored.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file module_file append folder memory_folder
  own program spew start_process stop_process wait_until at_end);
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Communicator::Test::Peer;
use Communicator::Test::Server;

# A database that is reached through pgpool-II.
package Pooled {
    our @ISA = ('Communicator::Test::Database');

    sub params {
        my ($self) = @_;

        return $self->SUPER::params =~ s/host=\S+/host=$self->{pool} port=6432/r;
    }
}

my $pgpool = program('pgpool') || (grep { -x } '/usr/sbin/pgpool')[0];
plan skip_all => 'not built' unless -x client_file() && -e module_file();
plan skip_all => 'pgpool-II is not installed' unless $pgpool;
my $missing = Communicator::Test::Database->missing('pgsql');
plan skip_all => $missing if $missing;

my ($runs, $late) = (30, '500ms');
my $models = "CommunicatorModel note table=notes\n";
my $table = 'create table notes (id {key}, token varchar(40) not null) '
  . '{engine}';

# A copy of the server of ENGINE that follows it, late.
sub standby {
    my ($engine) = @_;
    my $dir = memory_folder('standby');
    my $copy = bless { %$engine, dir => $dir }, ref $engine;

    own('postgres', $dir);
    $engine->must($engine->as_user(
        Communicator::Test::Engine::pg_bin() . '/pg_basebackup', '-h',
        $engine->{dir}, qw(-U postgres -R -c fast -X stream), '-D',
        "$dir/data"));
    append("$dir/data/postgresql.auto.conf",
        "recovery_min_apply_delay = '$late'\n");
    $copy->start;
    at_end(sub { $copy->stop });
    return $copy;
}

# DATABASE behind a pool that balances reads between its server and STANDBY.
sub pooled {
    my ($database, $standby) = @_;
    my $dir = folder('pgpool');
    my @servers = ($database->{engine}, $standby);
    my $backends = join '', map { <<"CONF" } 0, 1;
backend_hostname$_ = '$servers[$_]{dir}'
backend_port$_ = 5432
backend_weight$_ = 1
backend_flag$_ = 'DISALLOW_TO_FAILOVER'
CONF

    spew("$dir/pgpool.conf", <<"CONF");
listen_addresses = ''
pcp_listen_addresses = ''
port = 6432
socket_dir = '$dir'
pcp_socket_dir = '$dir'
pid_file_name = '$dir/pid'
logdir = '$dir'
backend_clustering_mode = 'streaming_replication'
load_balance_mode = on
sr_check_user = 'postgres'
sr_check_database = 'postgres'
pool_passwd = ''
$backends
CONF
    spew("$dir/$_", '') for qw(pcp.conf pool_hba.conf);
    own('postgres', $dir, glob "$dir/*");
    my $pid = start_process([$database->{engine}->as_user($pgpool, '-n', '-f',
            "$dir/pgpool.conf", '-F', "$dir/pcp.conf", '-a',
            "$dir/pool_hba.conf")], out => "$dir/out");
    at_end(sub { stop_process($pid) });
    wait_until(sub { -e "$dir/.s.PGSQL.6432" }, 20)
      or die 'pgpool does not start';
    return bless { %$database, pool => $dir, connection => undef }, 'Pooled';
}

my $primary = Communicator::Test::Database->new('pgsql', own_server => 1);
my $there = Communicator::Test::Database->new('sqlite3');
$_->create($table) for $primary, $there;
my $standby = standby($primary->{engine});
my $facade = Communicator::Test::Server->new(database => $there,
    conf => $models)->migrate->start;
my $central = Communicator::Test::Peer->new(name => 'central',
    database => $primary, conf => $models)->knows($facade)->migrate;
my $after = $primary->value('select pg_current_wal_lsn()');
my $copied = bless { %$primary, engine => $standby, connection => undef },
  'Communicator::Test::Database';
wait_until(sub { $copied->value("select pg_last_wal_replay_lsn() >= '$after'")
        eq 't' }, 20) or die 'the standby does not follow';
$central->{database} = pooled($primary, $standby);
$central->configure;
like($central->sync('check')->{out}, qr/^ok +database: .*pooler/m,
    'check sees the pooler');

my %exits;
for my $run (1 .. $runs) {
    $primary->run("insert into notes (token) values ('here $run')");
    $there->run("insert into notes (token) values ('there $run')")
      if $run % 3 == 0;
    my $sync = $central->sync($run % 2 ? 'push' : 'communicate');
    diag $sync->{err} if $sync->{exit} && !$exits{ $sync->{exit} };
    $exits{ $sync->{exit} }++;
}
is_deeply(\%exits, { 0 => $runs }, 'no run reads what is out of date');
$central->sync_ok;
my $rows = 'select token from notes order by token';
is_deeply($primary->rows($rows), $there->rows($rows), 'both have the same');
is($primary->value('select count(*) from notes'), $runs + int($runs / 3),
    '  all of it, once');
$facade->stop;

done_testing();
