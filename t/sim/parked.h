/* Messages that are parked when all has come to rest: each must have a cause
 * that plain SQL confirms. The records that they are about may differ. */
#ifndef SIM_PARKED_H
#define SIM_PARKED_H

#include "world.h"

/* Find what is parked at node NUMBER, whose rows are ROWS: adds to WAITING
 * (sim_waiting_t), and fails where no cause is seen. */
void sim_parked_find(sim_world_t *world, int number,
                     const apr_array_header_t *rows,
                     apr_array_header_t *waiting);

/* Fail where a message parked at node NUMBER refers to nothing, though it must,
 * and nobody has written that: also if the true reference follows. */
void sim_parked_ask(sim_world_t *world, int number);

/* Find the first message that is parked at node NUMBER, and note that the
 * record that it is about may differ until a later change of it comes. Returns
 * whether there is one whose record is known. */
int sim_parked_first(const char **peer, apr_int64_t *id, sim_world_t *world,
                     int number);

/* Note that the record of message ID of PEER, parked at node NUMBER, may differ
 * for ever if a person keeps what is here: nothing is, or what the message says
 * besides cannot be applied. Returns whether it is so. */
int sim_parked_give_up(sim_world_t *world, int number, const char *peer,
                       apr_int64_t id);

/* Find the first record at node NUMBER whose delete is parked, or was
 * discarded:
 * (*ORIGIN, *ID) of *TABLE; and note that it may live on. Returns whether there
 * is one. */
int sim_parked_deleted(int *table, const char **origin, const char **id,
                       sim_world_t *world, int number);

/* Return whether the record NAME of TABLE is among WAITING. */
int sim_parked_has(const apr_array_header_t *waiting, int table,
                   const char *name);

#endif
