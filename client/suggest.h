/* What a person may have meant by a word that is not known. */
#ifndef SUGGEST_H
#define SUGGEST_H

/* The known word that is nearest to WORD, of those that sync_suggest() was
 * given; NULL: none is near. */
typedef struct sync_suggestion_t {
    const char *word;
    const char *nearest;
    int distance;
} sync_suggestion_t;

/* Take KNOWN for the suggestion if it is nearer than the others: if few letters
 * have to be changed, added, removed, or exchanged with the next one. */
void sync_suggest(sync_suggestion_t *suggestion, const char *known);

#endif
