#!/usr/bin/perl

# A gem on the other side keeps working: as a server for our client, and as a
# client of our module. ../shared/legacy_peer.py stands for it.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test::Blog qw(make_gem_blog gem_models);
use Communicator::Test::Database;
use Communicator::Test::Gem;
use Communicator::Test::Peer;
use Communicator::Test::Server;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

my $why = Communicator::Test::Gem->missing;
plan skip_all => $why if $why;

sub posts {
    my ($database, $table) = @_;

    $table //= 'posts';
    return [sort map { "$_->[0]: $_->[1]" } @{ $database->rows(
        "select coalesce(title, ''), body from $table") }];
}

sub is_equal {
    my ($ours, $gem, $want, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(posts($ours), $want, "$what: here");
    is_deeply(posts($gem->{database}), $want, "$what: at the gem");
}

# Our application writes a post; ids are unlike the gem's.
sub write_ours {
    my ($database, $title, $body) = @_;

    $database->run("insert into posts (title, body, created_at, updated_at)"
        . " values ('$title', '$body', '2011-06-22 10:11:12',"
        . " '2011-06-22 10:11:12');");
}

# The same story from both ends; SYNC runs whoever is the client.
sub story {
    my ($ours, $gem, $sync) = @_;

    write_ours($ours, 'ours', 'ü 😀 100% &a=1&a[b]=2');
    $gem->publish('post', { title => 'theirs', body => "line\nline ü" });
    $gem->publish('post', { title => 'second', body => 'x' });
    $gem->publish('comment', { title => 'hidden', body => 'a comment' });
    $sync->('first run');
    is_equal($ours, $gem, ['ours: ü 😀 100% &a=1&a[b]=2', 'second: x',
        "theirs: line\nline ü"], 'created');
    is_deeply(posts($ours, 'comments'), [': a comment'],
        'a comment is a comment, without the title');

    $ours->run("update posts set body = 'changed here' "
        . "where title = 'theirs';");
    my $id = $gem->{database}->value(
        "select id from posts where title = 'ours'");
    $gem->publish('post', { title => 'ours', body => 'changed there' }, $id);
    $sync->('second run');
    is_equal($ours, $gem, ['ours: changed there', 'second: x',
        'theirs: changed here'], 'updated');

    my $sent = $gem->{database}->value(
        'select count(*) from inbound_messages');
    $sync->('third run');
    is($gem->{database}->value('select count(*) from inbound_messages'),
        $sent, 'the third run sends nothing');
    is($ours->value('select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, 'nothing is parked');
}

# Both sides change the same post between two exchanges. A gem sends whole
# records: the sides must end equal, and what loses is kept. SYNC runs whoever is
# the client.
sub concurrently {
    my ($ours, $gem, $sync) = @_;
    my $lost = sub {
        return join ' ', map { $_->[0] } @{ $ours->rows('select lost_value '
            . "from communicator_conflicts where column_name = 'body' "
            . 'order by id') };
    };
    my $id = sub {
        return $gem->{database}->value(
            "select id from posts where title = '$_[0]'");
    };

    $gem->publish('post', { title => 'a', body => 'b0' });
    $sync->('a post of the gem');
    $ours->run("update posts set body = 'ours'");
    $gem->publish('post', { title => 'theirs' }, $id->('a'));
    $sync->("unlike columns $_") for 1, 2;
    is_equal($ours, $gem, ['theirs: ours'], 'unlike columns');

    $ours->run("update posts set body = 'x1'");
    $gem->publish('post', { body => $_ }, $id->('theirs')) for 'y1', 'y2';
    $sync->("the same column $_") for 1, 2;
    is_equal($ours, $gem, ['theirs: x1'], 'the same column');
    is($lost->(), '"b0" "y1" "y2"', 'what the gem had is kept');

    $gem->publish('post', { body => $_ }, $id->('theirs')) for 'z1', 'z2';
    $sync->('a change of the gem');
    is_equal($ours, $gem, ['theirs: z2'], 'then the gem');
    $ours->run("update posts set body = 'last'");
    $sync->('a change here');
    $gem->publish('post', { body => 'after all' }, $id->('theirs'));
    $sync->('and of the gem');
    is_equal($ours, $gem, ['theirs: after all'], 'one after the other');
    is($lost->(), '"b0" "y1" "y2"', '  is no conflict');
}

# Our client and the gem's server, and the other way round.
sub our_client {
    my ($driver, $test) = @_;
    my $gem = Communicator::Test::Gem->new('remote')->serve;
    my $central = Communicator::Test::Peer->new(name => 'local',
        database => Communicator::Test::Database->new($driver),
        conf => gem_models())->knows($gem, 'protocol=gem');

    make_gem_blog($central->database);
    $central->database->run("insert into posts (title, body) values "
        . "('own', 'x'); delete from posts;");
    $central->migrate;
    $test->($central->database, $gem, sub { $central->sync_ok });
    $gem->stop;
}

sub our_module {
    my ($driver, $test) = @_;
    my $gem = Communicator::Test::Gem->new('local');
    my $facade = Communicator::Test::Server->new(name => 'remote',
        database => Communicator::Test::Database->new($driver),
        user => 'testuser', password => 'pwd', conf => gem_models(),
        peers => "CommunicatorPeer local user=testuser protocol=gem\n");

    make_gem_blog($facade->database);
    $facade->migrate->start;
    $test->($facade->database, $gem, sub {
        my $run = $gem->communicate($facade->base);
        is($run->{exit}, 0, "the gem's $_[0]") or diag($run->{out}, $run->{err});
    });
    $facade->log_has_only;
    $facade->stop;
}

for my $driver (Communicator::Test::Database->drivers) {
    my $missing = Communicator::Test::Database->missing($driver);
    my %tests = (story => \&story, 'at the same time' => \&concurrently);

    for my $name (sort keys %tests) {
        subtest "our client ($driver), the gem's server: $name" => sub {
            plan skip_all => $missing if $missing;
            our_client($driver, $tests{$name});
        };
        subtest "our module ($driver), the gem's client: $name" => sub {
            plan skip_all => $missing if $missing;
            our_module($driver, $tests{$name});
        };
    }
}

# What a gem cannot keep, or keeps otherwise, comes back as it was: bytes that
# look like digits, a fraction of a second.
sub values_of {
    my ($driver) = @_;
    my $gem = Communicator::Test::Gem->new('remote')->serve;
    my $database = Communicator::Test::Database->new($driver);
    my $central = Communicator::Test::Peer->new(name => 'local',
        database => $database, conf => "CommunicatorModel post table=posts\n")
      ->knows($gem, 'protocol=gem');
    my %text = (pgsql => q{encode(body, 'escape')}, mysql => 'body',
        sqlite3 => 'cast(body as text)');
    my $is_half = $driver eq 'sqlite3' ? "created_at like '%12.5%'"
      : 'extract(microsecond' . ($driver eq 'pgsql' ? 's' : '')
      . ' from created_at) in (500000, 12500000)';
    my $row = sub {
        return join ' ', map { $_ // '-' } @{ $database->rows(
            "select title, $text{$driver}, case when $is_half then 'half' "
            . "else 'whole' end from posts order by id")->[$_[0] // 0] };
    };

    $database->create("create table posts (id {key}, title varchar(400), "
        . "body {binary}, created_at {timestamp}, "
        . 'updated_at {timestamp}) {engine}');
    $central->migrate;
    $database->run('insert into posts (title, body, created_at) values '
        . "('a', 'abcd', '2011-06-22 10:11:12.5')"
        . ($driver eq 'mysql' ? ", ('b', x'ff', null)"
            : $driver eq 'pgsql' ? q{, ('b', '\\xff', null)}
            : ", ('b', x'ff', null)"));
    $central->sync_ok;
    is_deeply(posts($gem->{database}), ['a: abcd'],
        'bytes that are text arrive, others are held back');
    $gem->publish('post', { title => 'c' }, 1);
    $gem->publish('post', { title => 'd', body => 'beef' });
    $central->sync_ok;
    is($row->(), 'c abcd half', 'what the gem has not changed stays');
    is($row->(2), 'd beef whole', 'and its bytes are bytes');
}

for my $driver (Communicator::Test::Database->drivers) {
    my $missing = Communicator::Test::Database->missing($driver);

    subtest "values, $driver" => sub {
        plan skip_all => $missing if $missing;
        values_of($driver);
    };
}

# A time with a zone, with and without times=local.
sub time_of {
    my ($option) = @_;
    my $facade = Communicator::Test::Server->new(name => 'remote',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => gem_models(), peers => 'CommunicatorPeer local '
          . "user=communicator protocol=gem $option\n");

    make_gem_blog($facade->database);
    $facade->migrate->start;
    is($facade->post('/messages.json', '[{"id":1,"origin":"local",'
        . '"original_id":1,"body":"{\"post\":{\"title\":\"a\",'
        . '\"body\":\"b\",'
        . '\"created_at\":\"2011-06-22T12:11:12+02:00\"}}"}]')->{status},
        202, "a time with a zone: $option");
    $facade->stop;
    return $facade->database->value('select created_at from posts');
}

is(time_of('times=utc'), '2011-06-22 10:11:12', 'it is applied');
is(time_of('times=local'), '2011-06-22 12:11:12', 'it is left out');

# The gem's application demands a title, ours does not: the gem answers 500
# whenever it gets such a post. Two come; one gets a title, one is given up.
subtest 'what the gem refuses each time' => sub {
    my $gem = Communicator::Test::Gem->new('remote')->serve;
    my $central = Communicator::Test::Peer->new(name => 'local',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => "CommunicatorModel post table=posts\n")
      ->knows($gem, 'protocol=gem');
    my $database = $central->database;

    $database->create('create table posts (id {key}, title varchar(400), '
        . 'body {text}, created_at {timestamp}, updated_at {timestamp})');
    $central->migrate;
    $database->run("insert into posts (title, body) values ('post 1', 'x'), "
        . "(null, 'x'), (null, 'x'), ('post 4', 'x')");
    my $run = $central->sync;
    is($run->{exit}, 65, 'a run that meets them');
    is_deeply(posts($gem->{database}), ['post 1: x', 'post 4: x'],
        'the others arrive');
    my $parked = $central->sync('parked')->{out};
    like($parked, qr/^remote +2 +post +.*2 .* 500 /m,
        'the one is named, and why')
      or diag $parked;
    like($parked, qr/^remote +3 +post +.*3 .* 500 /m, '  and the other');
    like($parked, qr/^remote +3 .* gem .*^hint: gem: the gem's application /ms,
        '  by whom, and where the reason is');

    my ($third) = map { $_->{id} } grep { $_->{original_id} eq 3 }
      @{ JSON::PP->new->decode($central->sync('parked', '--json')->{out}) };
    is($central->sync('discard', 'remote', "sent:$third")->{exit}, 0,
        'one is given up');
    $database->run("update posts set title = 'post 2' where id = 2");
    $central->sync_ok;
    is_deeply(posts($gem->{database}),
        ['post 1: x', 'post 2: x', 'post 4: x'],
        'the other one arrives when it has a title');
    is_deeply(JSON::PP->new->decode(
        $central->sync('parked', '--json')->{out}), [], '  nothing is left');
    write_ours($database, 'post 5', 'x');
    $gem->publish('post', { title => 'theirs', body => 'y' });
    $central->sync_ok;
    is_deeply(posts($gem->{database}), ['post 1: x', 'post 2: x', 'post 4: x',
        'post 5: x', 'theirs: y'], 'and all goes on');
};

# Rows of the gem's outbox are gone (a transaction was rolled back): two gems
# would never agree again.
subtest 'a gap in the numbers of the gem' => sub {
    my $gem = Communicator::Test::Gem->new('local');
    my $facade = Communicator::Test::Server->new(name => 'remote',
        database => Communicator::Test::Database->new('sqlite3'),
        user => 'testuser', password => 'pwd', conf => gem_models(),
        peers => "CommunicatorPeer local user=testuser protocol=gem\n");
    my $run = sub { is($gem->communicate($facade->base)->{exit}, 0, $_[0]) };

    make_gem_blog($facade->database);
    $facade->migrate->start;
    $gem->publish('post', { title => "post $_", body => 'x' }) for 1, 2;
    $run->('the first run');
    $gem->publish('post', { title => "post $_", body => 'x' }) for 3 .. 5;
    $gem->{database}->run('delete from outbound_messages where id in (3, 4)');
    $run->('the first message is gone');
    is_deeply(posts($facade->database),
        [map { "post $_: x" } 1, 2, 5], 'those that are left arrive');
    $gem->publish('post', { title => 'post 6', body => 'x' });
    $run->('all goes on');
    is_deeply(posts($facade->database), [map { "post $_: x" } 1, 2, 5, 6],
        '  and arrives');
    like(join("\n", $facade->log_lines),
        qr/CM0048: peer 'local': skipped 2 messages before message 5/,
        'the log says how many are missing');
    $facade->stop;
};

done_testing();
