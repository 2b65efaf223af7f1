#!/usr/bin/perl

# publish --all without a model: all models, parents first; with --missing only
# records that no peer has got.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test::Pair;

my $tables = <<'SQL';
create table teams (id {key}, name varchar(40), leader_id bigint) {engine};
create table people (id {key}, name varchar(40), team_id bigint) {engine};
create table notes (id {key}, body varchar(40), person_id bigint not null,
    foreign key (person_id) references people (id)) {engine};
create table logs (id {key}, line varchar(40)) {engine};
insert into teams values (1, 'red', 2);
insert into people values (1, 'Ann', 1), (2, 'Bob', 1);
insert into notes values (1, 'one', 1), (2, 'two', 2), (3, 'three', 1);
insert into logs values (1, 'not sent');
SQL

# Teams and people refer to each other.
my $models = <<'CONF';
CommunicatorModel note   table=notes references=person_id:person
CommunicatorModel team   table=teams references=leader_id:person
CommunicatorModel person table=people references=team_id:team
CommunicatorModel log    table=logs direction=receive
CONF

# The models of the messages of DATABASE that have no number, in their order.
sub queued {
    my ($database) = @_;

    return join ' ', map { $_->[0] } @{ $database->rows('select model from '
        . 'outbound_messages where seq is null order by id') };
}

Communicator::Test::Pair->for_each([qw(sqlite3-pgsql pgsql-mysql
    mysql-sqlite3)], sub {
    my $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => sub { $_[1] eq 'central' ? $tables
            : $tables =~ s/^insert.*\n//mgr },
        models => $models);
    my ($central, $facade) = $pair->databases;
    my $client = $pair->{central};
    my $run = $client->sync('publish', '--all', '--missing', '-v');

    is($run->{out} . $run->{err}, <<'EOT', 'all that is published');
team: 1 published
person: 2 published
note: 3 published
EOT
    is(queued($central), 'team person person note note note',
        'parents first; in a cycle the first of the file');
    $pair->sync('the first sync');
    is($facade->value('select count(*) from notes n join people p on '
        . 'p.id = n.person_id join teams t on t.id = p.team_id'), 3,
        'all records are there');

    $run = $client->sync('publish', '--all', '--missing', '--json');
    is_deeply(decode_json($run->{out}), [map {
        { model => $_, published => 0 } } qw(team person note)],
        'nothing is missing any more');
    $central->run("insert into teams values (2, 'blue', null)");
    is($client->sync('publish', 'team', '--all', '--missing', '-v')->{out},
        "team: 0 published\n", 'what waits in the outbox is not missing');
    $pair->sync('the new team');
    $client->sync_ok('migrate', '--drop-triggers', '--quiet');
    $central->run("insert into notes values (4, 'unseen', 2)");
    $client->sync_ok('migrate', '--quiet');
    is($client->sync('publish', 'note', '--all', '--missing', '-v')->{out},
        "note: 1 published\n", 'a row that no trigger has seen');
    $pair->sync('that row');
    $pair->both_have('select count(*) from notes', [[4]], 'it is there');
    $run = $client->sync('publish', '--all', '-v');
    like($run->{out}, qr/^team: 2 .*^person: 2 .*^note: 4 /ms,
        'all records again');
    $pair->sync('which changes nothing');
    is($client->sync('verify')->{exit}, 0, 'both sides are equal');
    for my $words ([], ['--missing'], ['note', '--missing'],
        ['--where', '1 = 1'], ['note', 1, '--all']) {
        is($client->sync('publish', @$words)->{exit}, 64,
            "publish @$words: what for?");
    }
    $pair->stop;
});

done_testing();
