#!/usr/bin/perl

# The row filter: where= decides which rows leave a node, leave= what happens
# at the peer to one that does not match any more.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test::Pair;

my ($pair, $here, $there);

# Central sends only what is published; the facade sends all.
my $where = q{"where=status = 'open' AND 100 / place < 60"};

sub models {
    my ($database, $name) = @_;
    my %where = $name eq 'central'
      ? (post => $where, author => 'where=shown=1',
        option => q{"where=name NOT LIKE 'tr-%' AND name <> 'url'" }
          . 'leave=delete')
      : (map { $_ => '' } qw(post author option));

    return <<"CONF";
CommunicatorModel author  table=authors except=shown $where{author}
CommunicatorModel post    table=posts references=author_id:author $where{post}
CommunicatorModel comment table=comments references=post_id:post
CommunicatorModel option  table=options $where{option}
CONF
}

my $tables = <<'SQL';
create table authors (id {key}, name varchar(40) not null,
    shown integer not null default 1) {engine};
create table posts (id {key}, author_id bigint, title varchar(40) not null,
    status varchar(10), place integer default 2, note {text}) {engine};
create table comments (id {key}, post_id bigint not null, body varchar(40))
    {engine};
create table options (id {key}, name varchar(40) not null, value varchar(40))
    {engine};
SQL

sub open_pair {
    my (@drivers) = @_;

    $pair = Communicator::Test::Pair->new(drivers => \@drivers,
        tables => $tables, models => \&models);
    ($here, $there) = ($pair->central, $pair->facade);
}

