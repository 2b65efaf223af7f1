package Communicator::Test::Torture::Stuck;

# When the torture test hangs: what the sessions of a database are doing, and
# which session each of them waits for.

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(sessions_of);

my %sql = (
    pgsql => "select pid, state, wait_event, pg_blocking_pids(pid), "
      . "extract(epoch from now() - xact_start)::int, left(query, 120) "
      . "from pg_stat_activity where datname = current_database() "
      . "and pid <> pg_backend_pid()",
    mysql => "select p.id, p.command, p.state, (select "
      . "group_concat(w.blocking_trx_id) from "
      . "information_schema.innodb_lock_waits w "
      . "where w.requesting_trx_id = t.trx_id), p.time, "
      . "concat(coalesce(t.trx_id, 0), ' ', coalesce(left(p.info, 120), '')) "
      . "from information_schema.processlist p "
      . "left join information_schema.innodb_trx t "
      . "on t.trx_mysql_thread_id = p.id "
      . "where p.db = database() and p.id <> connection_id()",
);

# A line for each session of NODE's database.
sub sessions_of {
    my ($node) = @_;
    my $database = $node->database;
    my $sql = $sql{ $database->driver } or return;
    my $rows = eval { $database->rows($sql) }
      or return $node->name . ": $@";

    return map { $node->name . ': ' . join ' | ', map { $_ // '-' } @$_ }
      @$rows;
}

1;
