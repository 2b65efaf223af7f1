package Communicator::Test::Old;

# Databases of earlier versions: of Communicator 0.9, as its programs left them
# (t/upgrade/*.sql), and of the gem, with the tables of its four migrations.

use strict;
use warnings;
use Encode qw(decode_utf8);
use Communicator::Test qw(source_dir slurp);

# Models of the database of 0.9; the node is 'central', its peer 'facade'.
sub models {
    return "CommunicatorModel user  table=users  match=name\n"
      . "CommunicatorModel post  table=posts  references=user_id:user\n";
}

# Make DATABASE, which is empty, one of 0.9.
sub load_old {
    my ($database) = @_;
    my $driver = $database->driver;
    my $sql = decode_utf8(slurp(source_dir() . "/t/upgrade/$driver.sql"));

    $sql =~ s/\{database\}/$database->{name}/g if $driver eq 'mysql';
    $database->run($sql);
    return;
}

my %gem = (
    sqlite3 => { auto => 'integer primary key autoincrement not null',
        time => 'datetime', engine => '' },
    pgsql => { auto => 'serial primary key', time => 'timestamp',
        engine => '' },
    mysql => { auto => 'int auto_increment primary key', time => 'datetime',
        engine => 'engine=InnoDB default charset=utf8mb3' },
);

# Make the gem's tables in DATABASE.
sub make_gem {
    my ($database) = @_;
    my $sql = <<'SQL';
create table outbound_messages (id {auto}, body text not null,
    delivered_at {time}, created_at {time} not null,
    updated_at {time} not null, origin varchar(255), original_id integer)
    {engine};
create table inbound_messages (id {auto}, body text not null,
    processed_at {time}, created_at {time}, updated_at {time},
    origin varchar(255), original_id integer) {engine};
create table communicator_mappings (id {auto}, origin varchar(255) not null,
    original_id integer not null, local_record_type varchar(255) not null,
    local_record_id integer not null, created_at {time}, updated_at {time})
    {engine};
create unique index remote_record_unique_index on communicator_mappings
    (local_record_type, origin, original_id);
create unique index local_record_unique_index on communicator_mappings
    (local_record_type, local_record_id);
SQL

    $sql =~ s/\{(\w+)\}/$gem{ $database->driver }{$1}/g;
    $database->run($sql);
    return;
}

1;
