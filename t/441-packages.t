#!/usr/bin/perl

# Debian's packages and the guide, on two hosts: each is a copy of a file system
# (overlayfs), and both have a network of their own. The packages are built of
# what is compiled already; the guide's blocks are run as they stand, from the
# installation to the first sync and cron; then upgrade, remove and purge.
#
# build-aux/package-check runs the same on a bare Debian, with packages compiled
# there: CM_PACKAGES is their folder, CM_HOST_ROOT the file system.
# systemd does not run here: a stand-in for systemctl writes down what the
# maintainer scripts ask of it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Communicator::Test qw(folder run_program start_process stop_process slurp
  spew source_dir build_dir module_file client_file program wait_until need);

my $top = source_dir();
my $dir = folder('packages');
my $root = $ENV{CM_HOST_ROOT} || '/';
my $guide = slurp("$top/docs/guide.md");
my $config = '/etc/communicator/communicator.conf';
my $space;

# One command where it is allowed to fail.
sub output {
    my (@command) = @_;
    my $run = run_program(\@command);

    is($run->{exit}, 0, "@command[0 .. ($#command > 2 ? 2 : $#command)]")
      or diag($run->{out}, $run->{err});
    return $run->{out};
}

# The block of the guide, without its indent, that contains the text WORD.
sub block {
    my ($word) = @_;
    my @found = grep { index($_, $word) >= 0 }
      $guide =~ /(?<=\n\n)((?:    .*\n|\n(?=    ))+)/g;

    is(scalar @found, 1, "the guide has one block with '$word'");
    return ($found[0] // '') =~ s/^    //gmr;
}

# The packages

# debhelper finds a Makefile that only installs what build/ has.
sub build_packages {
    my $source = "$dir/source";
    my $build = build_dir();

    mkdir $source;
    symlink "$top/$_", "$source/$_" or die "$_: $!" for qw(conf docs);
    run_program(['cp', '-a', "$top/packaging/debian", "$source/debian"]);
    spew("$source/Makefile", "all clean:\ninstall:\n\ttest -n '\$(DESTDIR)'\n"
        . "\t\$(MAKE) -C $build install-exec install-data prefix=/usr "
        . "docdir=/usr/share/doc/communicator-sync\n");
    spew("$source/debian/rules", slurp("$source/debian/rules")
          =~ s/^override_dh_auto_configure:\n\K.*/\t:/mr
          . "\nexecute_before_dh_autoreconf override_dh_autoreconf:\n\t:\n");
    my $run = run_program([program('dpkg-buildpackage'), qw(-b -us -uc -d -nc)],
        dir => $source, timeout => 300);
    is($run->{exit}, 0, 'the packages are built')
      or diag($run->{out}, $run->{err});
    return $dir;
}

sub package_of {
    my ($folder, $name) = @_;

    return (glob "$folder/${name}_*.deb")[0] // '';
}

sub check_contents {
    my ($folder) = @_;
    my ($client, $module) = map { package_of($folder, $_) }
      qw(communicator-sync libapache2-mod-communicator);
    my $sync = output('dpkg-deb', '-c', $client);

    for my $file ('lib/systemd/system/communicator-sync.timer',
        'lib/systemd/system/communicator-sync.service',
        'lib/systemd/system/communicator-follow.service',
        'etc/cron.d/communicator-sync', 'usr/sbin/communicator-sync',
        'usr/lib/tmpfiles.d/communicator-sync.conf') {
        like($sync, qr{ \./(usr/)?\Q$file\E$}m, "there is $file");
    }
    like($sync, qr{^-rw-r----- root/root .*/communicator\.conf$}m,
        'the configuration is not for everybody');
    like(output('dpkg-deb', '-f', $client, 'Recommends'),
        qr/-dbd-pgsql, \S+-dbd-mysql, \S+-dbd-sqlite3,/,
        'each driver is recommended by itself');
    like(output('dpkg-deb', '-f', $module, 'Recommends'), qr/^apache2\b/,
        'and httpd by its module');
}

# The same packages as a later version, whose configuration differs.
sub make_next_version {
    my ($folder) = @_;
    my $next = "$dir/next";

    mkdir $next;
    for my $name (qw(communicator-sync libapache2-mod-communicator)) {
        my $tree = "$dir/tree-$name";

        run_program(['dpkg-deb', '-R', package_of($folder, $name), $tree]);
        spew("$tree/DEBIAN/control", slurp("$tree/DEBIAN/control")
              =~ s/\b0\.9\.0\b/0.9.0+next/gr);
        if (-d "$tree/etc/communicator") {
            my $file = "$tree/etc/communicator/communicator.conf";
            spew($file, slurp($file) . "# the next version\n");
        }
        run_program(['dpkg-deb', '-b', $tree, "$next/${name}_next.deb"]);
    }
    return $next;
}

# The hosts

# Two hosts in namespaces that end with this test.
sub start_hosts {
    spew("$dir/hosts.sh", <<'SH');
set -e
root=$1 dir=$2
ip link set lo up
mount -t tmpfs tmpfs "$dir/hosts"
mkdir "$dir/hosts/sockets"
chmod 1777 "$dir/hosts/sockets"
for host in facade central; do
    place=$dir/hosts/$host
    mkdir "$place" "$place/up" "$place/work" "$place/root"
    mount -t overlay overlay \
        -o "lowerdir=$root,upperdir=$place/up,workdir=$place/work" "$place/root"
    mount -t proc proc "$place/root/proc"
    mount --rbind /dev "$place/root/dev"
    for folder in run tmp; do
        mount -t tmpfs -o mode=1777 tmpfs "$place/root/$folder"
    done
    chmod 755 "$place/root/run"
    mkdir "$place/root/run/postgresql" "$place/root/run/lock" \
        "$place/root/run/systemd" "$place/root/run/systemd/system" \
        "$place/root/packages" "$place/root/next"
    mount --bind "$dir/hosts/sockets" "$place/root/run/postgresql"
    mount --bind "$3" "$place/root/packages"
    mount --bind "$4" "$place/root/next"
    printf '#!/bin/sh\ncase $1 in communicator*) ;; *) exit 101 ;; esac\n' \
        >"$place/root/usr/sbin/policy-rc.d"
    printf '127.0.0.1 localhost www.example.com\n' >"$place/root/etc/hosts"
    # What the packages recommend may bring systemd: the stand-in must stay.
    for name in /bin/systemctl /usr/bin/systemctl; do
        chroot "$place/root" dpkg-divert --quiet --local --no-rename \
            --divert "$name.of-systemd" --add "$name"
    done
    install -m 755 "$dir/systemctl" "$place/root/usr/bin/systemctl"
    chmod 755 "$place/root/usr/sbin/policy-rc.d"
done
read -r pid rest </proc/self/stat
echo "$pid" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"
exec sleep 900
SH
    # is-enabled and is-active as asked of the links; the rest is written down.
    spew("$dir/systemctl", <<'SH');
#!/bin/sh
echo "$*" >>/run/asked
for word; do
    case $word in is-enabled | is-active | show) action=$word ;; esac
    case $word in *.timer | *.service) unit=$word ;; esac
