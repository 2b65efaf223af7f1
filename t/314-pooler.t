#!/usr/bin/perl

# PostgreSQL behind PgBouncer, which gives each transaction any session of the
# server. Nothing that Communicator sets may be left in one: the application's
# next transaction runs there. And what the application leaves there must not
# change what Communicator reads.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(build_dir client_file module_file folder own program run_program
  spew start_process stop_process wait_until at_end);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

# A database that is reached through the pooler.
package Pooled {
    our @ISA = ('Communicator::Test::Database');

    sub params {
        my ($self) = @_;
        my $host = $self->{pooler};

        return $self->SUPER::params =~ s/host=\S+/host=$host port=6432/r;
    }
}

my $bouncer = program('pgbouncer') || (grep { -x } '/usr/sbin/pgbouncer')[0];
plan skip_all => 'not built' unless -x client_file() && -e module_file();
plan skip_all => 'pgbouncer is not installed' unless $bouncer;
my $missing = Communicator::Test::Database->missing('pgsql');
plan skip_all => $missing if $missing;

my $models = <<'CONF';
CommunicatorModel author table=authors
CommunicatorModel post   table=posts references=author_id:author
CONF
my $tables = <<'SQL';
create table authors (id {key}, name varchar(100) not null);
create table posts (id {key}, author_id bigint, title {text},
    made {timestamp}, seen {zoned}, data {binary}, ratio {float},
    foreign key (author_id) references authors (id));
SQL

# What an administrator may have set, so that values are written otherwise.
my $settings = join ' ', map { "alter database {name} set $_;" }
  "timezone = 'Asia/Tokyo'", "datestyle = 'German, DMY'",
  "bytea_output = 'escape'", 'extra_float_digits = 0';

# Start a pooler in front of DATABASE that gives out SIZE sessions, MODE: for
# how long. Returns the database behind it.
sub pooled {
    my ($database, $mode, $size) = @_;
    my $dir = folder('pooler');
    my $engine = $database->{engine};

    spew("$dir/pgbouncer.ini", <<"INI");
[databases]
* = host=$engine->{dir} user=postgres
[pgbouncer]
unix_socket_dir = $dir
listen_addr =
listen_port = 6432
auth_type = any
pool_mode = $mode
default_pool_size = $size
max_client_conn = 100
logfile = $dir/log
pidfile = $dir/pid
INI
    own('postgres', $dir, "$dir/pgbouncer.ini");
    my $pid = start_process([$engine->as_user($bouncer,
        "$dir/pgbouncer.ini")], out => "$dir/out");
    at_end(sub { stop_process($pid) });
    wait_until(sub { -e "$dir/.s.PGSQL.6432" }, 10)
      or die 'pgbouncer does not start';
    return bless { %$database, pooler => $dir, connection => undef }, 'Pooled';
}

sub database {
    my ($mode, $size) = @_;
    my $database = Communicator::Test::Database->new('pgsql');

    $database->create($tables);
    $database->run($settings =~ s/\{name\}/$database->{name}/gr);
    return pooled($database, $mode, $size);
}

# What a session of the server tells of itself.
my $left = "select current_setting('timezone'), current_setting('datestyle'), "
  . "current_setting('bytea_output'), current_setting('seq_page_cost'), "
  . "current_setting('lock_timeout'), current_setting('communicator.applying', "
  . "true), (select count(*) from pg_prepared_statements)";

# The same of the sessions that the pooler gives out.
sub left_in {
    my ($database) = @_;
    my %seen;

    for (1 .. 3) {
        my $asked = run_program([program('psql'), qw(-X -A -t -p 6432 -U
              postgres -h), $database->{pooler}, '-d', $database->{name}, '-c',
            $left]);
        die $asked->{err} if $asked->{exit};
        $seen{ $asked->{out} } = 1;
    }
    return join '', sort keys %seen;
}

sub exchange {
    my ($mode, $size) = @_;
    my ($here, $there) = map { database($mode, $size) } 1, 2;
    my $before = left_in($here);
    my $facade = Communicator::Test::Server->new(database => $there,
        conf => $models)->migrate->start;
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($facade)->migrate;
    my $check = $central->sync('check');

    like($check->{out}, qr/^ok +database: .*pooler/m, 'check sees the pooler')
      or diag $check->{out};
    is(left_in($here), $before, 'migrate and check leave nothing behind');
    $here->run("insert into authors (name) values ('Ä')");
    $here->run("insert into posts (author_id, title, made, seen, data, ratio) "
        . "values (1, 'here', '2026-02-01 10:00:00.25', "
        . "'2026-02-01 10:00:00+00', '\\x00ff41', 0.1)");
    $there->run("insert into posts (title, made) values "
        . "('there', '1999-12-31 23:59:59')");
    $central->sync_ok;
    my $rows = "select title, made, seen, data, ratio from posts order by title";
    is_deeply($there->rows($rows), $here->rows($rows), 'both have the same');
    is($there->value("select count(*) from posts where made = "
        . "'2026-02-01 10:00:00.25' and seen = '2026-02-01 10:00:00+00'"), 1,
        'no setting of the database got in between');
    is(left_in($_->database), $before, $_->name . ': nothing is left behind')
      for $central, $facade;

    # A statement that fails, and one message that cannot be applied.
    $there->run("alter table posts add check (title <> 'refused')");
    $here->run("insert into posts (title) values ('refused'), ('taken')");
    is($central->sync->{exit}, 65, 'a message is parked');
    is($there->value("select count(*) from posts where title = 'taken'"), 1,
        '  the next one is applied');
    for my $command (['status'], ['parked'], ['verify'], ['history']) {
        isnt($facade->sync(@$command)->{exit}, 69, "$command->[0] works");
    }
    is(left_in($_->database), $before, $_->name . ': nothing is left by then')
      for $central, $facade;
    $facade->stop;
    $facade->log_has_only(qr/CM00\d\d/);
}

subtest "$$_[0], $$_[1]" => sub { exchange(@$_) }
  for ['transaction', 1], ['transaction', 3], ['session', 20];

# Unit tests that write and read much, through the pooler.
subtest 'unit tests' => sub {
    my $database = Communicator::Test::Database->new('pgsql');
    my $behind = pooled($database, 'transaction', 4);

    local $ENV{CM_TEST_PGSQL} = $database->params;
    local $ENV{CM_TEST_POOLER} = $behind->params =~ s/dbname=\S+//r;
    delete local @ENV{qw(CM_TEST_SQLITE3 CM_TEST_MYSQL)};
    for my $test (qw(store/bulk schema/migrate outbox/outbox inbox/inbox)) {
        my $run = run_program([build_dir() . "/t/unit/$test"]);
        is($run->{exit}, 0, $test) or diag $run->{out};
        cmp_ok(() = $run->{out} =~ /^ok/mg, '>', 20, '  with many results');
    }
};

done_testing();
