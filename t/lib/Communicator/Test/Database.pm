package Communicator::Test::Database;

# A database of its own for each test: SQLite in a file, PostgreSQL and
# MariaDB on throw-away servers (Communicator::Test::Engine).

use strict;
use warnings;
use Encode qw(decode_utf8);
use File::Copy ();
use Communicator::Test qw(folder run_program program own web_user at_end);
use Communicator::Test::Connection;
use Communicator::Test::Engine;

my $count = 0;
my $null = '~null~';

# What stands for {word} in create(), per driver.
my %type = (
    sqlite3 => {
        key => 'integer primary key autoincrement',
        text => 'text', binary => 'blob', timestamp => 'datetime',
        zoned => 'datetime', boolean => 'boolean', float => 'double',
        engine => '', deferred => 'deferrable initially deferred',
    },
    pgsql => {
        key => 'bigserial primary key',
        text => 'text', binary => 'bytea', timestamp => 'timestamp',
        zoned => 'timestamptz', boolean => 'boolean',
        float => 'double precision', engine => '',
        deferred => 'deferrable initially deferred',
    },
    mysql => {
        key => 'bigint auto_increment primary key',
        text => 'longtext', binary => 'longblob',
        timestamp => 'datetime(6)', zoned => 'datetime(6)',
        boolean => 'boolean', float => 'double',
        engine => 'engine=InnoDB', deferred => '',
    },
);

sub drivers { return qw(sqlite3 pgsql mysql) }

# Why DRIVER cannot be tested here, or undef. CM_DB=mysql in the environment:
# only these, and SQLite.
sub missing {
    my ($class, $driver) = @_;
    my %wanted = map { $_ => 1 } 'sqlite3', split /,/, $ENV{CM_DB} || $driver;

    return "only $ENV{CM_DB} is asked for" if !$wanted{$driver};
    if ($driver eq 'sqlite3') {
        return program('sqlite3') ? undef : 'sqlite3 is not installed';
    }
    return Communicator::Test::Engine->missing($driver);
}

# A new empty database. own_server => 1: on a server that the test may stop;
# file => FILE: an SQLite file that is there already; engine => SERVER: on this
# one; programs_at => SERVER: our programs use another server of its cluster.
sub new {
    my ($class, $driver, %with) = @_;
    my $self = bless { driver => $driver, %with }, $class;

    return $self if $self->{file};
    if ($driver eq 'sqlite3') {
        my $dir = Communicator::Test::Engine->place($with{name} || 'sqlite');
        $self->{file} = "$dir/data.sqlite";
        $self->run('pragma journal_mode=wal');
        own(web_user(), $dir, glob("$dir/*"));
        return $self;
    }
    $self->{engine} ||= Communicator::Test::Engine->get($driver,
        $with{own_server});
    $self->{name} = sprintf 'cm_%d_%d', $$, ++$count;
    $self->{engine}->create($self->{name});
    at_end(sub { eval { $self->{engine}->drop($self->{name}) } });
    return $self;
}

sub driver { return $_[0]{driver} }

# The words for DBDParams.
sub params {
    my ($self) = @_;

    return $self->{file}
      || ($self->{programs_at} || $self->{engine})->params($self->{name});
}

# The same database where our programs use it.
sub of_programs {
    my ($self) = @_;

    return $self unless $self->{programs_at};
    return $self->{of_programs} ||= bless { driver => $self->{driver},
        name => $self->{name}, engine => $self->{programs_at} }, ref $self;
}

# Run SQL, any number of statements; die with the database's error.
sub run {
    my ($self, $sql) = @_;

    $sql = $self->connection->run($sql);
    return '' if $sql eq '';
    my $result = $self->client([], $sql);

    die "$result->{err}\n$sql\n" if $result->{exit};
    return $result->{out};
}

# Run SQL with the types of create table written as {key}, {text}, ...
sub create {
    my ($self, $sql) = @_;

    $sql =~ s/\{(\w+)\}/$type{$self->{driver}}{$1} \/\/ die "{$1}?"/ge;
    return $self->run($sql);
}

# The rows of one SELECT: lists of characters, NULL as undef.
sub rows {
    my ($self, $sql) = @_;
    my %how = (
        sqlite3 => ['-csv', '-nullvalue', $null, '-newline', "\n"],
        pgsql => ['--csv', '-t', '-P', "null=$null"],
        mysql => ['--xml'],
    );
    my $rows = $self->connection->rows($sql);
    return $rows if $rows;
    my $result = $self->client($how{ $self->{driver} }, $sql);

    die "$result->{err}\n$sql\n" if $result->{exit};
    $rows = $self->{driver} eq 'mysql' ? xml_rows($result->{out})
      : csv_rows($result->{out});
    for my $row (@$rows) {
        $_ = decode_utf8($_) for grep { defined } @$row;
    }
    return $rows;
}

sub connection {
    my ($self) = @_;

    return $self->{connection} ||= Communicator::Test::Connection->new($self);
}

# The first cell of the first row.
sub value {
    my ($self, $sql) = @_;
    my $rows = $self->rows($sql);

    return @$rows ? $rows->[0][0] : undef;
}

