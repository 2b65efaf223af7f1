package Upgrade;

# A large database of 0.9, and one of the gem: a million records are known, and
# as many messages have their numbers and are not confirmed. What `migrate`
# takes, and the run after it, must not depend on how many they are, except for
# the time.

use strict;
use warnings;
use Backlog;
use Communicator::Test::Old;
use Load;
use Nodes;

my $users = 100;
my $time = "'2026-01-02 03:04:05'";
my $text = 'What a person has written, in some sentences. ' x 3;

# INSERT what SELECT gives for each number I from 1 to COUNT.
sub insert {
    my ($driver, $count, $insert, $select) = @_;
    my ($with, $series) = ('', "generate_series(1, $count) as series(i)");

    ($with, $series) = ('with recursive series(i) as (select 1 union all '
        . "select i + 1 from series where i < $count) ", 'series')
      if $driver eq 'sqlite3';
    $series = "(select seq as i from seq_1_to_$count) as series"
      if $driver eq 'mysql';
    return "insert into $insert ${with}select $select from $series;\n";
}

# SQL, during which the triggers of TABLE do nothing.
sub quietly {
    my ($driver, $table, $sql) = @_;
    my ($begin, $end) = @{ {
        sqlite3 => ["insert into communicator_applying (name) "
            . "values ('$table');", 'delete from communicator_applying;'],
        pgsql => ['set session_replication_role = replica;',
            'set session_replication_role = origin;'],
        mysql => ["set \@communicator_applying = '$table';",
            'set @communicator_applying = null;'],
    }->{$driver} };

    return "$begin\n$sql$end\n";
}

# The application's rows, for users and for posts.
sub records {
    my ($driver, $count) = @_;
    my $true = $driver eq 'pgsql' ? 'true' : '1';

    return (insert($driver, $users, 'users (id, name)', "i, 'user ' || i"),
        insert($driver, $count, 'posts (id, title, body, user_id, score, '
              . 'published, created_at, updated_at)',
            "i, 'post ' || i, '$text', 1 + i % $users, 1.5, $true, $time, "
              . $time));
}

# The body of the message about a user, and about a post.
sub bodies {
    my ($time) = @_;

    my $rest = qq("body":"$text","score":1.50,"published":true,)
      . qq("created_at":"$time","updated_at":"$time");

    return (q('{"user":{"name":"user ' || i || '"}}'),
        q('{"post":{"title":"post ' || i || '","user_id":' || )
          . "(1 + i % $users) || ',$rest}}'");
}

# A database of 0.9: COUNT posts, what is known of them, and messages.
sub fill_old {
    my ($driver, $count) = @_;
    my ($users_sql, $posts_sql) = records($driver, $count);
    my ($user, $post) = bodies('2026-01-02 03:04:05');
    my $mapping = 'communicator_mappings (origin, original_id, '
      . 'local_record_type, local_record_id, clock)';
    my $message = 'outbound_messages (seq, model, local_record_id, action, '
      . 'body, clock, origin, original_id)';
    my $clock = 1_767_000_000_000_000;
    my $last = $count + $users;

    return quietly($driver, 'users', "delete from users;\n$users_sql")
      . quietly($driver, 'posts', "delete from posts;\n$posts_sql")
      . join('', map { "delete from $_;\n" } qw(outbound_messages
          inbound_messages communicator_mappings communicator_peers
          communicator_conflicts))
      . insert($driver, $users, $mapping, "'central', i, 'User', i, $clock")
      . insert($driver, $count, $mapping, "'central', i, 'Post', i, $clock")
      . insert($driver, $users, $message,
          "i, 'user', i, 'create', $user, $clock, 'central', i")
      . insert($driver, $count, $message,
          "$users + i, 'post', i, 'create', $post, $clock, 'central', i")
      . "update communicator_node set last_seq = $last;\n"
      . ($driver eq 'pgsql'
        ? "select setval('posts_id_seq', $count);\n" : '');
}

# A database of the gem.
sub fill_gem {
    my ($driver, $count) = @_;
    my ($user, $post) = bodies('2026-01-02T03:04:05Z');
    my $mapping = 'communicator_mappings (origin, original_id, '
      . 'local_record_type, local_record_id)';
    my $message = 'outbound_messages (body, created_at, updated_at, origin, '
      . 'original_id)';

    return join('', records($driver, $count))
      . insert($driver, $users, $mapping, "'central', i, 'User', i")
      . insert($driver, $count, $mapping, "'central', i, 'Post', i")
      . insert($driver, $users, $message,
          "$user, $time, $time, 'central', i")
      . insert($driver, $count, $message,
          "$post, $time, $time, 'central', i");
}

my %kinds = (
    '0.9' => sub {
        my ($database) = @_;
        $database->run('drop table posts; drop table users');
        Communicator::Test::Old::load_old($database);
        return \&fill_old;
    },
    gem => sub {
        my ($database) = @_;
        Communicator::Test::Old::make_gem($database);
        return \&fill_gem;
    },
);

sub fill {
    my ($nodes, $count, $fill) = @_;
    my $driver = $nodes->{driver};

    # || joins text
    $nodes->sql('central', ($driver eq 'mysql'
            ? "set sql_mode = concat(\@\@sql_mode, ',PIPES_AS_CONCAT');\n" : '')
        . $fill->($driver, $count));
    $nodes->settle;
}

# Run migrate while the application writes. The gem has no triggers; on SQLite
# all is one transaction, for which the application waits.
sub migrate {
    my ($nodes, $report, $kind) = @_;
    my $database = $nodes->{central}->database;
    my $waits = $kind eq 'gem' || $database->driver eq 'sqlite3';
    my $load = $waits ? undef : Backlog::start_inserts($database);
    my $cost = eval { $nodes->command('central', 'migrate') };
    my $failed = $@;
    my $written = $load && Load::stop($load);

    die $failed unless $cost;
    $report->figure("$kind: migrate", $cost->{seconds}, 's');
    $report->figure("$kind: migrate, client", $cost->{client_mb}, 'MB',
        max => 32);
    $report->figure("$kind: migrate, longest insert meanwhile",
        1000 * $written->{longest}, 'ms') if $written;
}

sub one {
    my ($driver, $report, $kind, $count) = @_;
    my $nodes = Nodes->new($driver);

    fill($nodes, $count, $kinds{$kind}->($nodes->{central}->database));
    $nodes->{facade}->migrate->start;
    $nodes->note_idle;
    migrate($nodes, $report, $kind);
    $report->cost("$kind: the next run", $nodes->sync, $count);
    $nodes->check_equal('posts');
    $nodes->stop;
}

sub upgrade {
    my ($driver, $report, $n, $option) = @_;

    one($driver, $report, $_, $option->{backlog}) for '0.9', 'gem';
}

1;
