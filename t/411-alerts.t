#!/usr/bin/perl

# Who runs the program, where it may write, and how often a problem is
# reported: a run by root is in nobody's way, and no problem is mailed at every
# run.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use JSON::PP;
use Test::More;
use Communicator::Test qw(client_file client_of_all folder own program
  run_program slurp spew
  web_user);
use Communicator::Test::Database;
use Communicator::Test::Hostile qw(reply good central);

plan skip_all => 'the client is not built' unless -x client_file();

my $tmp = folder('tmp');
chmod 01777, $tmp;
my @as = defined web_user() ? (program('runuser'), '-u', web_user(), '--') : ();

# A run of cron's, as the user who is not root where there is one.
sub cron {
    my ($central, @arguments) = @_;
    my $run = run_program([@as, client_of_all(), '--config',
        $central->config_file, @arguments ? @arguments : '--cron'],
        env => { TMPDIR => $tmp });

    $run->{mail} = $run->{out} . $run->{err};
    return $run;
}

# How many of COUNT runs say something.
sub mails {
    my ($central, $count) = @_;

    return scalar grep { length } map { cron($central)->{mail} } 1 .. $count;
}

# Let SECONDS go by, for what is remembered.
sub later {
    my ($central, $seconds) = @_;
    my $file = "$central->{dir}/state/status.json";
    my $memory = decode_json(slurp($file));

    for my $member (values %$memory) {
        for my $times ($member, $member->{kinds} || {},
            values %{ $member->{flaps} || {} }) {
            for my $name (keys %$times) {
                $times->{$name} -= $seconds if !ref $times->{$name}
                  && $times->{$name} =~ /^\d{10,}$/;
            }
            $_ -= $seconds for @{ $times->{episodes} || [] };
        }
    }
    spew($file, encode_json($memory));
}

sub node {
    my ($code, %with) = @_;
    my $server = Communicator::Test::Hostile->new($code);
    my $central = central($server, 1, %with);

    own(web_user(), glob("$central->{dir}/*.secret"),
        $central->{database}{file} =~ s{/[^/]*$}{}r,
        glob("$central->{database}{file}*"));
    return ($server, $central);
}

subtest 'a run by root is in nobody\'s way' => sub {
    plan skip_all => 'only root can try' unless @as;
    my ($server, $central) = node(good());
    my $dir = "$central->{dir}/state";

    umask 0077;
    $central->sync_ok;
    umask 0022;
    my $uid = getpwnam web_user();
    is(join(' ', map { (stat)[4] == $uid ? () : $_ } glob "$dir/*"), '',
        'all that it made belongs to the owner of the folder');
    my $mode = (stat $dir)[2] & 0666;
    is(sprintf('%o', (stat "$dir/status.json")[2] & 0777),
        sprintf('%o', $mode), '  and who may read that may read it');
    my $run = cron($central);
    is("$run->{exit}$run->{mail}", '0', 'the next run goes on');

    # what a program before this one left
    spew("$dir/facade.lock", "1 1\n");
    chown 0, 0, "$dir/facade.lock";
    chmod 0644, "$dir/facade.lock";
    spew("$dir/status.json.new", '');
    chown 0, 0, "$dir/status.json.new";
    $run = cron($central);
    is("$run->{exit}$run->{mail}", '0', '  also with a lock that root made');
    chmod 0600, "$dir/facade.lock";
    $run = cron($central);
    like($run->{mail}, qr/facade\.lock.*Permission denied.*\nhint: .*chown/,
        '  one that nobody else can open is reported');
    is($run->{exit}, 74, '  by the exit status, too');
    is(mails($central, 3), 0, '  once');
    $server->stop;
};

