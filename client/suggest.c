/* What a person may have meant: see suggest.h. */
#include "suggest.h"

#include <string.h>

/* No word of ours is longer. */
#define LONGEST 24

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Return how many letters of A have to be changed to get B, of the sizes M and
 * N, both at most LONGEST. */
static int distance_of(const char *a, int m, const char *b, int n)
{
    int rows[LONGEST + 1][LONGEST + 1];
    int i, j;

    for (i = 0; i <= m; i++) {
        for (j = 0; j <= n; j++) {
            if (!i || !j) {
                rows[i][j] = i + j;
                continue;
            }
            rows[i][j] = least(least(rows[i - 1][j], rows[i][j - 1]) + 1,
                               rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[m][n];
}

void sync_suggest(sync_suggestion_t *suggestion, const char *known)
{
    const size_t size = strlen(suggestion->word), other = strlen(known);
    int distance;

    if (size > LONGEST || other > LONGEST || size < 2)
        return;
    distance = distance_of(suggestion->word, (int)size, known, (int)other);
    if (distance * 3 > (int)other + 1 ||
        (suggestion->nearest && suggestion->distance <= distance))
        return;
    suggestion->nearest = known;
    suggestion->distance = distance;
}
