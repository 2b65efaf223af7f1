#!/usr/bin/perl

# A database that was restored from a backup, made anew, copied, or confused
# with another one: both sides say so and nothing moves, until a person shows
# the way out; then both hold the same again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(own web_user);
use Communicator::Test::Blog qw(make_blog);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

my $models = <<'CONF';
CommunicatorModel author   table=authors
CommunicatorModel post     table=posts     references=author_id:author
CONF
my %other = (central => 'facade', facade => 'central');

# A central and a facade, both on DRIVER: ( central => NODE, facade => NODE ).
sub make_nodes {
    my ($driver) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => Communicator::Test::Database->new($driver),
        conf => $models);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($driver),
        conf => $models)->knows($facade);

    for my $node ($central, $facade) {
        make_blog($node->database);
        $node->migrate;
    }
    $facade->start;
    return (central => $central, facade => $facade);
}

# Replace the database of NODE, its server being down, by what CODE makes.
sub replace_database {
    my ($nodes, $node, $code) = @_;

    $nodes->{facade}->stop;
    $code->($node->database);
    $nodes->{facade}->start;
}

sub epoch_of { return $_[0]->database->value(
    'select epoch from communicator_node') }

# The records of NODE, without what differs: ids.
sub records {
    my ($node) = @_;

    return [sort map { join ' | ', map { $_ // '-' } @$_ }
        @{ $node->database->rows('select p.title, p.body, a.name from posts p '
            . 'left join authors a on a.id = p.author_id') },
        @{ $node->database->rows('select name, email from authors') }];
}

# What moved to and was numbered on all of NODES.
sub traffic {
    my ($nodes) = @_;

    return join ' ', map {
        my $database = $_->database;
        ($database->numbered,
            map { $database->value("select count(*) from $_") }
              qw(inbound_messages communicator_received));
    } @$nodes{qw(central facade)};
}

# Each of COMMANDS is refused on both sides for a reason like MESSAGE, which
# the client and the facade's log tell, with the way out.
sub refused {
    my ($what, $nodes, $message, @commands) = @_;
    my $before = traffic($nodes);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $command (@commands) {
        my $run = $nodes->{central}->sync($command);
        is($run->{exit}, 76, "$what: communicator-sync $command refuses")
          or diag $run->{out}, $run->{err};
        like($run->{err}, qr/$message.*\n.*hint: .*epoch --new.*--accept/s,
            '  and says why');
    }
    is(traffic($nodes), $before, '  nothing has moved, nothing got a number');
    $nodes->{facade}->log_has_only(qr/CM0009.*$message.*--accept/);
}

sub publish_all {
    my ($nodes) = @_;

    for my $node (@$nodes{qw(central facade)}) {
        $node->sync_ok('publish', $_, '--all', '-q') for qw(author post);
    }
}

# Show the way out when the database of RESTORED is another.
sub way_out {
    my ($nodes, $restored) = @_;
    my $known = $nodes->{ $other{$restored} }->database->value(
        "select epoch from communicator_peers where name = '$restored'");
    my $other = $other{$restored};
    my $old = epoch_of($nodes->{$restored});
    my $run = $nodes->{$restored}->sync_ok('epoch', '--new');
    my $new = epoch_of($nodes->{$restored});
    isnt($new, $old, 'a new epoch');
    like($run->{out}, qr/at '$other': .*epoch --accept $restored/,
        '  and what to do next');
    refused('not accepted yet', $nodes, qr/its epoch is $new, known is $known/,
        'communicate');
    $nodes->{$other}->sync_ok('epoch', '--accept', $restored);
    is($nodes->{$other}->database->value(
        'select count(*) from communicator_problems'), 0,
        'which ends the problems of that history');
    publish_all($nodes);
    $nodes->{central}->sync_ok for 1, 2;
}

# Both hold the same, TITLES once each, and go on.
sub equal {
    my ($what, $nodes, @titles) = @_;
    my ($central, $facade) = @$nodes{qw(central facade)};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(records($central), records($facade), "$what: equal");
    for my $node ($central, $facade) {
        is($node->database->value(
            "select count(*) from posts where title = '$_'"), 1,
            "  one '$_' at " . $node->name) for @titles;
        is($node->database->value('select count(*) from inbound_messages '
            . 'where processed_at is null'), 0, '  nothing is parked');
    }
    my $before = traffic($nodes);
    $central->sync_ok;
    is(traffic($nodes), $before, '  a further run moves nothing');
    $_->database->run("insert into posts (title) values ('on at "
        . $_->name . "')") for $central, $facade;
    $central->sync_ok;
    is_deeply(records($central), records($facade), '  and both go on');
    $facade->log_has_only;
}

# Yesterday's backup of RESTORED.
sub test_restore {
    my ($driver, $restored) = @_;
    my %nodes = make_nodes($driver);
    my ($mine, $theirs) = map { $_->database }
      @nodes{ $restored, $other{$restored} };

    $mine->run("insert into authors (name) values ('Ada');"
        . "insert into posts (title, author_id) values ('old', 1),"
        . "('doomed here', 1), ('doomed there', null);");
    $nodes{central}->sync_ok;
    my $backup = $mine->backup;
    $mine->run("insert into posts (title, author_id) values ('lost', 1);"
        . "update posts set body = 'lost change' where title = 'old';"
        . "delete from posts where title = 'doomed here';");
    $theirs->run("insert into authors (name) values ('Bob');"
        . "insert into posts (title, author_id) values ('theirs', 2);"
        . "delete from posts where title = 'doomed there';");
    $nodes{central}->sync_ok for 1, 2;
    replace_database(\%nodes, $nodes{$restored}, sub {
        $_[0]->restore($backup) });
    # The id of 'lost' is handed out again.
    $mine->run("insert into posts (title, author_id) values ('new', 1);");
    $theirs->run("update posts set body = 'later' where title = 'lost'");

    my $words = "'$other{$restored}' holds message \\d+ of '$restored', whose "
      . 'last message is \d+';
    refused('restored', \%nodes, qr/$words/, qw(communicate push pull));
    way_out(\%nodes, $restored);
    equal('restored', \%nodes, qw(old lost theirs new));
    is($mine->value("select count(*) from posts where title like 'doomed%'"),
        0, 'what was deleted stays deleted');
    is($mine->value("select body from posts where title = 'old'"),
        'lost change', 'what was lost came back');
}

# The database is gone; the application begins again, with the same ids.
sub test_anew {
    my ($driver, $restored) = @_;
    my %nodes = make_nodes($driver);
    my $mine = $nodes{$restored}->database;

    $mine->run("insert into posts (title) values ('lost'), ('lost too');");
    $nodes{central}->sync_ok;
    replace_database(\%nodes, $nodes{$restored}, sub {
        $mine->restore;
        make_blog($mine);
        $nodes{$restored}->migrate;
    });
    $mine->run("insert into posts (title) values ('new')");
    refused('anew', \%nodes, qr/the database of '$restored' is not the one/,
        'communicate', 'pull');
    way_out(\%nodes, $restored);
    equal('anew', \%nodes, 'lost', 'lost too', 'new');
}

# A peer that was set back and had said nothing since gets again what it had
# confirmed, as long as that is there.
sub test_set_back {
    my ($driver) = @_;
    my %nodes = make_nodes($driver);
    my ($central, $facade) = @nodes{qw(central facade)};
    my $log = $central->database;

    $central->sync_ok;
    my $backup = $facade->database->backup;
    $log->run("insert into posts (title) values ('one'), ('two');");
    $central->sync_ok;
    replace_database(\%nodes, $facade, sub { $_[0]->restore($backup) });
    my $run = $central->sync_ok('push');
    like($run->{err}, qr/holds our messages up to 0 only, not 2: restored/,
        'a peer that was set back is noticed');
    is_deeply(records($facade), records($central), '  and gets all again');

    replace_database(\%nodes, $facade, sub { $_[0]->restore($backup) });
    $log->run('delete from communicator_batches where first_seq = 1');
    $run = $central->sync;
    is($run->{exit}, 76, 'unless that is purged');
    like($run->{err}, qr/'facade' wants message 1 again.* is purged here\n/,
        '  which is said');
    like($run->{err}, qr/hint: .*epoch --accept facade` at 'central'/,
        '  with what to do');
    $central->sync_ok('epoch', '--accept', 'facade');
    publish_all(\%nodes);
    $central->sync_ok;
    equal('set back', \%nodes, 'one', 'two');
}

# Another database in the place of the one that is known.
sub test_confused {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $right = $facade->database;
    my $wrong = Communicator::Test::Database->new('sqlite3');
    my $change = sub {
        $facade->stop;
        $facade->configure(database => $_[0]);
        $_[1]->() if $_[1];
        $facade->start;
    };

    $central->database->run("insert into posts (title) values ('one')");
    $central->sync_ok;
    my @epochs = (epoch_of($facade));
    $change->($wrong, sub { make_blog($wrong); $facade->migrate });
    unshift @epochs, epoch_of($facade);
    $central->database->run("insert into posts (title) values ('two')");
    refused('a wrong DBDParams', \%nodes,
        qr/its epoch is $epochs[0], known is $epochs[1]/,
        qw(communicate push pull));
    is_deeply(records($facade), [], '  the wrong database is left alone');
    $change->($right);
    $central->sync_ok;
    equal('the right one again', \%nodes, 'one', 'two');
}

# A copy that has gone its own way has epoch and numbers of the original.
sub test_copy {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $aside = Communicator::Test::Server->new(name => 'aside',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $models);

    make_blog($aside->database);
    $aside->migrate->start;
    $central->knows($aside);
    $central->database->run("insert into posts (title) values ('one')");
    $central->sync_ok;
    my $backup = $central->database->backup;
    $central->database->run("insert into posts (title) values ('two')");
    $central->sync_ok('--peer', 'facade');
    $central->database->restore($backup);
    $central->database->run(
        "insert into posts (title) values ('other'), ('still other')");
    $central->sync_ok('--peer', 'aside');
    my $run = $central->sync('--peer', 'facade');
    is($run->{exit}, 76, 'a database that has caught up is no better');
    like($run->{err}, qr/message 2 of 'central' is not the one .* 'facade' hol/,
        '  its numbers stand for other messages');
    is($facade->database->value('select count(*) from posts'), 2,
        '  none of which is taken');
    $facade->log_has_only;
}

# What a person sees.
sub test_command {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $run = $central->sync_ok('epoch');

    like($run->{out}, qr/^facade +not known/m, 'a peer never met');
    $central->sync_ok;
    $run = $central->sync_ok('epoch', '--json');
    my ($own, $peer) = @{ decode_json($run->{out}) };
    is("$own->{epoch} $peer->{epoch}",
        join(' ', map { epoch_of($_) } $central, $facade),
        'both epochs are shown');
    for (['--new', '--accept', 'facade'], ['--accept', 'nobody'], ['facade']) {
        $run = $central->sync('epoch', @$_);
        is($run->{exit}, 64, "epoch @$_ makes no sense");
    }
    $central->database->run(
        "update communicator_peers set clock_offset = 61000000");
    $run = $central->sync_ok('status');
    like($run->{out} . $run->{err}, qr/clock.*61 s ahead/,
        'status warns of a wrong clock');
}

# A facade that has sent nothing yet begins a new history: its numbers begin far
# behind what central asks for.
sub test_nothing_sent {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};

    $central->sync_ok;
    $facade->sync_ok('epoch', '--new');
    $central->sync_ok('epoch', '--accept', 'facade');
    $facade->database->run("insert into posts (title) values ('first')");
    $central->sync_ok;
    equal('nothing was sent before', \%nodes, 'first');
}

# Let CENTRAL and FACADE be the directions of all models at the two nodes.
sub set_directions {
    my ($nodes, %directions) = @_;

    for my $name (qw(central facade)) {
        my $conf = $models;

        $conf =~ s/(table=\w+)/$1 direction=$directions{$name}/g;
        $nodes->{$name}->configure(conf => $conf);
    }
    $nodes->{facade}->restart;
}

# One backup is restored twice within minutes: what was inserted after each
# restore has the same key, and is another record.
sub test_twice {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $mine = $central->database;

    $central->sync_ok;
    my $backup = $mine->backup;
    for my $title ('lost', 'lost, too', 'new') {
        if ($title ne 'lost') {
            sleep 2;
            $mine->restore($backup);
            is($central->sync->{exit}, 76, 'the restore is seen');
            $central->sync_ok('epoch', '--new');
            $facade->sync_ok('epoch', '--accept', 'central');
        }
        $mine->run("insert into posts (title) values ('$title')");
        $central->sync_ok;
    }
    publish_all(\%nodes);
    $central->sync_ok for 1, 2;
    is($mine->value("select group_concat(title, ' | ') from (select title"
          . ' from posts order by title)'),
        'lost | lost, too | new', 'each record is here');
    is_deeply(records($facade), records($central), '  and there');
    $facade->log_has_only(qr/CM0009/);
}

# What only the receiver of a model still has comes back if it may be sent.
sub test_publisher {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $mine = $central->database;

    set_directions(\%nodes, central => 'publish', facade => 'receive');
    $mine->run("insert into posts (title) values ('old')");
    $central->sync_ok;
    my $backup = $mine->backup;
    $mine->run("insert into posts (title) values ('lost')");
    $central->sync_ok;
    $mine->restore($backup);
    $central->sync_ok('epoch', '--new');
    $facade->sync_ok('epoch', '--accept', 'central');
    set_directions(\%nodes, central => 'both', facade => 'both');
    publish_all(\%nodes);
    $central->sync_ok for 1, 2;
    set_directions(\%nodes, central => 'publish', facade => 'receive');
    is($mine->value("select count(*) from posts where title = 'lost'"), 1,
        'what was lost came back');
    $mine->run("update posts set body = 'on'");
    $central->sync_ok;
    is_deeply(records($facade), records($central), '  and it goes on');
    is($facade->database->value("select count(*) from posts where body = 'on'"),
        2, '  in one direction');
    # The watchdog may have looked before the last migrate.
    $facade->log_has_only({ may => qr/CM0033/ });
}

# A backup takes the place of the facade's file while httpd has it open. It is
# httpd's own from the beginning: the watchdog may open it at once, and what
# cannot be written then stays so for that connection.
sub test_replaced_file {
    my %nodes = make_nodes('sqlite3');
    my ($central, $facade) = @nodes{qw(central facade)};
    my $file = $facade->database->{file};
    my $backup;

    $central->database->run("insert into posts (title) values ('before')");
    $central->sync_ok;
    $backup = $facade->database->backup;
    own(web_user(), $backup);
    system('mv', $backup, $file);
    unlink "$file-wal", "$file-shm";
    $central->database->run("insert into posts (title) values ('after')");
    $central->sync_ok;
    equal('a file replaced while httpd has it open', \%nodes);
    $facade->database->run("insert into posts (title) values ('there')");
    $central->sync_ok;
    equal('  and in the other direction', \%nodes);
}

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $why = Communicator::Test::Database->missing($driver);
        plan skip_all => $why if $why;
        for my $restored (qw(central facade)) {
            subtest "$restored restored" => sub {
                test_restore($driver, $restored) };
            subtest "$restored made anew" => sub {
                test_anew($driver, $restored) }
              if $driver eq 'sqlite3' || $restored eq 'facade';
        }
        subtest 'a receiver set back' => sub { test_set_back($driver) };
    };
}
subtest 'another database' => \&test_confused;
subtest 'nothing was sent before' => \&test_nothing_sent;
subtest 'restored twice' => \&test_twice;
subtest 'a publisher is restored' => \&test_publisher;
subtest 'a replaced file' => \&test_replaced_file;
subtest 'a copy' => \&test_copy;
subtest 'the command' => \&test_command;

done_testing();
