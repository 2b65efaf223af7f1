#!/usr/bin/perl

# Databases that take no writes: a standby, one that was set read-only, and
# sessions that stay so when it is over. Such a connection is closed and opened
# anew, and check and status say what is the case.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file client_of_all module_file folder own
  run_program
  start_process stop_process at_end web_user);
use Communicator::Test::Database;
use Communicator::Test::Engine;
use Communicator::Test::Hostile qw(good);
use Communicator::Test::Peer;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

# A login of MariaDB's without the rights that pass over read_only.
package Application {
    our @ISA = ('Communicator::Test::Database');
    sub params { return $_[0]->SUPER::params =~ s/user=root/user=app/r }
}

my $models = "CommunicatorModel post table=posts\n";
my $table = 'create table posts (id {key}, title varchar(255)) {engine}';

sub database {
    my ($driver, @with) = @_;
    my $database = Communicator::Test::Database->new($driver, @with);

    $database->create($table);
    return $database if $driver ne 'mysql';
    $database->run("create user app\@localhost; "
        . "grant all on $database->{name}.* to app\@localhost");
    return bless $database, 'Application';
}

# Say whether DATABASE takes writes from now on.
sub set_writes {
    my ($database, $takes) = @_;
    my $name = $database->{name};
    my $error = $database->{engine}->query('', $database->driver eq 'mysql'
        ? 'set global read_only = ' . ($takes ? 0 : 1)
        : "alter database $name " . ($takes
            ? 'reset default_transaction_read_only'
            : 'set default_transaction_read_only = on'));

    die $error if $error;
}

# The sessions of httpd.
sub sessions {
    my ($database) = @_;

    return join ' ', sort map { $_->[0] } @{ $database->rows(
        $database->driver eq 'mysql'
        ? "select id from information_schema.processlist where user = 'app'"
        : 'select pid from pg_stat_activity where datname = '
          . "current_database() and pid <> pg_backend_pid() and query <> ''") };
}

sub read_only {
    my ($driver) = @_;
    my $there = database($driver, own_server => $driver eq 'mysql');
    my $here = database('sqlite3');
    my $facade = Communicator::Test::Server->new(database => $there,
        conf => $models, httpd_conf => "StartServers 1\nServerLimit 1\n"
          . "ThreadsPerChild 4\nMaxRequestWorkers 4\nDBDMax 1\nDBDKeep 1\n"
          . "DBDMin 1\n")->migrate;
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($facade)->migrate;

    # The sessions that httpd opens now stay read-only.
    set_writes($there, 0);
    $facade->start;
    $here->run("insert into posts (title) values ('late')");
    my $before = sessions($there);
    my $run = $central->sync;
    is($run->{exit}, 75, 'nothing can be taken, which may pass')
      or diag $run->{err};
    my $check = $facade->sync('check');
    like($check->{out}, qr/^FAIL +database: it takes no writes: .*read.only/m,
        'check says what it is') or diag $check->{out};
    is(() = ($check->{out} =~ /^FAIL/mg), 1, '  and no more than that');
    my $nagios = $facade->sync('status', '--nagios');
    is($nagios->{exit}, 2, 'Nagios finds it critical');
    like($nagios->{out}, qr/^COMMUNICATOR CRITICAL - the database takes no writes/,
        '  and says so');
    set_writes($there, 1);
    $central->sync_ok;
    is($there->value('select title from posts'), 'late',
        'when it is over it comes');
    isnt(sessions($there), $before, 'on another connection');
    unlike($facade->sync('check')->{out}, qr/no writes/, 'check is content');
    is($there->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, 'nothing was parked');
    $facade->stop;
}

# A run whose session is refused writes once goes on with another one.
sub one_run {
    my $here = database('pgsql');
    my $server = Communicator::Test::Hostile->new(good());
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($server)->migrate;

    $here->run(<<'SQL');
insert into posts (title) values ('one');
create sequence once;
create function refuse() returns trigger language plpgsql as $$
begin
    if nextval('once') = 1 then
        raise exception 'cannot execute UPDATE in a read-only transaction'
            using errcode = '25006';
    end if;
    return null;
end $$;
create trigger refuse before delete on outbound_messages
    for each statement execute function refuse();
SQL
    $central->sync_ok;
    is($here->value('select min(confirmed) from communicator_peers'), 1,
        'what waited has gone');
    cmp_ok($here->value('select last_value from once'), '>', 1,
        '  at the second try');
    $server->stop;
}

# A real standby.
sub standby {
    my $bin = Communicator::Test::Engine::pg_bin();
    my $primary = database('pgsql', own_server => 1);
    my $engine = $primary->{engine};
    my $node = Communicator::Test::Server->new(name => 'facade',
        database => $primary, conf => $models)->migrate;
    my $dir = folder('standby');
    own('postgres', $dir);
    my $copy = bless { %$engine, dir => $dir }, ref $engine;

    $engine->must($engine->as_user("$bin/pg_basebackup", '-h', $engine->{dir},
        '-U', 'postgres', '-D', "$dir/data", qw(-R -c fast -X stream)));
    $copy->start;
    at_end(sub { $copy->stop });
    $node->configure(database => bless { %$primary, engine => $copy },
        ref $primary);
    my $check = $node->sync('check');
    like($check->{out}, qr/^FAIL +database: it takes no writes: .*standby/m,
        'check says that it is a standby') or diag $check->{out};
    is($check->{exit}, 75, '  by its exit status, too');
    like($check->{out}, qr/^ok +model post$/m, '  and judges the models');
    like($node->sync('status')->{out},
        qr/^critical: the database takes no writes: .*standby/m, 'so does status');
    is($node->sync('push')->{exit}, 78, 'a node without peers to connect to');
    $copy->stop;
}

# A file that may not be written.
sub file {
    plan skip_all => 'root may write everything' unless defined web_user();
    my $here = database('sqlite3');
    my $node = Communicator::Test::Server->new(name => 'facade',
        database => $here, conf => $models)->migrate;

    $here->run('pragma journal_mode = delete');
    own('root', glob("$here->{file}*"), $here->{file} =~ s{/[^/]*$}{}r);
    chmod 0644, $here->{file};
    my $check = run_program(['runuser', '-u', web_user(), '--', client_of_all(),
        '--config', $node->config_file, 'check']);
    like($check->{out}, qr/^FAIL +database: it takes no writes: .*file/m,
        'check says that the file is read-only') or diag $check->{out};
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        read_only($driver);
    };
}
SKIP: {
    skip 'PostgreSQL is not installed', 2
      if Communicator::Test::Database->missing('pgsql');
    subtest 'within one run' => \&one_run;
    subtest 'a standby' => \&standby;
}
subtest 'a file' => \&file;

done_testing();
