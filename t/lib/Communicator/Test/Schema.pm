package Communicator::Test::Schema;

# A real application's schema, small: its tables, what the application does to
# them, and what a person wrote to have them synchronised. It lives on two
# nodes: models, migrate, check, publish, random work on both sides, syncs.
#
#   my $schema = Communicator::Test::Schema->new('blog', drivers => [...],
#       seed => 7);
#   $schema->begin;          # configured and filled at central, published
#   $schema->round('first') for 1 .. 3;
#   $schema->settle;
#   $schema->differences;    # empty when all is well
#
# The file t/schemas/NAME.pl gives
#   tables    SQL for create(); or per driver, in a hash
#   after     more SQL per driver: triggers
#   both      SQL for both sides before the first sync
#   session   SQL per driver with which a session of the application begins
#   options   of `communicator-sync models`
#   edits     what a person changed in its lines: [model, code that gives the
#             line for the line that there is]
#   records   a line for each table: its name, its key, and its columns.
#             ">author_id:users": holds the key of another table's row;
#             ">owner_id:owner_type{Post:posts}": its type says of which
#   actions   [how often, SQL]: a transaction each, with {placeholders}
#   warnings  patterns of what check may warn of
#   rebuild   SQL that computes what is not synchronised, on both sides
#
# Each table has a column "mark": a word that a row gets at its birth, and
# that no update touches. By it differences() knows the rows.

use strict;
use warnings;
use JSON::PP;
use Test::More;
use Communicator::Test qw(source_dir slurp spew);
use Communicator::Test::Database;
use Communicator::Test::Pair;

# How the client of a database goes on after an error.
my %go_on = (sqlite3 => [], pgsql => ['-v', 'ON_ERROR_STOP=0'],
    mysql => ['--force']);
my %begin = (sqlite3 => ".bail off\npragma foreign_keys = on;\n", pgsql => '',
    mysql => '');
# SQLite leaves a transaction open whose COMMIT fails.
my %end = (sqlite3 => "commit;\nrollback;\n", pgsql => "commit;\n",
    mysql => "commit;\n");

# The key "id" of the row that was inserted last.
my %last = (sqlite3 => '(select max(id) from %s)', mysql => 'last_insert_id()',
    pgsql => "currval(pg_get_serial_sequence('%s', 'id'))");

# What a session may be refused: the application drew a row that is gone, or a
# value that is there already.
my $refused = qr/constraint|foreign key|duplicate|is aborted|no transaction/i;

sub new {
    my ($class, $name, %with) = @_;
    my $file = source_dir() . "/t/schemas/$name.pl";
    my $data = do $file or die "$file: ", $@ || $!;
    my $self = bless { %$data, %with, name => $name, marks => 0,
        may_warn => $data->{warnings} || [] }, $class;

    srand $with{seed};
    $self->{known} = { map { $_->{table} => $_ }
          map { described($_) } grep { /\S/ } split /\n/, $self->{records} };
    return $self;
}

# One line of `records`.
sub described {
    my ($table, $key, @words) = split ' ', $_[0];
    my %one = (table => $table, key => [split /,/, $key], values => [],
        parents => []);

    for my $word (@words) {
        if ($word !~ /^>(\w+):(\w+)(?:\{(.*)\})?$/) {
            push @{ $one{values} }, $word;
            next;
        }
        push @{ $one{parents} }, { column => $1, to => $2,
            types => defined $3 ? { split /[:,]/, $3 } : undef };
    }
    return \%one;
}

# --- both sides, up to the first sync ---

