/* Dates and times as a column of this database takes them: see
 * fit_internal.h. */
#include "record/fit_internal.h"

#include <string.h>

#include "base/moment.h"

static const char *moment_text(const cm_fit_target_t *target,
                               const cm_moment_t *moment)
{
    const cm_dialect_t *dialect = target->dialect;

    switch (target->column->value_class) {
    case CM_CLASS_DATE:
        return cm_moment_date(moment, target->pool);
    case CM_CLASS_TIME:
        return cm_moment_time(moment, target->pool);
    default:
        return cm_moment_both(moment, dialect->before_time, dialect->after_time,
                              target->pool);
    }
}

static int is_zero_date(const cm_moment_t *moment)
{
    return moment->has_date && (!moment->month || !moment->day);
}

static int is_infinity(cm_value_t value)
{
    return !strcmp(value.data, "infinity") || !strcmp(value.data, "-infinity");
}

cm_error_t *cm_fit_moment(cm_datum_t *datum, const cm_fit_target_t *target,
                          cm_value_t value)
{
    const cm_dialect_t *dialect = target->dialect;
    const cm_column_t *column = target->column;
    int is_time = column->value_class == CM_CLASS_TIME;
    cm_moment_t moment;

    if (dialect->wide_dates && is_infinity(value) && !is_time) {
        *datum = cm_datum_text(value.data);
        return NULL;
    }
    if (column->loose && value.kind == CM_NUMBER) {
        *datum = (cm_datum_t){value.data, value.size, 0};
        return NULL;
    }
    if (!cm_moment_read(&moment, value.data, value.size) ||
        (is_time ? moment.has_date : !moment.has_date) ||
        (column->value_class == CM_CLASS_DATE && moment.has_time))
        CM_REJECT(target, "cannot hold what is no %s, or more than one",
                  is_time                                ? "time"
                  : column->value_class == CM_CLASS_DATE ? "date"
                                                         : "date and time");
    if ((!moment.is_real && (dialect->wide_dates || !is_zero_date(&moment))) ||
        (moment.before_christ && !dialect->wide_dates))
        CM_REJECT(target, "cannot hold a date that does not exist");
    if (is_time && dialect->holds_time && !dialect->holds_time(&moment))
        CM_REJECT(target, "cannot hold a time of so many hours");
    if (cm_moment_fraction(&moment) > column->fraction)
        CM_REJECT(target, "keeps %d digits of a second, the value has %d",
                  column->fraction, cm_moment_fraction(&moment));
    *datum = cm_datum_text(moment_text(target, &moment));
    return NULL;
}
