/* How a batch meets the changes made here: both nodes end equal, every column
 * has its newest value, and no value is lost silently.
 *
 * A model of lock, stamp and merge with values and clocks: two nodes, one
 * record, two columns with a clock each, deletes. The applications change the
 * record on both nodes at any time, with any host time, while batches and
 * stampings run. README.md describes it, and each rule that can be removed with
 * -DWITHOUT_NAME.
 */

#ifndef CHANGES
#define CHANGES 3 /* changes that the applications make, on either node */
#endif
#ifndef TIMES
#define TIMES 3 /* the hosts' times are from 1 to this */
#endif

#define COLUMN_A 1
#define COLUMN_B 2
#define DELETE   4

/* The tables of node N show what is committed: whoever writes holds its locks
 * until the commit. Column X of node N has the index 2 * N + X. */
byte value[4];        /* the row: the change that wrote it; 0: the creation */
byte column_clock[4]; /* the mapping */
byte record_clock[2];
bool gone[2];         /* no row, and the mapping is a tombstone */
bool row_lock[2], mapping_lock[2], node_lock[2];
byte latest[2];       /* the last change that was committed */
byte newest[2];       /* the last one that has a number */
byte received[2];     /* the last one of the other node */
bool lacks[2];        /* the last message was withheld from this node, or
                         discarded there; both sides know it */
byte changes = 0;

/* Change C, and the message that it becomes; cleared when that is received. */
bool node_of[CHANGES + 1];
byte host_time[CHANGES + 1];
byte clock[CHANGES + 1];     /* 0: no number yet */
byte columns[CHANGES + 1];   /* what the message changes */
bool folded[CHANGES + 1];    /* it travels in a later message */
byte record_base[CHANGES + 1];
byte text[2 * CHANGES + 2];  /* of column X: index 2 * C + X */
byte clocks[2 * CHANGES + 2];
byte base[2 * CHANGES + 2];

/* Only to judge: what each change changed, which changes its author had seen,
 * which values communicator_conflicts has. */
byte own[CHANGES + 1], past[CHANGES + 1];
byte seen[2];
byte kept = 0;
bool withheld = false; /* one message was */

#define mask(c) (1 << (c))

/* Put message P into message C, the next of the record: the columns united,
 * each with its own clock; the base is the first one's. */
inline fold(n, p, c)
{
    y = 0;
    do
    :: y > 1 -> break
    :: else ->
        if
        :: columns[p] & mask(y) ->
#ifdef WITHOUT_FOLD_CLOCKS
            clocks[2 * c + y] = clock[c];
            column_clock[2 * n + y] = clock[c];
#endif
#ifdef WITHOUT_FOLD_BASE
            if
            :: !(columns[c] & mask(y)) -> base[2 * c + y] = base[2 * p + y]
            :: else
            fi
#else
            base[2 * c + y] = base[2 * p + y]
#endif
        :: else
        fi;
        text[2 * p + y] = 0;
        clocks[2 * p + y] = 0;
        base[2 * p + y] = 0;
        y++
    od;
#ifndef WITHOUT_FOLD_BASE
    record_base[c] = record_base[p];
#endif
    columns[c] = columns[c] | columns[p];
    columns[p] = 0;
    record_base[p] = 0;
    folded[p] = true;
    y = 0
}

/* Number what is committed here, up to change LAST; STAMPED: the last one that
 * got its number. The order is that of the commits, since a change locks the
 * row. Changes that are numbered together become one message. */
inline stamp(n, last)
{
    stamped = 0;
    c = 1;
    do
    :: c > last -> break
    :: else ->
        if
        :: node_of[c] == n && clock[c] == 0 ->
            record_base[c] = record_clock[n];
            clock[c] = host_time[c];
            host_time[c] = 0;
#ifndef WITHOUT_CLOCK_RULE
            if
            :: clock[c] <= record_clock[n] -> clock[c] = record_clock[n] + 1
            :: else
            fi;
#endif
            record_clock[n] = clock[c];
            x = 0;
            do
            :: x > 1 -> break
            :: else ->
                if
                :: columns[c] & mask(x) ->
                    base[2 * c + x] = column_clock[2 * n + x];
                    column_clock[2 * n + x] = clock[c]
                :: else
                fi;
                clocks[2 * c + x] = column_clock[2 * n + x];
                x++
            od;
            if
            :: stamped > 0 -> fold(n, stamped, c)
            :: else
            fi;
            stamped = c;
            newest[n] = c;
            printf("node %d: change %d gets clock %d, base %d %d\n", n, c,
                   clock[c], base[2 * c], base[2 * c + 1])
        :: else
        fi;
        c++
    od;
    c = 0;
    x = 0
}

