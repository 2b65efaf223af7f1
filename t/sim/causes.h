/* Why a message is parked. */
#ifndef SIM_CAUSES_H
#define SIM_CAUSES_H

#include "message.h"

/* Return whether plain SQL, and what the applications did, show a cause. */
int sim_causes_has(const sim_message_t *parked);

#endif
