/* Headers of both sides: see headers.h. */
#include "exchange/headers.h"

#include <string.h>

#include "base/number.h"
#include "record/message.h"

void cm_headers_set(apr_table_t *headers, const char *name, apr_int64_t number)
{
    char room[CM_NUMBER_ROOM];

    apr_table_set(headers, name, cm_number_text(room, number));
}

void cm_headers_set_history(apr_table_t *headers, const cm_peer_t *peer)
{
    char held[2 * CM_NUMBER_ROOM];

    apr_table_unset(headers, "Communicator-Held");
    /* A message of the gem's time has no clock, and proves nothing. */
    if (peer->held && peer->received_clock) {
        apr_snprintf(held, sizeof(held),
                     "%" APR_INT64_T_FMT " %" APR_INT64_T_FMT, peer->held,
                     peer->received_clock);
        apr_table_set(headers, "Communicator-Held", held);
    }
    apr_table_unset(headers, "Communicator-Peer-Epoch");
    if (peer->epoch)
        apr_table_setn(headers, "Communicator-Peer-Epoch", peer->epoch);
}

apr_int64_t cm_headers_number(const apr_table_t *headers, const char *name,
                              apr_int64_t most, const char **wrong)
{
    const char *text = apr_table_get(headers, name);
    apr_int64_t number;

    if (text && cm_number_read(&number, text, most))
        return number;
    if (text && !*wrong)
        *wrong = name;
    return -1;
}

/* Read TEXT, "SEQ CLOCK" (or NULL: not said), into CLAIM. Returns 0 when it is
 * something else, or no such numbers can be. 0.9 says 0 for a message of the
 * gem's time, which has no clock. */
static int read_held(cm_claim_t *claim, const char *text)
{
    apr_int64_t held, clock;
    char seq[32];
    apr_size_t size;

    if (!text)
        return 1;
    size = strcspn(text, " ");
    if (!text[size] || size >= sizeof(seq))
        return 0;
    memcpy(seq, text, size);
    seq[size] = '\0';
    if (!cm_number_read(&held, seq, CM_SEQ_MAX) ||
        !cm_number_read(&clock, text + size + 1, CM_CLOCK_MAX) || !held)
        return 0;
    if (!clock)
        return 1;
    claim->held = held;
    claim->held_clock = clock;
    return 1;
}

cm_claim_t cm_headers_claim(const apr_table_t *headers, const char **wrong)
{
    cm_claim_t claim = cm_epoch_claim_none();

    claim.epoch = apr_table_get(headers, "Communicator-Epoch");
    claim.known_epoch = apr_table_get(headers, "Communicator-Peer-Epoch");
    claim.received =
        cm_headers_number(headers, "Communicator-Received", CM_SEQ_MAX, wrong);
    claim.newest =
        cm_headers_number(headers, "Communicator-Newest", CM_SEQ_MAX, wrong);
    if (!read_held(&claim, apr_table_get(headers, "Communicator-Held")) &&
        !*wrong)
        *wrong = "Communicator-Held";
    return claim;
}