/* Keep the value of change C in communicator_conflicts. */
#define keep(c) kept = kept | mask(c)

/* The newer clock wins, on equal clocks the greater value. */
#ifdef WITHOUT_TIE_RULE
#define wins(clock_1, value_1, clock_2, value_2) (clock_1 > clock_2)
#else
#define wins(clock_1, value_1, clock_2, value_2) (clock_1 > clock_2 || \
    (clock_1 == clock_2 && value_1 > value_2))
#endif

/* Had the author of change C seen VALUE? */
#define has_seen(c, value) (value == 0 || past[c] & mask(value))

/* Let the state (VALUE, CLOCK) of column Y come to node N; its author knew
 * the value with the clock BASE. */
inline join_column(n, y, its_value, its_clock, its_base)
{
    if
    :: column_clock[2 * n + y] > its_base && value[2 * n + y] != its_value ->
        conflict = true
    :: else
    fi;
    if
    :: wins(its_clock, its_value, column_clock[2 * n + y],
            value[2 * n + y]) ->
        assert(conflict || its_base == column_clock[2 * n + y] || withheld ||
               has_seen(its_value, value[2 * n + y]));
        if
        :: conflict -> keep(value[2 * n + y])
        :: else
        fi;
        value[2 * n + y] = its_value;
        column_clock[2 * n + y] = its_clock
    :: else ->
        if
        :: conflict -> keep(its_value)
        :: else
        fi
    fi;
    conflict = false
}

/* Is the record here as it was there before message M? The clocks say so:
 * those of the changed columns in base, those of the others in clocks. */
#define prior(m, x) \
    (columns[m] & mask(x) -> base[2 * m + x] : clocks[2 * m + x])
#ifdef COLUMN_CLOCKS
#define knows(n, m, x) \
    (!(columns[m] & mask(x)) || base[2 * m + x] == record_clock[n])
#define fits(n, m) (!gone[n] && knows(n, m, 0) && knows(n, m, 1))
#else
#ifdef WITHOUT_ALL_CLOCKS
#define fits(n, m) (!gone[n] && record_clock[n] == \
    (columns[m] & COLUMN_A -> base[2 * m] : base[2 * m + 1]))
#else
#define fits(n, m) (!gone[n] && column_clock[2 * n] == prior(m, 0) && \
    column_clock[2 * n + 1] == prior(m, 1))
#endif
#endif

#ifdef WITHOUT_NOTHING_LACKS
#define may_be_fast(n, m) (!(columns[m] & DELETE))
#else
#define may_be_fast(n, m) (!(columns[m] & DELETE) && !lacks[n])
#endif

/* The fast way: the changed columns are as the message says, the clocks those
 * of the message. */
inline overwrite(n, m)
{
    x = 0;
    do
    :: x > 1 -> break
    :: else ->
        if
#ifdef WITHOUT_CHANGED_ONLY
        :: true -> value[2 * n + x] = text[2 * m + x]
#else
        :: columns[m] & mask(x) -> value[2 * n + x] = text[2 * m + x]
        :: else
#endif
        fi;
#ifdef COLUMN_CLOCKS
        if
        :: columns[m] & mask(x) ->
            column_clock[2 * n + x] = clocks[2 * m + x]
        :: else
        fi;
#else
        column_clock[2 * n + x] = clocks[2 * m + x];
#endif
        x++
    od;
    record_clock[n] = clock[m];
    printf("node %d: message %d, the fast way\n", n, m);
    x = 0
}

/* Has message M the value of column X, which it does not change, too? Only
 * where the node lacks a message before it. */
#if defined(WHOLE_ROWS)
#define is_whole(n, m, x) true
#elif defined(WITHOUT_WHOLE_ROW)
#define is_whole(n, m, x) false
#elif defined(WHOLE_BY_CLOCKS)
#define is_whole(n, m, x) (clocks[2 * m + x] > column_clock[2 * n + x])
#else
#define is_whole(n, m, x) lacks[n]
#endif

/* The long way: merge message M with the state of node N. The message has the
 * clocks of all columns. */
