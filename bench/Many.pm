package Many;

# Scale on one machine: a hub with many facades, each with an httpd of its own,
# and a pair with many models. What a facade and a message cost must not depend
# on how many facades there are.

use strict;
use warnings;
use Time::HiRes qw(time);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Nodes;

my @sizes = (10, 50, 200);
my ($models, $messages) = (500, 50);
my $table = 'create table notes (id {key}, title varchar(100)) {engine}';
my $model = "CommunicatorModel note table=notes\n";

sub many {
    my ($driver, $report) = @_;

    facades($driver, $report);
    models($driver, $report);
}

# The facades are the same kind each time: SQLite, with httpd as small as it
# gets.
sub facade {
    my ($number) = @_;
    my $database = Communicator::Test::Database->new('sqlite3');
    my $facade = Communicator::Test::Server->new(name => "facade$number",
        database => $database, conf => $model, httpd_conf =>
          "StartServers 1\nServerLimit 1\nThreadsPerChild 2\n"
          . "MaxRequestWorkers 2\nMinSpareThreads 1\nMaxSpareThreads 2\n");

    $database->create($table);
    return $facade->migrate->start;
}

sub seconds {
    my ($central, @command) = @_;
    my $began = time;
    my $run = $central->sync(@command, '--quiet');

    die "communicator-sync: $run->{err}" if $run->{exit};
    return time - $began;
}

sub facades {
    my ($driver, $report) = @_;
    my $database = Communicator::Test::Database->new($driver);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => $model);
    my (@facades, %empty, %cost);

    $database->create($table);
    for my $size (@sizes) {
        while (@facades < $size) {
            push @facades, facade(1 + @facades);
            $central->knows($facades[-1]);
        }
        $central->migrate if $size == $sizes[0];
        seconds($central) for 1, 2;
        $empty{$size} = seconds($central) / $size;
        $report->figure("empty run, $size facades", $empty{$size} * $size, 's');
        $database->run('insert into notes (title) values '
            . join ', ', map { "('note $_')" } 1 .. $messages);
        $cost{$size} = (seconds($central) - $empty{$size} * $size) / $size
          / $messages;
        $report->figure("per facade and message, $size facades",
            1e6 * $cost{$size}, 'us');
    }
    my ($few, $all) = @sizes[0, -1];
    $report->figure("empty: a facade of $all costs that of $few",
        $empty{$all} / $empty{$few}, 'times', max => 1.5);
    $report->figure("message: a facade of $all costs that of $few",
        $cost{$all} / $cost{$few}, 'times', max => 1.5);
    is_equal($facades[-1]->database, $database);
    $_->stop for @facades;
}

sub is_equal {
    my ($there, $here) = map { $_->value('select count(*) from notes') } @_;

    die "$there records instead of $here" if $there != $here;
}

sub models {
    my ($driver, $report) = @_;
    my $tables = join '', map { $table =~ s/notes/notes_$_/r . ";\n" }
      1 .. $models;
    my $conf = join '', map { "CommunicatorModel note_$_ table=notes_$_\n" }
      1 .. $models;
    my ($here, $there) = map { Communicator::Test::Database->new($driver) } 1, 2;

    $_->create($tables) for $here, $there;
    my $facade = Communicator::Test::Server->new(database => $there,
        conf => $conf);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $conf)->knows($facade);

    # Thousands of triggers take MariaDB a minute or two.
    $_->sync('migrate', '--quiet', { timeout => 900 }) for $facade, $central;
    $facade->start;
    seconds($central) for 1, 2;
    $report->figure("empty run, $models models", seconds($central), 's');
    $here->run(join '', map { "insert into notes_$_ (title) values ('a');\n" }
          1 .. $models);
    $report->figure("a record of each of $models models", seconds($central),
        's');
    $facade->stop;
}

1;
