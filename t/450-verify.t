#!/usr/bin/perl

# communicator-sync verify: it finds what differs, by whatever it came about,
# says nothing of what is only under way, and repairs.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file slurp spew);
use Communicator::Test::Pair;

plan skip_all => 'the client is not built' unless -x client_file();

my $json = JSON::PP->new;
my $tables = sub {
    my ($database, $name) = @_;
    my $more = $name eq 'facade' ? 'visits bigint' : 'secret varchar(50)';

    return <<"SQL";
create table authors (id {key}, name varchar(255) not null, $more) {engine};
create table posts (
    id {key}, author_id bigint, title varchar(255) not null, body {text},
    price decimal(10,2), shown {boolean}, at {timestamp}, $more) {engine};
SQL
};
my $models = <<'CONF';
CommunicatorModel author table=authors
CommunicatorModel post   table=posts references=author_id:author
CONF
my $pair;

# What verify says with ARGUMENTS: its exit status, and per model a hash.
sub verify {
    my (@arguments) = @_;
    my $run = $pair->{central}->sync('verify', '--json', @arguments);
    my %found = map { $_->{model} => $_ }
      map { $json->decode($_) } split /\n/, $run->{out};

    diag($run->{err}) if $run->{err};
    return ($run->{exit}, \%found);
}

sub is_equal {
    my ($name) = @_;
    my ($exit, $found) = verify();
    my @bad = map { @{ $_->{differences} } } values %$found;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($exit, 0, $name) or diag(explain($found));
    is_deeply(\@bad, [], "$name: nothing is found");
    return $found;
}

# The differences of FOUND as lines.
sub lines {
    my ($found) = @_;

    return [sort map {
        "$_->{kind} $_->{origin}/$_->{original_id}: "
          . join ',', sort map { $_->{column} } @{ $_->{columns} }
    } @{ $found->{post}{differences} }];
}

# Change DATABASE so that nobody is told.
sub silently {
    my ($database, $sql) = @_;

    $database->run("$sql;\ndelete from outbound_messages where seq is null;");
}

# COUNT posts, one statement.
sub posts {
    my ($from, $count) = @_;

    return 'insert into posts (author_id, title, body, price, shown, at) '
      . 'values ' . join ', ', map {
        "(1, 'post $_', 'it''s \xc3\xa4', $_.10, "
          . ($_ % 2 ? 'true' : 'false') . ", '2026-11-23 10:11:12')"
    } $from .. $from + $count - 1;
}

sub fill {
    for my $database ($pair->databases) {
        $database->run("insert into authors (name) values ('one'), ('two')");
        $database->run(posts(1, $database == $pair->central ? 700 : 300));
    }
    # ids that were deleted and are used once more
    $pair->central->run("delete from posts where id in (256, 512)");
    $pair->central->run("insert into posts (id, title) "
        . "values (256, 'again'), (512, 'again')");
    $pair->sync('a first load');
}

sub check_differences {
    my ($central, $facade) = $pair->databases;

    silently($central, "update posts set title = 'changed', price = 7 "
        . "where title = 'post 301'");
    silently($facade, "update posts set author_id = 2, body = null "
        . "where title = 'post 302'");
    silently($facade, "delete from posts where title = 'post 303'");
    silently($central, "delete from posts where title = 'post 7' "
        . "and id > 700");
    silently($facade, "insert into posts (title) values ('never sent')");
    $central->run("update posts set title = 'new' where title = 'post 304'");
    my ($exit, $found) = verify();
    is($exit, 65, 'records differ');
    is_deeply(lines($found), ['differs central/301: price,title',
        'differs central/302: author_id,body', 'missing here facade/7: ',
        'missing there central/303: '], '  and are named');
    is_deeply([@{ $found->{post} }{qw(under_way unpublished_there)}], [1, 1],
        '  beside one under way and one that was never sent');
    is($found->{author}{differ}, 0, '  the other model is well');
    my $text = $pair->{central}->sync('verify', 'post')->{out};
    like($text, qr/differs +central\/301: title, price\n/, '  in words');
    like($text, qr/1 records of 'facade' were never sent/, '  with the remedy');
    like($pair->{central}->sync('verify', '--verbose', 'post')->{out},
        qr/title \(here changed, there post 301\)/, '  and their values');
}

sub check_repair {
    my $run = $pair->{central}->sync('verify', '--json', '--repair', 'post');
    my $found = $json->decode((split /\n/, $run->{out})[0]);

    is($run->{exit}, 64, 'a repair does not know which side is right');
    like($run->{err}, qr/2 records are on one side only.*--from central/s,
        '  about what only one side has, and says so');
    is($found->{undecided}, 2, '  in numbers, too');
    cmp_ok($found->{published_here} * $found->{published_there}, '>', 0,
        '  what differs is published by each side');
    like($pair->{central}->sync('verify', '--repair', 'post')->{out},
        qr/missing there +central\/303/, '  and the others are named');
    $pair->sync('what differs');
    (undef, $found) = verify();
    is_deeply(lines($found), ['missing here facade/7: ',
        'missing there central/303: '], '  nobody has brought them back');
    for my $wrong (['--from', 'central'], ['--repair', '--from', 'nobody']) {
        is($pair->{central}->sync('verify', @$wrong)->{exit}, 64,
            "wrong: @$wrong");
    }
    my $exit;
    ($exit, $found) = verify('--repair', '--from', 'central', 'post');
    is($exit, 65, 'with --from that side is right');
    is_deeply([@{ $found->{post} }{qw(published_here published_there left)}],
        [1, 0, 1], '  its records are sent, others left');
    $pair->sync('what central has');
    (undef, $found) = verify('--repair', '--from', 'facade', 'post');
    is_deeply(lines($found), ['missing here facade/7: '], 'so it was');
    is($found->{post}{published_there}, 1, '  and the same the other way');
    is($pair->{facade}->sync('publish', 'post', '--where',
        "title = 'never sent'")->{exit}, 0, '  that is published by hand');
    $pair->sync('the repair');
    is_equal('it is repaired');
}

