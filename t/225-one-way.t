#!/usr/bin/perl

# What passes in one direction only, as with the gem: except-receive= (columns
# that are sent and not taken), and publish=application (the application says
# itself what is sent).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table posts (id {key}, title varchar(40), note varchar(40), score int)
    {engine};
create table drafts (id {key}, title varchar(40), score int) {engine};
SQL

# The facade does not take the notes; the drafts of central leave it only when
# its application says so.
sub models {
    my ($database, $name) = @_;

    return 'CommunicatorModel post table=posts'
      . ($name eq 'facade' ? ' except-receive=note' : '')
      . "\nCommunicatorModel draft table=drafts"
      . ($name eq 'central' ? ' publish=application' : '') . "\n";
}

sub posts {
    my ($database) = @_;

    return join '; ', map { join ' ', map { $_ // '-' } @$_ } @{
        $database->rows('select title, note, score from posts order by id') };
}

sub are {
    my ($pair, $central, $facade, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $pair->sync($name);
    is(posts($pair->central), $central, "$name: central");
    is(posts($pair->facade), $facade, "$name: facade");
}

sub columns {
    my ($pair) = @_;

    $pair->central->run("insert into posts (title, note) values ('a', 'c'), "
        . "('b', 'c')");
    are($pair, 'a c -; b c -', 'a - -; b - -', 'new records');
    $pair->facade->run('update posts set score = 1');
    are($pair, 'a c 1; b c 1', 'a - 1; b - 1', 'a change of other columns');
    $pair->facade->run("update posts set note = 'f' where title = 'a'");
    are($pair, 'a f 1; b c 1', 'a f 1; b - 1', 'a note there is sent');
    $pair->central->run("update posts set note = 'd', score = 2");
    are($pair, 'a d 2; b d 2', 'a f 2; b - 2', 'a note here is not taken');
    $pair->central->run("update posts set note = 'e'");
    are($pair, 'a e 2; b e 2', 'a f 2; b - 2', '  nor one that comes alone');
    $pair->facade->run('update posts set score = 3');
    are($pair, 'a e 3; b e 3', 'a f 3; b - 3', 'an older note wins nowhere');
    $pair->facade->run("insert into posts (title, note) values ('g', 'f')");
    are($pair, 'a e 3; b e 3; g f -', 'a f 3; b - 3; g f -',
        'a record made there');
}

sub drafts {
    my ($database) = @_;

    return join '; ', map { join ' ', map { $_ // '-' } @$_ } @{
        $database->rows('select title, score from drafts order by id') };
}

sub by_application {
    my ($pair) = @_;
    my ($central, $facade) = $pair->databases;
    my $node = $pair->{central};

    $central->run("insert into drafts (title) values ('a'), ('b'); "
        . "update drafts set score = 1 where title = 'a'");
    $pair->sync('what the application does not publish');
    is(drafts($facade), '', 'is not sent');
    $central->run('insert into outbound_messages (body, origin, original_id) '
        . q[values ('{"draft":{"title":"a","score":1}}', 'central', ]
        . "(select id from drafts where title = 'a'))");
    $pair->sync('what it publishes');
    is(drafts($facade), 'a 1', 'is sent');
    $facade->run('update drafts set score = 2');
    $pair->sync('a change there');
    is(drafts($central), 'a 2; b -', 'comes as always');
    my $b = $central->value("select id from drafts where title = 'b'");
    is($node->sync('publish', 'draft', $b)->{exit}, 0, 'publish queues one');
    $pair->sync('publish');
    is(drafts($facade), 'a 2; b -', '  which is sent');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-mysql mysql-sqlite3 sqlite3-pgsql)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => \&models);
    my $node = $pair->{central};

    columns($pair);
    by_application($pair);
    $pair->is_settled('nothing is left');
    is($node->sync('verify')->{exit}, 0, 'verify finds no difference');
    my $check = $node->sync('check');
    is($check->{exit}, 0, 'check misses no trigger') or diag $check->{out};
    unlike($node->sync('status')->{out}, qr/trigger/, '  nor does status');

    $node->configure(conf => models(undef, 'facade'));
    like($node->sync('migrate')->{out}, qr/installs the triggers of .*drafts/,
        'without publish=application the triggers come');
    $node->configure(conf => models(undef, 'central'));
    like($node->sync('migrate')->{out}, qr/removes trigger .* of table drafts/,
        '  and with it they go');
    $pair->stop;
});

done_testing();
