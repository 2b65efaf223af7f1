#!/usr/bin/perl

# One grammar, two readers: httpd and communicator-sync take and refuse the
# same lines, in the same words and with the same file and line.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(spew);
use Communicator::Test::Database;
use Communicator::Test::Server;

my $server = Communicator::Test::Server->new(name => 'facade', peers => '',
    database => Communicator::Test::Database->new('sqlite3'));
my $file = "$server->{dir}/node.conf";

# The lines stand in the file from line 4 on.
my @good = (
    'CommunicatorModel post table=posts',
    'communicatormodel post TABLE=posts Direction=Receive',
    'CommunicatorModel post "table=my posts" key=uuid keys=shared',
    q{CommunicatorModel post 'table=it\'s' "except=a b,c"},
    'CommunicatorModel post table=public.posts only=a,b match=a,b',
    'CommunicatorModel blog/post table=posts publish=application',
    'CommunicatorModel post table=posts class=Blog::Post except-receive=a,b',
    "CommunicatorModel post table=posts \\\n    deletes=no conflict=hold",
    q{CommunicatorModel draft table=drafts "where=n > 1 OR \"S\" = 'a\\\\b'" }
      . 'leave=delete',
    "CommunicatorModel post table=posts references=author_id:author\n"
      . 'CommunicatorModel author table=authors conflict=facade',
    "CommunicatorModel c table=c references=parent_id:c,post:p\n"
      . 'CommunicatorModel p table=p direction=publish conflict=central' . "\n"
      . 'CommunicatorPeer central user=u',
    "CommunicatorPeer a user=u\nCommunicatorPeer b user=v\n"
      . 'CommunicatorPeer c.d-e_F uri=https://x/messages.json user=u'
      . ' password-file=/etc/x ca-file=/etc/y',
    'CommunicatorPeer a uri=http://127.0.0.1:81/messages.json',
    'CommunicatorPeer a uri=http://[::1]:81/messages.json',
    'CommunicatorPeer a uri=http://example.com/m insecure=yes',
    'CommunicatorPeer a protocol=gem times=local',
    "# a comment\n\n   # and another \\\n   that goes on\n",
    'CommunicatorBatch 1', 'CommunicatorBatch 500 1M',
    'CommunicatorMaxBody 1g', 'CommunicatorRequireTLS off',
    'CommunicatorOnError STOP', 'CommunicatorExpectEvery 90s', 'CommunicatorExpectEvery 0',
    'CommunicatorExpectEvery off', 'CommunicatorRetain forever',
    'CommunicatorRetain 4w', 'CommunicatorWaiters 0', 'CommunicatorHistory Rows',
    'CommunicatorHistory none', "CommunicatorName a\nCommunicatorName b",
);