# The names of the columns of TABLE, which may be a view.
sub columns {
    my ($self, $table) = @_;
    my $here = $self->{driver} eq 'pgsql' ? 'current_schema()' : 'database()';

    return map { $_->[0] } @{ $self->rows($self->{driver} eq 'sqlite3'
          ? "select name from pragma_table_info('$table')"
          : 'select column_name from information_schema.columns '
          . "where table_schema = $here and table_name = '$table'") };
}

# How many messages of this node have their number: in rows, and in batches.
sub numbered {
    my ($self) = @_;

    return $self->value('select (select count(seq) from outbound_messages) + '
        . '(select coalesce(sum(last_seq - first_seq + 1), 0) '
        . 'from communicator_batches)');
}

# The table of the records of the class TYPE.
sub records {
    my ($self, $type) = @_;

    return 'communicator_records_' . $self->value(
        "select id from communicator_models where type = '$type'");
}

# Forget what is known of all records.
sub forget_records {
    my ($self) = @_;

    $self->run("delete from communicator_records_$_->[0]")
      for @{ $self->rows('select id from communicator_models') };
    return;
}

sub csv_rows {
    my ($text) = @_;
    my (@rows, @row);

    pos($text) = 0;
    while (pos($text) < length $text) {
        push @row, csv_cell(\$text);
        next if $text =~ /\G,/gc;
        $text =~ /\G\r?\n/gc;
        push @rows, [@row];
        @row = ();
    }
    return \@rows;
}

# The cell of $$TEXT that begins at its position, which moves on.
sub csv_cell {
    my ($text) = @_;
    my $cell = '';

    if ($$text !~ /\G"/gc) {
        $$text =~ /\G([^,\r\n]*)/gc;
        return $1 eq $null ? undef : $1;
    }
    while ($$text =~ /\G([^"]*)"/gc) {
        $cell .= $1;
        last unless $$text =~ /\G"/gc;
        $cell .= '"';
    }
    return $cell;
}

sub xml_rows {
    my ($text) = @_;
    my %sign = (lt => '<', gt => '>', quot => '"', amp => '&');
    my @rows;

    for my $row ($text =~ m{<row>(.*?)</row>}sg) {
        my @cells;
        while ($row =~ m{<field\ name="[^"]*"
                (?:\ xsi:nil="true"\ /> | >(.*?)</field>)}sgx) {
            my $cell = $1;
            $cell =~ s/&(lt|gt|quot|amp);/$sign{$1}/g if defined $cell;
            push @cells, $cell;
        }
        push @rows, \@cells;
    }
    return \@rows;
}

# Write a backup, as an operator would; returns its file.
sub backup {
    my ($self) = @_;
    my $file = folder('backup') . '/dump';
    my $result = run_program($self->{file}
        ? [program('sqlite3'), $self->{file}, ".backup $file"]
        : [$self->{engine}->dump_command($self->{name}, $file)]);

    die "backup: $result->{err}" if $result->{exit};
    return $file;
}

# Replace the database by BACKUP (none: by an empty database). Nobody may be
# connected to it.
sub restore {
    my ($self, $backup) = @_;

    if ($self->{file}) {
        unlink glob "$self->{file}*";
        File::Copy::copy($backup, $self->{file}) or die "$backup: $!"
          if $backup;
        $self->run('pragma journal_mode=wal');
        own(web_user(), glob "$self->{file}*");
        return;
    }
    $self->connection->close;
    $self->{engine}->drop($self->{name});
    $self->{engine}->create($self->{name});
    return unless $backup;
    my $result = run_program([$self->client_command], in => $backup);
    die "restore: $result->{err}" if $result->{exit};
}

# The words before a command that make it run as httpd's user, once httpd has
# the file open: if root creates SQLite's shared memory, httpd may find it
# read-only.
sub as_user {
    my ($self) = @_;

    return () unless $self->{of_httpd} && defined web_user();
    return (program('runuser'), '-u', web_user(), '--');
}

# The words that run the database's own client, with OPTIONS.
sub client_command {
    my ($self, @options) = @_;

    return ($self->as_user, program('sqlite3'), '-bail', '-batch', '-cmd',
        '.timeout 20000', @options, $self->{file}) if $self->{file};
    return $self->{engine}->client_command($self->{name}, @options);
}

# The same as one line for a shell.
sub shell_command {
    my ($self) = @_;

    return join ' ', map { s/'/'\\''/gr =~ s/^(.*)$/'$1'/sr }
      $self->client_command;
}

# Run the database's own client with OPTIONS and SQL as its input.
sub client {
    my ($self, $options, $sql) = @_;

    return run_program([$self->client_command(@$options)], input => $sql);
}

# Stop, start, restart the server (only with own_server).
sub stop {
    my ($self, @how) = @_;

    $self->connection->close;
    $self->{engine}->stop(@how);
}

sub start { $_[0]{engine}->start }

sub restart {
    my ($self, @how) = @_;

    $self->stop(@how);
    $self->start;
}

1;
