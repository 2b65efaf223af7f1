package Debian;

# Programs from Debian's packages, unpacked into a folder of the benchmark.
# Nothing is installed: no service starts, and nothing is left afterwards.

use strict;
use warnings;
use Communicator::Test qw(folder program run_program);
use Communicator::Test::Engine;

# A folder with a copy of the installed PostgreSQL, which finds its extensions
# relative to its programs.
sub new {
    my ($class) = @_;
    my $self = bless { dir => folder('debian') }, $class;
    my ($version) = Communicator::Test::Engine::pg_bin()
      =~ m{^/usr/lib/postgresql/(\d+)/} or die "PostgreSQL is not Debian's\n";

    $self->{postgresql} = $version;
    mkdir "$self->{dir}/$_" or die "$self->{dir}/$_: $!"
      for qw(debs debs/partial lists lists/partial root);
    must([qw(cp -r --parents), "/usr/lib/postgresql/$version",
        "/usr/share/postgresql/$version", $self->root]);
    return $self;
}

sub root { return "$_[0]{dir}/root" }

# The folder of PostgreSQL's programs.
sub pg_bin {
    my ($self) = @_;

    return $self->root . "/usr/lib/postgresql/$self->{postgresql}/bin";
}

# What programs need to find the libraries of packages.
sub environment {
    my ($self) = @_;
    my $usr = $self->root . '/usr';

    return { PATH => $self->pg_bin . ":$usr/bin:$ENV{PATH}",
        PERL5LIB => join ':', "$usr/share/perl5",
        glob("$usr/lib/*/perl5/*"), $ENV{PERL5LIB} // () };
}

# Unpack PACKAGES, and what they depend on and the machine lacks. Returns the
# version of the first one, without Debian's part of it.
sub add {
    my ($self, @packages) = @_;
    my %had = map { $_ => 1 } glob "$self->{dir}/debs/*.deb";

    eval { $self->download(@packages); 1 } or do {
        $self->update;
        $self->download(@packages);
    };
    for my $file (grep { !$had{$_} } glob "$self->{dir}/debs/*.deb") {
        must(['dpkg-deb', '-x', $file, $self->root]);
    }
    my ($version) = map { m{_([^_/]+)_[^/]+$} }
      glob "$self->{dir}/debs/$packages[0]_*.deb";
    return ($version // '') =~ s/-[^-]*$//r;
}

# Fetch them by apt-get into our own folder, not locking the machine's.
sub download {
    my ($self, @packages) = @_;

    must(['apt-get', $self->options,
        qw(-y --no-install-recommends --download-only install), @packages]);
}

# The machine's lists of packages are missing or old: fetch our own.
sub update {
    my ($self) = @_;

    my @lists = ('-o', "Dir::State::lists=$self->{dir}/lists");

    must(['apt-get', $self->options, @lists,
        qw(-o APT::Update::Error-Mode=any update)]) unless $self->{lists};
    $self->{lists} = \@lists;
}

sub options {
    my ($self) = @_;
    my @options = ("Dir::Cache::archives=$self->{dir}/debs",
        'Debug::NoLocking=1', 'APT::Sandbox::User=root',
        'Acquire::Retries=1');

    return ((map { ('-o', $_) } @options), @{ $self->{lists} || [] });
}

# The version of PACKAGE that is installed.
sub installed {
    my ($package) = @_;

    return run_program([program('dpkg-query'), '-W', '-f', '${Version}',
        $package])->{out};
}

# Run COMMAND; die with the reason on one line.
sub must {
    my ($command) = @_;
    my ($name, @arguments) = @$command;
    my $file = program($name) or die "$name is not here\n";
    my $result = run_program([$file, @arguments], env => { LC_ALL => 'C' },
        timeout => 300);

    return if !$result->{exit} && !$result->{signal};
    my ($reason) = map { $result->{err} =~ $_ } qr/^E: (.*)/m, qr/^(.+)/m;

    die "$name: ", $reason // 'failed', "\n";
}

1;
