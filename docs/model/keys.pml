/* A key that changes: the record stays the same record, and its child stays
 * its child.
 *
 * Two records, keys that are unique, a child with a foreign key that cascades
 * on both sides. One node changes keys and moves the child, the other one
 * receives. Who wins where both change is the matter of merge.pml: there a key
 * is a column like any other. README.md describes it, and each rule that can be
 * removed with -DWITHOUT_NAME.
 */

#ifndef CHANGES
#define CHANGES 4
#endif
#define ROWS (2 * CHANGES) /* a change of key may change the child, too */
#define CHILD 3 /* beside the records 1 and 2 */
#define NOBODY 0

/* The sender: the tables, and the mappings, which follow when the changes get
 * their numbers. */
byte key[3];
byte parent_key;         /* the child's column */
byte mapped[3];          /* the key of each identity */
byte changes = 0;
bool captures_cascades;  /* not on MariaDB */

/* The outbox, and the messages. */
byte rows = 0;
byte old[ROWS + 1];      /* the key before; CHILD has none: 0 */
byte new[ROWS + 1];      /* the key, or the parent's key */
byte numbered = 0;
byte record[ROWS + 1];   /* whose message; 0: it travels in a later one */
byte content[ROWS + 1];  /* the key, or the parent's identity */

/* The receiver. */
byte its_key[3];
byte its_parent_key;
byte received = 0;
bool waits[ROWS + 1];
bool orphaned = false;   /* the child was deleted by a cascade */

#define owner(keys, k) (keys[1] == k -> 1 : (keys[2] == k -> 2 : NOBODY))

inline capture(was, is)
{
    rows++;
    old[rows] = was;
    new[rows] = is
}

/* The application. Whoever takes a key that another record had waits for its
 * commit, and a foreign key locks the parent: ids follow commits here, too. */
proctype application()
{
    byte r, k;

end:
    do
    :: atomic {
        changes < CHANGES ->
        changes++;
        if
        :: r = 1
        :: r = 2
        fi;
        if
        :: parent_key != key[r] -> /* the child moves */
            parent_key = key[r];
            capture(0, parent_key);
            printf("sender: the child moves to record %d, key %d\n", r, key[r])
        :: true ->
            if
            :: owner(key, 1) == NOBODY -> k = 1
            :: owner(key, 2) == NOBODY -> k = 2
            :: owner(key, 3) == NOBODY -> k = 3
            :: owner(key, 4) == NOBODY -> k = 4
            fi;
            capture(key[r], k);
            printf("sender: record %d, key %d to %d\n", r, key[r], k);
            if
            :: parent_key == key[r] ->
                parent_key = k;
                if
                :: captures_cascades -> capture(0, k)
                :: else
                fi
            :: else
            fi;
            key[r] = k
        fi;
        r = 0;
        k = 0
    }
    od
}

/* Number the next COUNT rows: who is it? The mapping that has the key of before
 * says it, and then has the new one. */
inline number(count)
{
    first = numbered + 1;
    do
    :: numbered == first + count - 1 -> break
    :: else ->
        numbered++;
        if
        :: old[numbered] == 0 ->
            record[numbered] = CHILD;
            content[numbered] = owner(mapped, new[numbered])
        :: else ->
#ifdef WITHOUT_OLD_KEY
            record[numbered] = owner(mapped, new[numbered]);
#else
            record[numbered] = owner(mapped, old[numbered]);
#endif
            assert(record[numbered] != NOBODY);
            content[numbered] = new[numbered];
            mapped[record[numbered]] = new[numbered];
#ifdef WITHOUT_UNFOLDED_KEYS
            i = first;
            do
            :: i == numbered -> break
            :: else ->
                if
                :: record[i] == record[numbered] -> record[i] = 0
                :: else
                fi;
                i++
            od
#endif
        fi
    od;
#ifdef WITHOUT_REFERENCES_IN_ORDER
    i = first;
    do
    :: i > numbered -> break
    :: else ->
        if
        :: record[i] == CHILD -> content[i] = owner(mapped, new[i])
        :: else
        fi;
        i++
    od;
#endif
    first = 0;
    i = 0
}

proctype stamping()
{
    byte i, first;

end:
    do
    :: atomic { numbered < rows -> d_step { number(1) } }
    :: atomic { numbered + 1 < rows -> d_step { number(2) } }
    :: atomic { numbered + 2 < rows -> d_step { number(3) } }
    od
}

/* Apply message M. The database lets the child's column follow its parent's
 * key; a key that is taken parks the message. */
inline apply(m)
{
    waits[m] = false;
    if
    :: record[m] == 0
    :: record[m] == CHILD ->
        its_parent_key = its_key[content[m]]
    :: record[m] == 1 || record[m] == 2 ->
        if
        :: owner(its_key, content[m]) == NOBODY ->
            if
            :: its_parent_key == its_key[record[m]] ->
#ifdef WITHOUT_KEY_AS_UPDATE
                orphaned = true; /* ON DELETE CASCADE */
#endif
                its_parent_key = content[m]
            :: else
            fi;
            its_key[record[m]] = content[m]
        :: owner(its_key, content[m]) == record[m]
        :: else -> waits[m] = true
        fi
    fi;
    printf("receiver: message %d of %d: %d\n", m, record[m], content[m])
}

/* A message, and then what waits, in order. A record's later messages wait
 * behind. */
proctype receiver()
{
    byte i, j;

end:
    do
    :: atomic {
        received < numbered ->
        d_step {
            received++;
            waits[received] = true;
            i = 1;
            do
            :: i > received -> break
            :: else ->
                if
                :: waits[i] ->
                    j = 1;
                    do
                    :: j == i || (waits[j] && record[j] == record[i]) -> break
                    :: else -> j++
                    od;
                    if
                    :: j == i ->
                        apply(i);
                        i = (waits[i] -> i : 0)
                    :: else
                    fi
                :: else
                fi;
                i++
            od;
            i = 0;
            j = 0
        }
    }
    od
}

init {
    byte i;

    d_step {
        key[1] = 1; mapped[1] = 1; its_key[1] = 1;
        key[2] = 2; mapped[2] = 2; its_key[2] = 2;
        parent_key = 1;
        its_parent_key = 1
    }
    atomic {
        if
        :: captures_cascades = true
        :: captures_cascades = false
        fi;
        run application();
        run stamping();
        run receiver()
    }
end:
    do
    :: d_step {
        numbered == rows && received == numbered ->
        i = 1;
        do
        :: i > rows -> break
        :: else ->
            assert(!waits[i]);
            i++
        od;
        i = 0;
        assert(its_key[1] == key[1] && its_key[2] == key[2]);
        assert(owner(its_key, its_parent_key) == owner(key, parent_key));
        assert(!orphaned)
    }
    od
}
