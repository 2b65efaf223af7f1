#!/usr/bin/perl

# Changing the application's tables: the whole upgrade with everything at
# rest, and column by column while both sides go on.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file module_file);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $models = "CommunicatorModel post table=posts\n";
my ($facade, $central, $there, $here);

sub pair {
    my ($driver) = @_;

    ($there, $here) = map {
        my $database = Communicator::Test::Database->new($driver);
        $database->create('create table posts (id {key}, '
            . 'title varchar(50), body {text}) {engine}');
        $database;
    } 1, 2;
    $facade = Communicator::Test::Server->new(database => $there,
        conf => $models, peers => "CommunicatorPeer central user=communicator\n"
          . "CommunicatorPeer old user=gem protocol=gem\n");
    $facade->add_user('gem', 'pw');
    $facade->migrate->start;
    $central = Communicator::Test::Peer->new(name => 'central',
        database => $here, conf => $models)->knows($facade)->migrate;
}

# The column of all records, here or there, as one word.
sub all {
    my ($database, $column) = @_;

    return join ' ', map { $_->[0] // '-' } @{ $database->rows(
        "select $column from posts order by title") };
}

sub whole_upgrade {
    $here->run("insert into posts (title) values ('a')");
    $there->run("insert into posts (title) values ('b')");
    my $pause = $central->sync('pause');
    is($pause->{out}, "central is paused\nfacade is paused\n", 'pause');
    my $run = $central->sync;
    is($run->{exit}, 75, 'no run');
    like($run->{err}, qr/\A.*: 'central' is paused since .*\nhint: .*sync resume\n\z/,
        '  one clear line');
    is($facade->get('/messages.json?from_id=1', user => 'gem',
        password => 'pw')->{status}, 503,
        'no gem is served');
    is($here->value('select count(*) from posts'), 1, 'nothing moves');

    my $drain = $central->sync('drain');
    is($drain->{exit}, 0, 'drain') or diag $drain->{err};
    like($drain->{out}, qr/^ok\ +facade:\ both\ queues\ are\ empty,\ nothing\ is
        \ parked\n\ +it\ holds\ ours\ up\ to\ \d+,/x,
        '  is proved');
    is(all($here, 'title') . all($there, 'title'), 'a ba b',
        '  both sides have all');

    for my $node ($central, $facade) {
        $node->database->run('alter table posts add column rating integer');
        is($node->sync('migrate')->{exit}, 0, 'migrate');
    }
    is($central->sync('resume')->{out},
        "central is resumed\nfacade is resumed\n", 'resume');
    $here->run("update posts set rating = 7 where title = 'b'");
    $there->run("update posts set rating = 8 where title = 'a'");
    $central->sync_ok;
    is(all($here, 'rating') . all($there, 'rating'), '8 78 7',
        'the new column is in use');
    is($facade->sync('check', '--quiet')->{out}, '', 'nothing to complain of');
}

my %narrow = (
    sqlite3 => join(' ', map { "create trigger narrow_$_ before $_ on posts "
        . "begin select raise(abort, 'too long') "
        . 'where length(new.title) > 10; end;' } qw(insert update)),
    pgsql => 'alter table posts alter column title type varchar(10)',
    mysql => 'alter table posts modify title varchar(10)',
);
my %widen = (
    sqlite3 => 'drop trigger narrow_insert; drop trigger narrow_update',
    pgsql => 'alter table posts alter column title type varchar(50)',
    mysql => 'alter table posts modify title varchar(50)',
);

sub parked { scalar @{ decode_json($facade->sync('parked', '--json')->{out}) } }

sub rolling {
    my ($driver) = @_;

    $here->run('alter table posts add column color varchar(20)');
    is($central->sync('migrate')->{exit}, 0, 'a column here first');
    $here->run("update posts set color = 'red' where title = 'a'");
    $central->sync_ok;
    is(parked(), 0, 'what is not there is left out');
    $there->run('alter table posts add column color varchar(20)');
    is($facade->sync('migrate')->{exit}, 0, 'then there');
    $here->run("update posts set color = 'blue' where title = 'b'");
    $central->sync_ok;
    is(all($there, 'color'), '- blue', 'later changes arrive');
    $central->sync('publish', 'post', '--all');
    $central->sync_ok;
    is(all($there, 'color'), 'red blue', '  publish brings earlier ones');

    # SQLite drops no column that a trigger names.
    $there->run(join ';', map { "drop trigger communicator_posts_$_" }
        qw(insert update delete)) if $driver eq 'sqlite3';
    $there->run('alter table posts drop column rating');
    is($facade->sync('migrate')->{exit}, 0, 'a column dropped there');
    $here->run('update posts set rating = 9');
    $there->run("update posts set body = 'from there'");
    $central->sync_ok;
    is(parked(), 0, 'nothing is parked');
    is(all($here, 'rating') . all($here, 'body'),
        '9 9from there from there', '  and nothing is lost here');

    $there->run($narrow{$driver});
    $here->run("insert into posts (title) values ('c fits');"
        . "insert into posts (title) values ('d is far too long');"
        . "update posts set body = 'on' where title like 'd%';"
        . "insert into posts (title) values ('e fits');");
    is($central->sync->{exit}, 65, 'a column narrowed there');
    is(parked(), 2, 'parks what does not fit, and what follows it');
    is(all($there, 'title'), 'a b c fits e fits', '  the others go on');
    my $drain = $central->sync('drain');
    is($drain->{exit}, 65, 'drain proves nothing then');
    like($drain->{out}, qr/FAIL +facade: 2 messages parked there/,
        '  and says why');
    my $verify = $central->sync('verify');
    is($verify->{exit}, 65, 'verify calls them parked');
    like($verify->{err}, qr/facade: 2 messages of ours parked at facade, /,
        '  and says where they are');
    $there->run($widen{$driver});
    $central->sync_ok;
    is(parked(), 0, 'wider again, it resumes by itself');
    is(all($there, 'title'), 'a b c fits d is far too long e fits',
        '  and all is there');
    is($central->sync('drain', '--json')->{exit}, 0, 'and drained');
}

# A newer program has migrated the facade's tables, and httpd, which has
# connections open, still runs this one.
sub migrated {
    my $count = "select count(*) from posts where title = 'newer'";

    $there->run('insert into communicator_schema (version, name, applied_at)'
        . " values (999, 'newer', 0)");
    $here->run("insert into posts (title) values ('newer')");
    my $run = $central->sync;
    is($run->{exit}, 75, 'httpd does not work on newer tables');
    like($run->{err}, qr/\nhint: install the newer program .*restart httpd/,
        '  and says what to do');
    is($there->value($count), 0, '  nothing is applied');
    $there->run('delete from communicator_schema where version = 999');
    $central->sync_ok;
    is($there->value($count), 1, '  and nothing is lost');
}

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        pair($driver);
        subtest 'the whole upgrade' => \&whole_upgrade;
        subtest 'column by column' => sub { rolling($driver) };
        subtest 'a newer version' => \&migrated;
        $facade->stop;
    };
}

done_testing();
