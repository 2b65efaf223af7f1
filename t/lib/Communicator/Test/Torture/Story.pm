package Communicator::Test::Torture::Story;

# What a person asks when records differ: what each node holds of them, and of
# the records that they refer to, and what `explain` and `history` say there.

use strict;
use warnings;
use Encode qw(encode_utf8);
use Exporter qw(import);
use Communicator::Test::Torture::Application qw(types columns);

our @EXPORT_OK = qw(story_of recent_of);

# The row of the record of TABLE on NODE whose key is LOCAL_ID, in one line.
sub row_of {
    my ($node, $table, $local_id) = @_;
    my %columns = columns();
    my $key = $table eq 'countries' ? 'code' : 'id';
    my ($row) = @{ $node->database->rows("select $key, "
        . join(', ', @{ $columns{$table} }) . " from $table "
        . "where $key = '$local_id'") };

    return $row ? encode_utf8(join ' | ', map { $_ // 'NULL' } @$row)
      : 'no row';
}

# What COMMAND of communicator-sync says on NODE.
sub words_of {
    my ($node, @command) = @_;
    my $run = $node->sync(@command);

    return "# @command\n$run->{out}$run->{err}";
}

# All that is known on NODE of the record of TABLE that is called ORIGIN/ID.
sub told_by {
    my ($node, $table, $origin, $id) = @_;
    my %type = types();
    my $model = lc $type{$table};
    my $local_id = $node->database->value('select local_record_id from '
        . "communicator_mappings where local_record_type = '$type{$table}' "
        . "and origin = '$origin' and original_id = '$id'");
    my @words = words_of($node, 'explain', $model, $origin, $id);

    push @words, 'row: ' . row_of($node, $table, $local_id) . "\n",
      words_of($node, 'history', '--json', '--model', $model, '--id',
        $local_id) if defined $local_id;
    return join '', '--- ' . $node->name . ": $table $origin/$id\n", @words;
}

# The same on all NODES, of each of SUBJECTS: "TABLE ORIGIN/ID". A record whose
# key has several columns has no such name.
sub story_of {
    my ($nodes, @subjects) = @_;
    my @story;

    for my $subject (@subjects) {
        my ($table, $origin, $id) = $subject =~ m{^(\w+) ([^/ ]+)/([^/ ]+)$}
          or next;
        push @story, map { told_by($_, $table, $origin, $id) } @$nodes;
    }
    return @story;
}

# The last messages of NODES, and what has no number yet.
sub recent_of {
    my (@nodes) = @_;

    return map {
        my $rows = $_->database->rows('select id, model, local_record_id, '
            . 'action, changed_columns, body from outbound_messages '
            . 'where seq is null order by id limit 12');
        ('--- ' . $_->name . "\n", words_of($_, 'history', '--limit', 12),
            map { encode_utf8(join ' | ', 'no number',
                map { $_ // 'NULL' } @$_) . "\n" } @$rows);
    } @nodes;
}

1;
