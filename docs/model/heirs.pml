/* A key changes that is part of the identity: for both nodes the record is
 * deleted, and a new one continues it. The child keeps its parent, both nodes
 * end equal, and no value is lost silently.
 *
 * Two nodes, a record with one column, and a child with a foreign key that
 * cascades. The sender changes keys; both nodes change the column. The receiver
 * gives its row the new key, or, where it cannot, inserts another row and lets
 * the child follow before it deletes the old one. README.md describes it, and
 * each rule that can be removed with -DWITHOUT_NAME.
 */

#ifndef CHANGES
#define CHANGES 3 /* on either node; at most two of them change the key */
#endif
#ifndef TIMES
#define TIMES 3 /* the hosts' times are from 1 to this */
#endif
#define KEYS 3
#define MESSAGES (2 * CHANGES)
#define NOBODY 0

mtype = { UPDATE, CREATE, DELETE };

/* The sender, which numbers its changes at once. A value is the change that
 * wrote it. */
byte key = 1, value = 0, clock = 1;
byte changes = 0;
byte seen = 0;              /* what its author knows: a mask of changes */

/* Its messages. */
byte sent = 0;
mtype action[MESSAGES + 1];
byte record[MESSAGES + 1];      /* a key */
byte counterpart[MESSAGES + 1]; /* the record that it continues, or its heir */
byte text[MESSAGES + 1], its_time[MESSAGES + 1], base[MESSAGES + 1];
byte known[MESSAGES + 1];       /* SEEN of its author */

/* The receiver: its rows by their keys, what is committed and what its mapping
 * says; the child. */
bool row[KEYS + 1];
byte row_value[KEYS + 1];
byte row_clock[KEYS + 1];
byte parent = 1;
bool row_lock = false;
byte received = 0;

/* Its own changes: committed, numbered, come to the sender. */
byte changed_key[CHANGES + 1];  /* 0: a change of the sender */
byte changed_time[CHANGES + 1];
byte changed_clock[CHANGES + 1]; /* 0: no number yet */
byte arrived = 0;

#define mask(c) (1 << (c))
/* Had the author of message M seen change C? At equal clocks a value may be kept
 * at the other node only. */
#define has_seen(m, c) (c == 0 || known[m] & mask(c) || \
    changed_clock[c] == base[m])

inline send(what, k, other, clock_before)
{
    sent++;
    action[sent] = what;
    record[sent] = k;
    counterpart[sent] = other;
    text[sent] = value;
    its_time[sent] = clock;
    base[sent] = clock_before;
    known[sent] = seen
}

/* The new record has clocks of its own. Its first message comes before the
 * delete of the old one. */
inline change_key(t)
{
    c = clock;
    clock = t;
    key++;
#ifdef WITHOUT_CREATE_FIRST
    send(DELETE, key - 1, key, c);
    send(CREATE, key, key - 1, c);
#else
    send(CREATE, key, key - 1, c);
    send(DELETE, key - 1, key, c);
#endif
    printf("sender: key %d to %d, clock %d to %d\n", key - 1, key, c, clock)
}

inline change_value(t)
{
    c = clock;
    clock = (t > c -> t : c + 1);
    value = changes;
    seen = seen | mask(changes);
    send(UPDATE, key, NOBODY, c);
    printf("sender: change %d of %d, clock %d\n", changes, key, clock)
}

inline choose_time(t)
{
    t = 1;
    do
    :: break
    :: t < TIMES -> t++
    od
}

proctype sender()
{
    byte c, t;

end:
    do
    :: atomic {
        changes < CHANGES ->
        changes++;
        choose_time(t);
        if
        :: key < KEYS -> d_step { change_key(t); c = 0; t = 0 }
        :: d_step { change_value(t); c = 0; t = 0 }
        fi
    }
    /* a change of the receiver arrives */
    :: atomic {
        arrived < changes && (changed_key[arrived + 1] == 0 ||
            changed_clock[arrived + 1] > 0) ->
        d_step {
            arrived++;
            if
            :: changed_key[arrived] == key ->
                seen = seen | mask(arrived);
                if
                :: changed_clock[arrived] > clock ||
                        (changed_clock[arrived] == clock && arrived > value) ->
                    value = arrived;
                    clock = changed_clock[arrived]
                :: else
                fi
            :: else /* the sender's own, or of a record that is deleted here */
            fi
        }
    }
    od
}

/* The application of the receiver changes a row. */
proctype application()
{
    byte k, t;

end:
    do
    :: atomic {
        changes < CHANGES && !row_lock ->
        if
        :: row[1] -> k = 1
        :: row[2] -> k = 2
        :: row[3] -> k = 3
        fi;
        choose_time(t);
        d_step {
            changes++;
            changed_key[changes] = k;
            changed_time[changes] = t;
            row_value[k] = changes;
            printf("receiver: change %d of %d at time %d\n", changes, k, t);
            k = 0;
            t = 0
        }
    }
    od
}

