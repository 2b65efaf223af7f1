#!/usr/bin/perl

# One command after a database was set back, by a restore or a failover that
# has lost the last commits: `recover` says what it will do, lets the side that
# lost them begin a new history, brings back what the other side has, and
# verifies. Interrupted, it goes on when it is run again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Blog qw(make_blog);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;

my $models = <<'CONF';
CommunicatorModel author   table=authors
CommunicatorModel post     table=posts     references=author_id:author
CONF

# A central and a facade, both on DRIVER, with what both have before a backup.
sub make_nodes {
    my ($driver, $conf) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => Communicator::Test::Database->new($driver),
        conf => $conf || $models);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new($driver),
        conf => $conf || $models)->knows($facade);

    for my $node ($central, $facade) {
        make_blog($node->database);
        $node->migrate;
    }
    $facade->start;
    $central->database->run("insert into authors (name) values ('Ada');"
        . "insert into posts (title, author_id) values ('old', 1),"
        . "('doomed', 1);");
    $facade->database->run("insert into posts (title) values ('theirs')");
    $central->sync_ok;
    return (central => $central, facade => $facade);
}

# Let both sides write, and exchange it; then set the databases of NAMES back.
sub set_back {
    my ($nodes, @names) = @_;
    my %backup = map { $_ => $nodes->{$_}->database->backup } @names;

    for my $name (qw(central facade)) {
        $nodes->{$name}->database->run("insert into posts (title) values "
            . "('lost $name'); update posts set body = '$name' where title = "
            . ($name eq 'central' ? "'old'" : "'theirs'"));
    }
    $nodes->{central}->database->run(
        "delete from posts where title = 'doomed'");
    $nodes->{central}->sync_ok for 1, 2;
    $nodes->{facade}->stop;
    $nodes->{$_}->database->restore($backup{$_}) for @names;
    $nodes->{facade}->start;
    $nodes->{$_}->database->run("insert into posts (title) values ('new $_')")
      for qw(central facade);
}

sub records {
    my ($node) = @_;

    return [map { join '|', map { $_ // '-' } @$_ }
          @{ $node->database->rows('select p.title, p.body, a.name from posts '
            . 'p left join authors a on a.id = p.author_id '
            . 'order by p.title') }];
}

# Both sides have all that TITLES name, once.
sub are_equal {
    my ($nodes, $what, @titles) = @_;
    my @has = map { records($nodes->{$_}) } qw(central facade);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply($has[0], $has[1], "$what: equal");
    is_deeply([map { s/\|.*//r } @{ $has[0] }], [sort @titles],
        '  each record is there, once') or diag join "\n", @{ $has[0] };
    $nodes->{$_}->database->run("insert into posts (title) values ('z $_')")
      for qw(central facade);
    $nodes->{central}->sync_ok;
    is_deeply(records($nodes->{central}), records($nodes->{facade}),
        '  and both go on');
}

my @all = ('old', 'theirs', 'lost central', 'lost facade', 'new central',
    'new facade');

sub recover {
    my ($driver, @names) = @_;
    my %nodes = make_nodes($driver);
    my $what = "$driver, " . join ' and ', @names;

    set_back(\%nodes, @names);
    is($nodes{central}->sync->{exit}, 76, "$what: a run is refused");
    my $asked = $nodes{central}->sync('recover');
    is($asked->{exit}, 64, '  recover asks first');
    like($asked->{out}, qr/'$_' has lost what it sent.*'$_' begins a new hist/s,
        "  and says that $_ has lost something") for @names;
    is($nodes{central}->sync->{exit}, 76, '  nothing was done');
    $nodes{facade}->log_has_only(qr/CM0009/);
    $nodes{central}->sync_ok('recover', '--yes');
    are_equal(\%nodes, '  done', @all);
    $nodes{facade}->log_has_only(qr/CM0049/);
    my $again = $nodes{central}->sync_ok('recover');
    like($again->{out}, qr/histories fit/, '  again there is nothing to do');
}

# The database is gone, and the application has begun again with the same ids.
sub anew {
    my ($name) = @_;
    my %nodes = make_nodes('sqlite3');
    my $mine = $nodes{$name}->database;

    $nodes{facade}->stop;
    $mine->restore;
    make_blog($mine);
    $nodes{$name}->migrate;
    $nodes{facade}->start;
    $mine->run("insert into posts (title) values ('new')");
    my $run = $nodes{central}->sync_ok('recover', '--yes');
    like($run->{out}, qr/the database of '$name' is not the one/,
        "$name is made anew");
    are_equal(\%nodes, '  recovered', qw(old doomed theirs new));
}

# The answers are lost, one after the other; the command is run until it ends.
sub interrupted {
    my ($name) = @_;
    my %nodes = make_nodes('sqlite3');
    my $proxy = Communicator::Test::Proxy->new(to => $nodes{facade}->port,
        seed => 5, trouble => 0.5);
    my $runs = 0;

    set_back(\%nodes, $name);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $nodes{central}->database, conf => $models);
    {
        local $nodes{facade}{port} = $proxy->{port};
        $central->knows($nodes{facade});
    }
    while ($runs++ < 40) {
        last
          if !$central->sync(qw(recover --yes --timeout 2s))->{exit};
    }
    cmp_ok($runs, '<', 40, "$name: done after $runs runs in a bad network");
    $proxy->stop;
    $nodes{central}->sync_ok;
    are_equal(\%nodes, '  recovered', @all);
}

# A hub begins one new history for all of its peers.
sub hub {
    my @peers = map { my $peer = Communicator::Test::Server->new(name => $_,
            database => Communicator::Test::Database->new('sqlite3'),
            conf => $models, peers => "CommunicatorPeer central "
              . "user=communicator\n");
        make_blog($peer->database);
        $peer->migrate->start;
        $peer } qw(one two);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $models);
    $central->knows($_) for @peers;
    make_blog($central->database);
    $central->migrate;
    $central->database->run("insert into posts (title) values ('old')");
    $central->sync_ok;
    my $backup = $central->database->backup;
    $_->database->run("insert into posts (title) values ('" . $_->name . "')")
      for $central, @peers;
    $central->sync_ok for 1, 2;
    $central->database->restore($backup);
    $central->sync_ok('recover', '--yes');
    $central->sync_ok for 1, 2;
    is_deeply(records($_), records($central), 'hub: equal at ' . $_->name)
      for @peers;
    is(scalar @{ records($central) }, 4, '  nothing is lost or doubled');
    is($central->sync('verify')->{exit}, 0, '  verify says so');
}

# A model that only one side publishes.
sub one_way {
    my %nodes = make_nodes('sqlite3',
        "CommunicatorModel author table=authors\nCommunicatorModel post "
          . "table=posts references=author_id:author\n");
    set_back(\%nodes, 'facade');
    my $conf = $models =~ s/(post.*)/$1 direction=receive/r;
    $nodes{central}->configure(conf => $conf);
    like($nodes{central}->sync('recover')->{out},
        qr/model 'post' goes one way: what its publisher \('facade'\)/,
        'what cannot come back is said before');
}

my $why;
for my $driver (qw(sqlite3 pgsql mysql)) {
    next if Communicator::Test::Database->missing($driver);
    subtest "$driver, $_" => sub { recover($driver, split / /) }
      for $driver eq 'sqlite3' ? ('facade', 'central')
      : $driver eq 'pgsql' ? 'facade' : 'central';
}
subtest "$_ anew" => sub { anew($_) } for qw(facade central);
subtest "interrupted, $_" => sub { interrupted($_) } for qw(facade central);
subtest 'a hub' => \&hub;
subtest 'one way' => \&one_way;

done_testing();
