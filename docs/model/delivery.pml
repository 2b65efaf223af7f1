/* How a message gets from one node to the other: nothing lost, nothing twice,
 * each record's changes in the order of their commits.
 *
 * A model of numbering, sending, receiving, parking, confirming and purging,
 * with every crash, loss and repetition between them. It is one direction; a
 * pull is the same with the two ends swapped, since there too the receiver's
 * cursor decides and the next request confirms. README.md describes it, and
 * each rule that can be removed with -DWITHOUT_NAME.
 */

#define ROWS 3 /* changes that the applications make */
#define NUMBERS 9 /* where a rule is missing, a row may get several */
#define BATCH 2 /* most messages in one request */
#ifndef MISHAPS
#define MISHAPS 2 /* crashes, losses and repetitions in one run */
#endif

/* What the run is about. */
bool same;      /* row 3 changes the record of row 1 */
byte chunk;     /* rows that are numbered at a time */
bool is_large;  /* a proxy refuses every request with row 1 */
bool is_orphan; /* row 1 cannot be applied until its parent is there */

/* The sender's database. The index of a row is the id that it got before its
 * commit, from 1; that of a message its number. */
byte next_id = 1;
bool committed[ROWS + 1];
bool ended[ROWS + 1];    /* committed or rolled back */
bool deleted[ROWS + 1];  /* the row in outbound_messages */
byte content[NUMBERS + 1];  /* communicator_batches: the row of each message */
bool ends[NUMBERS + 1];     /* the last message of its batch */
byte last_seq = 0;
byte after_id = 0;       /* WITHOUT_LOWEST_FIRST: where the last chunk ended */
byte confirmed = 0;
byte handed_over = 0;
bool withheld = false;   /* the message of row 1 */
byte number_1 = 0;       /* its number */

/* The receiver's database. */
byte received = 0;
byte applied[ROWS + 1];
bool waiting[ROWS + 1];  /* inbound_messages */
bool parent = false;

byte mishaps = 0;

#define all_ended (ended[1] && ended[2] && ended[3])

/* A change gets its id before the commit, commits come in any order, a
 * transaction may stay open for long, some roll back. A record that is being
 * changed is locked: its next change gets an id when that is over. */
proctype writer()
{
    byte id;

    atomic {
        next_id != 3 || !same || ended[1];
        id = next_id;
        next_id++
    }
    if
    :: atomic {
        committed[id] = true;
        ended[id] = true;
        printf("row %d is committed\n", id)
    }
    :: atomic { ended[id] = true; printf("row %d is rolled back\n", id) }
    fi
}

#ifdef WITHOUT_LOWEST_FIRST
#define is_next(i) (committed[i] && !deleted[i] && i > after_id)
#else
#define is_next(i) (committed[i] && !deleted[i])
#endif

#if defined(WITHOUT_STAMP) || defined(WITHOUT_DENSE_NUMBER)
/* The gem: the ids are the numbers. */
inline number()
{
    d_step {
        i = 1;
        do
        :: i > ROWS -> break
        :: else ->
            if
            :: committed[i] && !deleted[i] ->
                content[i] = i;
                printf("row %d is number %d\n", i, i);
                number_1 = 1;
                ends[i] = true;
                deleted[i] = true;
                last_seq = (i > last_seq -> i : last_seq)
            :: else
            fi;
            i++
        od;
        i = 0
    }
}
#else
/* Read the next rows without a number, the lowest ids that are committed, and
 * give them the next numbers: they become messages of a batch, and are no
 * longer in the outbox. */
inline number()
{
    /* MariaDB's statement looks at one row after the other while others commit:
     * if one has come below another that was read, it is repeated */
    do
    :: d_step { count = 0; i = 1; rows[1] = 0; rows[2] = 0; rows[3] = 0 }
       do
       :: i > ROWS || count == chunk -> break
       :: atomic {
           i <= ROWS && count < chunk ->
           if
           :: is_next(i) -> count++; rows[count] = i
           :: else
           fi;
           i++
       }
       od;
       skip;
       d_step {
           k = 1;
           i = 0;
           do
           :: k >= rows[count] -> break
           :: else ->
               if
               :: is_next(k) && rows[1] != k && rows[2] != k -> i = 1
               :: else
               fi;
               k++
           od;
#ifdef WITHOUT_SECOND_READ
           i = 0;
#endif
           k = 0
       }
       if
       :: i == 0 -> break
       :: else
       fi
    od;
    skip;
    d_step {
        k = 1;
        do
        :: k > count -> break
        :: else ->
            last_seq++;
            content[last_seq] = rows[k];
            printf("row %d gets number %d\n", rows[k], last_seq);
            if
            :: rows[k] == 1 -> number_1 = last_seq
            :: else
            fi;
            k++
        od;
        if
        :: count > 0 -> ends[last_seq] = true; after_id = rows[count]
        :: else -> after_id = 0
        fi;
        k = 0;
#ifndef WITHOUT_ONE_STAMP_COMMIT
        delete_rows()
#endif
    }
#ifdef WITHOUT_ONE_STAMP_COMMIT
    if
    :: mishaps < MISHAPS -> /* a crash between the two commits */
        mishaps++;
        printf("a crash\n")
    :: d_step { delete_rows() }
    fi;
#endif
    d_step { count = 0; i = 0; rows[1] = 0; rows[2] = 0; rows[3] = 0 }
}

