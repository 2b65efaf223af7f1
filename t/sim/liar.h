/* A peer that lies within its rights: what it says is well formed, but not
 * true. Its lies must be refused, or do no harm; then the true peer goes on. */
#ifndef SIM_LIAR_H
#define SIM_LIAR_H

#include "wire.h"

/* Let a lie arrive in place of the present request of WIRE, before that one.
 * Fails the world if it is not taken as it has to be. */
void sim_liar_ask(sim_wire_t *wire, apr_pool_t *pool);

/* Make a lie of the present reply of WIRE; says in WIRE what is to come of it.
 */
void sim_liar_answer(sim_wire_t *wire, apr_pool_t *pool);

/* Fail the world if the caller of WIRE has learned something from the last
 * reply, a lie that says another history or nothing: it may ask once more. */
void sim_liar_check(sim_wire_t *wire, apr_pool_t *pool);

#endif
