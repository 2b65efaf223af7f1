/* How a message gets from one node to the other: nothing lost, nothing twice.
 *
 * A model of stamp, send, receive, confirm and purge, with every crash, loss
 * and repetition between them, checked exhaustively by spin (`make model`).
 * It is one direction; a pull is the same with the two ends swapped, since
 * there too the receiver's cursor decides and the next request confirms.
 *
 * Each rule below can be removed with -DWITHOUT_...; spin must then find a
 * fault, which shows that the rule is needed and that the model can fail:
 *
 *   WITHOUT_LOWEST_FIRST number a backlog in chunks, each behind the highest
 *                        id of the one before: what commits between two
 *                        chunks with a lower id gets its number after the
 *                        later changes of its record
 *   WITHOUT_STAMP        send in order of ids, continue after the highest one
 *                        seen (the gem's pull): what commits late is lost
 *   WITHOUT_CONTINUITY   accept any batch: a repeated request counts twice
 *   WITHOUT_DENSE_NUMBER send ids, which rollbacks leave gaps in, to a
 *                        receiver that wants the next number (the gem's
 *                        push): it waits for ever
 *   WITHOUT_ONE_COMMIT   keep the record and the cursor in two transactions:
 *                        a crash between them applies twice
 *   WITHOUT_CONFIRMATION confirm when sending, not when the peer has it
 *                        (the gem's delivered_at): a lost reply loses data
 *   WITHOUT_PURGE_RULE   purge what was sent, not what was confirmed: lost
 *   WITHOUT_CURSOR_ROW   use the highest number in the inbox as the cursor (the
 *                        gem's pull): after a purge it asks for all again
 */

#define ROWS    3 /* changes that the application makes */
#define BATCH   2 /* most messages in one request */
#define MISHAPS 2 /* crashes, losses and repetitions in one run */

/* The sender's database. Index: the id given before commit, from 1. */
byte next_id = 1;
byte open_rows = 0;        /* transactions that may still begin or end */
bool taken[ROWS + 1];      /* the id was given out */
bool committed[ROWS + 1];
bool ended[ROWS + 1];      /* committed or rolled back */
bool purged[ROWS + 1];
byte seq_of[ROWS + 1];     /* 0: not stamped */
byte last_seq = 0;
bool same;                 /* row 3 changes the record of row 1 */
byte chunk;                /* rows that are stamped at a time */
byte after_id = 0;         /* the last one stamped in this run */
byte confirmed = 0;
byte handed_over = 0;

/* The receiver's database. */
byte received = 0;
byte applied[ROWS + 1];

/* The wire: one request under way, and one copy that a proxy repeats. */
byte mishaps = 0;

#define number_of(i) seq_of[i]
#ifdef WITHOUT_STAMP
#undef number_of
#define number_of(i) (committed[i] -> i : 0)
#endif
#ifdef WITHOUT_DENSE_NUMBER
#undef number_of
#define number_of(i) (committed[i] -> i : 0)
#endif

/* An application's transactions: ids are given before the commit, commits come
 * in any order, some roll back. A record that is being changed is locked:
 * its next change gets an id when that is over. */
proctype writer()
{
    byte id;

    atomic {
        next_id != 3 || !same || ended[1];
        id = next_id;
        next_id++;
        taken[id] = true;
    }
    if
    :: atomic { committed[id] = true; ended[id] = true }
    :: ended[id] = true
    fi
}

/* Give the next chunk of committed rows, those with the lowest ids, the next
 * dense numbers, in one transaction under the node's lock. A run stamps until
 * it finds none. */
#ifdef WITHOUT_LOWEST_FIRST
#define is_next(i) (i > after_id)
#else
#define is_next(i) true
#endif
inline stamp()
{
    d_step {
        i = 1;
        k = 0;
        do
        :: i > ROWS || k == chunk -> break
        :: else ->
            if
            :: committed[i] && seq_of[i] == 0 && is_next(i) ->
                last_seq++;
                seq_of[i] = last_seq;
                after_id = i;
                k++
            :: else
            fi;
            i++
        od;
        if
        :: k == 0 -> after_id = 0
        :: else
        fi;
        k = 0;
        i = 0
    }
}

/* The receiver gets a batch of COUNT messages, the first after AFTER, in one
 * transaction; HELD is what its reply says. */