#endif

inline delete_rows()
{
    i = 1;
    do
    :: i > ROWS -> break
    :: else ->
        if
#ifdef WITHOUT_DELETE_BY_ID
        :: count > 0 && i <= rows[count] && committed[i] -> deleted[i] = true
#else
        :: rows[1] == i || rows[2] == i || rows[3] == i -> deleted[i] = true
#endif
        :: else
        fi;
        i++
    od;
    i = 0
}

/* Apply row R; a later change of a record comes after the earlier ones. */
inline apply(r)
{
    assert(r != 3 || !same || !committed[1] || applied[1] > 0 || is_large);
    printf("row %d is applied\n", r);
    applied[r]++
}

/* What the receiver cannot apply yet is parked, and so is what follows it for
 * the same record. */
#ifdef WITHOUT_WAITING_BEHIND
#define must_wait(r) (r == 1 && is_orphan && !parent)
#else
#define must_wait(r) ((r == 1 && is_orphan && !parent) || \
    (r == 3 && same && waiting[1]))
#endif

/* The receiver gets the messages after number AFTER, up to number LAST, in one
 * transaction; HELD is what its reply says. */
inline receive(after, last)
{
    d_step {
        i = 0;
        if
#if defined(WITHOUT_CONTINUITY) || defined(WITHOUT_STAMP)
        :: true ->
#elif defined(WITHOUT_DENSE_NUMBER)
        :: numbers[1] <= received + 1 -> /* else 409: not the number wanted */
#else
        :: after <= received -> /* else 409: the sender starts again */
#endif
#ifdef WITHOUT_PARKING
            if
            :: count > 0 && must_wait(rows[1]) -> count = 0; last = 0
            :: count > 1 && must_wait(rows[2]) -> count = 0; last = 0
            :: else
            fi;
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
                    if
                    :: must_wait(rows[k]) ->
                        printf("row %d is parked\n", rows[k]);
                        waiting[rows[k]] = true
                    :: else -> apply(rows[k])
                    fi
                :: else
                fi;
                k++
            od;
#ifndef WITHOUT_ONE_COMMIT
            if
            :: last > received -> received = last
            :: else
            fi
#endif
        :: else
        fi;
        held = received;
        k = 0
    }
#ifdef WITHOUT_ONE_COMMIT
    if
    :: mishaps < MISHAPS -> /* a crash before the cursor's commit */
        mishaps++;
        printf("a crash\n")
    :: d_step {
        if
        :: last > received -> received = last
        :: else
        fi;
        held = received
    }
    fi
#endif
}

/* What waits is tried again, in order. It leaves the inbox with the commit that
 * applies it. */
inline retry()
{
    d_step {
        if
        :: waiting[1] && !must_wait(1) ->
            apply(1);
            waiting[1] = false
        :: else
        fi;
        if
        :: waiting[3] && !must_wait(3) ->
            apply(3);
#ifndef WITHOUT_ONE_RETRY_COMMIT
            waiting[3] = false
#endif
        :: else
        fi
    }
#ifdef WITHOUT_ONE_RETRY_COMMIT
    if
    :: mishaps < MISHAPS -> /* a crash before the inbox's commit */
        mishaps++;
        printf("a crash\n")
    :: waiting[3] = false
    fi
#endif
}

/* Delete the batches that the peer has confirmed, each as a whole. */
inline purge()
{
    i = 1;
    k = 0;
    do
    :: i > last_seq -> break
    :: else ->
        if
#ifdef WITHOUT_PURGE_RULE
        :: i <= handed_over -> content[i] = 0
#endif
#ifdef WITHOUT_PURGE_OF_WHOLE
        :: (i == 1 || ends[i - 1]) && i <= confirmed -> k = last_seq
        :: (i == 1 || ends[i - 1]) && i > confirmed -> k = 0
#else
        :: ends[i] && i <= confirmed -> k = i
#endif
        :: else
        fi;
#ifdef WITHOUT_PURGE_OF_WHOLE
        if
        :: k > 0 -> content[i] = 0
        :: else
        fi;
#endif
        i++
    od;
#ifndef WITHOUT_PURGE_OF_WHOLE
    do
    :: k == 0 -> break
    :: else -> content[k] = 0; k--
    od;
#endif
    i = 0;
    k = 0
}