inline merge(n, m)
{
    x = 0;
    if
    :: columns[m] & DELETE ->
        if
        :: !gone[n] && record_clock[n] > record_base[m] ->
            keep(value[2 * n]);
            keep(value[2 * n + 1])
        :: else ->
            assert(gone[n] || record_clock[n] == record_base[m] || withheld ||
                   (has_seen(m, value[2 * n]) && has_seen(m, value[2 * n + 1])))
        fi;
        gone[n] = true
    :: else ->
        do
        :: x > 1 -> break
        :: else ->
            if
            :: columns[m] & mask(x) ->
                if
                :: gone[n] -> keep(text[2 * m + x])
                :: else ->
                    join_column(n, x, text[2 * m + x], clocks[2 * m + x],
                                base[2 * m + x])
                fi
            :: else ->
                if
                :: is_whole(n, m, x) && !gone[n] ->
                    join_column(n, x, text[2 * m + x], clocks[2 * m + x],
                                clocks[2 * m + x])
                :: else
                fi
            fi;
            x++
        od
    fi;
    if
    :: clock[m] > record_clock[n] -> record_clock[n] = clock[m]
    :: else
    fi;
    printf("node %d: message %d, the long way: %d %d\n", n, m, value[2 * n],
           value[2 * n + 1]);
    x = 0
}

/* The cursor moves, with the same commit. */
inline receive(n, m)
{
    received[n] = m;
    columns[m] = 0;
    record_base[m] = 0;
    x = 0;
    do
    :: x > 1 -> break
    :: else ->
        text[2 * m + x] = 0;
        clocks[2 * m + x] = 0;
        base[2 * m + x] = 0;
        x++
    od;
    x = 0
}

/* A change of the application: it waits for the row's lock, writes, commits. */
proctype application(bit n)
{
    byte c, t;

end:
    do
    :: atomic {
        changes < CHANGES && !row_lock[n] && !gone[n] &&
            (n == 0 || changes > 0) -> /* the nodes are alike */
        row_lock[n] = true
    }
    atomic {
        if
        :: changes == CHANGES -> skip /* rolled back */
        :: else ->
            if
            :: c = COLUMN_A
            :: changes > 0 -> c = COLUMN_B /* the columns are alike */
#ifdef BOTH_COLUMNS
            :: c = COLUMN_A + COLUMN_B
#endif
            :: c = DELETE
            fi;
            t = 1;
            do
            :: break
            :: t < TIMES -> t++
            od;
            skip;
            d_step {
                changes++;
                latest[n] = changes;
                node_of[changes] = n;
                host_time[changes] = t;
                own[changes] = c;
                columns[changes] = c;
                past[changes] = seen[n];
                seen[n] = seen[n] | mask(changes);
                if
                :: c & COLUMN_A -> value[2 * n] = changes
                :: else
                fi;
                if
                :: c & COLUMN_B -> value[2 * n + 1] = changes
                :: else
                fi;
                if
                :: c & DELETE -> gone[n] = true
                :: else
                fi;
                text[2 * changes] = value[2 * n];
                text[2 * changes + 1] = value[2 * n + 1];
                printf("node %d: change %d of %d at time %d\n", n, changes, c,
                       t)
            }
        fi;
        row_lock[n] = false;
        c = 0;
        t = 0
    }
    od
}

#define unnumbered(n) (latest[n] > newest[n])

/* Another process of node N numbers what is committed. It writes mappings when
 * it has the node's lock. */
proctype stamping(bit n)
{
    byte c, x, y, stamped;

end:
    do
    :: atomic {
        unnumbered(n) && !node_lock[n] -> node_lock[n] = true
    }
    atomic {
        !mapping_lock[n] ->
        d_step {
            stamp(n, changes);
            stamped = 0
        }
        node_lock[n] = false
    }
    od
}

#define is_free(n) (!row_lock[n] && !node_lock[n] && !mapping_lock[n])

#ifdef WITHOUT_FRESH_READ
#define seen_by_stamp horizon
#else
#define seen_by_stamp changes
#endif

