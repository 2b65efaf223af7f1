#!/usr/bin/perl

# The gem's two nodes are replaced by ours, one after the other. What waits at
# that time is as old as it is; what was held back from the gem comes then.
#
# EVERY=1 tries each order on each kind of database.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(client_file module_file);
use Communicator::Test::Blog qw(make_gem_blog gem_models);
use Communicator::Test::Database;
use Communicator::Test::Gem;
use Communicator::Test::Old;
use Communicator::Test::Peer;
use Communicator::Test::Server qw(by_ours);

plan skip_all => 'not built' unless -x client_file() && -e module_file();

sub titles {
    my ($database) = @_;

    return join ' ', map { $_->[0] } @{ $database->rows(
        'select title from posts order by id') };
}

# --- both are replaced at once ---

# Posts that both nodes have, of which central has sent all but its last changes
# to these: WAITING, as title => the post's id.
sub in_the_gems_time {
    my ($driver, @waiting) = @_;
    my @nodes = map { Communicator::Test::Database->new($driver) } 0, 1;
    my $count = @waiting / 2;

    for my $database (@nodes) {
        make_gem_blog($database);
        Communicator::Test::Old::make_gem($database);
        $database->run('insert into posts (title, body) values '
            . join(', ', map { "('t$_', 'b')" } 1 .. $count) . ';'
            . 'insert into communicator_mappings (origin, original_id, '
            . 'local_record_type, local_record_id) values '
            . join ', ', map { "('central', $_, 'Post', $_)" } 1 .. $count);
    }
    while (my ($title, $id) = splice @waiting, 0, 2) {
        $nodes[0]->run("update posts set title = '$title' where id = $id; "
            . 'insert into outbound_messages (body, origin, original_id, '
            . 'created_at, updated_at) values ('
            . qq['{"post":{"title":"$title","body":"b"}}', 'central', $id, ]
            . "'2012-01-01 00:00:00', '2012-01-01 00:00:00')");
    }
    return @nodes;
}

# Both nodes, CENTRAL and FACADE, as ours.
sub replace_both {
    my ($central_database, $facade_database) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => $facade_database, conf => gem_models());
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $central_database, conf => gem_models())->knows($facade);

    return ($central, $facade);
}

# What is changed between migrate and the first run is newer than what waits
# since the gem's time, on either side.
sub waiting {
    my ($driver) = @_;
    my @nodes = in_the_gems_time($driver, old1 => 1, old2 => 2, old3 => 3);
    my ($central, $facade) = replace_both(@nodes);

    like($central->sync('migrate')->{out},
        qr/^3 messages from the gem's time got .* their creation$/m,
        'migrate gives what waits its time');
    $facade->migrate;
    unlike($central->sync('migrate')->{out}, qr/from the gem's time/,
        '  once');
    is($nodes[0]->value('select min(clock) from outbound_messages'),
        '1325376000999999', '  of its creation, in UTC');
    $nodes[0]->run("update posts set title = 'new1' where id = 1");
    $nodes[1]->run("update posts set title = 'new2' where id = 2");
    $facade->start;
    $central->sync_ok;
    is(titles($_), 'new1 new2 old3', 'what was changed since is newer')
      for @nodes;
    is_deeply($_->rows('select lost_value, won_value from '
        . 'communicator_conflicts'), [['"old2"', '"new2"']],
        '  and what lost is noted') for @nodes;
    $nodes[$_]->run("update posts set body = 'c$_' where id = " . ($_ + 1))
      for 0, 1;
    $central->sync_ok;
    is($_->value("select count(*) from posts where body like 'c%'"), 2,
        '  and all goes on') for @nodes;
    is_deeply([map { $_->value('select count(*) from communicator_conflicts') }
        @nodes], [1, 1], '  without conflicts that are none');
    $facade->stop;
}

# What two gems have swapped, as they do when both change a record at once: a
# post that differs, and no message waits.
sub swapped {
    my ($driver) = @_;
    my @nodes = in_the_gems_time($driver, same => 1);
    my ($central, $facade) = replace_both(@nodes);

    $nodes[$_]->run("insert into posts (title, body) values ('t2', 'of $_'); "
        . 'insert into communicator_mappings (origin, original_id, '
        . "local_record_type, local_record_id) values ('central', 2, 'Post', "
        . '2)') for 0, 1;
    $_->migrate for $facade, $central;
    $facade->start;
    $central->sync_ok;
    my $run = $central->sync('verify');
    is($run->{exit}, 65, 'what gems have swapped');
    like($run->{out}, qr{^\s+differs +central/2: body$}m, '  is found');
    $central->sync('verify', '--repair');
    $central->sync_ok for 1, 2;
    is($central->sync('verify')->{exit}, 0, '  and repaired');
    is($nodes[0]->value('select body from posts where id = 2'),
        $nodes[1]->value('select body from posts where id = 2'),
        '  to one of both');
    $facade->stop;
}

