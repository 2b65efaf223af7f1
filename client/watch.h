/* A live view: something printed again and again, on a terminal in place, until
 * the reader ends it. */
#ifndef WATCH_H
#define WATCH_H

#include "client.h"

/* Print one view to VIEW->output. VIEW is the client with a pool for this view
 * alone. */
typedef void (*sync_watch_draw_t)(sync_client_t *view, void *baton);

/* Call DRAW every so often (microseconds), until a signal comes, nobody reads
 * stdout any more or, on a terminal, q is typed. There each view takes the
 * place of the one before, as far as it fits, and in the end the screen is as
 * it was. Elsewhere each view is a block with its time before it, with --json
 * what DRAW prints. */
void sync_watch(sync_client_t *client, apr_interval_time_t every,
                sync_watch_draw_t draw, void *baton);

#endif
