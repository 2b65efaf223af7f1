# communicator-sync every two minutes, on the side that connects. To use it,
# uncomment the last line, and make sure that systemd's timer is not enabled.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
#*/2 * * * * _communicator test -x /usr/sbin/communicator-sync && communicator-sync --cron --splay 20s
