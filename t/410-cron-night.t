#!/usr/bin/perl

# A night of cron: everything that can go wrong does, and a person gets
# exactly the mails that he would want.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file client_of_all module_file own program
  run_program slurp spew web_user);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Server;

plan skip_all => 'not built' unless -x client_file() && -e module_file();
my $missing = Communicator::Test::Database->missing('sqlite3');
plan skip_all => $missing if $missing;

my $models = "CommunicatorModel post table=posts\n";
my ($there, $here) = map {
    my $database = Communicator::Test::Database->new('sqlite3');
    $database->create('create table posts (id {key}, title varchar(255))');
    $database;
} 1, 2;
my $facade = Communicator::Test::Server->new(database => $there,
    conf => $models)->migrate->start;
my $central = Communicator::Test::Peer->new(name => 'central',
    database => $here, conf => $models)->knows($facade)->migrate;
my $dir = $central->{dir};
my (@mails, $last);

# What CommunicatorNotifyCommand hears.
spew("$dir/notify", "#!/bin/sh\n(echo \"\$1 \$2\"; cat) >>$dir/heard\n");
chmod 0755, "$dir/notify";
$central->configure(
    client_conf => "CommunicatorNotifyCommand \"$dir/notify --\"\n"
      =~ s/ --//r);

sub heard {
    my $text = slurp("$dir/heard");

    unlink "$dir/heard";
    return $text =~ s/\n.*//sr;
}

# Runs as cron makes them; what they print is a mail.
sub minutes {
    my ($count, $status) = @_;
    my $before = @mails;

    for my $n (1 .. $count) {
        my $run = $central->sync('--cron');
        my $mail = $run->{out} . $run->{err};
        push @mails, $mail if length $mail;
        is($run->{exit}, $status, "exit status $status") or diag $mail
          if $n == 1 || $run->{exit} != $status;
    }
    $last = @mails > $before ? $mails[-1] : '';
    return @mails - $before;
}

# Let SECONDS go by, for what is remembered.
sub later {
    my ($seconds) = @_;
    my $file = "$dir/state/status.json";
    my $memory = decode_json(slurp($file));

    for my $member (values %$memory) {
        $_ && ($_ -= $seconds) for @$member{grep { exists $member->{$_} }
            qw(since told next_try last_run last_success)};
        for my $flaps (values %{ $member->{flaps} || {} }) {
            $_ -= $seconds for @{ $flaps->{episodes} || [] };
        }
        for my $told (values %{ $member->{kinds} || {} }) { $told -= $seconds }
    }
    spew($file, encode_json($memory));
}

sub say_something { $here->run("insert into posts (title) values ('$_[0]')") }

is(minutes(3, 0), 0, 'while all is well there are no mails');

$facade->stop;
say_something('in the outage');
is(minutes(2, 75), 0, 'a short outage is nobody\'s business');
$facade->start;
is(minutes(1, 0), 0, '  neither is its end');

$facade->stop;
is(minutes(3, 75), 1, 'a long one is told once');
like($last, qr/\Acommunicator-sync: facade: .*onnect.*\nhint: .*\n\z/,
    '  in one line and what to do');
is(heard(), 'trouble facade', '  to the command too');
is(minutes(4, 75), 0, '  and not again');
my $tries = sub { decode_json(slurp("$dir/state/status.json"))
    ->{facade}{runs} };
my $before = $tries->();
is(minutes(3, 75), 0, 'while it lasts');
is($tries->(), $before, '  it is tried less often');
later(61 * 60);
minutes(1, 75);
cmp_ok($tries->(), '>', $before, '  but it is tried');
later(24 * 3600);
is(minutes(1, 75), 1, 'a day later there is a reminder');
like($last, qr/still, since /, '  that says so');
is(heard(), 'reminder facade', '  also to the command');
$facade->start;
say_something('after it');
later(16 * 60);
is(minutes(1, 0), 1, 'its end is told');
like($last, qr/\Acommunicator-sync: facade: recovered after 25 h \d+ min, /,
    '  with what it was');
like($last, qr/ 1 message delivered: cannot .*\n\z/, '  and what it brought');
is(heard(), 'recovered facade', '  also to the command');
is(minutes(2, 0), 0, 'then it is quiet again');

spew("$dir/facade.secret", "changed\n");
is(minutes(1, 77), 1, 'a wrong password is told at once');
like($last, qr/401.*\nhint: .*password/s, '  with what to compare');
is(minutes(5, 77), 0, '  and not again');
my $nagios = $central->sync('status', '--nagios');
is($nagios->{exit}, 2, '  monitors find it critical');
like($nagios->{out}, qr/^COMMUNICATOR CRITICAL - facade: runs fail, .*: .*401/,
    '  and say so');
like($central->sync('status')->{out},
    qr/^critical: facade: runs fail, the last one .*401/m, '  as does status');
like($central->sync('status', '--prometheus')->{out},
    qr/^communicator_sync_last_exit_status\{peer="facade"\} 77$/m,
    '  and Prometheus');
# A monitor that cannot see how the runs ended does not say OK.
sub blind {
    my ($what, $reason, @as) = @_;
    my $run = @as
      ? run_program([@as, client_of_all(), '--config', $central->config_file,
            'status', '--nagios'])
      : $central->sync('status', '--nagios');

    is($run->{exit}, 3, "$what: unknown") or diag $run->{out}, $run->{err};
    like($run->{out}, qr/^COMMUNICATOR UNKNOWN - facade: .*$reason/,
        '  Nagios is told why');
    my $metrics = (@as ? run_program([@as, client_of_all(), '--config',
        $central->config_file, 'status', '--prometheus'])
        : $central->sync('status', '--prometheus'))->{out};
    like($metrics, qr/^communicator_sync_known\{peer="facade"\} 0$/m,
        '  Prometheus, too');
    unlike($metrics, qr/^communicator_sync_last_exit_status\{.* 0$/m,
        '  and not that all is well');
}

my $memory = slurp("$dir/state/status.json");
$there->run('delete from communicator_problems');
unlink "$dir/state/status.json";
blind('no state file', 'lists no run');
spew("$dir/state/status.json", substr $memory, 0, 50);
blind('a damaged one', 'damaged');
like($central->sync('status')->{out}, qr/^unknown: facade: .*damaged/m,
    '  status says so');
spew("$dir/state/status.json", $memory);
later(3 * 3600);
$here->run('update communicator_peers set last_push_at = '
    . int(time * 1e6) . ', last_pull_at = last_push_at');
SKIP: {
    my $all = decode_json($memory);
    my $good = { facade => { last_run => time - 3 * 3600, exit_status => 0 } };

    spew("$dir/state/status.json", encode_json($good));
    blind('one of three hours ago', 'ended 3 h ago');
    spew("$dir/state/status.json", $memory);
    skip 'only root can be another user', 4 unless defined web_user();
    own(web_user(), map { glob "$_*" } $here->{file});
    chmod 0700, "$dir/state";
    own('root', "$dir/state");
    blind('another user', 'Permission denied', program('runuser'), '-u',
        web_user(), '--');
}
spew("$dir/facade.secret", "secret\n");
is(minutes(1, 0), 1, '  but its end');
is($central->sync('status', '--nagios')->{exit}, 0, '  monitors see it, too');
unlink "$dir/heard";

$there->run('create trigger narrow before insert on posts begin '
    . 'select raise(abort, \'too narrow\') where length(new.title) > 20; end');
say_something('far too long for that table');
is(minutes(1, 65), 1, 'a parked message is told');
like($last, qr/\A.*: facade: message \d+ \(post\) is parked there: .*narrow\n\z/,
    '  with its reason');
is(heard(), 'trouble facade', '  also to the command');
is(minutes(3, 0), 0, '  and not again');
later(24 * 3600);
is(minutes(1, 0), 1, '  a reminder after a day');
like($last, qr/1 message parked still, since /, '  of what it is');
$there->run('drop trigger narrow');
is(minutes(2, 0), 1, '  and the end, when the table is wider');
like($last, qr/recovered after 24 h/, '  which is told');

$central->sync('pause');
is(minutes(3, 75), 1, 'a pause is told once');
like($last, qr/is paused since/, '  by its name');
$central->sync('resume');
is(minutes(2, 0), 1, '  and its end');

is($there->value('select count(*) from posts'),
    $here->value('select count(*) from posts'), 'nothing was lost');
is(scalar @mails, 10, 'ten mails in all') or diag(@mails);
my $twice = $central->sync('--cron', '--max-time', '5s', '--splay', '1s');
is("$twice->{exit}$twice->{out}$twice->{err}", '0', 'with time to spare');
spew("$dir/facade.secret", "changed\n");
$central->sync;
like($central->sync->{err}, qr/401/, 'without --cron each run says it');

done_testing();