sub make_tables {
    my ($self, $database) = @_;
    my $driver = $database->driver;
    my $tables = $self->{tables};

    $database->create(($self->{session}{$driver} // '')
        . (ref $tables ? $tables->{$driver} : $tables)
        . ($self->{after}{$driver} // '') . ($self->{both} // ''));
    return;
}

# Let DATABASE give other numbers than its peer.
sub begin_at {
    my ($self, $database, $number) = @_;
    my %set = (
        pgsql => "select setval(pg_get_serial_sequence('%1\$s', '%2\$s'), "
          . '%3$d) where pg_get_serial_sequence(\'%1$s\', \'%2$s\') '
          . "is not null;\n",
        mysql => "alter table %1\$s auto_increment = %3\$d;\n",
        sqlite3 => "insert into sqlite_sequence select '%1\$s', %3\$d "
          . "where (select sql from sqlite_master where name = '%1\$s') "
          . "like '%%autoincrement%%';\n",
    );

    $database->run(join '', $self->{session}{ $database->driver } // '',
        map { sprintf $set{ $database->driver },
            $_->{table}, $_->{key}[0], $number } $self->tables);
    return;
}

sub tables { return map { $_[0]{known}{$_} } sort keys %{ $_[0]{known} } }

# Let `models` write the lines for NODE, and change them as a person would.
sub configure {
    my ($self, $node) = @_;
    my $file = "$node->{dir}/tables.conf";

    $node->sync_ok('models', @{ $self->{options} || [] }, '--write', $file);
    my $lines = slurp($file);
    for my $edit (@{ $self->{edits} || [] }) {
        my ($model, $change) = @$edit;

        $lines =~ s/^(CommunicatorModel $model .*)$/$change->($1)/me
          or die "no line of $model:\n$lines";
    }
    spew($file, $lines);
    $node->configure(conf => "Include $file");
    return $lines;
}

# The warnings of check about models and tables: "what (hint)".
sub warnings_of {
    my ($self, $node) = @_;
    my $run = $node->sync('check', '--json');

    return map { $_->{what} . ($_->{hint} ? " ($_->{hint})" : '') }
      grep { $_->{verdict} ne 'ok' }
      @{ decode_json($run->{out}) };
}

sub begin {
    my ($self) = @_;

    $self->{pair} = Communicator::Test::Pair->new(drivers => $self->{drivers},
        tables => '', models => '', before => sub {
            my ($node) = @_;
            my $is_central = $node->name eq 'central';

            $self->make_tables($node->database);
            $self->begin_at($node->database, $is_central ? 100 : 5000);
            $self->work($node, 30) if $is_central;
            push @{ $self->{lines} }, $self->configure($node);
        });
    my $central = $self->{pair}{central};
    $self->{warnings} = [map { $self->warnings_of($_) } $self->{pair}->nodes];
    $central->sync_ok('publish', '--all');
    $self->{pair}->sync('the first sync');
    return;
}

# --- the application ---

# COUNT transactions of the application, drawn by the seed.
sub work {
    my ($self, $node, $count) = @_;
    my $database = $node->database;
    my $driver = $database->driver;
    my @drawn = map { @{ [($_->[1]) x $_->[0]] } } @{ $self->{actions} };
    my $script = $begin{$driver} . ($self->{session}{$driver} // '');

    for (1 .. $count) {
        # What the transactions before made is not read: their rows are drawn
        # from the next time on.
        $self->{rows} = $self->rows_of($database) if $_ % 10 == 1;
        my $sql = $self->filled($drawn[rand @drawn], $node);

        $script .= "begin;\n$sql\n$end{$driver}" if defined $sql;
        next if $_ % 10 && $_ != $count;
        my $result = $database->client($go_on{$driver}, $script);
        my @bad = grep { /\berror\b/i && !/$refused/ }
          split /\n/, $result->{err};
        die join("\n", @bad), "\n$script" if @bad;
        $script = $begin{$driver} . ($self->{session}{$driver} // '');
    }
    return;
}

# COLUMNS of all tables, as text, in one SELECT: { table => [[cell, ...], ...] }.
# COLUMNS: code that gives those of a table.
sub read_all {
    my ($self, $database, $columns) = @_;
    my %columns = map { $_->{table} => [$columns->($_)] } $self->tables;
    my ($most) = sort { $b <=> $a } map { scalar @$_ } values %columns;
    my %rows = map { $_ => [] } keys %columns;
    my $quote = $database->driver eq 'mysql' ? '`' : '"';
    my $sql = join ' union all ', map {
        my $table = $_;
        my @cells = map { "trim(cast($quote$_$quote as char(60)))" }
          @{ $columns{$table} };

        "select '$table', " . join(', ', @cells, ('null')
            x ($most - @cells)) . " from $table";
    } sort keys %columns;

    for my $row (@{ $database->rows(($self->{session}{ $database->driver }
                // '') . $sql) }) {
        my ($table, @cells) = @$row;
        push @{ $rows{$table} }, [@cells[0 .. $#{ $columns{$table} }]];
    }
    return \%rows;
}

# The rows of all tables, each a hash, in the order of their marks.
sub rows_of {
    my ($self, $database) = @_;
    my $all = $self->read_all($database, \&columns_of);
    my %rows;

    for my $one ($self->tables) {
        my @columns = columns_of($one);
        my @list = map { my %row; @row{@columns} = @$_; \%row }
          @{ $all->{ $one->{table} } };

        $rows{ $one->{table} } = [sort { ($a->{mark} // '') cmp
                ($b->{mark} // '') } @list];
    }
    return \%rows;
}

# SQL with its placeholders filled in; undef: there is no such row. "#x" behind
# a placeholder: the same value, or row, wherever it stands again in this SQL.
#   {new}             a new mark           {word}        a word
#   {n 10}            0 to 9               {pick a,b}    one of these
#   {side}            0 at central, 1 at facade
#   {last orders}     the key of the row that was inserted last
#   {one posts}       the key of a row     {row posts}   "id = 7"
#   {cell posts rgt}  what it holds        {maybe posts 0}  its key, or 0
sub filled {
    my ($self, $sql, $node) = @_;
    my $side = $node->name eq 'central' ? 0 : 1;
    my $last = $last{ $node->database->driver };
    my (%seen, $none);
    my $count = 0;
    my $value = sub {
        my ($what, $of, $label) = @_;
        my ($name, @more) = split ' ', $of // '';
        my $rows = $what =~ /^(?:one|maybe|row|cell)$/
          ? $self->{rows}{$name} // die "$name?" : undef;
        my $seen = \$seen{ $rows ? $name : $what }{ $label // ++$count };

        $$seen //= $rows ? $rows->[rand @$rows]
          : $self->drawn($what, $of, $side);
        my $got = $rows ? $self->part($what, $name, $$seen, @more) : $$seen;
        $none = 1 unless defined $got;
        return $got // '';
    };

    $sql =~ s/\{last (\w+)\}/my $table = $1; $last =~ s{%s}{$table}r/ge;
    $sql =~ s/\{(\w+)(?: ([^}#]*))?(?:[#](\w+))?\}/$value->($1, $2, $3)/ge;
    return $none ? undef : $sql;
}

sub quoted { return $_[0] =~ /^-?\d+$/ ? $_[0] : "'$_[0]'" }

sub drawn {
    my ($self, $what, $of, $side) = @_;

    return "'m" . ++$self->{marks} . "'" if $what eq 'new';
    return "'w" . int(rand 1000) . "'" if $what eq 'word';
    return int rand $of if $what eq 'n';
    return $side if $what eq 'side';
    my @words = split /,/, $of;
    return quoted($words[rand @words]);
}

# What the placeholder WHAT makes of ROW, which is one of TABLE, or undef.
sub part {
    my ($self, $what, $table, $row, $more) = @_;
    my $key = $self->{known}{$table}{key};

    return $more // 'null' if $what eq 'maybe' && (!$row || rand() < 0.3);
    return undef unless $row;
    return quoted($row->{$more}) if $what eq 'cell';
    return quoted($row->{ $key->[0] }) if $what ne 'row';
    return join ' and ', map { "$_ = " . quoted($row->{$_}) } @$key;
}

# Some work on both sides, and a sync.
sub round {
    my ($self, $name) = @_;

    $self->work($_, 20) for $self->{pair}->nodes;
    # 65: something waits for what the peer sends in the next run.
    my $run = $self->{pair}{central}->sync;
    like($run->{signal} || $run->{exit}, qr/^(?:0|65)$/, "sync: $name")
      or diag($run->{out}, $run->{err});
    return;
}

sub settle {
    my ($self) = @_;

    $self->{pair}{central}->sync for 1, 2;
    $self->{pair}->sync('what is left');
    for my $database ($self->{pair}->databases) {
        my $driver = $database->driver;

        $database->run(($self->{session}{$driver} // '')
            . $self->{rebuild}{$driver}) if $self->{rebuild};
    }
    $self->{pair}->sync('rebuilt') if $self->{rebuild};
    return;
}

# --- the comparison ---

# The columns of a table that are compared, and its key.
sub columns_of {
    my ($one) = @_;
    my %once;

    return grep { !$once{$_}++ } @{ $one->{key} }, 'mark', @{ $one->{values} },
      map { $_->{column}, $_->{types} ? $_->{to} : () } @{ $one->{parents} };
}

# What DATABASE holds: { "table mark" => "column=value ..." }.
sub content {
    my ($self, $database) = @_;
    my $rows = $self->rows_of($database);
    my (%marks, %content);

    for my $one ($self->tables) {
        next if @{ $one->{key} } > 1;
        $marks{ $one->{table} } = { map { $_->{ $one->{key}[0] }
                  => $_->{mark} } @{ $rows->{ $one->{table} } } };
    }
    for my $one ($self->tables) {
        for my $row (@{ $rows->{ $one->{table} } }) {
            my $name = "$one->{table} " . ($row->{mark} // 'unmarked');
            my $text = join ' ', (map { "$_=" . shown($row->{$_}) }
                @{ $one->{values} }),
              map { meant($_, $row, \%marks) } @{ $one->{parents} };

            $text = "$content{$name}, TWICE: $text" if $content{$name};
            $content{$name} = $text;
        }
    }
    return \%content;
}

sub shown {
    my ($cell) = @_;

    return 'NULL' unless defined $cell;
    $cell =~ s/0+$// && $cell =~ s/\.$// if $cell =~ /^-?\d+\.\d+$/;
    return $cell =~ s/^t$|^true$/1/r =~ s/^f$|^false$/0/r;
}

# The mark of the row that PARENT of ROW leads to. One that is not there is
# none: without a foreign key, rows outlive their parents.
sub meant {
    my ($parent, $row, $marks) = @_;
    my ($column, $to) = @$parent{qw(column to)};
    my $id = $row->{$column};

    if ($parent->{types}) {
        my $type = $row->{$to};
        my $table = defined $type ? $parent->{types}{$type} : undef;

        return "$column=$type:" . ($id // 'NULL') if defined $type && !$table;
        return "$column=none" unless defined $table && defined $id;
        return "$column=$type:" . ($marks->{$table}{$id} // 'none');
    }
    return "$column=" . (defined $id && $marks->{$to}{$id} || 'none');
}

# In what the two sides differ, a line each.
sub differences {
    my ($self) = @_;
    my ($here, $there) = map { $self->content($_) } $self->{pair}->databases;
    my %all = (%$here, %$there);

    $self->{compared} = scalar keys %all;
    return map { "$_: " . ($here->{$_} // 'is not') . " at central, "
          . ($there->{$_} // 'is not') . ' at facade' }
      grep { ($here->{$_} // '') ne ($there->{$_} // '') } sort keys %all;
}

1;