# --- one after the other ---

# Ours know of comments to posts, which the gem cannot be sent. What is taken for
# a conflict would be parked.
our $models = "CommunicatorModel post table=posts conflict=hold\n"
  . "CommunicatorModel comment table=comments except=title "
  . "references=post_id:post\n";

# Posts, and comments with the post that they refer to.
sub records {
    my ($database) = @_;

    return { posts => $database->rows(
            'select title, body from posts order by title'),
        comments => $database->rows('select c.body, p.title from comments c '
            . 'left join posts p on p.id = c.post_id order by c.body') };
}

# The two nodes, central and facade, each a gem, or ours: { central => ... }.
sub make_gems {
    my %node = map { $_ => Communicator::Test::Gem->new($_, '--typed-map',
        '--sane-ids', '--user', 'communicator', '--password', 'secret') }
      qw(central facade);

    @{ $_ }{qw(user password)} = qw(communicator secret) for values %node;
    $node{facade}->serve;
    return \%node;
}

# Replace the node NAME by ours, on its database, or on a new one of DRIVER.
sub replace {
    my ($node, $name, $driver) = @_;
    my $gem = $node->{$name};
    my $database = $gem->database;

    $gem->stop;
    if ($driver) {
        $database = Communicator::Test::Database->new($driver);
        make_gem_blog($database);
    }
    $database->run('alter table comments add post_id bigint');
    if ($name eq 'facade') {
        $node->{facade} = Communicator::Test::Server->new(name => 'facade',
            port => $gem->{port}, database => $database, conf => $models,
            peers => "CommunicatorPeer central user=communicator "
              . "protocol=gem\n")->migrate->start;
        return;
    }
    $node->{central} = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => $models)
      ->knows($node->{facade}, 'protocol=gem')->migrate;
}

# Let both nodes talk, whatever they are; return what the client says.
sub talk {
    my ($node, $what) = @_;
    my $central = $node->{central};
    my $run = $central->can('communicate')
      ? $central->communicate($node->{facade}->url =~ s{/messages.json}{}r)
      : $central->sync;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit} || $run->{signal}, 0, $what)
      or diag($run->{out}, $run->{err});
    return $run->{out} . $run->{err};
}

# The id at the gem NODE of the post with TITLE.
sub post_at {
    my ($node, $title) = @_;

    return $node->database->value(
        "select id from posts where title = '$title'");
}

# While the gem SECOND is still there, FIRST, which is ours, deletes a post and
# writes comments to its own: all that is held back.
sub with_a_gem {
    my ($node, $first, $second) = @_;
    my $ours = $node->{$first}->database;
    my $gem = $node->{$second};

    $ours->run("insert into posts (title, body) values ('a1', '1'), "
        . "('a2', '2'), ('a3', '3')");
    $ours->run("insert into comments (body, post_id) select 'c1', id "
        . "from posts where title = 'a1'");
    $gem->publish('post', { title => $_, body => '1' }) for 'b0', 'b1';
    talk($node, 'ours and a gem');
    $ours->run("delete from posts where title = 'a2'");
    $ours->run("insert into comments (body, post_id) select 'c2', id "
        . "from posts where title = 'b1'");
    $ours->run("update posts set body = 'of a' where title = 'a1'");
    $gem->publish('post', { title => 'a3', body => 'of b' },
        post_at($gem, 'a3'));
    talk($node, '  go on');
    $ours->run("update posts set body = 'late' where title = 'a1'");
    talk($node, '  and on');
}

# What is done while the second one is replaced: some waits on both sides.
sub meanwhile {
    my ($node, $first, $second) = @_;
    my $ours = $node->{$first}->database;
    my $gem = $node->{$second};

    $ours->run("update posts set body = 'waits' where title = 'a3'");
    $ours->run("insert into posts (title, body) values ('a4', '4')");
    $gem->publish('post', { title => 'b1', body => 'old' },
        post_at($gem, 'b1'));
    $gem->publish('post', { title => 'b2', body => '2' });
    replace($node, $second);
    $node->{$second}->database->run(
        "update posts set body = 'new' where title = 'b1'");
    $ours->run("delete from comments where body = 'c2'");
}

