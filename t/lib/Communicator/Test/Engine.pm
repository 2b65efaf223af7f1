package Communicator::Test::Engine;

# Throw-away PostgreSQL and MariaDB servers, on sockets only. With
# CM_TEST_SERVERS (a folder that t/run made) they are started once by
# whoever comes first, and t/run stops them; without it each test has its own.

use strict;
use warnings;
use Fcntl qw(:flock);
use Communicator::Test qw(folder memory_folder run_program start_process
  stop_process program own at_end slurp spew wait_until is_alive);

my %user = (pgsql => 'postgres', mysql => 'mysql');
my %engine;

# Servers that may lose what is committed when the power fails are faster: all
# that a test needs. The benchmark wants them as they are installed.
our $durable = 0;

# The folder of PostgreSQL's programs: this one, or that of the newest version.
our $pg_bin = $ENV{CM_PG_BIN};

sub pg_bin { return $pg_bin || installed_pg_bin() }

sub installed_pg_bin {
    my @dirs = sort { ($a =~ m{/(\d+)/})[0] <=> ($b =~ m{/(\d+)/})[0] }
      glob '/usr/lib/postgresql/*/bin';
    my $initdb = @dirs ? "$dirs[-1]/initdb" : program('initdb');

    return $initdb && -x $initdb ? $initdb =~ s{/initdb$}{}r : undef;
}