inline receive(after, count)
{
    d_step {
        if
#ifdef WITHOUT_STAMP
        :: true ->              /* the gem's pull: whatever comes */
#else
#ifdef WITHOUT_CONTINUITY
        :: true ->
#else
        :: after <= received -> /* else 409: the sender starts again */
#endif
#endif
            k = 1;
            do
            :: k > count -> break
            :: else ->
                if
#ifdef WITHOUT_CONTINUITY
                :: true ->
#else
                :: numbers[k] > received ->
#endif
#ifdef WITHOUT_DENSE_NUMBER
                    if
                    :: numbers[k] == received + 1 || k > 1 ->
                        applied[rows[k]]++;
                        received = numbers[k]
                    :: else -> k = count /* 409: not the number wanted */
                    fi
#else
                    applied[rows[k]]++;
#ifndef WITHOUT_ONE_COMMIT
                    if
                    :: numbers[k] > received -> received = numbers[k]
                    :: else
                    fi
#endif
#endif
                :: else
                fi;
                k++
            od
        :: else
        fi;
        held = received;
        k = 0
    }
#ifdef WITHOUT_ONE_COMMIT
    if
    :: mishaps < MISHAPS -> mishaps++ /* a crash before the cursor's commit */
    :: d_step {
        if
        :: count > 0 && numbers[count] > received -> received = numbers[count]
        :: else
        fi;
        held = received
    }
    fi
#endif
}

/* One run of the client after the other. */
active proctype client()
{
    byte i, k, count, after, held, quiet, before;
    byte rows[BATCH + 1];
    byte numbers[BATCH + 1];

    if
    :: same = true
    :: same = false
    fi;
    if
    :: chunk = 1
    :: chunk = ROWS
    fi;
    i = 0;
    do
    :: i < ROWS -> run writer(); i++
    :: else -> break
    od;

again:
    i = 0;
    before = mishaps;
    stamp();
    d_step { /* read the batch that follows what is confirmed */
#ifdef WITHOUT_CURSOR_ROW
        after = received;
#else
        after = confirmed;
#endif
        count = 0;
        quiet = 1;
        i = 1;
        do
        :: i > ROWS -> break
        :: else ->
            if
            :: number_of(i) > 0 && !purged[i] -> quiet = 0
            :: else
            fi;
            if
            :: !ended[i] -> quiet = 0
            :: else
            fi;
            i++
        od;
        /* in order of their numbers */
        k = after + 1;
        do
        :: k > ROWS || count == BATCH -> break
        :: else ->
            i = 1;
            do
            :: i > ROWS -> break
            :: else ->
                if
                :: number_of(i) == k && !purged[i] && count < BATCH ->
                    count++;
                    rows[count] = i;
                    numbers[count] = k
                :: else
                fi;
                i++
            od;
            k++
        od;
        k = 0;
        i = 0
    }
    if
    :: count == 0 -> goto idle
    :: else
    fi;
    handed_over = numbers[count];
#ifdef WITHOUT_CONFIRMATION
    confirmed = handed_over;
#endif
    if
    :: mishaps < MISHAPS -> mishaps++; goto idle /* lost on the way there */
    :: true
    fi;
    receive(after, count);
    if
    :: mishaps < MISHAPS -> mishaps++; receive(after, count) /* repeated */
    :: true
    fi;
    if
    :: mishaps < MISHAPS -> mishaps++; goto idle /* the reply is lost */
    :: true
    fi;
    d_step {
        /* with the application at rest, an exchange that came through moves
         * the cursor: no queue is ever wedged */
        assert(mishaps > before || held > after ||
               !(ended[1] && ended[2] && ended[3]));
        if
        :: held > confirmed -> confirmed = held
        :: else
        fi
    }
idle:
    skip;
    /* purge, at any time */
    if
    :: d_step {
        i = 1;
        do
        :: i > ROWS -> break
        :: else ->
            if
#ifdef WITHOUT_PURGE_RULE
            :: number_of(i) > 0 && number_of(i) <= handed_over
#else
            :: number_of(i) > 0 && number_of(i) <= confirmed
#endif
                -> purged[i] = true
            :: else
            fi;
            i++
        od;
        i = 0
    }
    :: true
    fi;
#ifdef WITHOUT_CURSOR_ROW
    if
    :: mishaps < MISHAPS -> mishaps++; received = 0 /* the inbox is emptied */
    :: true
    fi;
#endif
    /* done when the application is, and a run finds nothing to send */
    if
    :: count == 0 && ended[1] && ended[2] && ended[3] ->
        d_step {
            i = 1;
            quiet = 1;
            do
            :: i > ROWS -> break
            :: else ->
                if
                :: committed[i] && seq_of[i] == 0 -> quiet = 0
                :: else
                fi;
                i++
            od;
            i = 0
        }
        if
        :: quiet == 1 -> goto done
        :: else -> goto again
        fi
    :: else -> goto again
    fi;

done:
    skip;
    d_step {
        /* a record's changes are sent in the order in which they were made */
        assert(!same || !committed[1] || !committed[3] ||
               number_of(1) < number_of(3));
        i = 1;
        do
        :: i > ROWS -> break
        :: else ->
            /* nothing lost, nothing twice, nothing that was rolled back */
            assert(!committed[i] || applied[i] == 1);
            assert(committed[i] || applied[i] == 0);
            i++
        od
    }
}
