#!/usr/bin/perl

# A node of 0.9 is upgraded in place while messages are on their way: its
# database is what the programs of 0.9 left (t/upgrade/), its peer goes on with
# 0.9, as a client or a server, in the words that 0.9 was recorded with. The
# upgrade is cut at every statement. And a node of the gem with messages that
# nobody has received goes on with a peer of ours.
#
# EVERY=1 tries every statement; else it is every 17th.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Communicator::Test qw(client_file module_file is_alive wait_until slurp
  source_dir);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(reply);
use Communicator::Test::Old;
use Communicator::Test::Peer;
use Communicator::Test::Server;
use Communicator::Test::Session;
use Communicator::Test::Through;

plan skip_all => 'not built' unless -x client_file() && -e module_file();

my $json = JSON::PP->new->canonical->utf8;
my $every = $ENV{EVERY} || 17;

binmode $_, ':utf8' for Test::More->builder->output,
  Test::More->builder->failure_output;

# --- a peer of 0.9 ---

# What 0.9 knows of a message.
my %key = map { $_ => 1 }
  qw(id body origin original_id action clock clocks base refs);

# What the node of 0.9 and its peer know of each other, from DATABASE.
sub known {
    my ($database) = @_;
    my ($epoch, $last_seq) = @{ $database->rows(
        'select epoch, last_seq from communicator_node')->[0] };
    my ($peer_epoch, $confirmed, $received, $clock) = @{ $database->rows(
        'select epoch, confirmed, received, received_clock '
        . 'from communicator_peers')->[0] };

    return { epoch => $epoch, last_seq => $last_seq,
        clocks => { map { @$_ } @{ $database->rows('select seq, clock '
            . 'from outbound_messages where seq is not null') } },
        peer_epoch => $peer_epoch, confirmed => $confirmed,
        received => $received, clock => $clock };
}

