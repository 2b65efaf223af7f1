package Communicator::Test::Torture;

# Some nodes, applications that change records on all of them at once, and
# everything that can go wrong between. After quiet all nodes hold the same.
#
#   my $torture = Communicator::Test::Torture->new(seed => 7,
#       drivers => [qw(pgsql sqlite3 mysql)]);   # a hub and its facades
#   $torture->step for 1 .. 20;
#   $torture->settle;
#   diag $_ for $torture->differences;           # empty when all is well
#
# Everything random comes from the seed, so a seed can be played again; what
# the operating system does in between (who gets a lock first) cannot.

use strict;
use warnings;
use Communicator::Test qw(run_program start_process wait_until is_alive own
  web_user);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server;

my $tables = <<'SQL';
create table authors (id {key}, name varchar(80), city varchar(80),
    boss_id bigint) {engine};
create table posts (id {key}, author_id bigint, title varchar(100),
    body {text}, score decimal(12,4), published {boolean}, visits bigint)
    {engine};
create table countries (code varchar(20) primary key, name varchar(80))
    {engine};
create table events (id {key}, token varchar(40) not null) {engine};
create table test_skew (offset_us bigint) {engine};
insert into test_skew values (0);
SQL

my $models = <<'CONF';
CommunicatorModel author table=authors references=boss_id:author
CommunicatorModel post table=posts references=author_id:author
CommunicatorModel country table=countries key=code keys=shared
CommunicatorModel event table=events
CONF

# The host's clock is wrong by test_skew: what triggers write is moved.
my %skew = (
    sqlite3 => <<'SQL',
create trigger test_skew after insert on outbound_messages
when new.clock > 0 and new.seq is null begin
    update outbound_messages
        set clock = clock + (select offset_us from test_skew)
        where id = new.id;
end;
SQL
    pgsql => <<'SQL',
create function test_skew() returns trigger language plpgsql as $$
begin
    if new.clock > 0 and new.seq is null then
        new.clock := new.clock + (select offset_us from public.test_skew);
    end if;
    return new;
end $$;
create trigger test_skew before insert on outbound_messages
    for each row execute function test_skew();
SQL
    mysql => <<'SQL',
create trigger test_skew before insert on outbound_messages for each row
    set new.clock = if(new.clock > 0 and new.seq is null,
        new.clock + (select offset_us from test_skew), new.clock);
SQL
);

my %pause = (
    sqlite3 => ".shell sleep %.2f\n",
    pgsql => "select pg_sleep(%.2f);\n",
    mysql => "do sleep(%.2f);\n",
);