# The client NAME of PostgreSQL: the one that is installed, if this PostgreSQL
# came without.
sub pg_client {
    my ($name) = @_;

    return (grep { -x } pg_bin() . "/$name",
        (installed_pg_bin() // '') . "/$name")[0];
}

# The server of MariaDB, or of MySQL: CM_MYSQLD names its program.
sub mysqld { return $ENV{CM_MYSQLD} || program('mariadbd', 'mysqld') }

# What that program says of itself.
my $version;

sub version {
    return $version //= mysqld()
      ? run_program([mysqld(), '--no-defaults', '--version'])->{out} : '';
}

# Whether it is MySQL. Its words are those of MariaDB but for its first start.
sub is_mysql { return version() && version() !~ /MariaDB/ }

# Whether it has the type uuid: MariaDB since 10.7.
sub has_uuid {
    my ($major, $minor) = version() =~ /(\d+)\.(\d+)\.\d+-MariaDB/ or return 0;

    return $major > 10 || $minor >= 7;
}

sub missing {
    my ($class, $driver) = @_;

    return pg_bin() ? undef : 'PostgreSQL is not installed'
      if $driver eq 'pgsql';
    return undef if is_mysql();
    return program('mariadbd', 'mysqld') && program('mariadb-install-db')
      ? undef : 'MariaDB is not installed';
}

# A new folder for a database.
sub place {
    my ($class, $name) = @_;

    return $durable ? folder($name) : memory_folder($name);
}

# The server of DRIVER, started.
sub get {
    my ($class, $driver, $own) = @_;
    my $shared = $ENV{CM_TEST_SERVERS};

    return $engine{$driver} if !$own && $engine{$driver};
    my $self = bless { driver => $driver }, $class;
    if ($own || !$shared) {
        $self->{dir} = $class->place($driver);
        $self->make;
        $self->start;
        at_end(sub { $self->stop });
    }
    else {
        $self->{dir} = "$shared/$driver";
        $self->share("$shared/$driver.lock");
    }
    $engine{$driver} = $self unless $own;
    return $self;
}

# Start the common server unless another test did.
sub share {
    my ($self, $lock_file) = @_;

    open my $lock, '>', $lock_file or die "$lock_file: $!";
    flock $lock, LOCK_EX or die "$lock_file: $!";
    return if -e "$self->{dir}/ready";
    mkdir $self->{dir} or die "$self->{dir}: $!";
    chmod 0755, $self->{dir};
    $self->make;
    $self->start;
    spew("$self->{dir}/ready", $self->{driver});
}

# COMMAND as the user that this server insists on.
sub as_user {
    my ($self, @command) = @_;

    return @command if $>;
    return (program('runuser'), '-u', $user{ $self->{driver} }, '--',
        @command);
}

sub must {
    my ($self, @command) = @_;
    my $result = run_program(\@command, dir => $self->{dir});

    die "@command:\n$result->{out}$result->{err}" if $result->{exit};
}

sub make {
    my ($self) = @_;
    my $dir = $self->{dir};

    own($user{ $self->{driver} }, $dir);
    if ($self->{driver} eq 'pgsql') {
        $self->must($self->as_user(pg_bin() . '/initdb', '-D', "$dir/data",
            qw(-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync)));
        return;
    }
    return $self->must($self->mysqld_command('--initialize-insecure'))
      if is_mysql();
    $self->must(installer(), $> ? () : ('--user=mysql'),
        "--datadir=$dir/data", "--tmpdir=$dir",
        qw(--auth-root-authentication-method=normal --skip-test-db));
}

# What makes the first tables of MariaDB: for CM_MYSQLD, which is in a folder
# such as sbin, the program that came with it.
sub installer {
    my ($base) = ($ENV{CM_MYSQLD} // '') =~ m{^(.+)/[^/]+/[^/]+$};
    my ($own) = grep { -x }
      map { "$base/$_/mariadb-install-db" } $base ? qw(bin scripts) : ();

    return $own ? ($own, '--no-defaults', "--basedir=$base")
      : (program('mariadb-install-db'), '--no-defaults');
}

sub mysqld_command {
    my ($self, @options) = @_;

    return (mysqld(), '--no-defaults', $> ? () : ('--user=mysql'),
        "--datadir=$self->{dir}/data", @options);
}

sub start {
    my ($self) = @_;
    my $dir = $self->{dir};

    if ($self->{driver} eq 'pgsql') {
        $self->must($self->as_user(pg_bin() . '/pg_ctl', '-D', "$dir/data",
            qw(-w -t 60 -s -l), "$dir/server.log", '-o',
            "-c listen_addresses='' -c unix_socket_directories='$dir'"
            . ($durable ? '' : ' -c fsync=off')
            . ' -c max_connections=200', 'start'));
        return;
    }
    # A folder of its own for temporary files: a server that starts removes
    # all that look like its own.
    mkdir "$dir/tmp";
    own($user{mysql}, "$dir/tmp");
    my $pid = start_process([$self->mysqld_command("--socket=$dir/my.sock",
        "--pid-file=$dir/my.pid", "--tmpdir=$dir/tmp",
        is_mysql() ? qw(--mysqlx=OFF --skip-log-bin) : (),
        qw(--skip-networking --character-set-server=utf8mb4
          --max-allowed-packet=256M --max-connections=200),
        $durable ? () : qw(--innodb-buffer-pool-size=64M
          --innodb-flush-log-at-trx-commit=2),
        "--log-error=$dir/server.log")]);
    $self->{pid} = $pid;
    wait_until(sub { !is_alive($pid) || !$self->query('', 'select 1') }, 60)
      && is_alive($pid)
      or die "MariaDB does not start:\n" . slurp("$dir/server.log");
}

# The process id of the server, or undef.
sub server_pid {
    my ($self) = @_;
    my $file = $self->{driver} eq 'pgsql' ? 'data/postmaster.pid' : 'my.pid';
    my ($pid) = slurp("$self->{dir}/$file") =~ /^(\d+)/;

    return $pid;
}

# Stop the server; HOW: 'crash' as if the power had failed.
sub stop {
    my ($self, $how) = @_;
    my $pid = $self->server_pid or return;
    my $crash = ($how || '') eq 'crash';

    if ($self->{driver} eq 'pgsql') {
        stop_process($pid, $crash ? 'QUIT' : 'INT', 30);
        return;
    }
    stop_process($pid, $crash ? 'KILL' : 'TERM', 30);
}

# Stop the servers that tests have started in the common folder DIR.
sub stop_all {
    my ($class, $dir) = @_;

    for my $driver (qw(pgsql mysql)) {
        my $self = bless { driver => $driver, dir => "$dir/$driver" }, $class;
        $self->stop if -e "$dir/$driver";
    }
}

sub params {
    my ($self, $database) = @_;
    my $dir = $self->{dir};

    return $self->{driver} eq 'pgsql'
      ? "host=$dir user=postgres dbname=$database"
      : "sock=$dir/my.sock user=root dbname=$database"
      . ' flags=CLIENT_FOUND_ROWS reconnect=0';
}

sub create {
    my ($self, $name) = @_;

    my $error = $self->query('', "create database $name"
        . ($self->{driver} eq 'mysql' ? ' character set utf8mb4' : ''));
    die $error if $error;
}

sub drop {
    my ($self, $name) = @_;

    # PostgreSQL 12 has no WITH (FORCE).
    $self->query('', ($self->{driver} eq 'pgsql'
            ? 'select pg_terminate_backend(pid) from pg_stat_activity '
            . "where datname = '$name'; " : '')
        . "drop database if exists $name");
}

# Run SQL; return the error, or ''.
sub query {
    my ($self, $database, $sql) = @_;
    my $result = $self->client($database, [], $sql);

    return $result->{exit} ? $result->{err} || 'failed' : '';
}

# The words that run the server's own client on DATABASE.
sub client_command {
    my ($self, $database, @options) = @_;
    my $dir = $self->{dir};

    return (program('env'), 'PGCLIENTENCODING=UTF8',
        'PGOPTIONS=-c client_min_messages=warning', pg_client('psql'),
        qw(-X -q -v ON_ERROR_STOP=1), '-h', $dir, '-U', 'postgres',
        @options, $database || 'postgres') if $self->{driver} eq 'pgsql';
    return (program('mariadb', 'mysql'), '--no-defaults', '-uroot', '-S',
        "$dir/my.sock", '--default-character-set=utf8mb4',
        '--max-allowed-packet=256M', @options, $database || ());
}

# The words that write a backup of DATABASE to FILE.
sub dump_command {
    my ($self, $database, $file) = @_;
    my $dir = $self->{dir};

    return (pg_client('pg_dump'), '-h', $dir, '-U', 'postgres', '-f', $file,
        $database) if $self->{driver} eq 'pgsql';
    return (program('mariadb-dump', 'mysqldump'), '--no-defaults', '-uroot',
        '-S', "$dir/my.sock", '--default-character-set=utf8mb4', '--result-file',
        $file, $database);
}

sub client {
    my ($self, $database, $options, $sql) = @_;

    return run_program([$self->client_command($database, @$options)],
        input => $sql);
}

1;
