package Wire;

# Bytes on the wire, plain and packed, compared with what PostgreSQL's logical
# replication sends for the same rows.

use strict;
use warnings;
use Communicator::Test qw(source_dir slurp);
use Communicator::Test::Database;
use Communicator::Test::Server;
use Load;
use Nodes;

# Each change is in CopyData (5 bytes) and XLogData (25) of its own.
my $framing = 30;

my @works = (['W1', 'insert', -100], ['W2', 'update', -1]);

sub wire {
    my ($nodes, $report, $n) = @_;
    my $rows = $n < 20_000 ? $n : 20_000;
    my $replication = of_replication($rows);
    my %goal = (plain => [max => 1.25], gzip => [max => 0.55]);

    for my $how (qw(plain gzip)) {
        if ($how eq 'gzip') {
            $nodes->configure(gzip_conf());
            $nodes->compress('yes');
            $nodes->restart;
        }
        for my $work (@works) {
            my ($name, $what, $each) = @$work;
            $nodes->load('central', $what, 'posts', $rows, $each);
            my $bytes = $nodes->sync->{bytes};
            $report->figure("$name, $how", $bytes / $rows / 10,
                'MB per 100,000');
            next unless $replication;
            $report->figure("$name, $how: beside PostgreSQL's",
                $bytes / $replication->{$name}, 'times',
                $name eq 'W1' ? @{ $goal{$how} } : ());
        }
    }
    $nodes->configure;
    $nodes->compress('auto');
    $nodes->restart;
    return unless $replication;
    $report->figure("PostgreSQL's replication, $_",
        $replication->{$_} / $rows / 10, 'MB per 100,000') for qw(W1 W2);
}

# mod_deflate, configured as in conf/.
sub gzip_conf {
    my ($dir) = Communicator::Test::Server::load_lines()
      =~ m{(\S+)/mod_dbd\.so};
    my @lines = grep { /^\s*\w*Deflate/i || /^\s*\w+ DEFLATE/ }
      split /\n/, slurp(source_dir() . '/conf/communicator-httpd.conf');

    return (join('', map { "LoadModule ${_}_module $dir/mod_$_.so\n" }
          qw(filter deflate)), join("\n", @lines));
}

# Bytes for ROWS of W1 and W2, from the same program on a server of its own.
sub of_replication {
    my ($rows) = @_;
    my %bytes;

    return undef if Communicator::Test::Database->missing('pgsql');
    my $database = logical_database();
    $database->run("create publication bench for table posts");
    $database->run("select pg_create_logical_replication_slot('bench',"
        . " 'pgoutput')");
    for my $work (@works) {
        my ($name, $what, $each) = @$work;
        Load::run([], $database, $what, 'posts', $rows, $each);
        # A slot shows only what has been flushed.
        $database->run('checkpoint');
        $bytes{$name} = $database->value(
            "select sum(length(data) + $framing)"
              . " from pg_logical_slot_get_binary_changes('bench', null, null,"
              . " 'proto_version', '1', 'publication_names', 'bench')");
    }
    $database->stop;
    return \%bytes;
}

# A PostgreSQL of its own that can replicate.
sub logical_server {
    my $database = Communicator::Test::Database->new('pgsql',
        own_server => 1);

    $database->run("alter system set wal_level = 'logical'");
    $database->run("alter system set wal_retrieve_retry_interval = '10ms'");
    $database->restart;
    return $database;
}

# The same with an empty table posts.
sub logical_database {
    my $database = logical_server();

    $database->create('create table posts (' . Nodes::columns() . ')');
    return $database;
}

1;