# drivers: the hub's, then one per facade. own_servers: databases may be
# restarted too.
sub new {
    my ($class, %with) = @_;
    my $self = bless { tokens => 0, log => [], %with }, $class;
    my @drivers = @{ $with{drivers} };
    my @names = ('central', map { "facade$_" } 1 .. $#drivers);

    srand $with{seed};
    for my $i (0 .. $#names) {
        my $database = Communicator::Test::Database->new($drivers[$i],
            own_server => $with{own_servers});
        my $kind = $i ? 'Server' : 'Peer';
        $database->create($tables);
        # Ids differ on all nodes.
        $database->run("insert into $_ (id) values (@{[ 1000 * $i + 10 ]});"
            . "delete from $_;") for qw(authors posts);
        my $node = "Communicator::Test::$kind"->new(name => $names[$i],
            database => $database, conf => $models);
        $node->migrate;
        $database->run($skew{ $drivers[$i] });
        push @{ $self->{nodes} }, $node;
    }
    $self->connect;
    return $self;
}

# Each facade is reached through a network of its own.
sub connect {
    my ($self) = @_;
    my ($hub, @facades) = @{ $self->{nodes} };

    for my $facade (@facades) {
        $facade->start;
        my $proxy = Communicator::Test::Proxy->new(to => $facade->port,
            seed => $self->{seed});
        push @{ $self->{proxies} }, $proxy;
        my $port = $facade->{port};
        $facade->{port} = $proxy->{port};
        $hub->knows($facade);
        $facade->{port} = $port;
    }
}

sub note_down {
    my ($self, $what) = @_;

    push @{ $self->{log} }, $what;
}

sub one_of { return $_[ rand @_ ] }

# A word, at times one that is hard to carry.
sub word {
    my @hard = ('', "it''s", 'a "quoted" word', 'back\\\\slash', "\x{1F600}",
        "two\nlines", '100%s', "\x{e9}\x{20ac}");

    return rand() < 0.2 ? one_of(@hard)
      : join '', map { chr 97 + rand 26 } 1 .. 4 + rand 8;
}

sub quoted {
    my ($driver, $word) = @_;

    $word =~ s/\\\\/\\/g unless $driver eq 'mysql';
    return "'$word'";
}

# The keys that TABLE holds on NODE now.
sub keys_of {
    my ($node, $table, $key) = @_;

    return map { $_->[0] }
      @{ $node->database->rows("select $key from $table order by 1") };
}

# One random statement for NODE; IDS: table -> ids there.
sub statement {
    my ($self, $node, $ids) = @_;
    my $driver = $node->database->driver;
    my $text = sub { quoted($driver, word()) };
    my $author = sub {
        @{ $ids->{authors} } && rand() < 0.8 ? one_of(@{ $ids->{authors} })
          : 'null';
    };
    my $number = int(rand 1e6) / 1e4;
    my %change = (
        title => $text, body => $text, author_id => $author,
        score => sub { sprintf '%.4f', rand 1000 },
        visits => sub { int rand 1e6 },
        published => sub { one_of('true', 'false', 'null') },
    );
    my $choice = rand;

    if ($choice < 0.10) {
        return 'insert into authors (name, city, boss_id) values ('
          . join(', ', $text->(), $text->(), $author->()) . ");\n";
    }
    if ($choice < 0.30) {
        return 'insert into posts (author_id, title, body, score, published, '
          . 'visits) values ('
          . join(', ', map { $change{$_}->() }
              qw(author_id title body score published visits)) . ");\n";
    }
    if ($choice < 0.38) {
        my $token = sprintf '%d-%d', $self->{seed}, ++$self->{tokens};
        push @{ $self->{attempt} }, $token;
        return "insert into events (token) values ('$token');\n";
    }
    if ($choice < 0.50) {
        my $code = 'C' . int rand 10;
        return "delete from countries where code = '$code';\n"
          if rand() < 0.25;
        return "update countries set name = @{[ $text->() ]} "
          . "where code = '$code';\n" if rand() < 0.5;
        return "insert into countries (code, name) select '$code', "
          . "@{[ $text->() ]} where not exists "
          . "(select 1 from countries where code = '$code');\n";
    }
    if ($choice < 0.60 && @{ $ids->{authors} }) {
        my $id = one_of(@{ $ids->{authors} });
        return "update authors set city = @{[ $text->() ]}, "
          . "boss_id = @{[ $author->() ]} where id = $id;\n" if rand() < 0.6;
        return "delete from authors where id = $id;\n" if rand() < 0.3;
    }
    return "update posts set visits = visits + 1;\n" if rand() < 0.05;
    if (@{ $ids->{posts} }) {
        my $id = one_of(@{ $ids->{posts} });
        return "delete from posts where id = $id;\n" if rand() < 0.08;
        return "delete from posts where id = $id;\n"
          . "insert into posts (id, title) values ($id, 'again');\n"
          if rand() < 0.05;
        my %set = map { $_ => $change{$_}->() }
          map { one_of(keys %change) } 1 .. 1 + rand 3;
        return 'update posts set '
          . join(', ', map { "$_ = $set{$_}" } sort keys %set)
          . " where id = $id;\n";
    }
    return '';
}

# A transaction of the application on NODE, started in the background.
sub transaction {
    my ($self, $node) = @_;
    my $database = $node->database;
    my $driver = $database->driver;
    my %ids = map { $_ => [keys_of($node, $_, 'id')] } qw(authors posts);
    my $sql = $driver eq 'sqlite3' ? "begin immediate;\n" : "begin;\n";

    $self->{attempt} = [];
    for (1 .. 1 + rand 4) {
        $sql .= $self->statement($node, \%ids);
        $sql .= sprintf $pause{$driver}, rand 0.4 if rand() < 0.3;
    }
    my $commits = rand() > 0.15;
    $sql .= $commits ? "commit;\n" : "rollback;\n";
    my $file = sprintf '%s/transaction-%d.sql', $node->{dir},
      ++$self->{transactions};
    Communicator::Test::spew($file, $sql);
    my @stop = $driver eq 'pgsql' ? qw(-v ON_ERROR_STOP=1) : ();
    my $pid = start_process([$database->client_command(@stop)],
        in => $file, out => "$file.out");
    push @{ $self->{running} }, { pid => $pid, file => $file,
        tokens => $commits ? $self->{attempt} : [] };
}

# Wait for the applications, and learn which of them have committed.
sub join_transactions {
    my ($self) = @_;

    for my $run (@{ delete $self->{running} || [] }) {
        waitpid $run->{pid}, 0;
        push @{ $self->{committed} }, @{ $run->{tokens} } if $? == 0;
    }
}

# One run of the client, which may be killed under way.
sub exchange {
    my ($self) = @_;
    my $hub = $self->{nodes}[0];
    my $pid = $hub->sync_start;
    my $end = rand() < 0.3 ? rand 0.15 : undef;

    if (defined $end) {
        select undef, undef, undef, $end;
        kill KILL => $pid;
        $self->note_down(sprintf 'client killed after %.3f s', $end);
    }
    $self->mishap if rand() < 0.3;
    wait_until(sub { !is_alive($pid) }, 120)
      or die "the client hangs (seed $self->{seed})\n";
}

# Something breaks while the client is at work.
sub mishap {
    my ($self) = @_;
    my ($hub, @facades) = @{ $self->{nodes} };
    my $facade = one_of(@facades);

    select undef, undef, undef, rand 0.1;
    if (rand() < 0.6) {
        my @children = $facade->children or return;
        kill KILL => one_of(@children);
        $self->note_down('a child of httpd killed');
    }
    elsif ($self->{own_servers}) {
        my $node = one_of($hub, $facade);
        return if $node->database->driver eq 'sqlite3';
        $self->note_down($node->name . ': database restarted');
        $self->join_transactions;
        $node->database->restart(one_of('', 'crash'));
    }
}

# Some transactions at once, some exchanges, all that can happen.
sub step {
    my ($self) = @_;
    my @nodes = @{ $self->{nodes} };

    for my $node (@nodes) {
        next if rand() > 0.3;
        my $hours = rand() < 0.3 ? 0 : 12 * rand() - 6;
        $node->database->run('update test_skew set offset_us = '
            . int($hours * 3600e6));
    }
    $_->trouble(one_of(0, 0.2, 0.5)) for @{ $self->{proxies} };
    $self->transaction(one_of(@nodes)) for 1 .. 1 + rand 5;
    $self->exchange for 1 .. rand 3;
    $self->join_transactions if rand() < 0.7;
}

# Let everything come through.
sub settle {
    my ($self) = @_;
    my ($hub, @facades) = @{ $self->{nodes} };

    $self->join_transactions;
    $_->trouble(0) for @{ $self->{proxies} };
    for my $round (1 .. 15) {
        my $run = $hub->sync;
        $self->{last_words} = $run->{out} . $run->{err};
        next if $run->{exit} || $run->{signal};
        return $round if !$self->waiting;
    }
    return 0;
}

# What is still to be sent or applied, in words; empty when nothing is.
sub waiting {
    my ($self) = @_;
    my @waiting;

    for my $node (@{ $self->{nodes} }) {
        my $database = $node->database;
        my $name = $node->name;
        my $unstamped = $database->value(
            'select count(*) from outbound_messages where seq is null');
        my $parked = $database->rows('select peer, id, model, error '
            . 'from inbound_messages where processed_at is null');
        push @waiting, "$name: $unstamped not stamped" if $unstamped;
        push @waiting, map { "$name: parked @$_" } @$parked;
        my $behind = $database->rows('select p.name, p.confirmed, '
            . 'max(m.seq) from communicator_peers p join outbound_messages m '
            . 'on m.seq > p.confirmed and '
            . '(m.source is null or m.source <> p.name) '
            . 'group by p.name, p.confirmed');
        push @waiting, map {
            "$name: $_->[0] has confirmed $_->[1] of $_->[2]"
        } @$behind;
    }
    return @waiting;
}

my %type = (authors => 'Author', posts => 'Post', countries => 'Country',
    events => 'Event');
my %columns = (
    authors => [qw(name city boss_id)],
    posts => [qw(author_id title body score published visits)],
    countries => [qw(code name)],
    events => [qw(token)],
);

# All records of NODE: "table identity" -> its values in one line.
sub dump_of {
    my ($self, $node) = @_;
    my $database = $node->database;
    my $string = $database->driver eq 'mysql' ? 'char' : 'varchar(255)';
    my (%author, %dump);

    for my $row (@{ $database->rows('select local_record_id, origin, '
        . 'original_id from communicator_mappings where '
        . "local_record_type = 'Author' and local_record_id is not null "
        . 'and deleted_at = 0') }) {
        $author{ $row->[0] } = "$row->[1]/$row->[2]";
    }
    my %here = map { $_ => 1 } keys_of($node, 'authors', 'id');
    for my $table (sort keys %type) {
        my $key = $table eq 'countries' ? 'code' : 'id';
        my @columns = @{ $columns{$table} };
        my $rows = $database->rows('select m.origin, m.original_id, '
            . join(', ', map { "t.$_" } @columns) . " from $table t "
            . 'left join communicator_mappings m on '
            . "m.local_record_type = '$type{$table}' and "
            . "m.local_record_id = cast(t.$key as $string)");
        for my $row (@$rows) {
            my ($origin, $id, @values) = @$row;
            for my $i (0 .. $#columns) {
                my ($name, $value) = ($columns[$i], \$values[$i]);
                if ($name =~ /^(author|boss)_id$/ && defined $$value) {
                    $$value = $here{$$value} ? $author{$$value} : undef;
                }
                next unless defined $$value;
                $$value += 0 if $name eq 'score';
                $$value = $$value =~ /^[t1]/ ? 1 : 0 if $name eq 'published';
            }
            my $identity = defined $origin ? "$origin/$id" : 'no mapping';
            $dump{"$table $identity"} = join ' | ',
              map { $_ // 'NULL' } @values;
        }
    }
    return \%dump;
}

# Where the nodes differ, and what was lost or came twice: a line each.
sub differences {
    my ($self) = @_;
    my ($hub, @facades) = @{ $self->{nodes} };
    my $ours = $self->dump_of($hub);
    my @lines = $self->waiting;

    for my $facade (@facades) {
        my $theirs = $self->dump_of($facade);
        my $name = $facade->name;
        for my $record (sort keys %{ { %$ours, %$theirs } }) {
            my ($a, $b) = ($ours->{$record}, $theirs->{$record});
            next if defined $a && defined $b && $a eq $b;
            push @lines, "$record: central " . ($a // 'has none')
              . ", $name " . ($b // 'has none');
        }
    }
    for my $node ($hub, @facades) {
        my %count;
        $count{ $_->[0] }++ for @{ $node->database->rows(
            'select token from events') };
        push @lines, map { $node->name . ": lost $_" }
          grep { !$count{$_} } @{ $self->{committed} || [] };
        push @lines, map { $node->name . ": $count{$_} times $_" }
          grep { $count{$_} > 1 } sort keys %count;
    }
    return @lines;
}

# How much happened, for the report.
sub summary {
    my ($self) = @_;
    my $hub = $self->{nodes}[0]->database;

    return sprintf '%d transactions, %d messages in, %d out, %d conflicts, '
      . 'mishaps: %d', $self->{transactions} || 0,
      map({ $hub->value("select count(*) from $_") }
        qw(inbound_messages outbound_messages communicator_conflicts)),
      scalar @{ $self->{log} };
}

sub stop {
    my ($self) = @_;
    my ($hub, @facades) = @{ $self->{nodes} };

    $_->stop for @{ $self->{proxies} }, @facades;
}

1;
