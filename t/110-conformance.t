#!/usr/bin/perl

# A client of the gem never notices that it talks to something else: the
# protocol checks beside the checkout, on each database.
#
# They demand that a message which cannot be applied is refused with 5xx. With
# `CommunicatorOnError park`, our default, we are better than that: it is kept,
# answered with 202, and does not block what follows. So all cases are run
# with `stop`; and with `park` those that begin on a server that has taken
# such a message, but the one named below.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(shared run_program program spew);
use Communicator::Test::Blog qw(make_gem_blog gem_models);
use Communicator::Test::Database;
use Communicator::Test::Server;

my $script = shared('conformance.py');
my $python = program('python3');

plan skip_all => '../shared/conformance.py is not there' unless $script;
plan skip_all => 'python3 is not installed' unless $python;

# A comment of which nothing is known cannot be made from nothing.
my $parked = qr/told apart by the model$/;

sub make_server {
    my ($driver, $on_error) = @_;
    my $database = Communicator::Test::Database->new($driver);
    my $server = Communicator::Test::Server->new(
        name => 'remote', database => $database,
        user => 'testuser', password => 'pwd',
        peers => "CommunicatorPeer local user=testuser protocol=gem\n",
        conf => "CommunicatorOnError $on_error\n" . gem_models());

    make_gem_blog($database);
    return $server->migrate->start;
}

# A shell command that makes the application write three posts.
sub seed_command {
    my ($server) = @_;
    my $file = "$server->{dir}/seed.sql";

    spew($file, map { "insert into posts (title, body, created_at) values "
        . "('seed $_', 'body', '2011-06-22 10:11:12');\n" } 1 .. 3);
    return $server->database->shell_command . " < $file";
}

# Run the script; return what failed, each with what was got.
sub failures {
    my ($server, @options) = @_;
    my $run = run_program([$python, $script, $server->base,
        $server->{user}, $server->{password}, qw(--profile compat),
        @options], timeout => 300);
    my @passed = $run->{out} =~ /^ok \d+/mg;
    my %got = $run->{out} =~ /^not ok \d+ - ([^\n]*)\n(#[^\n]*)/mg;

    # The plan comes last.
    ok($run->{out} =~ /^1\.\.(\d+)$/m && $1 == @passed + keys %got
        && @passed > 100, 'the script ran to its end')
      or diag($run->{out}, $run->{err});
    return %got;
}

sub none {
    my ($failed, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(!%$failed, $what)
      or diag(map { "$_\n    $failed->{$_}\n" } sort keys %$failed);
}

for my $driver (Communicator::Test::Database->drivers) {
    my $missing = Communicator::Test::Database->missing($driver);

    SKIP: {
        skip $missing, 7 if $missing;
        my $server = make_server($driver, 'stop');
        my %failed = failures($server);
        none(\%failed, "$driver: conforms");
        $server->log_lines;
        $server->stop;

        $server = make_server($driver, 'stop');
        %failed = failures($server, '--seed-cmd', seed_command($server));
        none(\%failed, "$driver, with records to send: conforms");
        $server->log_lines;
        $server->stop;

        $server = make_server($driver, 'park');
        my $answer = $server->post('/messages.json', '[{"id":40,"origin":"x",'
            . '"original_id":1,"body":"{\\"post\\":{\\"title\\":null}}"}]');
        is($answer->{status}, 202, "$driver: what cannot be applied is kept");
        %failed = failures($server, '--expect', 41);
        delete @failed{ grep { $_ =~ $parked } keys %failed };
        none(\%failed, "$driver: conforms but where parking is better");
        $server->log_lines;
        $server->stop;
    }
}

done_testing();
