/* Values on their way into and out of the database: see datum.h. */
#include "store/datum.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/number.h"

cm_datum_t cm_datum_text(const char *text)
{
    cm_datum_t datum = {text, text ? strlen(text) : 0, 0};

    return datum;
}

cm_datum_t cm_datum_number(apr_int64_t number, apr_pool_t *pool)
{
    char room[CM_NUMBER_ROOM];

    return cm_datum_text(apr_pstrdup(pool, cm_number_text(room, number)));
}

cm_datum_t cm_datum_moment(apr_int64_t microseconds, apr_pool_t *pool)
{
    apr_time_exp_t time;

    apr_time_exp_gmt(&time, microseconds);
    return cm_datum_text(
        apr_psprintf(pool, "%04d-%02d-%02d %02d:%02d:%02d.%06d",
                     time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                     time.tm_hour, time.tm_min, time.tm_sec, time.tm_usec));
}