subtest 'a state folder that cannot be written' => sub {
    plan skip_all => 'root can write everywhere' unless @as;
    my ($server, $central) = node(good());
    my $dir = "$central->{dir}/state";

    own('root', $dir);
    my $run = cron($central);
    is($run->{exit}, 74, 'is told by the exit status');
    like($run->{mail}, qr/'\Q$dir\E'.*Permission denied.*\nhint: .*install -d/,
        '  and reported');
    my @pushes = grep { $_->{method} eq 'POST' } $server->requests;
    cmp_ok(scalar @pushes, '>=', 2, '  the run does its work');
    is(mails($central, 3), 0, '  once');
    like(cron($central, 'status')->{out}, qr/^\w+: .*'\Q$dir\E'.*denied/m,
        '  and in status');
    is(cron($central, 'status', '--nagios')->{exit}, 1, '  and for Nagios');
    own(web_user(), $dir);
    $run = cron($central);
    like($run->{mail}, qr/\A.*recovered.*\n\z/, '  and its end');
    is($run->{exit}, 0, '  which is good');
    is(mails($central, 2), 0, '  once, too');

    # somebody else's folder in its place
    remove_tree(glob "$tmp/*");
    mkdir "$tmp/communicator-" . getpwnam web_user();
    own('root', $dir);
    cron($central);
    is(join('', glob "$tmp/*/*"), '', 'a folder of another user is not used');
    own(web_user(), $dir);
    remove_tree(glob "$tmp/*");
    $server->stop;
};

subtest 'a refusal that comes and goes' => sub {
    my $good = good();
    my $switch = folder('switch') . '/bad';
    my ($server, $central) = node(sub { -e $switch
        ? reply(401, 'text/html', '<h1>no</h1>') : $good->(@_) });
    my $mails = 0;
    my $last = '';

    for my $n (1 .. 12) {
        for my $bad (1, 0) {
            $bad ? spew($switch, '') : unlink $switch;
            my $mail = cron($central)->{mail};
            ++$mails, $last = $mail if length $mail;
        }
    }
    is($mails, 5, 'is told three times, its end twice') or diag $last;
    like($last, qr/comes and goes.*401/s, '  then that it comes and goes');
    later($central, 25 * 3600);
    spew($switch, '');
    like(cron($central)->{mail}, qr/still comes and goes.*401/s, 'a day later');
    unlink $switch;
    is(mails($central, 2), 0, '  and its end is not trusted');
    later($central, 7 * 3600);
    like(cron($central)->{mail}, qr/\A.*recovered.*401.*\n\z/,
        '  before some hours');
    is(mails($central, 2), 0, '  once');
    spew($switch, '');
    like(cron($central)->{mail}, qr/401/, 'then it is news again');
    unlink $switch;
    $server->stop;
};

subtest 'faces of one problem' => sub {
    my $n = 0;
    my ($server, $central) = node(sub { ++$n % 2
        ? reply(401, 'text/html', '<h1>no</h1>')
        : reply(403, 'text/html', '<h1>no</h1>') });

    is(mails($central, 10), 2, 'each is told once');
    $server->stop;
};

subtest 'a CommunicatorNotifyCommand that fails' => sub {
    my $hook = folder('hook') . '/hook';
    my ($server, $central) = node(
        sub { reply(401, 'text/html', '<h1>no</h1>') },
        client_conf => "CommunicatorNotifyCommand \"$hook\"\n");
    my $dir = $hook =~ s{/hook}{}r;

    own(web_user(), $dir);
    spew($hook, "#!/bin/sh\necho \$1 >>$dir/heard\nexit 3\n");
    chmod 0755, $hook;
    my $run = cron($central);
    like($run->{mail}, qr/CommunicatorNotifyCommand '.*hook'.*status 3/,
        'is reported');
    is(mails($central, 3), 0, '  once');
    like(cron($central, 'status')->{out},
        qr/^warning: CommunicatorNotifyCommand .*status 3/m, '  in status');
    like(cron($central, 'check')->{out},
        qr/^warning +CommunicatorNotifyCommand .*status 3/m, '  in check');
    unlink "$dir/heard";
    spew($hook, "#!/bin/sh\necho \$1 >>$dir/heard\n");
    cron($central);
    is(slurp("$dir/heard"), "trouble\n",
        'what it did not take it is told again');
    unlike(cron($central, 'status')->{out}, qr/NotifyCommand/, '  and is well');
    cron($central);
    is(slurp("$dir/heard"), "trouble\n", '  once');
    $central->configure(client_conf => "CommunicatorNotifyCommand $dir/none\n");
    like(cron($central, 'check')->{out},
        qr/^warning +CommunicatorNotifyCommand .*none.*No such file/m,
        'one that is not there');
    $server->stop;
};

done_testing();