# Lines, the line of them that is wrong, what is said.
my @bad = (
    ['CommunicatorModel post tabel=posts', 1,
        "model 'post': unknown option 'tabel=posts' (known: table=, key=, "
          . 'direction=, class=, publish=, except=, except-receive=, only=, '
          . 'references=, keys=, newkey=, match=, conflict=, deletes=, where=, '
          . 'leave=)'],
    ['CommunicatorModel post table', 1,
        "model 'post': unknown option 'table' (known: table=, "],
    ['CommunicatorModel post table=', 1,
        "model 'post': option 'table=' has no value"],
    ['CommunicatorModel post table="my posts"', 1,
        q{model 'post': quotes must enclose the whole word: "table=..."}],
    ['CommunicatorModel post "table=posts', 1,
        "the quote before 'table=posts' is not closed"],
    ['CommunicatorModel post table=a table=b', 1,
        "model 'post': option 'table=' is given twice"],
    ['CommunicatorModel post', 1, "model 'post' has no table="],
    (map { ["CommunicatorModel post table=$_", 1, "model 'post': option "
          . "'table=': '$_' is not TABLE or SCHEMA.TABLE. If the name of a "
          . 'schema has a dot, let the search_path'] }
        qw(my.app.posts .posts posts. shop..posts)),
    ['CommunicatorModel', 1, 'CommunicatorModel takes at least one word: '
          . 'CommunicatorModel NAME table=TABLE'],
    ['CommunicatorModel Post table=posts', 1,
        "'Post' is not a model name (lower case letters, digits, '_', '/')"],
    ['CommunicatorModel blog/ table=posts', 1,
        "'blog/' is not a model name (lower case letters, digits, '_', '/')"],
    ['CommunicatorModel post table=posts class=post', 1, "model 'post': option "
          . "'class=': 'post' is not the name of a class, such as Post or "
          . 'Blog::Post'],
    ['CommunicatorModel post table=posts class=Blog::', 1,
        "'Blog::' is not the name of a class"],
    ["CommunicatorModel post table=posts\nCommunicatorModel article "
          . 'table=articles class=Post', 2,
        "models 'post' and 'article' share the class 'Post'"],
    ['CommunicatorModel post table=p match=a except-receive=a', 1,
        "model 'post': except-receive= names 'a', by which records are found"],
    ['CommunicatorModel post table=p direction=publish except-receive=a', 1,
        "model 'post': except-receive= and direction=publish contradict each "
          . 'other'],
    ['CommunicatorModel post table=p direction=receive publish=application', 1,
        "model 'post': publish=application and direction=receive contradict "
          . 'each other'],
    ["\n\nCommunicatorModel post table=p direction=in", 3,
        "model 'post': option 'direction=': unknown value 'in' (known: "
          . 'both, receive, publish)'],
    ["CommunicatorModel post \\\n  table=p \\\n  deletes=maybe", 3,
        "model 'post': option 'deletes=': unknown value 'maybe' "
          . '(known: no, yes)'],
    [q{CommunicatorModel post table=p where=a='b}, 1,
        q{option 'where=': a quote in 'a='b' is not closed}],
    ['CommunicatorModel post table=p except=a,,b', 1,
        "option 'except=': there is an empty name between commas"],
    ['CommunicatorModel post table=p references=author', 1,
        "'author' is not COLUMN:MODEL, as in author_id:author"],
    ['CommunicatorModel post table=p references=a:b', 1,
        "model 'post': references=a:b names a model that is not declared"],
    ["CommunicatorModel post table=p\nCommunicatorModel post table=q", 2,
        "model 'post' is declared twice (first on line 4 of $file)"],
    ["CommunicatorModel post table=p\nCommunicatorModel q table=p", 2,
        "models 'post' and 'q' share the table 'p'"],
    ["CommunicatorModel a1 table=p\nCommunicatorModel a_1 table=q", 2,
        "models 'a1' and 'a_1' share the class 'A1'"],
    ['CommunicatorModel post table=p conflict=nobody', 1,
        "conflict=nobody is neither a peer nor this node ('facade')"],
    ["CommunicatorPeer a user=u\nCommunicatorPeer a user=v", 2,
        "peer 'a' is declared twice (first on line 4 of $file)"],
    ["CommunicatorPeer a user=u\nCommunicatorPeer b user=u", 2,
        "peers 'a' and 'b' log in as the same user 'u'"],
    ['CommunicatorPeer facade user=u', 1,
        "peer 'facade' has the name of this node"],
    ['CommunicatorPeer a* user=u', 1,
        "'a*' is not a node name (letters, digits, '.', '_', '-')"],
    ['CommunicatorPeer a uri=www.example.com', 1, 'not an address of the form '
          . 'https://HOST/messages.json'],
    ['CommunicatorPeer a uri=https://u:p@x/m', 1, 'an address must not contain '
          . 'a password'],
    ['CommunicatorPeer a uri=http://example.com/m', 1,
        "'http://example.com/m' would send the password unencrypted"],
    ['CommunicatorPeer a password-file=secret', 1,
        'a file must be given by an absolute path'],
    ['CommunicatorName *', 1,
        "'*' is not a node name (letters, digits, '.', '_', '-')"],
    ['CommunicatorName a b', 1,
        'CommunicatorName takes one word: CommunicatorName NAME'],
    ['CommunicatorBatch 0', 1,
        "CommunicatorBatch: '0' is not a number from 1 to 100000"],
    ['CommunicatorBatch 5 x', 1, "CommunicatorBatch: 'x' is not a size"],
    ['CommunicatorBatch 5 6 7', 1, 'CommunicatorBatch takes one or two words'],
    ['CommunicatorMaxBody 1.5M', 1, "'1.5M' is not a size"],
    ['CommunicatorRequireTLS maybe', 1, "CommunicatorRequireTLS: unknown value "
          . "'maybe' (known: Off, On, a header as X-Forwarded-Proto)"],
    ['CommunicatorRequireTLS', 1, 'CommunicatorRequireTLS takes at least one '
          . 'word: CommunicatorRequireTLS On|Off|HEADER [PROXY...]'],
    ['CommunicatorRequireTLS On 192.0.2.1', 1,
        'CommunicatorRequireTLS: On and Off stand alone'],
    ['CommunicatorRequireTLS X-Forwarded-Proto proxy', 1,
        "CommunicatorRequireTLS: 'proxy' is not the address of a proxy"],
    ['CommunicatorRequireTLS X-Forwarded-Proto 192.0.2.0/33', 1,
        "'192.0.2.0/33' is not the address of a proxy"],
    ['CommunicatorPeer a proxy=proxy.example.com:3128', 1,
        "'proxy.example.com:3128' is neither none nor an address of the form "
          . 'http://HOST:PORT'],
    ['CommunicatorPeer a proxy=http://proxy.example.com', 1,
        "is neither none nor an address"],
    ['CommunicatorPeer a proxy=ftp://proxy.example.com:21', 1,
        "unknown value 'ftp' (known: http, https, socks4"],
    ['CommunicatorPeer a proxy=http://me:sesame@proxy.example.com:3128', 1,
        "proxy= must not contain a password: use proxy-user-file="],
    ['CommunicatorPeer a times=local', 1,
        "peer 'a': times=local needs protocol=gem"],
    ['CommunicatorPeer a key=/etc/k', 1, "peer 'a': key= needs cert="],
    ['CommunicatorPeer a key-password-file=/etc/k', 1,
        "peer 'a': key-password-file= needs cert="],
    ['CommunicatorPeer a uri=http://localhost/ cert=/etc/c', 1,
        "peer 'a': cert= needs an address with https://"],
    ['CommunicatorPeer a uri=http://localhost/ proxy=http://192.0.2.1:3128', 1,
        "'http://localhost/' would send the password unencrypted"],
    ['CommunicatorOnError ignore', 1, "unknown value 'ignore' (known: park, "
          . 'stop)'],
    ['CommunicatorExpectEvery 10m', 1, "'10m' is not a time"],
    ['CommunicatorExpectEvery 90', 1, "'90' has no unit: write 90s, 90min, 90h "
          . 'or 90d'],
    ['CommunicatorHistory all', 1, "unknown value 'all' (known: packed, "
          . 'rows, none)'],
    ['CommunicatorRetain 30', 1, "CommunicatorRetain: '30' has no unit"],
    ['CommunicatorWaiters -1', 1, "'-1' is not a number from 0 to 100000"],
    ['CommunicatorRetain -1d', 1, "'-1d' is not a time"],
);

# What a reader said, on one line.
sub words { return join ' ', split ' ', $_[0] }

sub first_line { return $_[0] =~ s/\n.*//sr }

for my $lines (@good) {
    $server->configure(conf => $lines);
    my ($httpd, $client) = ($server->configtest, $server->sync('configtest'));
    my $name = first_line($lines =~ s/^\s+//r);

    is($httpd->{exit}, 0, "httpd takes: $name") or diag($httpd->{err});
    is($client->{exit}, 0, "the client takes: $name") or diag($client->{err});
}

for my $case (@bad) {
    my ($lines, $line, $text) = @$case;
    my $place = 'Syntax error on line ' . ($line + 3) . " of $file: ";
    my $name = first_line($lines =~ s/^\s+//r);

    $server->configure(conf => $lines);
    my ($httpd, $client) = ($server->configtest, $server->sync('configtest'));
    isnt($httpd->{exit}, 0, "httpd refuses: $name");
    like(words($httpd->{err}), qr/\Q$place\E.*\Q$text/, '  and says why');
    is($client->{exit}, 78, 'so does the client');
    like(words($client->{err}), qr/\Q$place\E.*\Q$text/,
        '  in the same words');
}

# Lines for one of the two only.

sub refused_by_httpd {
    my ($what, $pattern, %change) = @_;

    $server->configure(conf => '', httpd_conf => '', location => '', %change);
    my $run = $server->configtest;
    isnt($run->{exit}, 0, "httpd refuses $what");
    like(words($run->{err}), $pattern, '  and says why');
}

refused_by_httpd('a line of the client', qr/StateDir is only for communicator-sync/, conf => 'CommunicatorStateDir /x');
refused_by_httpd('the endpoint outside of a location', qr/not allowed here/,
    conf => 'Communicator On');
for my $section ('<Directory "/">', '<LocationMatch "^/x">',
    '<Location ~ "^/x">', '<Location "/x*">', '<Files "x">') {
    my ($kind) = $section =~ /^<(\w+)/;

    refused_by_httpd("the endpoint in a $section",
        qr/Communicator is allowed only in a <Location "\/path"> without/,
        httpd_conf => "$section\nCommunicator On\n</$kind>");
}
refused_by_httpd('a model in a location', qr/CommunicatorModel not allowed/,
    location => 'CommunicatorModel post table=posts');

# Not even with AllowOverride All does a .htaccess open an endpoint.
spew("$server->{dir}/.htaccess", "Communicator On\n");
$server->configure(conf => '', location => '',
    httpd_conf => "<Directory \"$server->{dir}\">\nAllowOverride All\n"
      . "Require all granted\n</Directory>");
$server->migrate->start;
is($server->get('/x')->{status}, 500, 'a .htaccess cannot say Communicator');
$server->log_has_only(qr/Communicator not allowed here/);
$server->stop;
unlink "$server->{dir}/.htaccess";

# What mod_dbd is told matters to an endpoint.
my $lines = do { local (@ARGV, $/) = $file; <> };
for my $case (['DBDriver sqlite3', 'DBDriver'],
    ['DBDParams [^\n]*', 'DBDParams'], ['CommunicatorName [^\n]*',
    'CommunicatorName']) {
    my ($pattern, $name) = @$case;

    $server->configure(httpd_conf => '');
    spew($file, $lines =~ s/^$pattern$//mr);
    my $run = $server->configtest;
    isnt($run->{exit}, 0, "httpd refuses an endpoint without $name");
    like($run->{err}, qr/\Q$name\E is missing/, '  and says so');
    is($server->sync('configtest')->{exit}, 78, 'so does the client');
}

spew($file, "CommunicatorName a\nDBDriver mysql\nDBDParams dbname=x\n");
like($server->configtest->{err}, qr/must contain 'reconnect=0 flags=CLIENT_F/,
    'httpd refuses MariaDB without the words that it needs');

spew($file, $lines =~ s/^DBDParams [^\n]*$/DBDParams "$server->{dir}\/no.db"/mr);
my $nowhere = $server->configtest;
is($nowhere->{exit}, 0, 'httpd starts without the file of the database');
like($nowhere->{err}, qr{CM0022: DBDParams: the file '[^']*/no\.db' does not},
    '  and says so');

# Some editors write a mark before the first letter.
spew($file, "\x{FEFF}CommunicatorName a\n");
isnt($server->configtest->{exit}, 0, 'httpd refuses a byte order mark');
my $marked = $server->sync('configtest');
is($marked->{exit}, 78, 'so does the client');
like(words($marked->{err}), qr/line 1 of \Q$file\E: the file begins with a byte order mark/,
    '  and says why');
like(words($marked->{err}), qr/save it as UTF-8 without BOM/, '  with a hint');

# Virtual hosts add to the server.
$server->configure(conf => 'CommunicatorModel post table=posts',
    httpd_conf => "<VirtualHost 127.0.0.1:1>\nCommunicatorName other\n"
      . "CommunicatorModel post table=others\n</VirtualHost>");
like($server->configtest->{err}, qr/model 'post' is declared twice/,
    'a virtual host has the models of the server too');
$server->configure(conf => 'CommunicatorModel post table=posts',
    httpd_conf => "<VirtualHost 127.0.0.1:1>\nCommunicatorName other\n"
      . "CommunicatorModel other table=others conflict=other\n</VirtualHost>");
is($server->configtest->{exit}, 0, 'and may add its own, and its name');

done_testing();