/* Number what is committed at the receiver. */
inline number()
{
    i = 1;
    do
    :: i > changes -> break
    :: else ->
        if
        :: changed_key[i] > 0 && changed_clock[i] == 0 ->
            k = changed_key[i];
            changed_clock[i] = (changed_time[i] > row_clock[k] ->
                changed_time[i] : row_clock[k] + 1);
            row_clock[k] = changed_clock[i];
            k = 0
        :: else
        fi;
        i++
    od;
    i = 0
}

proctype numbering()
{
    byte i, k;

end:
    do
    :: d_step {
        changes > 0 && changed_key[changes] > 0 &&
            changed_clock[changes] == 0 -> number()
    }
    od
}

/* May the row of the record that message M continues become its own? Only
 * where the sender knew all that is here of it. */
#ifdef WITHOUT_KNOWN_ROW
#define may_rename(m) (row[counterpart[m]])
#else
#define may_rename(m) \
    (row[counterpart[m]] && row_clock[counterpart[m]] <= base[m])
#endif

/* The row gets its new key, and the child follows. The columns are older than
 * what the message brings. */
inline rename(m)
{
    k = counterpart[m];
    assert(has_seen(m, row_value[k]));
    row[k] = false;
    row[record[m]] = true;
#ifdef WITHOUT_CLOCKS_FROM_ZERO
    row_clock[record[m]] = row_clock[k];
    row_value[record[m]] = row_value[k];
#else
    row_clock[record[m]] = 0;
#endif
    if
    :: its_time[m] > row_clock[record[m]] ->
        row_clock[record[m]] = its_time[m];
        row_value[record[m]] = text[m]
    :: else
    fi;
    parent = (parent == k -> record[m] : parent);
    printf("receiver: message %d, row %d gets key %d\n", m, k, record[m]);
    k = 0
}

inline insert(m)
{
    row[record[m]] = true;
    row_clock[record[m]] = its_time[m];
    row_value[record[m]] = text[m];
    printf("receiver: message %d, a new row %d\n", m, record[m])
}

/* A value that the sender did not know is kept in communicator_conflicts. The
 * child goes to the heir. */
inline delete(m)
{
    k = record[m];
    if
    :: row[k] ->
        assert(row_clock[k] > base[m] || has_seen(m, row_value[k]));
#ifndef WITHOUT_ADOPTION
        if
        :: parent == k && row[counterpart[m]] -> parent = counterpart[m]
        :: else
        fi;
#endif
        if
        :: parent == k -> parent = NOBODY /* ON DELETE CASCADE */
        :: else
        fi;
        row[k] = false;
        printf("receiver: message %d, row %d is deleted\n", m, k)
    :: else
    fi;
    k = 0
}

inline merge(m)
{
    k = record[m];
    if
    :: row[k] && (its_time[m] > row_clock[k] ||
            (its_time[m] == row_clock[k] && text[m] > row_value[k])) ->
        assert(row_clock[k] > base[m] || has_seen(m, row_value[k]));
        row_clock[k] = its_time[m];
        row_value[k] = text[m]
    :: else
    fi;
    k = 0
}

proctype receiver()
{
    byte i, k, m;
    bool renames;

end:
    do
    :: atomic {
        received < sent && !row_lock ->
        m = received + 1;
#ifdef WITHOUT_FORMER_LOCK
        d_step { number(); renames = may_rename(m) }
#else
        row_lock = true
#endif
    }
    atomic {
        d_step {
#ifndef WITHOUT_FORMER_LOCK
#ifndef WITHOUT_FORMER_STAMP
            number();
#endif
            renames = may_rename(m);
#else
            skip;
#endif
            renames = renames && action[m] == CREATE
        }
        if
        :: renames
        :: renames = false /* the database refuses it */
        fi;
        d_step {
#ifdef WITHOUT_FORMER_LOCK
            if
            :: !renames -> number()
            :: else
            fi;
#endif
            if
            :: renames -> rename(m)
            :: !renames && action[m] == CREATE -> insert(m)
            :: action[m] == DELETE -> delete(m)
            :: action[m] == UPDATE -> merge(m)
            fi;
            received = m;
            row_lock = false;
            renames = false;
            m = 0
        }
    }
    od
}

#define is_quiet (received == sent && arrived == changes && !row_lock)

init {
    atomic {
        row[1] = true;
        row_clock[1] = 1;
        run sender();
        run application();
        run numbering();
        run receiver()
    }
end:
    do
    :: d_step {
        is_quiet ->
        assert(row[key] && row[1] + row[2] + row[3] == 1);
        assert(row_value[key] == value && row_clock[key] == clock);
        assert(parent == key)
    }
    od
}