# Either side's messages may be under way, also when they are parked.
sub check_under_way {
    my ($central, $facade) = $pair->databases;

    $central->run("update posts set title = 'x' where title = 'post 401'");
    $facade->run("delete from posts where title = 'post 402'");
    $facade->run("insert into posts (title) values ('late')");
    my ($exit, $found) = verify();
    is($exit, 75, 'what is under way is no difference');
    is($found->{post}{under_way}, 3, '  but is counted');
    $pair->sync('what was under way');
    is_equal('it has arrived');
}

# The gem knew no clocks.
sub check_gem_time {
    my ($central, $facade) = $pair->databases;

    $_->run('update ' . $_->records('Post') . ' set clock = 0, '
        . "clocks = null where (origin = 'central' and original_id = '405') "
        . "or (origin = 'facade' and original_id = '10')") for $central, $facade;
    silently($facade, "update posts set title = 'of old' "
        . "where title = 'post 405'");
    silently($facade, 'delete from posts where id = 10');
    my ($exit, $found) = verify();
    is($exit, 65, "records of the gem's time");
    is_deeply(lines($found), ['differs central/405: title',
        'missing there facade/10: '], '  differ as others do');
    verify('--repair', '--from', 'central');
    $pair->sync('the repair of what has no clock');
    $pair->sync('and what comes back of it');
    is_equal('it is repaired, too');
}

# A record that stands twice on one side has equal values on both.
sub check_twice {
    my ($central, $facade) = $pair->databases;

    silently($facade, "insert into posts (title) values ('double')");
    my $id = $facade->value("select id from posts where title = 'double'");
    silently($central, "insert into posts (title) values ('double')");
    my $own = $central->value("select id from posts where title = 'double'");
    # one name, and then another one for a second row there
    my $map = sub {
        my ($database, $origin, $name, $local, @same) = @_;

        @same = ('null', 'null') if !@same;
        $database->run('insert into ' . $database->records('Post')
            . ' (origin, original_id, local_id, clock, same_origin, same_id) '
            . "values ('$origin', '$name', $local, 7, $same[0], $same[1])");
    };
    $map->($central, 'central', 'twin', "'$own'");
    $map->($facade, 'central', 'twin', "'$id'");
    is_equal('a record that both have');
    silently($facade, "insert into posts (title) values ('double')");
    my $second = $facade->value(
        "select max(id) from posts where title = 'double'");
    $map->($facade, 'facade', 'twin', "'$second'");
    $map->($central, 'facade', 'twin', 'null', "'central'", "'twin'");
    my ($exit, $found) = verify('post');
    is("$exit $found->{post}{differ} $found->{post}{extra_rows}", '65 0 -1',
        'a record that stands twice there') or diag(explain($found));
    like($pair->{central}->sync('verify', 'post')->{out},
        qr/'facade' has 1 rows more than its records explain/, '  in words');
    silently($facade, "delete from posts where id = $second");
    $_->run('delete from ' . $_->records('Post') . " where origin = 'facade' "
        . "and original_id = 'twin'") for $central, $facade;
    is_equal('and no longer');
}

# PostgreSQL's row level security hides rows from who is no superuser.
sub check_hidden {
    my ($central) = $pair->databases;
    my $conf = "$pair->{central}{dir}/node.conf";
    my $before = slurp($conf);

    $central->run("insert into posts (title) values ('hidden')");
    $pair->sync('a record that will be hidden');
    $central->run(<<'SQL');
create role limited login;
grant all on all tables in schema public to limited;
grant all on all sequences in schema public to limited;
alter table posts enable row level security;
create policy most on posts using (title <> 'hidden');
SQL
    is_equal('who may see all rows');
    spew($conf, $before =~ s/user=postgres/user=limited/r);
    my ($exit, $found) = verify('post');
    is($exit, 65, 'row level security');
    is_deeply([@{ $found->{post} }{qw(hidden_here hidden_there)}], [1, 0],
        '  is noticed') or diag(explain($found));
    like($pair->{central}->sync('verify', 'post')->{out},
        qr/security of 'central' hides rows .*BYPASSRLS/, '  and named');
    spew($conf, $before);
    $central->run('alter table posts disable row level security; '
        . 'drop owned by limited; drop role limited');
}

# A side that has many records of which the other has none.
sub check_lost {
    silently($pair->facade, 'delete from posts');
    my ($exit, $found) = verify('post');
    my $records = $found->{post}{records};

    is("$exit $found->{post}{differ}", "65 $records", 'all are missing');
    verify('--repair', '--from', 'central');
    $pair->sync('all of them');
    is_equal('all are there again');
}

Communicator::Test::Pair->for_each(
    [qw(pgsql-mysql mysql-sqlite3 sqlite3-pgsql)], sub {
    my ($central) = @_;

    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => $tables, models => $models);
    is_equal('empty tables');
    fill();
    my $found = is_equal('equal records');
    is($found->{post}{records}, 1000, '  all were compared');
    check_differences();
    check_repair();
    check_under_way();
    check_gem_time();
    check_twice();
    check_hidden() if $central eq 'pgsql';
    check_lost();
    $pair->{facade}->log_has_only;
    $pair->stop;
});

done_testing();
