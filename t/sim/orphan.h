/* Rows that must refer to something, and refer to nothing. */
#ifndef SIM_ORPHAN_H
#define SIM_ORPHAN_H

#include "message.h"

/* Return whether what PARKED brings referred to nothing when it was written, as
 * nothing at its node forbids. */
int sim_orphan_is(const sim_message_t *parked);

/* Return whether what PARKED brings refers to nothing, though it must, and
 * nobody has written that. */
int sim_orphan_is_made_up(const sim_message_t *parked);

#endif