# What the facade has: SQL's rows as lines.
sub there_are {
    my ($sql, $rows, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply([map { join ' ', map { $_ // '-' } @$_ } @{ $there->rows($sql) }],
        $rows, $name);
}

sub posts_are {
    my ($rows, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    there_are('select title, status, note from posts order by title',
        $rows, $name);
}

sub inserts_and_updates {
    $here->run("insert into posts (title, status, note) values "
        . "('a', 'open', 'one'), ('b', 'draft', 'secret'), "
        . "('c', null, 'secret')");
    $pair->sync('three posts');
    posts_are(['a open one'], 'one matches');
    is($_->value('select count(*) from communicator_mappings'), 1,
        $_->driver . ': the others are not known') for $here, $there;

    $here->run("update posts set note = 'secret two' where title = 'b'");
    $here->run("update posts set note = 'two' where title = 'a'");
    $pair->sync('changes');
    posts_are(['a open two'], 'only that of a post that matches is sent');

    $here->run("update posts set status = 'open', note = 'three'"
        . " where title = 'b'");
    $pair->sync('one comes to match');
    posts_are(['a open two', 'b open three'], 'it is created');

    $here->run("update posts set status = 'draft', note = 'secret 4'"
        . " where title = 'a'");
    $here->run("update posts set note = 'secret 5' where title = 'a'");
    $pair->sync('one stops matching');
    posts_are(['a open two', 'b open three'], 'it stays as it was');

    $there->run("update posts set title = 'A' where title = 'a'");
    $pair->sync('it is changed there');
    is($here->value("select note from posts where title = 'A'"), 'secret 5',
        'that comes, and nothing else changes');
    $here->run("update posts set status = 'open' where title = 'A'");
    $pair->sync('it matches again');
    posts_are(['A open secret 5', 'b open three'],
        'with all that has changed meanwhile');
}

# What is captured in one state may be sent in another.
sub between_two_runs {
    $here->run("insert into posts (title, status, note) "
        . "values ('d', 'draft', 'hidden')");
    $here->run("update posts set status = 'open', note = 'shown'"
        . " where title = 'd'");
    $here->run("insert into posts (title, status, note) "
        . "values ('e', 'open', 'hidden')");
    $here->run("update posts set status = 'draft' where title = 'e'");
    $here->run("insert into posts (title, status, note) "
        . "values ('f', 'open', 'hidden')");
    $here->run("delete from posts where title = 'f'");
    $pair->sync('changes between two runs');
    posts_are(['A open secret 5', 'b open three', 'd open shown'],
        'the last state counts');
    my $wire = join '', map { $_->[0] } @{ $there->rows(
        "select coalesce(body, '') from inbound_messages") };
    unlike($wire . $pair->{central}->sync('history', '--json')->{out},
        qr/hidden/, 'nothing was sent that did not match');
}

sub deletes {
    $here->run("delete from posts where title in ('c', 'e')");
    $here->run("update posts set status = 'draft' where title = 'd'");
    $pair->sync('deletes of what was never sent');
    $here->run("delete from posts where title = 'd'");
    $pair->sync('the delete of one that was');
    posts_are(['A open secret 5', 'b open three'], 'is followed');
}

# The condition fails for a row: that row stays here, the others leave.
sub failing {
    $here->run("insert into posts (title, status, place) values "
        . "('g', 'open', 0), ('h', 'open', 3)");
    $pair->sync('a row for which the condition fails');
    posts_are(['A open secret 5', 'b open three', 'h open -'],
        'does not stop another one');
    $here->run("update posts set place = 2 where title = 'g'");
    $pair->sync('now it does not');
    posts_are(['A open secret 5', 'b open three', 'g open -', 'h open -'],
        'and it leaves');
}

# What a peer sends is applied, and changes there come even if the row does not
# match here.
sub from_there {
    $there->run("insert into posts (title, status, note) "
        . "values ('x', 'draft', 'from there')");
    $pair->sync('a draft from there');
    is($here->value("select note from posts where title = 'x'"), 'from there',
        'is taken');
    $here->run("update posts set note = 'here' where title = 'x'");
    $pair->sync('its change here');
    is($there->value("select note from posts where title = 'x'"), 'from there',
        'stays here');
    $there->run("update posts set status = 'closed' where title = 'x'");
    $pair->sync('a change there');
    is($here->value("select status from posts where title = 'x'"), 'closed',
        'comes');
    $here->run("delete from posts where title = 'x'");
    $pair->sync('its delete here');
    is($there->value("select count(*) from posts where title = 'x'"), 0,
        'is followed');
}

# A column that is not sent may decide. References to what stays here.
sub references {
    $here->run("insert into authors (name, shown) values ('ann', 1), "
        . "('bob', 0);"
        . "insert into posts (title, status, author_id) select 'r', 'open', id "
        . "from authors where name = 'bob'");
    $here->run("insert into posts (title, status) values ('s', 'draft');"
        . 'insert into comments (post_id, body) select id, title from posts '
        . "where title in ('r', 's')");
    $pair->sync('references to what stays here');
    there_are('select name from authors', ['ann'], 'one author');
    there_are("select author_id from posts where title = 'r'", ['-'],
        'a post of the other one has none');
    there_are('select body from comments', ['r'],
        'a comment that cannot be without its post stays with it');
    $pair->is_settled('references');

    $here->run("update authors set shown = 1 where name = 'bob'");
    $here->run("update posts set status = 'open' where title = 's'");
    $pair->sync('both match now');
    $pair->sync('and what refers to them comes');
    there_are('select a.name, p.title from posts p join authors a '
        . 'on a.id = p.author_id', ['bob r'], 'the author');
    there_are('select c.body, p.title from comments c join posts p '
        . 'on p.id = c.post_id order by 1', ['r r', 's s'],
        'the comments');

    $here->run("update posts set status = 'draft' where title = 's'");
    $here->run("insert into comments (post_id, body) select id, 'late' "
        . "from posts where title = 's'");
    $pair->sync('a comment of a post that has been sent');
    there_are("select body from comments where body = 'late'", ['late'],
        'is sent');
}

sub leaving {
    $here->run("insert into options (name, value) values ('url', 'x'), "
        . "('tr-1', 'x'), ('title', 'Blog'), ('old', '1')");
    $there->run("insert into options (name, value) values ('theirs', 't')");
    $pair->sync('options');
    there_are('select name from options order by id',
        ['theirs', 'title', 'old'], 'some');
    $here->run("update options set name = 'tr-old' where name = 'old'");
    $here->run("update options set name = 'tr-theirs' where name = 'theirs'");
    $pair->sync('two leave');
    there_are('select name from options order by name', ['theirs', 'title'],
        'ours is deleted there, theirs is not');
    $pair->sync('the echo');
    is($here->value("select count(*) from options where name = 'tr-old'"), 1,
        'it is still here');
    $here->run("update options set value = '2' where name = 'tr-old'");
    $pair->sync('a change of it');
    $here->run("update options set name = 'old' where name = 'tr-old'");
    $pair->sync('it comes again');
    there_are('select name, value from options order by name',
        ['old 2', 'theirs t', 'title Blog'], 'as a new record');
    $there->run("update options set value = '3' where name = 'old'");
    $pair->sync('a change there');
    is($here->value("select value from options where name = 'old'"), 3,
        'is a change of our row');
    is($here->value("select count(*) from options where name = 'old'"), 1,
        'which is there once');
}

sub publishing {
    my $run;
    my $draft = $here->value("select id from posts where title = 's'");

    # of which nobody can tell whether it leaves
    $here->run("insert into posts (title, status, note, place) values "
        . "('fails', 'open', 'draft', 0)");
    for my $model (qw(author post comment option)) {
        $pair->{central}->sync_ok('publish', $model, '--all', '--quiet');
    }
    $pair->sync('all once more');
    there_are("select status from posts where title = 's'", ['open'],
        'publish --all sends what matches');
    $run = $pair->{central}->sync('publish', 'post', $draft);
    is($run->{exit}, 65, 'one that does not match cannot be published');
    like($run->{err}, qr/only 0 of 1 records of 'post' exist and match where=/,
        'and that is said');
    $run = $there->value('select count(*) from posts');
    $pair->{central}->sync_ok('publish', '--all', '--missing', '--quiet');
    $pair->sync('what was never sent');
    is($there->value('select count(*) from posts'), $run,
        '--missing sends nothing that does not match');
    $pair->is_settled('published');
}

sub verified {
    $here->run("insert into posts (title, status, note) values "
        . "('kept', 'draft', 'draft')");
    $here->run("insert into comments (post_id, body) select id, 'draft' "
        . "from posts where title = 'kept'");
    $pair->sync('a draft with a comment');
    my $run = $pair->{central}->sync('verify', '--json');
    my %found = map { $_->{model} => $_ }
      map { JSON::PP->new->decode($_) } split /\n/, $run->{out};

    is($run->{exit}, 0, 'verify finds nothing') or diag($run->{out});
    is_deeply([map { $_->{unpublished_here} } values %found], [0, 0, 0, 0],
        'rows that stay here are not missing');
    is($found{post}{outside}, 1, 'nor is one whose changes stay here');
    unlike($run->{out}, qr/draft/, 'what stays here is not shown');
    $pair->{central}->sync_ok('verify', '--repair', '--quiet');
    $pair->sync('repaired');
    there_are("select status from posts where title = 's'", ['open'],
        'nothing is repaired');
}

# A large row stays a row of the outbox, and is read when it is sent.
sub large {
    $here->run("insert into posts (title, status, note) values ('l', 'draft', '"
        . 'hidden ' x 4000 . "')");
    $pair->sync('a large draft');
    $here->run("update posts set status = 'open', note = '" . 'shown ' x 4000
        . "' where title = 'l'");
    $pair->sync('is published');
    is($there->value("select length(note) from posts where title = 'l'"),
        24000, 'and arrives');
    $here->run("update posts set note = '" . 'hidden ' x 4000
        . "', status = 'draft' where title = 'l'");
    $pair->sync('it is changed');
    is($there->value("select length(note) from posts where title = 'l'"),
        24000, 'and stays');
}

# Many rows that stay here do not end a run before those that leave.
sub many {
    my $values = join ', ', map { "('m $_', 'draft')" } 1 .. 2500;

    $here->run("insert into posts (title, status) values $values;"
        . "insert into posts (title, status) values ('n', 'open')");
    $pair->sync('2,500 drafts and a post');
    is($there->value("select count(*) from posts where title = 'n'"), 1,
        'which arrives');
    is($here->value('select count(*) from outbound_messages where seq is null'),
        0, 'nothing is left');
}

sub filter {
    open_pair(@_);
    inserts_and_updates();
    between_two_runs();
    deletes();
    failing() if $_[0] eq 'pgsql';
    from_there();
    $here->run("delete from posts where title not in ('A', 'b')");
    references();
    leaving();
    publishing();
    verified();
    large();
    many();
    is_deeply([map { $pair->parked($_) } $here, $there], [],
        'nothing is parked');
}

# Both sides have a filter, and messages are rows.
sub both {
    my $run;

    $pair = Communicator::Test::Pair->new(drivers => \@_, tables => $tables,
        models => "CommunicatorHistory rows\n"
          . qq(CommunicatorModel post table=posts "where=status = 'open'"\n));
    ($here, $there) = ($pair->central, $pair->facade);
    inserts_and_updates();
    between_two_runs();
    $there->run("update posts set status = 'draft', note = 'closed'");
    $pair->sync('they stop matching there');
    is($here->value("select count(*) from posts where note = 'closed'"), 0,
        'they stay here as they were');
    $run = $pair->{central}->sync('verify', '--json');
    is($run->{exit}, 0, 'verify finds nothing') or diag($run->{out});
    unlike($run->{out}, qr/closed/, 'what stays there is not shown');
    is(JSON::PP->new->decode($run->{out})->{outside}, 3, 'but counted');
    $pair->is_settled('both');
}

# migrate refuses a condition that cannot be asked, and says what a changed one
# leaves to do.
sub changed {
    my $line = 'CommunicatorModel post table=posts';
    my $node;

    $pair = Communicator::Test::Pair->new(drivers => \@_, tables => $tables,
        models => "$line\n");
    ($here, $there) = ($pair->central, $pair->facade);
    $node = $pair->{central};
    $here->run("insert into posts (title, status, place) values "
        . "('a', 'open', 1), ('b', 'draft', 2)");
    $pair->sync('two posts');
    $node->configure(conf => qq($line "where=statis = 'open'"\n));
    for my $command (qw(migrate check)) {
        my $run = $node->sync($command);

        isnt($run->{exit}, 0, "$command fails");
        like($run->{out} . $run->{err}, qr/where=statis = 'open'.*statis/s,
            'with the words of the database');
    }
    like($node->sync('configtest', '--dump')->{out},
        qr/table=posts .*"where=statis = 'open'"/,
        'configtest prints the line as it can be read');
    $node->configure(conf => qq($line where=place>1\n));
    like($node->sync('check')->{out}, qr/communicator-sync migrate/,
        'check says that a filter is new');
    like($node->sync('migrate')->{out}, qr/1 records of model 'post' are known to peers and do not match where=: they stay there as they are/,
        'migrate says that a record is outside now');
    $node->configure(conf => qq($line where=place>2\n));
    $node->sync_ok('migrate', '--quiet');
    $here->run("insert into posts (title, place) values ('c', 2)");
    $pair->sync('a post outside');
    is($there->value("select count(*) from posts where title = 'c'"), 0,
        'which stays here');
    $node->configure(conf => qq($line where=place<=2\n));
    like($node->sync('migrate')->{out}, qr/1 rows of table 'posts' were never sent; `communicator-sync publish post --all` sends them/,
        'migrate says that a row has come to match');
    $node->sync_ok('publish', 'post', '--all', '--quiet');
    $pair->sync('published');
    is($there->value("select count(*) from posts where title = 'c'"), 1,
        'now it is there');
}

Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3 pgsql-mysql
    mysql-pgsql)], 'filter', \&filter);
Communicator::Test::Pair->for_each(['sqlite3-pgsql'], 'both sides, rows',
    \&both);
Communicator::Test::Pair->for_each([qw(sqlite3-sqlite3 pgsql-sqlite3
    mysql-sqlite3)], 'a changed filter', \&changed);
done_testing();