/* A batch of one message comes to node N from the other one. */
proctype batch(bit n)
{
    byte c, x, y, stamped, message;
    bool conflict, done;
#ifdef WITHOUT_FRESH_READ
    byte horizon;
#endif

end:
    do
    :: atomic {
        newest[1 - n] > received[n] ->
        message = received[n] + 1;
        do
        :: node_of[message] != n && !folded[message] -> break
        :: else -> message++
        od;
#ifdef WITHOUT_FRESH_READ
        horizon = changes;
#endif
        if
        :: !withheld ->
            withheld = true;
            printf("node %d: does not get message %d\n", n, message);
            d_step { receive(n, message); lacks[n] = true }
            goto finished
        :: seen[n] = seen[n] | past[message] | mask(message)
        fi;
#ifdef ONE_STATEMENT
        if
        :: may_be_fast(n, message)
#else
        if
        :: may_be_fast(n, message) && fits(n, message)
#endif
        :: else -> goto long_way
        fi
    }
#ifdef ONE_STATEMENT
    /* mapping and row by one statement, before the node's lock */
    atomic {
        !mapping_lock[n] ->
        if
        :: fits(n, message) -> mapping_lock[n] = true
        :: else -> goto long_way
        fi
    }
#endif
    atomic { !row_lock[n] -> row_lock[n] = true }
    if
    :: atomic { !node_lock[n] -> node_lock[n] = true }
#if defined(ONE_STATEMENT) && !defined(WITHOUT_REPEAT)
    :: atomic { /* a deadlock: the database ends this one, it is repeated */
        node_lock[n] ->
        mapping_lock[n] = false;
        row_lock[n] = false;
        goto finished
    }
#endif
    fi;
    atomic {
        d_step {
#ifndef WITHOUT_FAST_STAMP
            stamp(n, seen_by_stamp);
#endif
            if
            :: stamped > 0 ->
#ifdef WITHOUT_SAVEPOINT
                done = true
#else
                done = false
#endif
            :: else ->
#ifdef WITHOUT_SECOND_LOOK
                done = true
#else
                done = fits(n, message)
#endif
            fi;
            stamped = 0;
            if
            :: done ->
                overwrite(n, message);
                receive(n, message);
                lacks[n] = false
            :: else
            fi;
            node_lock[n] = false;
            row_lock[n] = false;
            mapping_lock[n] = false
        }
        if
        :: done -> goto finished
        :: else
        fi
    }
long_way:
#ifdef WITHOUT_LOCK_FIRST
    atomic { !node_lock[n] -> d_step { stamp(n, seen_by_stamp); stamped = 0 } }
#endif
    atomic { !row_lock[n] -> row_lock[n] = true }
    atomic {
        !node_lock[n] && !mapping_lock[n] ->
        d_step {
#if !defined(WITHOUT_LOCK_FIRST) && !defined(WITHOUT_STAMP_FIRST)
            stamp(n, seen_by_stamp);
            stamped = 0;
#endif
            merge(n, message);
            receive(n, message);
            lacks[n] = false;
            row_lock[n] = false
        }
    }
finished:
    atomic {
        message = 0;
        done = false;
#ifdef WITHOUT_FRESH_READ
        horizon = 0
#endif
    }
    od
}

#define is_quiet(n) (is_free(n) && !unnumbered(n) && !lacks[n] && \
    received[n] == newest[1 - n])

/* Assert that change C of column X, which has lost, is kept, or that somebody
 * who had seen it has replaced it. */
inline check_loser(c, x)
{
    y = 1;
    do
    :: y > changes || kept & mask(c) -> break
    :: past[y] & mask(c) && own[y] & (mask(x) | DELETE) -> break
    :: else -> y++
    od;
    assert(y <= changes)
}

/* What must be true whenever nothing is under way. */
inline check()
{
    deleted = false;
    c = 1;
    do
    :: c > changes -> break
    :: else ->
        deleted = deleted || own[c] & DELETE;
        c++
    od;
    assert(gone[0] == deleted && gone[1] == deleted);
    x = 0;
    do
    :: x > 1 -> break
    :: else ->
        winner = 0;
        c = 1;
        do
        :: c > changes -> break
        :: else ->
            if
            :: own[c] & mask(x) && clock[c] >= clock[winner] -> winner = c
            :: else
            fi;
            c++
        od;
        assert(deleted || (value[x] == winner && value[2 + x] == winner));
        assert(deleted || column_clock[x] == column_clock[2 + x]);
        c = 1;
        do
        :: c > changes || withheld -> break
        :: else ->
            if
            :: own[c] & mask(x) && (deleted || c != winner) -> check_loser(c, x)
            :: else
            fi;
            c++
        od;
        x++
    od;
    c = 0;
    x = 0;
    y = 0;
    winner = 0;
    deleted = false
}

init {
    byte c, x, y, winner;
    bool deleted;

    atomic {
        run application(0);
        run application(1);
        run stamping(0);
        run stamping(1);
        run batch(0);
        run batch(1)
    }
end:
    do
    :: d_step { is_quiet(0) && is_quiet(1) -> check() }
    od
}
