#!/usr/bin/perl

# Packed bodies: both ways between two of ours where they want it, never
# towards a gem; and what a packed body may not do.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Zlib qw(memGzip memGunzip);
use JSON::PP;
use Test::More;
use Communicator::Test qw(spew slurp);
use Communicator::Test::Database;
use Communicator::Test::Peer;
use Communicator::Test::Proxy;
use Communicator::Test::Server qw(by_ours);

my $path = '/messages.json';
my $model = "CommunicatorModel post table=posts\n";
my $tables = 'create table posts (id {key}, title varchar(200), body {text})'
  . ' {engine};';

# A facade; MORE is for httpd. What was packed is in its log.
sub make_facade {
    my ($conf, $more) = @_;
    my $facade = Communicator::Test::Server->new(name => 'facade',
        database => Communicator::Test::Database->new('sqlite3'),
        peers => "CommunicatorPeer central user=communicator\n"
          . "CommunicatorPeer old user=gem protocol=gem\n",
        conf => $model . $conf);

    $facade->add_user('gem', 'pw');
    $facade->configure(httpd_conf => ($more // '')
          . "CustomLog $facade->{dir}/packed.log \"%m %>s"
          . " in=%{Content-Encoding}i out=%{Content-Encoding}o %I\"\n");
    my ($modules) = slurp("$facade->{dir}/httpd.conf") =~ m{dbd_module (.*)/};
    my $httpd = slurp("$facade->{dir}/httpd.conf") =~ s{MODULES}{$modules}gr;
    $httpd =~ s{^(ServerRoot)}{LoadModule logio_module $modules/mod_logio.so\n$1}
      if -e "$modules/mod_logio.so";
    spew("$facade->{dir}/httpd.conf", $httpd);
    $facade->database->create($tables);
    return $facade->migrate->start;
}

my @gem = (user => 'gem', password => 'pw');

sub message {
    my ($id) = @_;

    return { id => $id, origin => 'central', original_id => $id,
        clock => 1000 + $id, body => encode_json({ post => {
            title => "t$id", body => join ' ', map { $_ * $id } 1 .. 300 } }) };
}

sub batch { return encode_json([map { message($_) } @_]) }

sub count {
    return $_[0]->database->value('select coalesce(sum(messages), 0) '
        . 'from communicator_received');
}

# POST DATA as if it was packed.
sub post_packed {
    my ($facade, $data, %more) = @_;

    return $facade->post("$path?after=0", $data,
        by_ours('content-encoding' => 'gzip', %more));
}

# The most memory a child of FACADE ever had, in MB.
sub peak {
    my ($facade) = @_;

    return (sort { $b <=> $a } map {
        slurp("/proc/$_/status") =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : 0
    } $facade->children)[0];
}

subtest 'requests, without mod_deflate' => sub {
    my $facade = make_facade("CommunicatorMaxBody 4M\n");
    my $good = memGzip(batch(1 .. 3));
    my $bomb = memGzip('[' . ' ' x 30_000_000 . ']');
    my $lie = substr($bomb, 0, -4) . pack 'V', 1000;
    my $damaged = $good;
    my %bad = ('something behind' => "${good}x", 'two of them' => $good x 2,
        garbage => 'x' x 3000, nothing => '', 'no packed body' => batch(1),
        'more than it says' => $lie,
        map { ("cut at $_" => substr $good, 0, $_) } 1, 10, 19, 500,
        length($good) - 8, length($good) - 1);

    substr($damaged, 1000, 1) ^= "\x10";
    $bad{'a damaged byte'} = $damaged;
    is($facade->get("$path?from_id=1", by_ours())->{headers}{'accept-encoding'},
        'gzip', 'ours are told that they may pack');
    is($facade->get("$path?from_id=1", @gem)->{headers}{'accept-encoding'}, undef,
        'a gem is not');
    $facade->log_has_only;
    for my $name (sort keys %bad) {
        my $answer = post_packed($facade, $bad{$name});
        is($answer->{status}, 400, "$name is refused");
        is($answer->{headers}{'communicator-error'}, 'MALFORMED', '  as such');
    }
    $facade->log_has_only(qr/CM0008.*cannot be read/);
    my $before = peak($facade);
    my $answer = post_packed($facade, $bomb);
    is($answer->{status}, 413, 'a bomb is refused');
    is($answer->{headers}{'communicator-error'}, 'TOO_LARGE', '  as too large');
    cmp_ok(peak($facade) - $before, '<', 8, '  and takes no memory');
    $facade->log_has_only(qr/CM0008.*larger than allowed/);
    $answer = post_packed($facade, $good, 'content-encoding' => 'br');
    is($answer->{status}, 415, 'another coding is refused');
    is($answer->{headers}{'accept-encoding'}, 'gzip', '  and gzip named');
    $facade->log_has_only(qr/CM0008.*unknown Content-Encoding/);
    $answer = $facade->post($path, $good, @gem,
        headers => { 'content-encoding' => 'gzip' });
    like($answer->{status}, qr/^5/, 'a gem that packs is refused as ever');
    $facade->log_has_only(qr/CM0009/);
    is(count($facade), 0, 'nothing of all this is kept');
    is(post_packed($facade, $good)->{status}, 202, 'a packed push is taken');
    is(count($facade), 3, '  all of it');
    is($facade->database->value('select body from posts where id = 2'),
        join(' ', map { 2 * $_ } 1 .. 300), '  as it was');
    $facade->stop;
};

subtest 'replies, without mod_deflate' => sub {
    my $facade = make_facade('');
    my $body = 'lorem ipsum ' x 500;

    $facade->database->run("insert into posts (body) values ('$body')");
    my $plain = $facade->get("$path?from_id=1", by_ours());
    my $packed = $facade->get("$path?from_id=1",
        by_ours('accept-encoding' => 'gzip'));
    my $headers = $packed->{headers};
    is($plain->{headers}{'content-encoding'}, undef, 'plain when not asked');
    is($headers->{'content-encoding'}, 'gzip', 'packed when asked');
    is($headers->{'content-length'}, length $packed->{content}, '  its length');
    cmp_ok(length $packed->{content}, '<', 600, '  which is small');
    is(memGunzip($packed->{content}), $plain->{content}, '  and the same');
    for my $wish ('gzip;q=0', 'br', 'identity') {
        is($facade->get("$path?from_id=1", by_ours('accept-encoding' => $wish))
            ->{headers}{'content-encoding'}, undef, "not for '$wish'");
    }
    is($facade->get("$path?from_id=2", by_ours('accept-encoding' => 'gzip'))
        ->{content}, '[]', 'what is small is left alone');
    is($facade->get("$path?from_id=1", @gem, headers => {
        'accept-encoding' => 'gzip' })->{headers}{'content-encoding'}, undef,
        'a gem gets no packed reply');
    $facade->log_has_only;
    $facade->stop;
};

# What is packed once is sent so, and kept so.
sub kept_as_sent {
    my ($from, $to) = @_;
    my $kept = $to->database->value(
        'select hex(wire) from communicator_received');

    my $sent = $from->database->value(
        'select hex(wire) from communicator_batches');

    # A long message is a row there.
    return if !defined $sent;
    is($kept, $sent, '  ' . $to->name
          . ' keeps what the other side keeps, byte for byte');
    like($kept, qr/^1F8B/, '  packed');
}

# A client with WORDS for its peer, and its push and pull through FACADE: which
# requests and replies were packed.
sub sync {
    my ($facade, $words, $body) = @_;
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => $model)->knows($facade, $words);

    $central->database->create($tables);
    $central->migrate;
    $central->database->run("insert into posts (body) values ('$body')");
    $facade->database->run("insert into posts (body) values ('$body')");
    $facade->log_has_only;
    $central->sync_ok;
    is($_->database->value("select count(*) from posts where body = '$body'"),
        2, '  ' . $_->name . ' has both') for $central, $facade;
    my $log = slurp("$facade->{dir}/packed.log");
    kept_as_sent($central, $facade) if $log =~ /^POST 202 in=gzip/m;
    kept_as_sent($facade, $central) if $log =~ /^GET 200 .*out=gzip/m;
    return (scalar(() = $log =~ /^POST 202 in=gzip/mg),
        scalar(() = $log =~ /^GET 200 .*out=gzip/mg),
        scalar(() = $log =~ /^POST 4\d\d in=gzip/mg));
}