done
case ${action-} in
is-enabled | is-active)
    test -L "/etc/systemd/system/timers.target.wants/$unit" && exit 0
    exit 1 ;;
esac
exit 0
SH
    mkdir "$dir/hosts";
    my ($packages, $next) = @_;
    $space = start_process(['unshare', '--mount', '--net', '--pid', '--fork',
        '--kill-child', '/bin/sh', "$dir/hosts.sh", $root, $dir, $packages,
        $next], err => "$dir/hosts.err");
    return eval { wait_until(sub { -s "$dir/pid" || !kill 0, $space }, 20);
        -s "$dir/pid" };
}

# Run the lines of SHELL on HOST, as root.
sub on {
    my ($host, $shell, %with) = @_;
    my $pid = slurp("$dir/pid") =~ s/\n//r;

    return run_program(['nsenter', '-t', $pid, '-m', '-n', '-p', 'chroot',
        "$dir/hosts/$host/root", '/usr/bin/env', '-i', 'HOME=/root',
        'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive',
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        '/bin/sh', '-ec', $shell], %with);
}

sub on_ok {
    my ($host, $name, $shell, %with) = @_;
    my $run = on($host, $shell, %with);

    is($run->{exit}, 0, "$host: $name") or diag($run->{out}, $run->{err});
    return $run;
}

# Write the configuration FILE on HOST over what is there.
sub write_on {
    my ($host, $file, $text) = @_;

    return on_ok($host, "writes $file", "cat >$file", input => $text);
}

# What a facade and a central side have before Communicator comes.
sub prepare_databases {
    on_ok('central', 'PostgreSQL starts', <<'SH');
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
install -d -o postgres /srv/pg
cd /srv
runuser -u postgres -- $bin/initdb -N -D /srv/pg --auth-local=peer \
    --auth-host=scram-sha-256 >/dev/null
printf '%s\n' 'fsync = off' "unix_socket_directories = '/run/postgresql'" \
    "listen_addresses = '127.0.0.1'" >>/srv/pg/postgresql.conf
runuser -u postgres -- $bin/pg_ctl -D /srv/pg -w -l /srv/pg/log start >/dev/null
runuser -u postgres -- psql -qv ON_ERROR_STOP=1 <<'SQL'
create role blog login password 'of the blog';
create database facade owner blog;
create database central owner blog;
\c facade
set role blog;
create schema if not exists blog;
drop schema blog;
create table authors (id bigserial primary key, name text);
create table posts (id bigserial primary key,
  author_id bigint references authors, title text);
\c central
set role blog;
create table authors (id bigserial primary key, name text);
create table posts (id bigserial primary key,
  author_id bigint references authors, title text);
insert into authors (name) values ('Ada');
insert into posts (author_id, title) values (1, 'Hello');
SQL
SH
    on_ok('facade', 'a certificate', <<'SH');
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.example.com \
    -addext subjectAltName=DNS:www.example.com \
    -keyout /etc/ssl/private/www.example.com.key \
    -out /etc/ssl/certs/www.example.com.pem 2>/dev/null
SH
}

