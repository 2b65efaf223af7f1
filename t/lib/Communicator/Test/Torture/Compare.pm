package Communicator::Test::Torture::Compare;

# What nodes hold, in a form that can be compared: records by their names,
# references by the names of what they refer to.

use strict;
use warnings;
use Encode qw(encode_utf8);
use Exporter qw(import);
use Communicator::Test::Torture::Application qw(types columns composite
  references);

our @EXPORT_OK = qw(keys_of differences_of);

# The keys that TABLE holds on NODE now.
sub keys_of {
    my ($node, $table, $key) = @_;

    return map { $_->[0] }
      @{ $node->database->rows("select $key from $table order by 1") };
}

# The names of the records of TABLE on NODE, by id.
sub names_of {
    my ($node, $table) = @_;
    my %type = types();
    my %here = map { $_ => 1 } keys_of($node, $table, 'id');
    my $rows = $node->database->rows('select local_record_id, origin, '
        . 'original_id from communicator_mappings where '
        . "local_record_type = '$type{$table}' and "
        . 'local_record_id is not null and deleted_at = 0');

    return { map { $here{ $_->[0] } ? ($_->[0] => "$_->[1]/$_->[2]") : () }
          @$rows };
}

# All records of NODE: "table identity" -> its values. What refers to no record
# is NULL.
sub dump_of {
    my ($node) = @_;
    my $database = $node->database;
    my $string = $database->driver eq 'mysql' ? 'char' : 'varchar(255)';
    my %type = types();
    my %columns = columns();
    my %composite = composite();
    my %parent = references();
    my %name = map { $_ => names_of($node, $_) } values %parent;
    my %dump;

    for my $table (sort keys %type) {
        my $key = $table eq 'countries' ? 'code' : 'id';
        my @columns = @{ $columns{$table} };
        my $named = $composite{$table};
        my $rows = $database->rows('select '
            . ($named ? "'', ''" : 'm.origin, m.original_id') . ', '
            . join(', ', map { "t.$_" } @columns) . " from $table t "
            . ($named ? '' : 'left join communicator_mappings m on '
                . "m.local_record_type = '$type{$table}' and "
                . "m.local_record_id = cast(t.$key as $string)"));
        for my $row (@$rows) {
            my ($origin, $id, @values) = @$row;
            for my $i (0 .. $#columns) {
                my ($column, $value) = ($columns[$i], \$values[$i]);
                next unless defined $$value;
                $$value = $name{ $parent{$column} }{$$value}
                  if $parent{$column};
                $$value += 0 if $column eq 'score';
                $$value = $$value =~ /^[t1]/ ? 1 : 0
                  if $column eq 'published';
            }
            my $identity = $named
              ? join '/', map { $_ // 'NULL' } @values[0 .. $#$named]
              : defined $origin ? "$origin/$id" : 'no mapping';
            $dump{"$table $identity"} = \@values;
        }
    }
    return \%dump;
}

# The VALUES of a record in one line.
sub in_words {
    my ($values) = @_;

    return $values ? encode_utf8(join ' | ', map { $_ // 'NULL' } @$values)
      : 'has none';
}

# The records that RECORD, "TABLE IDENTITY", refers to with one of VALUES.
sub parents_of {
    my ($record, @values) = @_;
    my ($table) = split / /, $record;
    my %columns = columns();
    my %parent = references();
    my @of = map { $parent{$_} } @{ $columns{$table} };

    return map {
        my $values = $_ || [];
        map { $of[$_] && defined $values->[$_] ? "$of[$_] $values->[$_]" : () }
          0 .. $#of;
    } @values;
}

# Where the OTHERS differ from HUB, for each record: a line, and the names of
# the record and of those that it refers to.
sub differences_of {
    my ($hub, @others) = @_;
    my $ours = dump_of($hub);
    my @found;

    for my $node (@others) {
        my $theirs = dump_of($node);
        my $name = $node->name;
        for my $record (sort keys %{ { %$ours, %$theirs } }) {
            my ($a, $b) = ($ours->{$record}, $theirs->{$record});
            my ($here, $there) = map { in_words($_) } $a, $b;
            next if $here eq $there;
            push @found, { line => "$record: central $here, $name $there",
                subjects => [$record, parents_of($record, $a, $b)] };
        }
    }
    return @found;
}

1;
