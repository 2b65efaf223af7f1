#!/usr/bin/perl

# A hub and its facades, on three kinds of databases: each peer has a cursor
# of its own, what comes from one goes to the others as it is and never back,
# and one that is dead holds up nobody.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Communicator::Test::Blog qw(make_blog blog_models);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

my @drivers = grep { !Communicator::Test::Database->missing($_) }
  qw(pgsql mysql sqlite3);
my @tables = qw(authors posts comments);
my %node;

sub make_node {
    my ($name) = @_;
    my $class = $name eq 'central' ? 'Peer' : 'Server';
    my $driver = $drivers[ keys(%node) % @drivers ];
    my $node = "Communicator::Test::$class"->new(name => $name,
        database => Communicator::Test::Database->new($driver),
        conf => blog_models());

    make_blog($node->database);
    # Ids differ on all nodes.
    for my $table (@tables) {
        my ($column) = $table eq 'authors' ? 'name'
          : $table eq 'posts' ? 'title' : 'text';
        $node->database->run("insert into $table ($column) values ('x');" x
            keys(%node) . "delete from $table;") if %node;
    }
    return $node{$name} = $node->migrate;
}

sub value { return $node{ $_[0] }->database->value($_[1]) }
sub run { return $node{ $_[0] }->database->run($_[1]) }

# What NAME's node knows of its records, apart from local ids.
sub records {
    my ($name) = @_;
    my $string = $node{$name}->database->driver eq 'mysql' ? 'char'
      : 'varchar(255)';
    my $mapping = sub {
        "left join communicator_mappings m on m.local_record_type = '$_[0]' "
          . "and m.local_record_id = cast(t.id as $string)";
    };
    my $of = 'm.origin, m.original_id, m.clock';

    return [sort map { join ' | ', map { $_ // 'NULL' } @$_ } map {
        @{ $node{$name}->database->rows($_) }
    } "select $of, t.name from authors t " . $mapping->('Author'),
      "select $of, t.title, a.name from posts t "
      . 'left join authors a on a.id = t.author_id ' . $mapping->('Post'),
      "select $of, t.text, p.title from comments t "
      . 'left join posts p on p.id = t.post_id ' . $mapping->('Comment')];
}

sub equal {
    my ($what, @names) = @_;
    my $want = records('central');

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(records($_), $want, "$what: $_ and central are equal")
      for @names;
}

sub inbound {
    return join ' ', map {
        "$_->[0]:$_->[1]"
    } @{ $node{ $_[0] }->database->rows('select peer, sum(messages) '
        . 'from communicator_received group by peer order by peer') };
}

plan skip_all => 'a hub is for mixed databases' if @drivers < 2;

my ($central, $east, $west, $south)
  = map { make_node($_) } qw(central east west south);
$_->start for $east, $west;
$central->knows($_) for $east, $west, $south;

subtest 'from one to the others' => sub {
    run('east', "insert into authors (name) values ('Ada');"
        . 'insert into posts (title, author_id) '
        . "select 'one', id from authors;"
        . 'insert into comments (text, post_id) '
        . "select 'first', id from posts;");
    my $began = time;
    my $run = $central->sync;
    cmp_ok(time - $began, '<', 20, 'a dead peer costs little time');
    is($run->{exit}, 75, '  and is a failure that may pass');
    like($run->{err}, qr/communicator-sync: south: .*\n.*hint: /,
        '  which is said');
    unlike($run->{err}, qr/: (east|west): /, '  of it alone');
    $central->sync;
    equal('made at east', qw(east west));
    is(value('west', 'select count(*) from comments'), 1, '  and are there');
    is(inbound('east'), '', 'nothing went back to where it came from');
    is(inbound('west'), 'central:3', '  and once to the other');
};

subtest 'back and forth' => sub {
    run('west', "update posts set title = 'two' where title = 'one'");
    run('central', "insert into comments (text, post_id) "
        . "select 'second', id from posts");
    $central->sync for 1, 2;
    equal('changed at west', qw(east west));
    run('east', "delete from comments where text = 'second'");
    run('west', "update comments set text = 'other' where text = 'second'");
    run('central', "update authors set name = 'Eve'");
    $central->sync for 1 .. 3;
    equal('changed at all', qw(east west));
    is(value('central', "select count(*) from comments"), 1,
        '  a delete wins everywhere');
    is(value('central', 'select count(*) from outbound_messages where '
        . "source not in ('east', 'west')"), 0, '  each message has a source');
    for my $name (qw(east west)) {
        my $own = value('central', 'select count(*) from outbound_messages '
            . "where source = '$name'");

        is(inbound($name), 'central:'
            . ($central->database->numbered - $own),
            "  $name got what others said, and no more");
    }
    my @before = map { inbound($_) } qw(central east west);
    $central->sync;
    is_deeply([map { inbound($_) } qw(central east west)], \@before,
        'then all is quiet');
    is(value('central', 'select count(*) from inbound_messages '
        . 'where processed_at is null'), 0, '  with nothing parked');
};

subtest 'each has a cursor of its own' => sub {
    my %waiting = map { @$_ } @{ $central->database->rows(
        'select p.name, (select count(*) from outbound_messages m where '
        . 'm.seq > p.confirmed and (m.source is null or m.source <> p.name)) '
        . '+ (select coalesce(sum(last_seq - first_seq + 1), 0) from '
        . 'communicator_batches where last_seq > p.confirmed) '
        . 'from communicator_peers p') };

    is_deeply(\%waiting, { east => 0, west => 0,
            south => $central->database->numbered },
        'those that are there hold all, the dead one nothing');
    $east->stop;
    run('central', "insert into authors (name) values ('Bob')");
    $central->sync;
    is(value('west', "select count(*) from authors where name = 'Bob'"), 1,
        'the others go on');
    $_->start for $east, $south;
    $central->sync_ok for 1, 2;
    equal('all are back', qw(east west south));
    is(inbound('south'), 'central:' . $central->database->numbered,
        'who was dead for long has all that was said');
    $_->log_has_only for $east, $west, $south;
};

done_testing();
