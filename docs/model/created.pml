/* A message brings a record whose key the application uses meanwhile
 * (keys=shared): both nodes end with the same rows.
 *
 * There is no row yet that the batch could lock. While its insert waits for the
 * key, the application may insert the key and delete it again, after the batch
 * has stamped. README.md describes it, and each rule that can be removed with
 * -DWITHOUT_NAME.
 */

#define ROWS 4 /* the application's changes */

/* The node where the message comes from: it has the record, in life 1. */
bool there = true;
byte life_there = 1;
byte buried_there = 0;   /* the lives that are tombstones: a mask */

/* The node where the application uses the key, too. */
mtype = { NOBODY, APPLICATION, BATCH };
bool here = false;
mtype key_lock = NOBODY; /* of the row, or of the key in the unique index */
bool node_lock = false;
byte life = 0;           /* the last one that has a mapping */
bool alive = false;      /* it has a row */
byte buried = 0;
bool received = false;

#define CREATE 1
#define DELETE 2
byte rows = 0;           /* outbound_messages */
byte action[ROWS + 1];
byte life_of[ROWS + 1];
byte numbered = 0;
byte sent = 0;
byte transactions = 2;

#define mask(n) (1 << (n))

/* The application: insert, or insert and delete, or delete; it may also roll
 * back. What it has captured is committed with it. */
proctype application()
{
    byte count;
    bool row;

end:
    do
    :: atomic {
        transactions > 0 && key_lock == NOBODY ->
        transactions--;
        key_lock = APPLICATION
    }
    if
    :: atomic { /* one change, or two */
        row = !here;
        count = 1
    }
    :: atomic {
        row = here;
        count = 2
    }
    :: count = 0 /* rolled back */
    fi;
    atomic {
        if
        :: rows + count > ROWS -> count = 0
        :: else
        fi;
        if
        :: count > 0 ->
            rows++;
            action[rows] = (here -> DELETE : CREATE);
            if
            :: count == 2 ->
                rows++;
                action[rows] = (here -> CREATE : DELETE)
            :: else
            fi;
            printf("here: %d changes, the row is there: %d\n", count, row);
            here = row
        :: else
        fi;
        key_lock = NOBODY;
        count = 0;
        row = false
    }
    od
}

/* Number what is committed. A key that is used again is another life; if the
 * delete between them was not seen, the life before ends. */
inline stamp()
{
    do
    :: numbered == rows -> break
    :: else ->
        numbered++;
        if
        :: action[numbered] == CREATE ->
            if
            :: alive -> buried = buried | mask(life)
            :: else
            fi;
            life++;
            alive = true
        :: else ->
            buried = buried | mask(life);
            alive = false
        fi;
        life_of[numbered] = life;
        printf("here: change %d of life %d gets its number\n", numbered, life)
    od;
    skip
}

/* Another process of the node. */
proctype stamping()
{
end:
    do
    :: atomic { numbered < rows && !node_lock -> d_step { stamp() } }
    od
}

/* The message: life 1 of the record. Locks are held until the end of the
 * transaction, also the node's. */
proctype batch()
{
    bool inserts;

again:
    skip;
    atomic { /* lock the row, if there is one */
        key_lock == NOBODY ->
        if
        :: here -> key_lock = BATCH
        :: else
        fi
    }
    atomic { /* stamp; lock what has appeared */
        d_step { stamp() }
        if
        :: here && key_lock != BATCH -> goto again
        :: else -> inserts = !here && !(buried & mask(1))
        fi;
#ifndef WITHOUT_NODE_LOCK
        node_lock = true
#endif
    }
    if
    :: inserts ->
        atomic { /* the insert waits for whoever has the key */
            key_lock == NOBODY ->
            if
            :: here -> inserts = false; node_lock = false; goto again
            :: else -> key_lock = BATCH
            fi
        }
    :: else
    fi;
    atomic { /* look once more, and commit */
#ifndef WITHOUT_LAST_LOOK
        if
        :: inserts && numbered < rows -> /* rolled back, repeated */
            key_lock = NOBODY;
            inserts = false;
            node_lock = false;
            printf("here: the batch is repeated\n");
            goto again
        :: else
        fi;
#endif
        d_step {
            if
            :: inserts ->
                here = true;
                alive = true;
                life = (life > 1 -> life : 1)
            :: else
            fi;
            if
            :: key_lock == BATCH -> key_lock = NOBODY
            :: else
            fi;
            inserts = false;
            node_lock = false;
            received = true;
            printf("here: the batch is committed, life %d\n", life)
        }
    }
}

/* The messages come to the other node. A later life of the key takes over the
 * row of an earlier one. */
proctype sending()
{
end:
    do
    :: d_step {
        sent < numbered ->
        sent++;
        if
        :: action[sent] == DELETE ->
            buried_there = buried_there | mask(life_of[sent]);
            there = there && life_of[sent] < life_there
        :: action[sent] == CREATE && !(buried_there & mask(life_of[sent])) ->
            life_there = (life_of[sent] > life_there -> life_of[sent] :
                life_there);
            there = true
        :: else
        fi;
        printf("there: gets message %d, the row is there: %d\n", sent, there)
    }
    od
}

init {
    atomic {
        run application();
        run stamping();
        run batch();
        run sending()
    }
end:
    do
    :: d_step {
        received && numbered == rows && sent == numbered &&
            key_lock == NOBODY ->
        assert(here == there);
        assert(here == alive)
    }
    od
}
