#!/usr/bin/perl

# The facade's PostgreSQL has a standby that commits with it (synchronous). The
# primary dies under load and the standby is promoted. DBDParams names both;
# httpd finds the new primary by itself, and nothing is lost that an application
# was told to be committed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file module_file memory_folder is_alive own
  start_process stop_process spew slurp wait_until at_end);
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Communicator::Test::Peer;
use Communicator::Test::Server;

# A database that may be at either of two servers.
package Either {
    our @ISA = ('Communicator::Test::Database');

    sub params {
        my ($self) = @_;
        my $hosts = join ',', @{ $self->{hosts} };

        return $self->SUPER::params =~ s/host=\S+/host=$hosts/r
          . ' target_session_attrs=read-write connect_timeout=5';
    }
}

my $models = "CommunicatorModel note table=notes\n";
my $table = 'create table notes (id {key}, token varchar(40) not null, '
  . 'edition integer not null default 1) {engine}';
my ($writers, $transactions) = (3, 400);

plan skip_all => 'not built' unless -x client_file() && -e module_file();
my $missing = Communicator::Test::Database->missing('pgsql');
plan skip_all => $missing if $missing;

# A copy of ENGINE's server that follows it.
sub standby {
    my ($engine) = @_;
    my $dir = memory_folder('standby');
    my $copy = bless { %$engine, dir => $dir }, ref $engine;

    own('postgres', $dir);
    $engine->must($engine->as_user(
        Communicator::Test::Engine::pg_bin() . '/pg_basebackup', '-h',
        $engine->{dir}, qw(-U postgres -R -c fast -X stream), '-D',
        "$dir/data"));
    $copy->start;
    at_end(sub { $copy->stop });
    return $copy;
}

# Applications that write at DATABASE until it dies. What psql was told to be
# committed it prints.
sub start_writers {
    my ($database, $dir) = @_;
    my @files;

    for my $writer (1 .. $writers) {
        my $file = "$dir/writer-$writer.sql";
        spew($file, map { my $token = "$writer-$_";
            "insert into notes (token) values ('$token');\n"
              . "update notes set edition = 2 where token = '$token';\n"
              . "\\echo $token\nselect pg_sleep(0.005);\n" }
              1 .. $transactions);
        start_process([$database->client_command, '-At'], in => $file,
            out => "$file.out");
        push @files, "$file.out";
    }
    return @files;
}

my $primary = Communicator::Test::Database->new('pgsql', own_server => 1);
my $engine = $primary->{engine};
$primary->create($table);
my $copy = standby($engine);
$engine->query('', "alter system set synchronous_standby_names = '*'");
$engine->query('', 'select pg_reload_conf()');
ok(wait_until(sub { $primary->value('select count(*) from pg_stat_replication '
        . "where sync_state = 'sync'") }, 20), 'the standby commits with it');

my $there = bless { %$primary, hosts => [$engine->{dir}, $copy->{dir}] },
  'Either';
my $facade = Communicator::Test::Server->new(database => $there,
    conf => $models)->migrate->start;
my $here = Communicator::Test::Database->new('sqlite3');
$here->create($table);
my $central = Communicator::Test::Peer->new(name => 'central',
    database => $here, conf => $models)->knows($facade)->migrate;
$here->run("insert into notes (token) values ('central')");
$central->sync_ok;

my @said = start_writers($primary, $central->{dir});
$central->sync for 1 .. 3;
cmp_ok($here->value('select count(*) from notes'), '>', 1,
    'messages come while applications write');
my $pid = $engine->server_pid;
kill KILL => $pid;
wait_until(sub { !is_alive($pid) });
isnt($central->sync->{exit}, 0, 'a run fails when the primary is dead');
$copy->must($copy->as_user(Communicator::Test::Engine::pg_bin() . '/pg_ctl',
    '-D', "$copy->{dir}/data", '-w', '-s', 'promote'));
$copy->query('', "alter system set synchronous_standby_names = ''");
$copy->query('', 'select pg_reload_conf()');
my $new = bless { %$primary, engine => $copy, connection => undef },
  'Communicator::Test::Database';
$here->run("update notes set edition = 7 where token = 'central'");
$new->run("insert into notes (token) values ('afterwards')");
ok(wait_until(sub { !$central->sync->{exit} }, 30),
    'the new primary is found, without a restart');
$central->sync_ok;

my $rows = $here->rows('select token, edition from notes order by token');
is_deeply($new->rows('select token, edition from notes order by token'), $rows,
    'both sides are equal');
my %there = map { $_->[0] => 1 } @$rows;
my @lost = grep { !$there{$_} } map { grep { /^\d+-\d+$/ } split /\n/,
      slurp($_) } @said;
is_deeply(\@lost, [], '  nothing is lost that was committed');
cmp_ok(scalar keys %there, '>', 20, '  and that was much');
my %seen;
is_deeply([grep { $seen{ $_->[0] }++ } @$rows], [], '  nothing is there twice');
is($facade->sync('check')->{exit}, 0, 'check is content');
my @lines = $facade->log_lines;
ok(!(grep { /exit signal/ } @lines), 'httpd has not crashed');
$facade->stop;

done_testing();
