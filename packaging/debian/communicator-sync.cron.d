# communicator-sync every two minutes, on the side that connects. Take the
# mark off the last line, and see that the timer of systemd does not run too.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
#*/2 * * * * _communicator test -x /usr/sbin/communicator-sync && communicator-sync --cron --splay 20s
