#!/usr/bin/perl

# The application alters its tables while both sides run, before anybody runs
# migrate: its statements work, and what they write arrives.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(run_program folder);
use Communicator::Test::Pair;

my $models = <<'CONF';
CommunicatorMaxBody 67108864
CommunicatorModel post table=posts
CommunicatorModel odd  table=odds
CONF
my ($pair, $here, $there);

sub tables {
    my ($database) = @_;
    my %odd = (
        mysql => 'one varchar(20) character set latin1,'
          . ' two varchar(20) character set latin2,'
          . ' three varchar(20) character set ucs2, number int(5) zerofill,'
          . ' born year',
    );
    my $odd = $odd{ $database->driver } || 'one varchar(20), two varchar(20),'
      . ' three varchar(20), number integer, born integer';

    my $code = $database->driver eq 'sqlite3' ? 'varchar(20)' : 'integer';

    return <<"SQL";
create table posts (
    id {key}, title varchar(60), n integer, old varchar(10), data {binary},
    code $code) {engine};
create table odds (id {key}, $odd) {engine};
SQL
}

sub posts_are {
    my ($column, $posts, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $pair->sync("$name, to the facade and back");
    $pair->sync("$name, again");
    $pair->both_have("select $column, n from posts order by $column", $posts,
        $name);
}

# On both sides at once, as an application's new version does it.
sub alter {
    my ($sql) = @_;

    $_->run($sql) for $here, $there;
}

sub migrate { $_->migrate for $pair->nodes }

# What the triggers were not made for: DATABASE's statements work.
sub works {
    my ($database, $sql, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $done = eval { $database->run($sql); 1 };
    ok($done, $database->driver . ": $name") or diag $@;
}

sub renamed_column {
    $_->run("insert into posts (title, n) values ('early "
        . $_->driver . "', 1);") for $here, $there;
    alter('alter table posts rename column title to headline');
    works($_, "insert into posts (headline, n) values ('late "
        . $_->driver . "', 2), ('gone', 0);"
        . "update posts set n = 3 where headline like 'early%';"
        . "delete from posts where headline = 'gone';",
        'a column was renamed') for $here, $there;
    my @drivers = sort map { $_->driver } $here, $there;
    posts_are('headline', [(map { ["early $_", 3] } @drivers),
        (map { ["late $_", 2] } @drivers)], 'a renamed column');
    works($here, "update posts set headline = 'x' where n = 3", 'and then');
    migrate();
    works($here, "update posts set n = 4 where n = 2", 'and after migrate');
    $here->run("delete from posts where headline like 'late%';");
    posts_are('headline', [['x', 3], ['x', 3]], 'migrated');
}

# SQLite refuses to drop a column that a trigger names.
sub dropped_column {
    for my $node ($pair->nodes) {
        my $database = $node->database;
        my $sql = 'alter table posts drop column old';

        if ($database->driver eq 'sqlite3') {
            ok(!eval { $database->run($sql); 1 }, 'SQLite refuses it');
            my $run = $node->sync('migrate', '--drop-triggers', 'post');
            like($run->{out}, qr/drops the triggers of table posts/,
                'migrate --drop-triggers says what it does');
            is($run->{exit}, 0, '  and works');
            $run = $node->sync('check');
            like($run->{out}, qr/triggers of 'posts' are missing/,
                '  which check knows');
        }
        works($database, $sql, 'a column is dropped');
        $node->migrate if $database->driver eq 'sqlite3';
        works($database, "insert into posts (headline, n) values ('new', 5);"
            . "update posts set n = 6 where n = 5", '  and rows are written');
    }
    posts_are('headline', [['new', 6], ['new', 6], ['x', 3], ['x', 3]],
        'a dropped column');
    migrate();
}

sub retyped_column {
    for my $database ($here, $there) {
        my %sql = (
            pgsql => 'alter table posts alter column code type text',
            mysql => 'alter table posts modify column code varchar(20)',
        );
        $database->run($sql{ $database->driver })
          if $sql{ $database->driver };
    }
    # Its connections remember for some seconds how the table was.
    $pair->{facade}->restart;
    works($_, "insert into posts (headline, code) values ('r', 'a \"b'),"
        . " ('s', '007');", 'a column became text') for $here, $there;
    my $text = q(select headline, code from posts)
      . q( where headline in ('r', 's') order by 1);
    $pair->sync('a column that became text');
    $pair->sync('both ways');
    for my $database ($here, $there) {
        my $rows = $database->rows($text);
        is_deeply($rows, [(['r', 'a "b']) x 2, (['s', '007']) x 2],
            $database->driver . ' has the text');
    }
    migrate();
    $here->run("delete from posts;");
    $pair->sync('the end of them');
}

# Bytes of which the digits are longer than MariaDB lets a value be.
sub large {
    my ($from, $to) = $here->driver eq 'mysql' ? ($here, $there)
      : ($there, $here);

    works($from, "insert into posts (headline, data) values ('large',"
        . " concat('x', repeat('y', 8999999)));", 'nine million bytes');
    works($from, "update posts set data = concat('z', repeat('y', 8999999))"
        . " where headline = 'large';", '  and others');
    $pair->sync('a large value');
    $pair->sync('both ways');
    my $length = $to->driver eq 'pgsql' ? 'octet_length' : 'length';
    is_deeply($to->rows("select $length(data), substr(data, 1, 1) = "
            . ($to->driver eq 'pgsql' ? "'z'::bytea" : "x'7a'")
            . ' from posts'), [[9_000_000, $to->driver eq 'pgsql' ? 't' : 1]],
        'it arrives whole');
    $to->run("update posts set n = 1;");
    $pair->sync('a change of the other side');
    is($from->value('select n from posts'), 1, 'comes back');
    is($from->value('select octet_length(data) from posts'), 9_000_000,
        '  and leaves it alone');
    is($pair->{central}->sync('verify')->{exit}, 0, 'verify finds them equal');
}

sub odds {
    my @odds;

    for my $database ($here, $there) {
        my $born = $database->driver eq 'mysql' ? 0 : 1999;

        push @odds, ['a', 'B', 'c', 42, $born];
        works($database, "insert into odds (one, two, three, number, born)"
            . " values ('a', 'b', 'c', 42, $born);"
            . "update odds set two = 'B';", 'columns of several character sets');
    }
    @odds = sort { $a->[4] <=> $b->[4] } @odds;
    $pair->sync('columns of several character sets');
    $pair->sync('both ways');
    for my $database ($here, $there) {
        is_deeply($database->rows('select one, two, three, number + 0,'
                . ' born + 0 from odds order by born'), \@odds,
            $database->driver . ': all are there');
    }
}

# A table is gone while its changes wait: pushes stop, since nobody knows
# whether it comes back, and go on when its model is removed.
sub dropped_table {
    my $central = $pair->{central};

    $here->run("insert into posts (n) values (77); update odds set number = 78;"
        . 'drop table posts;');
    my $run = $central->sync;
    is($run->{exit}, 78, 'a table is dropped');
    my $words = join ' ', split ' ', $run->{err};
    like($words, qr/no table 'posts' hint: create it/, '  the run names it');
    like($words, qr/remove model 'post': .* skipped/,
        '  and says what lets the others go on');
    $central->configure(conf => $models =~ s/^CommunicatorModel post.*\n//mr);
    $pair->sync('  without its model');
    is($there->value('select count(*) from odds where number + 0 <> 78'), 0,
        '  the others go on');
}

Communicator::Test::Pair->for_each(
    [qw(sqlite3-pgsql pgsql-mysql mysql-sqlite3)], sub {
    $pair = Communicator::Test::Pair->new(drivers => [@_],
        tables => \&tables, models => $models);
    ($here, $there) = $pair->databases;

    odds();
    renamed_column();
    dropped_column();
    retyped_column();
    large() if grep { $_ eq 'mysql' } @_;
    $pair->is_settled('in the end');
    dropped_table();
    $pair->stop;
});

done_testing();
