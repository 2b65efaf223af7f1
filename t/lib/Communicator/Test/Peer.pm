package Communicator::Test::Peer;

# A node as communicator-sync sees it: its configuration, and runs of the
# program.
#
#   my $central = Communicator::Test::Peer->new(name => 'central',
#       database => $db, conf => "CommunicatorModel post table=posts");
#   $central->knows($server);
#   my $run = $central->sync('push');    # { exit, out, err, signal }

use strict;
use warnings;
use Communicator::Test qw(folder run_program start_process client_file spew
  quote own web_user);
use Test::More;

sub new {
    my ($class, %with) = @_;
    my $self = bless { user => 'communicator', password => 'secret',
        conf => '', peers => '', %with }, $class;

    $self->{dir} = folder($self->{name});
    mkdir "$self->{dir}/state";
    own(web_user(), "$self->{dir}/state");
    $self->configure;
    return $self;
}

sub database { return $_[0]{database} }
sub name { return $_[0]{name} }
sub config_file { return "$_[0]{dir}/communicator.conf" }

# Write the configuration: node.conf has what httpd reads too.
sub configure {
    my ($self, %change) = @_;
    my $dir = $self->{dir};

    %$self = (%$self, %change);
    my ($driver, $params)
      = ($self->{database}->driver, $self->{database}->params);
    spew("$dir/node.conf", "DBDriver $driver\n",
        'DBDParams ', quote($params), "\n",
        "CommunicatorName $self->{name}\n", $self->{peers},
        $self->{conf}, "\n");
    spew("$dir/communicator.conf", "Include $dir/node.conf\n",
        "CommunicatorStateDir $dir/state\n",
        "CommunicatorRunDir $dir/state\n",
        $self->{client_conf} || '');
}

# Make SERVER a peer that this node connects to. MORE: further words.
sub knows {
    my ($self, $server, $more) = @_;
    my $secret = "$self->{dir}/" . $server->name . '.secret';

    spew($secret, "$server->{password}\n");
    chmod 0600, $secret;
    $self->{peers} .= sprintf
      "CommunicatorPeer %s uri=%s user=%s password-file=%s%s\n",
      $server->name, $server->url, $server->{user}, $secret,
      $more ? " $more" : '';
    $self->configure;
    return $self;
}

# Run communicator-sync with ARGUMENTS.
sub sync {
    my ($self, @arguments) = @_;
    my %with = ref $arguments[-1] ? %{ pop @arguments } : ();

    return run_program([client_file(), '--config', $self->config_file,
        @arguments], %with);
}

# Start communicator-sync and return its process id.
sub sync_start {
    my ($self, @arguments) = @_;

    return start_process([client_file(), '--config', $self->config_file,
        @arguments], out => "$self->{dir}/sync.log");
}

# Run it, and report a failure with all that it said.
sub sync_ok {
    my ($self, @arguments) = @_;
    my $what = "$self->{name}: communicator-sync @arguments";
    my $run = $self->sync(@arguments);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($run->{exit} || $run->{signal}, 0, $what)
      or diag($run->{out}, $run->{err});
    return $run;
}

# Create Communicator's tables and triggers.
sub migrate {
    my ($self) = @_;
    my $run = $self->sync('migrate', '--quiet');

    die "migrate: $run->{exit} $run->{out}$run->{err}"
      if $run->{exit} || $run->{signal};
    own(web_user(), glob "$self->{database}{file}*")
      if $self->{database}{file};
    return $self;
}

1;
