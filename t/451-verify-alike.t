#!/usr/bin/perl

# What verify takes for equal although it looks different, what it does not
# compare, and what the endpoint refuses.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file);
use Communicator::Test::Hostile qw(old central);
use Communicator::Test::Pair;

plan skip_all => 'the client is not built' unless -x client_file();

my $json = JSON::PP->new;
my $tables = sub {
    my ($database, $name) = @_;
    my $facade = $name eq 'facade';
    my $data = $database->driver eq 'pgsql' ? 'jsonb' : 'json';
    my ($size, $score) = $facade ? (20, 'numeric(8,3)') : (99, 'double');

    $score = 'double precision' if $score eq 'double'
      && $database->driver eq 'pgsql';
    return <<"SQL";
create table people (
    id {key}, name varchar($size) not null, data $data, score $score,
    born @{[$facade ? '{timestamp}' : 'date']},
    grown @{[$facade ? 'integer' : '{boolean}']}) {engine};
create table notes (
    id {key}, person_id bigint, text varchar(50)) {engine};
create table codes (code varchar(50) not null primary key, text {text}) {engine};
create table mine (id {key}, text varchar(50)) {engine};
SQL
};
my $models = sub {
    my ($database, $name) = @_;

    return <<'CONF' . ($name eq 'facade' ? '' : <<'CONF');
CommunicatorModel person table=people match=name
CommunicatorModel note   table=notes references=person_id:person deletes=no
CommunicatorModel code   table=codes key=code keys=shared
CONF
CommunicatorModel mine   table=mine
CONF
};
my $pair;

# What verify finds, by model; it must exit with EXIT.
sub verify {
    my ($exit, $name, @arguments) = @_;
    my $run = $pair->{central}->sync('verify', '--json', @arguments);
    my %found = map { $_->{model} => $_ }
      map { $json->decode($_) } split /\n/, $run->{out};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit}, $exit, $name) or diag($run->{err}, explain(\%found));
    return \%found;
}

sub before {
    my ($node) = @_;
    my $name = $node->name;

    $node->database->run("insert into people (name) values ('$name'), "
        . "('adopted')");
}

sub check_alike {
    my ($central, $facade) = $pair->databases;
    my $found = verify(65, 'what was there before the triggers');

    is($found->{person}{unpublished_here}, 2, '  was never sent');
    is($found->{person}{unpublished_there}, 2, '  by either side');
    like($found->{mine}{skipped}, qr/no such model/,
        'a model of one side is not compared');
    $_->sync('publish', 'person', '--all') for $pair->nodes;
    $central->run(<<'SQL');
insert into people (name, data, score, born, grown) values
    ('mary', '{"b": 1.50, "a":[1, {"y":2,"x":null}]}', 2.5, '2001-02-03',
    true);
insert into notes (person_id, text) values (1, 'one'), (2, 'two');
insert into codes (code, text) values ('a', 'x'), ('b', null), ('b c', '');
SQL
    $pair->sync('records that are written otherwise there');
    verify(0, 'numbers, days, JSON and two names of one record are alike');
}

# Central has adopted a record of the facade's by match=, which has not heard
# of it: it bears one name there, and two here.
sub check_names {
    my ($central, $facade) = $pair->databases;
    my $twin = "insert into people (name) values ('twin')";
    my $forget = 'delete from outbound_messages; '
      . 'delete from communicator_batches;';

    $central->run($twin);
    is(verify(75, 'a record')->{person}{under_way}, 1, '  under way');
    $central->run($forget);
    $facade->run($twin);
    $pair->sync('the same record from there');
    $central->run($forget);
    is($central->value("select count(*) from communicator_mappings "
        . "where same_id is not null and original_id = '5'"), 1,
        'a record has two names');
    verify(0, '  but is one');
}