sub is_alike {
    my ($node, $want, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(records($node->{$_}->database), $want, "$what: $_")
      or diag(explain(records($node->{$_}->database)))
      for qw(central facade);
}

# Changes of records of the gem's time, and what they must not be taken for.
sub go_on {
    my ($node, $first, $second) = @_;
    my @databases = map { $node->{$_}->database } $first, $second;

    $databases[1]->run("update posts set body = 'of b' where title = '$_'")
      for 'b0', 'b2';
    $databases[1]->run("update posts set title = 'b3' where title = 'b2'");
    $databases[0]->run("update posts set body = 'of a' where title = 'b1'");
    talk($node, 'changes of what is as old as the gem');
    talk($node, '  arrive');
    is($_->value("select count(*) from posts where (title in ('b0', 'b3') "
        . "and body = 'of b') or (title = 'b1' and body = 'of a')"), 3,
        '  on both sides') for @databases;
    is_deeply($_->rows('select column_name, lost_value from '
        . 'communicator_conflicts'), [], '  and are no conflicts')
      for @databases;
    my $found = $node->{central}->sync('verify');
    unlike($found->{out} =~ s/updated_at//r, qr/^\s+differs.*: .*\w/m,
        'verify finds only what gems set by themselves')
      or diag($found->{out});
    $node->{central}->sync('verify', '--repair');
    talk($node, '  repaired');
    my $run = $node->{central}->sync('verify');
    is($run->{exit}, 0, '  and nothing more') or diag($run->{out});
}

# FIRST is replaced, on a new database of DRIVER or (undef) its own, and later
# SECOND.
sub one_by_one {
    my ($first, $second, $driver, $purged) = @_;
    my $node = make_gems();
    my $sent = $purged ? 'sent again: \d+ records' : 'is sent now: 2 records';

    if (!$driver) {
        $node->{$_}->publish('post', { title => "g-$_", body => 'g' })
          for $first, $second;
        talk($node, 'two gems');
    }
    replace($node, $first, $driver);
    with_a_gem($node, $first, $second);
    $node->{$first}->sync_ok('purge', '--all') if $purged;
    meanwhile($node, $first, $second);
    my $said = talk($node, 'both are ours');
    $said .= join '', $node->{facade}->log_lines;
    like($said, qr/its number \d+ is our message \d+; .*$sent/,
        '  which is said, and what is sent') or diag($said);
    talk($node, '  and go on');
    talk($node, '  and on');
    is_alike($node, { posts => [['a1', 'late'], ['a3', 'waits'], ['a4', '4'],
        ['b0', '1'], ['b1', 'new'], ['b2', '2'],
        $driver ? () : (["g-central", 'g'], ["g-facade", 'g'])],
        comments => [['c1', 'a1']] }, 'they have the same');
    go_on($node, $first, $second);
    $node->{facade}->stop;
}

# What a node that was a gem is told, until it knows, and what it says itself.
sub told {
    my $facade = Communicator::Test::Server->new(conf => gem_models(),
        database => Communicator::Test::Database->new('sqlite3'));
    my $database = $facade->database;
    my $path = '/messages.json';
    my $by = sub { by_ours('communicator-received' => $_[0],
        'communicator-newest' => 9, @_[1 .. $#_]) };

    make_gem_blog($database);
    $facade->migrate->start;
    $database->run("insert into posts (title, body) values ('a', 'b'), "
        . "('c', 'd'); delete from posts where title = 'a'; "
        . "insert into communicator_peers (name, received, has_received) "
        . "values ('central', 7, 1)");
    my $answer = $facade->get("$path?from_id=1", by_ours());
    is($answer->{headers}{'communicator-counts'}, 'gem',
        'a node that was a gem says so');
    is($answer->{headers}{'communicator-received'}, 7, '  with its number');
    $database->run('update communicator_peers set epoch = null, '
        . 'confirmed = 3, confirmed_id = 2, sent = 3');
    for ('its peer does not know the number', '  and is told again') {
        $answer = $facade->get("$path?from_id=3",
            $by->(2, 'communicator-counts' => 'gem'));
        is("$answer->{status} $answer->{headers}{'communicator-counted'}",
            '503 3 2', $_);
    }
    $answer = $facade->get("$path?from_id=4",
        $by->(3, 'communicator-counted' => '8 7'));
    is($answer->{status}, 200, '  until it does');
    is("$answer->{headers}{'communicator-received'}"
        . ($answer->{headers}{'communicator-counts'} // ''), 8,
        'and so is the other one');
    is_deeply($database->rows('select received, held, confirmed '
        . 'from communicator_peers'), [[8, 8, 3]], '  for good');
    $facade->log_has_only(qr/CM0047|CM0010/);
    $facade->stop;
}

# Both sides change a post that both have had for long, while the gem SECOND is
# replaced: the one first, or the other (LATER).
sub at_once {
    my ($first, $second, $later) = @_;
    local $models = $models =~ s/ conflict=hold//r;
    my $node = make_gems();
    my @changes = (
        sub { $node->{$first}->database->run(
            "update posts set body = 'ours' where title = 'g'") },
        sub { $node->{$second}->publish('post',
            { title => 'g', body => 'theirs' }, 1) });

    $node->{$second}->publish('post', { title => 'g', body => '1' });
    talk($node, 'two gems');
    replace($node, $first);
    $node->{$first}->database->run(
        "insert into posts (title, body) values ('a', '1')");
    talk($node, 'a gem and ours');
    sleep 2; # a gem's time has no fractions
    $changes[$later]->();
    sleep 2;
    $changes[!$later]->();
    replace($node, $second);
    talk($node, 'both change a post while one is replaced') for 1, 2;
    my $won = $later ? 'ours' : 'theirs';
    is($node->{$_}->database->value(
        "select body from posts where title = 'g'"), $won,
        "  the later change wins: $_") for $first, $second;
    # Of a change within a minute after the last meeting nobody can say.
    is($node->{$first}->database->value('select lost_value from '
        . "communicator_conflicts where column_name = 'body'"), '"theirs"',
        '  and the other one is noted') if $later;
    $node->{facade}->stop;
}

# --- a new node of ours, and a gem that others have used ---

# A gem has received messages of another node, which is gone; NAME is the side
# on which a new one of ours begins, on a database of DRIVER.
sub after_another {
    my ($name, $driver) = @_;
    my $node = make_gems();
    my $other = $name eq 'facade' ? 'central' : 'facade';

    $node->{$name}{name} = 'gone';
    $node->{$name}->publish('post', { title => "g$_", body => 'g' })
      for 1 .. 3;
    $node->{$other}->publish('post', { title => 'b1', body => '1' });
    talk($node, 'two gems');
    $node->{$name}{name} = $name;
    replace($node, $name, $driver);
    my $ours = $node->{$name}->database;
    $ours->run("insert into posts (title, body) values ('a$_', '1')")
      for 1 .. 5;
    talk($node, 'one of them is new');
    talk($node, '  and goes on');
    is($node->{$other}->database->value(
        "select count(*) from posts where title like 'a%'"), 5,
        '  what it has written arrives');
    $ours->run("update posts set body = '2' where title = 'a1'");
    talk($node, '  and what it changes');
    is($node->{$other}->database->value(
        "select body from posts where title = 'a1'"), 2, '  arrives, too');
    $ours->run("delete from posts where title = 'a2'");
    replace($node, $other);
    talk($node, 'the gem is replaced') for 1 .. 3;
    is($node->{$_}->database->value("select count(*) from posts "
        . "where title like 'a%' or title = 'b1'"), 5,
        "  and both have the same: $_") for $name, $other;
    is($node->{$_}->database->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, '  nothing is parked')
      for $name, $other;
    $node->{facade}->stop;
}

for my $driver (Communicator::Test::Database->drivers) {
    my $missing = Communicator::Test::Database->missing($driver);

    subtest "what waits ($driver)" => sub {
        plan skip_all => $missing if $missing;
        waiting($driver);
        swapped($driver);
    };
}

subtest 'who counts how' => \&told;

my @drivers = grep { $ENV{EVERY} || $_ eq 'pgsql' }
  Communicator::Test::Database->drivers;
for my $order ([qw(central facade)], [qw(facade central)]) {
    subtest "first $order->[0], then $order->[1]" => sub {
        my $missing = Communicator::Test::Gem->missing;
        plan skip_all => $missing if $missing;
        one_by_one(@$order);
        at_once(@$order, $_) for $ENV{EVERY} ? (0, 1) : $order->[0] eq 'facade';
    };
    for my $driver (@drivers) {
        my $missing = Communicator::Test::Gem->missing
          || Communicator::Test::Database->missing($driver);

        for my $purged ($ENV{EVERY} ? 0 : (), 1) {
            subtest "first $order->[0] ($driver), then $order->[1], purged: "
              . $purged => sub {
                plan skip_all => $missing if $missing;
                one_by_one(@$order, $driver, $purged);
            };
        }
    }
}

for my $driver (@drivers) {
    my $missing = Communicator::Test::Gem->missing
      || Communicator::Test::Database->missing($driver);

    subtest "a new $_ ($driver), and a gem that another has used" => sub {
        plan skip_all => $missing if $missing;
        after_another($_, $driver);
    } for qw(central facade);
}

done_testing();
