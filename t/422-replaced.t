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
use Communicator::Test::Old;
use Communicator::Test::Peer;
use Communicator::Test::Server;

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
        qr/^3 messages of the gem's time that wait .* their creation$/m,
        'migrate gives what waits its time');
    $facade->migrate;
    unlike($central->sync('migrate')->{out}, qr/gem's time that wait/,
        '  once');
    is($nodes[0]->value('select min(clock) from outbound_messages'),
        '1325376000000000', '  of its creation, in UTC');
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

for my $driver (Communicator::Test::Database->drivers) {
    my $missing = Communicator::Test::Database->missing($driver);

    subtest "what waits ($driver)" => sub {
        plan skip_all => $missing if $missing;
        waiting($driver);
    };
}

done_testing();