# The guide

sub install {
    my $line = block('../communicator-sync_*.deb ../libapache2');

    on_ok('facade', 'installs', $line =~ s{\.\./}{/packages/}gr
        =~ s/^apt-get install/apt-get install -y/r, timeout => 300);
    on_ok('central', 'installs',
        'apt-get install -y /packages/communicator-sync_*.deb', timeout => 300);
    is(on($_, "stat -c '%U:%G %a' $config "
            . '/run/communicator /var/lib/communicator')->{out},
        "root:_communicator 640\n_communicator:_communicator 755\n"
        . "_communicator:_communicator 750\n", "$_: owners and modes")
      for qw(facade central);
    unlike(on('central', 'cat /run/asked')->{out}, qr/start.*communicator/,
        'nothing is started');
    my $run = on('central', 'communicator-sync configtest');
    is($run->{out}, "Syntax OK\n", 'the client takes the shipped configuration')
      or diag($run->{err});
    $run = on('facade', 'a2enmod -q dbd && echo "Include '
        . '/etc/communicator/communicator.conf" '
        . '>/etc/apache2/conf-enabled/c.conf && apachectl configtest; '
        . 'rm /etc/apache2/conf-enabled/c.conf');
    like($run->{err}, qr/Syntax OK/, 'and httpd') or diag($run->{err});
}

sub set_up_facade {
    my $site = block('DBDMax 8');

    write_on('facade', $config, block('CommunicatorName   facade')
          =~ s/\Qpassword=.../password='of the blog'/r);
    on_ok('facade', 'restricts it', block('chown root:_communicator'));
    write_on('facade', '/etc/apache2/sites-enabled/www.conf', <<"CONF");
Listen 443
ServerName www.example.com
<VirtualHost *:443>
    SSLEngine on
    SSLCertificateFile /etc/ssl/certs/www.example.com.pem
    SSLCertificateKeyFile /etc/ssl/private/www.example.com.key
$site</VirtualHost>
CONF
    on_ok('facade', 'has no other site', 'rm -f /etc/apache2/ports.conf '
        . '/etc/apache2/sites-enabled/000*; : >/etc/apache2/ports.conf');
    # ssl listens on 443 by itself in ports.conf, which is empty now.
    my $run = on_ok('facade', 'httpd starts', block('a2enmod ssl dbd'),
        timeout => 60);
    return $run->{err} =~ /^([0-9a-f]{48})$/m ? $1 : '';
}

sub set_up_central {
    my ($password) = @_;
    my $secret = block('install -m 640 -g _communicator');

    on_ok('central', 'a role', 'cd / && ' . block('createuser _communicator')
        =~ s/\n(?=.)/ && /r);
    write_on('central', $config, block('CommunicatorName   central'));
    on_ok('central', 'the password', $secret, input => "$password\n");
    # The authority of the site's certificate.
    on_ok('central', 'trusts the site',
        'cat >>/etc/ssl/certs/ca-certificates.crt',
        input => on('facade', 'cat /etc/ssl/certs/www.example.com.pem')->{out});
}

sub first_sync {
    my $tables = block('migrate --dry-run');

    on_ok($_, 'migrate and check', $tables) for qw(facade central);
    on_ok('central', 'publish', block('_communicator -- communicator-sync publish --all'));
    my $run = on_ok('central', 'the first sync',
        block("runuser -u _communicator -- communicator-sync\n"));
    is(title(), 'Hello', 'the post has arrived');
}

# The title of the last post of the facade.
sub title {
    my $run = on('central', 'cd / && runuser -u postgres -- psql -Atc '
        . '"select title from posts order by id desc limit 1" facade');

    return $run->{out} =~ s/\n//r;
}

sub change {
    my ($title) = @_;

    on_ok('central', "writes '$title'",
        'cd / && runuser -u postgres -- psql -q central',
        input => "insert into posts (author_id, title) values (1, '$title')");
}