sub check_no_difference {
    my ($central, $facade) = $pair->databases;

    $facade->run("delete from notes where text = 'two'");
    $pair->sync('a delete that is not sent');
    is(verify(0, 'deletes=no')->{note}{kept}, 1, '  leaves a record');
    $central->run("update people set name = "
        . "'much longer than it may be there' where name = 'mary'");
    $pair->sync('what does not fit there', 65);
    my $found = verify(65, 'a parked message');
    is_deeply([@{ $found->{person} }{qw(parked under_way differ)}], [1, 0, 0],
        '  is said to be parked');
    like($pair->{central}->sync('verify', 'person')->{out},
        qr/1 records differ because of a parked message: communicator-sync parked/,
        '  and where to look');
    $central->run("update people set name = 'mary' where name like 'much%'");
    $pair->sync('what fits');
    verify(0, 'it is released');
}

sub check_questions {
    my $server = $pair->{facade};
    my %headers = ('communicator-protocol' => 2,
        'communicator-node' => 'central');
    my $ask = sub {
        my ($query, $question, %with) = @_;
        return $server->post("/messages.json?$query", $question,
            headers => \%headers, %with)->{status};
    };
    my $shape = '{"ask":"shape","model":"person"}';
    my $publish = '{"ask":"publish","model":"person","names":[]}';

    is($ask->('verify', $shape), 200, 'a question');
    is($ask->('verify', $shape, user => 'communicator', password => 'no'), 401,
        '  but not of anybody');
    is($ask->('verify', $publish), 400, 'verify publishes nothing');
    is($ask->('repair', $shape), 400, 'repair answers nothing');
    is($ask->('repair', $publish), 200, 'but publishes');
    for my $bad ('', '[]', '{"ask":"shape"', '{"ask":"all","model":"person"}',
        '{"ask":"parts","model":"person","origin":"a","after":""}',
        '{"ask":"parts","model":"person","origin":"a","after":"",'
        . '"columns":[["name","exact"]],"bounds":[null,"b"]}') {
        is($ask->('verify', $bad), 400, "no question: $bad");
    }
    is($server->post('/messages.json?verify', '[]')->{status}, 503,
        'nobody asks without our headers');
    $server->log_has_only(qr/CM0009.*(?:question|verify only asks)/, qr/CM0028/,
        qr/password mismatch/i);
}

Communicator::Test::Pair->for_each([qw(sqlite3-pgsql pgsql-mysql)], sub {
    my ($central) = @_;

    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => $models, before => \&before);
    check_alike();
    check_names();
    check_no_difference();
    check_questions() if $central eq 'sqlite3';
    $pair->stop;
});

# So many that they fill more than one answer, and then more than are kept.
subtest 'very many' => sub {
    $pair = Communicator::Test::Pair->new(drivers => [qw(sqlite3 sqlite3)],
        tables => $tables, models => $models);
    my $add = sub {
        my ($from, $until) = @_;
        my $records = $pair->facade->records('Note');

        $pair->facade->run(<<"SQL");
insert into notes (text) with recursive n (i) as (
    select $from union all select i + 1 from n where i < $until)
    select 'note ' || i from n;
delete from outbound_messages;
insert or ignore into $records (origin, original_id, local_id, clock)
    select 'facade', id, id, 1 from notes;
SQL
    };

    $add->(1, 9000);
    my $found = verify(65, 'a side that has nothing')->{note};
    is("$found->{differ} $found->{complete}", '9000 1', '  lacks all');
    $add->(9001, 12000);
    $found = verify(65, 'too many differences')->{note};
    is("$found->{differ} $found->{complete}", '10000 0', '  are not all told');
    $found = verify(65, 'a repair', '--repair', '--from', 'facade')->{note};
    is($found->{published_there}, 10000, '  begins with those');
    $pair->stop;
};

subtest 'a gem' => sub {
    my $run = central(Communicator::Test::Hostile->new(old(1)), 1,
        words => 'protocol=gem')
      ->sync('verify');

    is($run->{exit}, 76, 'cannot be asked');
    like($run->{err}, qr/is a gem/, '  which is said');
};

done_testing();
