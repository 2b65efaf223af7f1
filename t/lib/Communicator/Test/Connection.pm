package Communicator::Test::Connection;

# A connection of the test itself to a database. A question costs a fraction of
# what a process of the database's own client costs, and the suite asks
# thousands. What it would answer in another way than the client, or not at
# all, it leaves to that.

use strict;
use warnings;
use B ();
use DBI;
use Encode qw(decode_utf8 encode_utf8);
use Communicator::Test qw(web_user);

# Words for DBI->connect, and what is said first.
my %how = (
    pgsql => sub {
        my ($database) = @_;

        return ("dbi:Pg:host=$database->{engine}{dir};"
            . "dbname=$database->{name}", 'postgres',
            { pg_enable_utf8 => 0, pg_bool_tf => 1, pg_expand_array => 0,
                pg_server_prepare => 0, pg_placeholder_dollaronly => 1 },
            'set client_min_messages = warning');
    },
    mysql => sub {
        my ($database) = @_;

        return ("dbi:MariaDB:mariadb_socket=$database->{engine}{dir}/my.sock;"
            . "database=$database->{name}", 'root', {});
    },
    sqlite3 => sub {
        my ($database) = @_;

        return ("dbi:SQLite:dbname=$database->{file}", '', {},
            'pragma foreign_keys = off', 'pragma busy_timeout = 20000');
    },
);

sub new {
    my ($class, $database) = @_;

    return bless { database => $database }, $class;
}

# The rows of the SELECT in SQL, as Communicator::Test::Database gives them; or
# undef: ask the database's own client.
sub rows {
    my ($self, $sql) = @_;

    $sql = $self->encoded($sql);
    return undef unless $sql =~ /^\s*(?:select|with)\b[^;]*;?\s*\z/i;
    return eval {
        $self->with_handle(sub {
            my ($handle) = @_;
            my $statement = $handle->prepare($sql);

            $statement->execute;
            return $self->cells($statement);
        });
    };
}

# Execute the statements in SQL, if they are plain ones. Returns those that are
# left to the database's own client: all, or the one that failed (it changed
# nothing, and the client tells why) and what follows.
sub run {
    my ($self, $sql) = @_;
    my @statements = statements($sql) or return $sql;

    eval {
        $self->with_handle(sub {
            my ($handle) = @_;

            while (@statements) {
                $handle->do($self->encoded($statements[0]));
                shift @statements;
            }
        });
    };
    return join ';', @statements;
}

# Nobody is connected any more.
sub close {
    my ($self) = @_;

    eval { $self->{handle}->disconnect } if $self->{handle};
    delete $self->{handle};
    return;
}

# The statements of SQL; none if it may contain other than these: what begins a
# transaction, or changes the session, is for one connection.
sub statements {
    my ($sql) = @_;
    my $plain = qr/\s*(?:insert|update|delete|replace|create|drop|alter)\b/i;
    my @statements;

    return () if length $sql > 100_000
      || $sql =~ m{\$|\\|--|/\*|\b(?:trigger|function|procedure)\b}i;
    while ($sql =~ /\G((?:[^;'"`]++|'[^']*+'|"[^"]*+"|`[^`]*+`)++)(?:;|\z)/gc) {
        my $statement = $1;

        next if $statement !~ /\S/;
        return () unless $statement =~ /^$plain/;
        push @statements, $statement;
    }
    return (pos($sql) // 0) == length $sql ? @statements : ();
}

# DBD::MariaDB takes characters, the others bytes.
sub encoded {
    my ($self, $sql) = @_;

    return $self->{database}->driver eq 'mysql' ? $sql : encode_utf8($sql);
}

# All rows of STATEMENT. Dies where the database's own client would write a
# cell in another way: numbers with a fraction, and bytes.
sub cells {
    my ($self, $statement) = @_;
    my @rows;

    while (my $row = $statement->fetchrow_arrayref) {
        push @rows, [map { $self->text($_) } @$row];
    }
    return \@rows;
}

sub text {
    my ($self, $cell) = @_;

    return undef unless defined $cell;
    my $flags = B::svref_2object(\$cell)->FLAGS;
    die "a number\n" if $flags & B::SVf_NOK && !($flags & B::SVf_POK);
    die "bytes\n" if $cell =~ /\0/;
    return $cell if utf8::is_utf8($cell) || $cell !~ /[^\x01-\x7f]/;
    die "bytes\n" if $self->{database}->driver eq 'mysql';
    return decode_utf8($cell, Encode::FB_CROAK);
}

# Call CODE with a connection. One to a file ends at once: as long as it is
# open, what is written stays beside the file.
sub with_handle {
    my ($self, $code) = @_;
    my $database = $self->{database};

    return $self->with_file($code) if $database->{file};
    if (!$self->{handle} || $self->{owner} != $$ || !$self->{handle}->ping) {
        $self->{handle} = connection($database);
        $self->{owner} = $$;
    }
    return $code->($self->{handle});
}

# As root, SQLite would make files that httpd cannot write.
sub with_file {
    my ($self, $code) = @_;
    my $database = $self->{database};
    my ($uid, $gid) = $database->{of_httpd} && defined web_user()
      ? (getpwnam web_user())[2, 3] : ($>, $) + 0);
    local $) = $gid;
    local $> = $uid;
    my $handle = connection($database);

    return $code->($handle);
}

sub connection {
    my ($database) = @_;
    my ($source, $user, $options, @first)
      = $how{ $database->driver }->($database);
    my $handle = DBI->connect($source, $user, '', { RaiseError => 1,
        PrintError => 0, PrintWarn => 0, AutoInactiveDestroy => 1,
        %$options });

    $handle->do($_) for @first;
    return $handle;
}

1;