# The command of cron's line for USER, as cron runs it.
sub cron {
    my ($user) = @_;
    my $file = on('central', 'cat /etc/cron.d/communicator-sync')->{out};
    my ($path) = $file =~ /^PATH=(.*)/m;
    my ($command) = $file =~ /^(?:\*\S* \* \* \* \*|\@reboot) $user (.*)/m;

    return undef if !defined $command;
    $command =~ s/--splay \d+s//;
    return on('central', "PATH=$path exec runuser -u $user -- "
        . '/bin/sh -c "$(cat)"', input => $command);
}

sub check_cron {
    is(cron('_communicator'), undef, 'cron does nothing by itself');
    on_ok('central', 'chooses cron', block('sed -i'));
    change('by cron');
    my $run = cron('_communicator');
    is($run->{out} . $run->{err}, '', 'then it runs in silence');
    is(title(), 'by cron', '  and sends');
    on('central', 'rm -rf /run/communicator');
    cron('root');
    is(on('central', 'stat -c %U /run/communicator')->{out}, "_communicator\n",
        'after a boot there is its folder');
    on_ok('central', 'chooses the timer', <<'SH');
cd /etc/systemd/system
mkdir -p timers.target.wants
ln -s /lib/systemd/system/communicator-sync.timer timers.target.wants/
SH
    change('not by cron');
    cron('_communicator');
    is(title(), 'by cron', 'cron leaves it to the timer');
}

# Upgrade, remove, purge

sub upgrade {
    my $state = "stat -c '%U:%G %a' $config; md5sum $config";

    on($_, "chown root:www-data $config; chmod 440 $config; : >/run/asked")
      for qw(facade central);
    my $before = on('central', $state)->{out};
    on_ok('facade', 'upgrade', 'dpkg --force-confold -i /next/*.deb');
    on_ok('central', 'upgrade', 'dpkg --force-confold -i '
        . '/next/communicator-sync_next.deb');
    is(on('central', $state)->{out}, $before,
        'the configuration, its owner and mode are kept');
    my $asked = on('central', 'cat /run/asked')->{out};
    like($asked, qr/try-restart.*communicator-sync\.timer/,
        'the timer goes on after an upgrade');
    unlike($asked, qr/\bstop\b|restart.*communicator-sync\.service/,
        '  and a run is not ended');
    is(on('central', 'systemctl is-enabled communicator-sync.timer')->{exit}, 0,
        '  it stays enabled');
    is(on('facade', 'systemctl is-enabled communicator-sync.timer')->{exit}, 1,
        '  and disabled where it was');
    on('central', "chown root:_communicator $config");
    on_ok('central', 'still works',
        'runuser -u _communicator -- communicator-sync');
}

sub remove_and_purge {
    on('central', ': >/run/asked');
    on_ok('central', 'remove', 'dpkg -r communicator-sync');
    on_ok('facade', 'remove', 'dpkg -r libapache2-mod-communicator '
        . 'communicator-sync');
    like(on('central', 'cat /run/asked')->{out},
        qr/stop.*communicator-sync\.timer/, 'the timer is stopped');
    on('central', 'rm -f /etc/systemd/system/timers.target.wants/comm*');
    my $run = cron('_communicator');
    is($run->{out} . $run->{err}, '', 'what cron still has is silent');
    is(on('central', 'test -s /etc/communicator/facade.secret')->{exit}, 0,
        'the configuration is kept');
    is(on('facade', 'test -e /etc/apache2/mods-enabled/communicator.load')
        ->{exit}, 1, 'the module is off');
    on_ok($_, 'purge', 'dpkg -P communicator-sync '
        . ($_ eq 'facade' ? 'libapache2-mod-communicator' : ''))
      for qw(facade central);
    is(on($_, 'find /etc /var/lib /run /usr -xdev -name "*communicator*" '
            . '! -path "/var/lib/apt/*" 2>/dev/null || :')->{out}, '',
        "$_: nothing is left") for qw(facade central);
}

plan skip_all => 'not built'
  unless $ENV{CM_PACKAGES} || -x client_file() && -e module_file();
SKIP: {
    skip 'only root can have hosts of its own', 1 if $>;
    need(1, qw(dpkg-buildpackage dh dh_apache2 unshare nsenter ip psql openssl
        adduser runuser apachectl htpasswd /etc/cron.d))
      if !$ENV{CM_PACKAGES};
    my $packages = $ENV{CM_PACKAGES} || build_packages();
    check_contents($packages);
    if (!start_hosts($packages, make_next_version($packages))) {
        fail('namespaces and overlayfs') if ($ENV{CI} || '') eq 'true';
        skip 'no namespaces or overlayfs: ' . slurp("$dir/hosts.err"), 1;
    }
    prepare_databases();
    install();
    set_up_central(set_up_facade());
    first_sync();
    check_cron();
    upgrade();
    remove_and_purge();
    stop_process($space);
}
done_testing();