#define is_done(i) (committed[i] -> applied[i] == 1 : applied[i] == 0)

/* With the application at rest, everything numbered, sent and applied: nothing
 * is lost, nothing came twice, nothing that was rolled back. */
inline check()
{
    d_step {
        i = 1;
        do
        :: i > ROWS -> break
        :: i <= ROWS && (waiting[i] || !ended[i] ||
                         (committed[i] && !deleted[i])) -> break
        :: else -> i++
        od;
        k = confirmed + 1;
        do
        :: k > last_seq -> break
        :: k <= last_seq && content[k] != 0 &&
           !(content[k] == 1 && is_large) -> break
        :: else -> k++
        od;
        if
        :: i > ROWS && k > last_seq ->
            assert(is_done(2) && is_done(3));
            assert(is_done(1) || is_large);
            assert(!is_large || !committed[1] || applied[1] == 0);
            assert(!is_large || !committed[1] || withheld ||
                   number_1 > confirmed)
        :: else
        fi;
        i = 0;
        k = 0
    }
}

/* One run of the client after the other. */
active proctype client()
{
    byte i, k, count, after, last, held, before, refused;
    byte rows[ROWS + 1];
    byte numbers[BATCH + 1];

    if
    :: same = true
    :: same = false
    fi;
    if
    :: chunk = 1
    :: chunk = 2
    :: chunk = ROWS
    fi;
    if
    :: is_large = true
    :: is_orphan = true
    :: skip
    fi;
    run writer();
    run writer();
    run writer();

again:
    before = mishaps;
    number();
    d_step { /* read the messages that follow what is confirmed */
#ifdef WITHOUT_CURSOR_ROW
        after = received;
#else
        after = confirmed;
#endif
        last = after;
        k = after + 1;
        do
        :: k > last_seq || count == BATCH -> break
        :: else ->
            if
            :: content[k] == 1 && is_large && k == refused -> skip
            :: content[k] == 1 && is_large && k != refused && count > 0 ->
                break /* the receiver gets what is before it first */
            :: content[k] == 0 -> skip /* purged */
            :: else ->
                count++;
                rows[count] = content[k];
                numbers[count] = k;
                last = k
            fi;
            k++
        od;
        k = 0
    }
    if
    :: count == 0 -> goto idle /* what is refused stays if nothing follows */
    :: is_large && rows[1] == 1 -> /* refused alone: others may pass */
        refused = numbers[1];
        printf("number %d is refused\n", refused);
        goto idle
    :: else
    fi;
    handed_over = last;
    printf("sent: %d messages after %d, up to %d\n", count, after, last);
#ifndef WITHOUT_NOTE_FIRST
    if
    :: refused > 0 && refused < last -> withheld = true
    :: else
    fi;
#endif
#ifdef WITHOUT_CONFIRMATION
    confirmed = last;
#endif
    if
    :: mishaps < MISHAPS -> /* lost on the way there */
        mishaps++;
        printf("the request is lost\n");
        goto idle
    :: true
    fi;
    receive(after, last);
    if
    :: mishaps < MISHAPS -> /* by a proxy */
        mishaps++;
        printf("the request comes twice\n");
        receive(after, last)
    :: true
    fi;
    if
    :: mishaps < MISHAPS -> /* the reply is lost; the client may end, too */
        mishaps++;
        refused = 0;
        printf("the reply is lost\n");
        if /* the greeting of the next run says what is held */
        :: held > confirmed -> confirmed = held
        :: true
        fi;
        goto idle
    :: true
    fi;
    d_step {
        /* with the application at rest, an exchange that came through moves
         * the cursor: no queue is ever wedged */
        assert(mishaps > before || held > after || !all_ended);
#ifdef WITHOUT_NOTE_FIRST
        if
        :: refused > 0 && refused < last -> withheld = true
        :: else
        fi;
#endif
        if
        :: held > confirmed -> confirmed = held
        :: else
        fi
    }
idle:
    skip;
    d_step {
        count = 0; after = 0; last = 0; held = 0; i = 0;
        rows[1] = 0; rows[2] = 0; numbers[1] = 0; numbers[2] = 0
    }
    if
    :: is_orphan && !parent -> parent = true
    :: retry()
    :: true
    fi;
    /* purge whole batches, at any time */
    if
    :: d_step { purge(); printf("purged\n") }
    :: true
    fi;
#ifdef WITHOUT_CURSOR_ROW
    received = 0;
#endif
    check();
    goto again
}