my $words = join ' ', map { $_ * $_ } 1 .. 900;
my $deflate = "LoadModule filter_module MODULES/mod_filter.so\n"
  . "LoadModule deflate_module MODULES/mod_deflate.so\n"
  . "<Location $path>\nSetInputFilter DEFLATE\n"
  . "AddOutputFilterByType DEFLATE application/json text/html\n";

for (['by default, on loopback, where it is packed to be kept', '', '',
        '1 0 0'],
    ['with compress=yes', ' compress=yes', '', '1 1 0'],
    ['with compress=no', ' compress=no', '', '0 0 0'],
    ['with mod_deflate, both ways', ' compress=yes', "$deflate</Location>\n",
        '0 1 0'],
    ['not packed, with mod_deflate', '', "$deflate</Location>\n", '0 0 0']) {
    my ($name, $words_of_peer, $conf, $packed) = @$_;

    subtest "the client $name" => sub {
        my $facade = make_facade('', $conf);
        is(join(' ', sync($facade, $words_of_peer, $words)), $packed,
            'packed: requests, replies');
        $facade->log_has_only;
        $facade->stop;
    };
}

# Replies, as a proxy packs them, or damages them.
my $reply_of = {
    'packed by another' => sub { memGzip(memGunzip($_[0]) =~ s/^\[/[ /r) },
    'not packed' => sub { memGunzip($_[0]) },
    'damaged' => sub { substr($_[0], 50, 1) ^= "\x10"; $_[0] },
    'cut' => sub { substr $_[0], 0, 100 },
    'with something behind' => sub { "$_[0]x" },
    'too large' => sub { memGzip('[' . ' ' x 30_000_000 . ']') },
    'larger than it says' => sub {
        substr(memGzip('[' . ' ' x 30_000_000 . ']'), 0, -4) . pack 'V', 1000;
    },
};

# Let NAME become of each packed reply.
sub repacked {
    my ($name, $port) = @_;

    return Communicator::Test::Proxy->new(to => $port, judge => sub {
        my ($request, $reply) = @_;
        my ($head, $body) = split /\r\n\r\n/, $reply // '', 2;

        return undef if ($body // '') !~ /^\x1f\x8b/;
        $body = $reply_of->{$name}->($body);
        $head =~ s/^(Content-Length:).*$/"$1 " . length($body) . "\r"/me;
        $head =~ s/\r\nContent-Encoding:[^\r]*//i if $body =~ /^\[/;
        return "$head\r\n\r\n$body";
    });
}

# A client that pulls through a proxy that does NAME; and its run.
sub pull_through {
    my ($name, $facade) = @_;
    my $proxy = repacked($name, $facade->{port});
    my $central = Communicator::Test::Peer->new(name => 'central',
        database => Communicator::Test::Database->new('sqlite3'),
        conf => "${model}CommunicatorMaxBody 4M\n");

    {
        local $facade->{port} = $proxy->{port};
        $central->knows($facade, ' compress=yes');
    }
    $facade->database->run("insert into posts (body) values ('$words')");
    $central->database->create($tables);
    $central->migrate;
    return ($central, $central->sync('pull'));
}

for my $name (sort keys %$reply_of) {
    subtest "a reply to the client: $name" => sub {
        my $facade = make_facade('');
        my ($central, $run) = pull_through($name, $facade);
        my $rows = $central->database->value('select count(*) from posts');
        my $kept = $central->database->value(
            'select hex(wire) from communicator_received');

        if ($name =~ /packed/) {
            is($run->{exit}, 0, 'it is taken') or diag($run->{err});
            is($rows, 1, '  and applied');
            # Our own packing says in its head that it is the fastest.
            like($kept, $name eq 'not packed' ? qr/^1F8B08.{10}04/
                : qr/^1F8B08.{10}0[^4]/, '  and kept, as it came');
        }
        else {
            isnt($run->{exit}, 0, 'it is refused');
            like($run->{err}, $name eq 'too large' ? qr/is larger than 4194304 /
                : qr/cannot be unpacked/, '  with the reason');
            is($rows, 0, '  and nothing of it is applied');
        }
        $facade->stop;
    };
}

# mod_deflate's own limits, which the client cannot know: what it refuses
# packed goes through as it is.
subtest 'packed too well' => sub {
    my $facade = make_facade('', $deflate
          . "DeflateInflateRatioLimit 2\nDeflateInflateRatioBurst 1\n"
          . "</Location>\n");
    sync($facade, ' compress=yes', 'x' x 200_000);
    like(slurp("$facade->{dir}/packed.log"), qr/^POST 400 /m,
        'it was refused once');
    $facade->log_has_only(qr/CM0008.*cannot be read/, qr/AH02805|ratio/);
    $facade->stop;
};

done_testing();