# What the facade of 0.9 has written since: the wire of 0.9, word by word, but
# for the clocks. A change of a post that central has made, a new user, and a
# post of hers; then a delete.
sub written {
    my ($known) = @_;
    my $clock = $known->{clock} + 10_000_000;
    my $rest = '\"score\":\"5.50\",\"published\":null,\"created_at\":'
      . '\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}"';
    my $n = $known->{received};

    return map { s/\n *//gr } '{"id":' . ($n + 1) . ',"body":"{\"post\":{'
      . '\"title\":\"third there\",\"body\":\"changed there\",\"user_id\":1,'
      . $rest . ',"origin":"central","original_id":3,"clock":' . $clock
      . ',"clocks":["title",' . ($clock - 1000) . ']'
      . ',"base":' . $known->{clock} . ',"refs":{"user_id":["user",5]}}',
      '{"id":' . ($n + 2) . ',"body":"{\"user\":{\"name\":\"gina\"}}",'
      . '"origin":"facade","original_id":5,"clock":' . ($clock + 1) . '}',
      '{"id":' . ($n + 3) . ',"body":"{\"post\":{\"title\":\"of gina\",'
      . '\"body\":\"\u20ac 5\",\"user_id\":5,' . $rest . ',"origin":"facade",'
      . '"original_id":6,"clock":' . ($clock + 2)
      . ',"refs":{"user_id":"user"}}',
      '{"id":' . ($n + 4) . ',"body":"{\"post\":{}}","origin":"central",'
      . '"original_id":1,"action":"delete","clock":' . ($clock + 3)
      . ',"base":' . $known->{clock} . '}';
}

# The headers that 0.9 sends; HELD is the last message that it holds.
sub headers {
    my ($known, $held) = @_;

    return ('Communicator-Protocol' => 2, 'Communicator-Node' => 'facade',
        'Communicator-Epoch' => $known->{peer_epoch},
        'Communicator-Peer-Epoch' => $known->{epoch},
        'Communicator-Received' => $held, $known->{clocks}{$held}
        ? ('Communicator-Held' => "$held $known->{clocks}{$held}") : (),
        'Communicator-Clock' => $known->{clock} + 20_000_000);
}

sub answer {
    my ($known, $held, $status, $body, %more) = @_;
    my %headers = (headers($known, $held), %more);

    return reply($status, 'application/json', $body, 'Accept-Encoding: gzip',
        map { "$_: $headers{$_}" } sort keys %headers);
}

# A server of 0.9 that holds the messages up to HELD. It refuses what 0.9 would.
sub serve_old {
    my ($known, $held) = @_;
    my @written = written($known);

    return sub {
        my ($request) = @_;
        my $said = $request->{headers};
        my $query = $request->{query};
        my $wrong = $said->{'communicator-protocol'} ne '2' ? 'protocol'
          : $said->{'communicator-epoch'} ne $known->{epoch} ? 'epoch'
          : $said->{'communicator-peer-epoch'} ne $known->{peer_epoch}
          ? 'peer-epoch' : undef;

        return answer($known, $held, 409, "{\"error\":\"$wrong\"}",
            'Communicator-Error' => 'EPOCH') if $wrong;
        if ($request->{method} eq 'GET') {
            my $from = $query->{from_id} - $known->{received} - 1;
            my @list = $query->{limit} ? @written[$from .. $#written] : ();
            my $last = $known->{received} + (@list ? @written : $from);
            return answer($known, $held, 200, '[' . join(',', @list) . ']',
                'Communicator-Last' => $last, 'Communicator-More' => 0,
                'Communicator-Pending' => scalar @list,
                'Communicator-Oldest' => 0, 'Communicator-Parked' => 0);
        }
        my @messages = @{ $json->decode($request->{body}) };
        my ($strange) = grep { !$key{$_} } map { keys %$_ } @messages;
        return answer($known, $held, 400, "{\"error\":\"$strange\"}",
            'Communicator-Error' => 'MALFORMED') if $strange;
        return answer($known, $held, 409, '{"error":"gap"}',
            'Communicator-Error' => 'GAP') if $query->{after} > $held;
        $held = $query->{last} if ($query->{last} // 0) > $held;
        return answer($known, $held, 202, "{\"received\":$held,"
            . '"accepted":0,"repeated":0,"applied":0,"parked":[]}');
    };
}

# --- what has arrived ---

# The messages of LISTS (JSON), by their numbers; each as one line.
sub lines {
    my (@lists) = @_;
    my %line;

    for my $message (map { @{ $json->decode($_) } } @lists) {
        my ($attributes) = values %{ $json->decode($message->{body}) };
        my ($model) = keys %{ $json->decode($message->{body}) };
        $line{ $message->{id} } = join ' ', $message->{action} // 'save',
          $model, "$message->{origin}/$message->{original_id}",
          map { $attributes->{$_} // '-' }
          grep { exists $attributes->{$_} } qw(name title body score);
    }
    return \%line;
}

# What a node of 0.9 has numbered, and what it had not.
my %sent = (
    9 => 'save post central/3 third changed there 4.00',
    10 => 'save post central/5 fourth numbered 4.00',
    11 => 'delete post facade/4',
    12 => 'save post central/5 fourth not numbered 4.00',
    13 => 'save user central/9 emil',
    14 => 'save post central/6 fifth of emil 5.00',
    15 => 'save post central/3 written since changed there 4.00',
);

sub sent_from {
    my ($first) = @_;

    return { map { $_ => $sent{$_} } grep { $_ >= $first } keys %sent };
}

sub posts {
    my ($database) = @_;

    return join '; ', map { join ' ', map { $_ // '-' } @$_ }
      @{ $database->rows('select p.title, p.body, u.name from posts p '
          . 'left join users u on u.id = p.user_id order by p.title') };
}

my $posts = 'fifth of emil emil; fourth not numbered ann; '
  . 'of gina € 5 gina; written since changed there ann';

sub is_upgraded {
    my ($node, $known, $what) = @_;
    my $database = $node->database;

    is(posts($database), $posts, "$what: what the peer has written is here");
    is_deeply($database->rows('select n.epoch, p.epoch, p.confirmed, '
        . 'p.received, p.lost from communicator_node n, '
        . 'communicator_peers p'),
        [[$known->{epoch}, $known->{peer_epoch}, 15, 11, 0]],
        '  epochs and cursors go on');
    my $parked = $json->decode($node->sync('parked', '--json')->{out});
    is_deeply([map { $_->{id} } @$parked], [6, 7],
        '  what was parked still is');
}

# --- the upgraded node is the client, the peer a server of 0.9 ---

sub load {
    my ($driver) = @_;
    my $database = Communicator::Test::Database->new($driver);

    Communicator::Test::Old::load_old($database);
    return $database;
}

sub change {
    my ($database) = @_;

    $database->run("update posts set title = 'written since' "
        . "where title = 'third'");
}

# The peer holds the messages up to HELD: the numbered ones, or only those that
# it has confirmed.
sub as_client {
    my ($driver, $held) = @_;
    my $database = load($driver);
    my $known = known($database);
    my $server = Communicator::Test::Hostile->new(serve_old($known, $held));
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => Communicator::Test::Old::models())
      ->knows($server);

    $central->migrate;
    change($database);
    my $run = $central->sync;
    is($run->{exit}, 0, 'a run after the upgrade')
      or diag $run->{out}, $run->{err};
    my @lists = map { $_->{body} } grep { $_->{method} eq 'POST' }
      $server->requests;
    is_deeply(lines(@lists), sent_from($held + 1),
        'the messages keep their numbers, and new ones follow');
    is_upgraded($central, $known, 'client');
    is($central->sync('push')->{exit}, 0, 'nothing more is sent');
    is(@lists + 1, (grep { $_->{method} eq 'POST' } $server->requests),
        '  in one request');
    $server->stop;
}

# --- the upgraded node is the server, the peer a client of 0.9 ---

sub as_server {
    my ($driver, $held) = @_;
    my $database = load($driver);
    my $known = known($database);
    my $node = Communicator::Test::Server->new(name => 'central',
        peers => "CommunicatorPeer facade user=communicator\n",
        database => $database, conf => Communicator::Test::Old::models());

    $node->migrate->start;
    change($database);
    my @headers = headers($known, $held);
    my $push = $node->post("/messages.json?after=$known->{received}&last=11",
        '[' . join(',', written($known)) . ']', headers => { @headers,
            'Content-Type' => 'application/json',
            'Communicator-Newest' => 11 });
    is($push->{status}, 202, 'a push of 0.9 is accepted')
      or diag $push->{content};
    is($push->{headers}{'communicator-received'}, 11, '  all of it');
    my $pull = $node->get('/messages.json?from_id=' . ($held + 1)
          . '&limit=800&bytes=1048576', headers => { @headers });
    is($pull->{status}, 200, 'and a pull') or diag $pull->{content};
    is($pull->{headers}{'communicator-last'}, 15, '  up to the last message');
    is_deeply(lines($pull->{content}), sent_from($held + 1),
        '  with the numbers that 0.9 gave');
    ok(!(grep { !$key{$_} } map { keys %$_ }
            @{ $json->decode($pull->{content}) }), '  in words of 0.9');
    %$known = (%$known, clock => $known->{clock} + 30_000_000);
    $pull = $node->get('/messages.json?from_id=16&limit=0',
        headers => { headers($known, 15) });
    is($pull->{status}, 200, '  and it confirms them');
    is_upgraded($node, $known, 'server');
    $node->stop;
}

# --- the upgrade is cut ---

# What is known, as one text. The view shows no ids of mappings.
sub state_of {
    my ($database) = @_;
    my @questions = (
        'select origin, original_id, local_record_type, local_record_id, '
          . 'clock, clocks, deleted_at, same_origin, same_id '
          . 'from communicator_mappings order by 3, 1, 2',
        'select seq, model, local_record_id, action, body, changed_columns, '
          . 'clock, clocks, base, refs, origin, original_id '
          . 'from outbound_messages '
          . "where body not like '%meanwhile%' order by id",
        'select peer, id, attempts, error from inbound_messages order by 2',
        'select epoch, last_seq, migrated_seq, life, history '
          . 'from communicator_node',
        'select name, epoch, confirmed, received, held, received_clock, lost '
          . 'from communicator_peers',
        'select column_name, lost_value, won_value '
          . 'from communicator_conflicts',
        'select version, name from communicator_schema order by 1',
        'select type, integer_ids from communicator_models order by id',
        'select model, number, name from communicator_columns order by 1, 2',
    );

    return join "\n", map { join ' ', map { $_ // '-' } @$_ }
      map { @{ $database->rows($_) } } @questions;
}

# Migrate a database of 0.9 through a proxy that cuts the connection at
# statement NUMBER (0: never); return the node, and whether it was cut.
sub migrate_cut {
    my ($driver, $number) = @_;
    my $database = Communicator::Test::Through->new($driver);
    my $node = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => Communicator::Test::Old::models());

    Communicator::Test::Old::load_old($database);
    $database->plan_cut($number);
    my $run = $node->sync('migrate', '--quiet');
    my $was_cut = $database->was_cut;
    $database->plan_cut(0);
    $database->run("update users set name = 'meanwhile' where name = 'bob'");
    die "migrate: $run->{err}" if $run->{exit} && !$was_cut;
    $run = $node->sync('migrate', '--quiet');
    die "statement $number: migrate: $run->{err}" if $run->{exit};
    return ($node, $was_cut);
}

sub cut {
    my ($driver) = @_;
    my ($whole) = migrate_cut($driver, 0);
    my $want = state_of($whole->database);
    my ($number, $cut, @wrong) = (1, 1);

    for (; $cut && $number < 2000; $number += $every) {
        (my $node, $cut) = migrate_cut($driver, $number);
        my $database = $node->database;
        push @wrong, "$number: other state" if state_of($database) ne $want;
        push @wrong, "$number: the application's change is lost"
          if $database->value('select count(*) from outbound_messages '
              . "where body like '%meanwhile%' and seq is null") != 1;
        push @wrong, "$number: nobody knows which column it changed"
          if $database->value('select changed_columns from outbound_messages '
              . "where body like '%meanwhile%'") ne '["name"]';
        my $again = $node->sync('migrate');
        push @wrong, "$number: not done: $again->{out}"
          if $again->{out} !~ /nothing/;
    }
    is_deeply(\@wrong, [], "cut up to statement $number, it ends as without");
    cmp_ok($number, '>', 100, '  there are many statements');
}

# SQLite: one transaction, killed at any time. A broken view of the application
# is nothing to us.
sub killed {
    my $database = load('sqlite3');
    my $node = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => Communicator::Test::Old::models());
    my $version = 'select max(version) from communicator_schema';
    $database->run('create table gone (n int); '
        . 'create view broken as select n from gone; drop table gone;');
    my $known = known($database);
    my %seen;

    for my $delay (map { $_ * 0.002 } 1 .. 20) {
        my $pid = $node->sync_start('migrate', '--quiet');
        select undef, undef, undef, $delay;
        kill KILL => $pid;
        waitpid $pid, 0;
        $seen{ $database->value($version) }++;
    }
    $node->migrate;
    is_deeply(known($database), $known, 'killed at any time: nothing is lost');
    is($database->value('select count(*) from communicator_mappings'), 10,
        '  and nothing is twice');
    my $newest = $database->value($version);
    is((grep { $_ != 1 && $_ != $newest } keys %seen), 0, '  all or nothing')
      or diag join ' ', sort keys %seen;
}

# How many sessions wait for a lock on a table, per driver.
my %waiting = (
    pgsql => 'select count(*) from pg_locks where not granted',
    mysql => 'select count(*) from information_schema.processlist '
      . "where db = database() and state like 'Waiting for table metadata%'",
);

# A transaction of the application is open on a table whose triggers are to be
# renewed, and then writes into the outbox. Nobody else waits for that: while
# migrate waits, others write into the same table.
sub busy {
    my ($driver) = @_;
    my $database = load($driver);
    my $node = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => Communicator::Test::Old::models());
    my ($session, $other) = map {
        Communicator::Test::Session->new($database)
    } 1, 2;

    $session->run('begin; select id from posts where id = 3 for update;');
    $other->run('select 1');
    my $pid = $node->sync_start('migrate', '--quiet');
    ok(wait_until(sub {
        $database->value($waiting{$driver}) || !is_alive($pid)
    }), 'migrate waits for the application');
    my $began = time;
    $other->run("insert into posts (title) values ('soon')");
    cmp_ok(time - $began, '<', 4, '  and nobody waits long for migrate');
    $session->run("update posts set body = 'busy' where title = 'third';"
        . ' commit;');
    wait_until(sub { !is_alive($pid) }, 30);
    is($node->sync('migrate')->{out}, "nothing to do\n",
        '  and goes on after it');
    is($database->value("select body from posts where title = 'third'"),
        'busy', '  whose change is there');
    is($database->value('select count(*) from outbound_messages '
        . "where body like '%$_%' and seq is null"), 1, "  and captured: $_")
      for 'busy', 'soon';
    $session->stop;
    $other->stop;
}

# --- the gem ---

# A gem's classes go on with our tables: no column is named like an instance
# method of ActiveRecord::Base, from 2.3 to 8, which refuses the table then
# (DangerousAttributeError), or of Ruby's Object, which the column would hide.
my %dangerous = map { $_ => 1 } qw(
  association association_cache attribute attribute_method attribute_missing
  attribute_names attributes attributes_before_type_cast
  attributes_for_database attributes_in_database autosave becomes cache_key
  cache_version callbacks changed changed_attribute_names_to_save
  changed_attributes changes changes_applied changes_to_save ciphertext_for
  class clear_aggregation_cache clear_association_cache
  clear_attribute_changes clear_changes_information clone
  clone_attributes column_for_attribute committed connection
  connection_handler create_or_update create_record decrement decrypt
  default_timezone define_singleton_method delete destroy destroyed
  destroyed_by_association display dup encode_with encrypt errors extend
  flag_for_update freeze frozen from_json from_xml hash id_for_database
  id_in_database id_was increment increment_lock init_with inspect
  instance_eval instance_exec invalid itself locking_enabled logger
  mark_for_destruction marked_for_destruction method method_missing methods
  model_name new_record no_touching object_id partial_updates persisted
  populate_with_current_scope_attributes previous_changes
  previously_new_record previously_persisted public_send quoted_id
  raise_validation_error read_attribute read_attribute_for_validation
  read_store_attribute readonly record_timestamps reload
  remember_transaction_record_state respond_to restore_attributes rollback
  rollback_active_record_state rolledback run_callbacks save saved_changes
  send serializable_hash signed_id singleton_class slice store_full_sti_class
  strict_loading strict_loading_mode taint tap then to_gid to_json to_key
  to_model to_param to_partial_path to_s to_sgid to_xml to_yaml toggle touch
  touch_later transaction trigger_transactional_callbacks type update
  update_attribute update_attributes update_column update_columns valid
  validate validation_context values_at verify_readonly_attribute with_lock
  with_transaction_returning_status write_attribute write_store_attribute);

sub names {
    my ($driver) = @_;
    my $database = Communicator::Test::Database->new($driver);
    my @dangerous;

    Communicator::Test::Old::make_gem($database);
    my $node = Communicator::Test::Peer->new(name => 'central',
        database => $database, conf => '');
    like($node->sync('check')->{out},
        qr/^ok +tables of the gem: its records have names/m,
        'check says which gem is there');
    $node->migrate;
    for my $table (qw(outbound_messages inbound_messages
        communicator_mappings)) {
        my @columns = $database->columns($table);
        push @dangerous, map { "$table.$_" } grep { $dangerous{$_} } @columns;
        ok((grep { $_ eq 'origin' } @columns), "$table has columns");
    }
    is_deeply(\@dangerous, [], 'none is named like a method of ActiveRecord');
}

# Messages that nobody has received when both sides are upgraded have no clock.
sub gem {
    my ($driver) = @_;
    my @nodes = map { Communicator::Test::Database->new($driver) } 1, 2;
    my $when = "'2012-01-01 00:00:00'";

    $_->create('create table users (id {key}, name varchar(100)) {engine};'
        . 'create table posts (id {key}, title varchar(255), body {text}, '
        . 'user_id bigint) {engine};') for @nodes;
    my $facade = Communicator::Test::Server->new(database => $nodes[1],
        conf => Communicator::Test::Old::models());
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $nodes[0], conf => Communicator::Test::Old::models())
      ->knows($facade);
    $nodes[0]->run("insert into posts (title, body) values ('a', 'b')");
    Communicator::Test::Old::make_gem($nodes[0]);
    $nodes[0]->run('insert into communicator_mappings (origin, original_id, '
        . "local_record_type, local_record_id) values ('central', 1, 'Post', "
        . '1); insert into outbound_messages (body, origin, original_id, '
        . 'created_at, updated_at) values '
        . join ', ', map { qq[('{"post":{"title":"$_","body":"b"}}', ]
          . "'central', 1, $when, $when)" } 'first', 'a');
    $_->migrate for $facade, $central;
    $facade->start;
    $central->sync_ok;
    is(posts($nodes[1]), 'a b -', 'the messages of the gem arrive');
    $nodes[0]->run("update posts set body = 'c'");
    $nodes[1]->run("insert into posts (title) values ('there')");
    $central->sync_ok;
    is(posts($_), 'a c -; there - -', '  and both go on') for @nodes;
    $facade->stop;
}

# The gem of central kept posts of MODEL in CLASS. OPTION in the line of the
# model says that; without it central does not know its records.
sub other_class {
    my ($driver, $model, $class, $option) = @_;
    my @nodes = map { Communicator::Test::Database->new($driver) } 1, 2;
    my $conf = "CommunicatorModel user table=users\n"
      . "CommunicatorModel $model table=posts references=user_id:user";

    $_->create('create table users (id {key}, name varchar(100)) {engine};'
        . 'create table posts (id {key}, title varchar(255), body {text}, '
        . 'user_id bigint) {engine};') for @nodes;
    my $facade = Communicator::Test::Server->new(database => $nodes[1],
        conf => "$conf\n");
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $nodes[0], conf => "$conf\n")->knows($facade);
    $_->run("insert into posts (title, body) values ('a', 'b')") for @nodes;
    Communicator::Test::Old::make_gem($nodes[0]);
    $nodes[0]->run('insert into communicator_mappings (origin, original_id, '
        . "local_record_type, local_record_id) values ('facade', 1, "
        . "'$class', 1)");
    if ($option) {
        is_unclaimed($central, $class);
        $central->configure(conf => "$conf $option\n");
    }
    $_->migrate for $facade, $central;
    unlike($central->sync('check')->{out}, qr/no model has the class/,
        "$model in a class $class is known");
    $facade->start;
    $nodes[1]->run("update posts set body = 'c'");
    $central->sync_ok;
    is(posts($nodes[0]), 'a c -', '  and its records stay one');
    $facade->stop;
}

# Both commands name the class before anything has happened.
sub is_unclaimed {
    my ($node, $class) = @_;
    my $text = "no model has the class '$class', of which "
      . 'communicator_mappings has 1 record\b.*?\bclass=' . $class;

    like($node->sync('migrate', '--dry-run')->{err}, qr/$text/s,
        "migrate --dry-run names the class");
    like($node->sync('check')->{out}, qr/$text/s, '  and so does check');
}

# A gem without names, on both sides: everything has been delivered, all is
# published once, with OPTION in the model.
sub nameless {
    my ($option) = @_;
    my @nodes = map { Communicator::Test::Database->new('sqlite3') } 1, 2;
    my $conf = "CommunicatorModel post table=posts $option\n";
    my $facade = Communicator::Test::Server->new(database => $nodes[1],
        conf => $conf);
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => $nodes[0], conf => $conf)->knows($facade);
    my %time = (inbound => 'processed_at', outbound => 'delivered_at');

    for my $n (0, 1) {
        $nodes[$n]->run('create table posts (id integer primary key, '
            . "title varchar(255), body text); insert into posts values "
            . "(1, 't1', 'b'), (2, 't2', 'b');");
        $nodes[$n]->run("create table ${_}_messages (id integer primary key "
            . "autoincrement, body text not null, $time{$_} datetime, "
            . 'created_at datetime, updated_at datetime)') for keys %time;
        my $table = $n ? 'inbound' : 'outbound';
        $nodes[$n]->run("insert into ${table}_messages (body, $time{$table}, "
            . 'created_at, updated_at) values ' . join ', ',
            map { qq[('{"post":{"id":$_,"title":"t$_","body":"b"}}', ]
              . join(', ', ("'2012-01-01 00:00:00'") x 3) . ')' } 1, 2);
    }
    my $told = qr/the gem here was a release like 0\.2\.3, .* by match=/s;
    like($central->sync('check')->{out}, $told, "$option: check says which gem");
    like($central->sync('migrate', '--dry-run')->{err}, $told,
        '  and so does migrate');
    $_->migrate for $facade, $central;
    unlike($central->sync('check')->{out}, qr/of the gem/,
        '  until it is upgraded');
    $facade->start;
    $central->sync_ok('publish', '--all');
    $central->sync_ok;
    $nodes[0]->run("update posts set body = 'c' where id = 1");
    $nodes[1]->run("update posts set body = 'd' where id = 2");
    $central->sync_ok;
    is_deeply($_->rows('select id, title, body from posts order by id'),
        [[1, 't1', 'c'], [2, 't2', 'd']], "records without a name: $option")
      for @nodes;
    $facade->stop;
}

# A gem without names calls: each message is a new record here.
sub nameless_peer {
    my $facade = Communicator::Test::Server->new(
        database => Communicator::Test::Database->new('sqlite3'),
        conf => "CommunicatorModel post table=posts\n"
          . "CommunicatorModel tag table=tags keys=shared\n",
        peers => "CommunicatorPeer local user=communicator protocol=gem\n");
    my $database = $facade->database;
    my $post = sub {
        my ($id, $body, $more) = @_;
        $body =~ s/"/\\"/g;
        return $facade->post('/messages.json', qq([{"id":$id,"body":"$body")
            . ($more // '') . '}]')->{status};
    };
    my $told = qr/the gem of 'local' names no records, as release 0\.2\.3/;

    $database->create('create table posts (id {key}, title varchar(255));'
        . 'create table tags (id {key}, title varchar(255))');
    $facade->migrate->start;
    is($post->(1, '{"post":{"id":7,"title":"a"}}'), 202, 'a new record');
    is($post->(2, '{"post":{"id":7,"title":"b"}}'), 202, '  a change of it');
    is($database->value('select count(*) from posts'), 2, '  are two records');
    like($facade->sync('check')->{out}, $told, 'check says so');
    like($facade->sync('status')->{out}, $told, '  and so does status');
    is($post->(3, '{"post":{"id":7,"title":"b"}}',
        ',"origin":"local","original_id":7'), 202, 'a newer gem');
    unlike($facade->sync('check')->{out}, $told, '  ends that');

    is($post->($_, qq({"tag":{"id":7,"title":"tag $_"}})), 202,
        'with keys=shared') for 4, 5;
    is_deeply($database->rows('select id, title from tags'), [[7, 'tag 5']],
        '  it is one record');
    unlike($facade->sync('check')->{out}, $told, '  and nothing is said');
    $facade->stop;
}

for my $driver (Communicator::Test::Database->drivers) {
    subtest $driver => sub {
        my $missing = Communicator::Test::Database->missing($driver);
        plan skip_all => $missing if $missing;
        plan skip_all => 'earlier versions cannot use MySQL'
          if $driver eq 'mysql' && Communicator::Test::Engine::is_mysql();
        subtest 'client, not confirmed' => sub { as_client($driver, 8) };
        subtest 'client, reply lost' => sub { as_client($driver, 11) };
        subtest 'server, not confirmed' => sub { as_server($driver, 8) };
        subtest 'server, reply lost' => sub { as_server($driver, 11) };
        subtest 'cut' => sub {
            $driver eq 'sqlite3' ? killed() : cut($driver);
        };
        subtest 'busy' => sub { busy($driver) } if $driver ne 'sqlite3';
        subtest 'names of columns' => sub { names($driver) };
        subtest 'the gem' => sub { gem($driver) };
        subtest 'a class of another name' => sub {
            other_class($driver, 'post', 'Article', 'class=Article');
            other_class($driver, 'post', 'Blog::HTMLPost',
                'class=Blog::HTMLPost');
            other_class($driver, 'blog/post', 'Blog::Post');
        };
    };
}

subtest 'a gem without names' => sub {
    nameless($_) for 'match=title', 'keys=shared';
    nameless_peer();
};

done_testing();
