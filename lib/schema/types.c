/* What all databases' column types have in common: see types.h. */
#include "schema/types.h"

#include <stdlib.h>
#include <string.h>

const cm_types_t *cm_types_of(const cm_dialect_t *dialect)
{
    static const cm_types_t *const all[] = {[CM_SQLITE3] = &cm_types_sqlite3,
                                            [CM_PGSQL] = &cm_types_pgsql,
                                            [CM_MYSQL] = &cm_types_mysql};

    return all[dialect->database];
}

/* "DECIMAL(10,2)" keeps two digits at least. */
static void read_scale(cm_column_t *column, const char *declared)
{
    const char *open = strchr(declared, '('), *comma;

    if (column->value_class != CM_CLASS_DECIMAL || !open)
        return;
    comma = strchr(open, ',');
    column->scale = comma ? (int)strtol(comma + 1, NULL, 10) : 0;
    if (column->scale < 0 || column->scale > 1000)
        column->scale = -1;
}

/* More than 64 bits are text, one bit is a boolean. */
static void classify_bits(cm_column_t *column)
{
    if (column->precision > 64) {
        column->value_class = CM_CLASS_TEXT;
        column->length = 0;
        return;
    }
    column->is_bits = 1;
    column->is_unsigned = 1;
    if (column->precision == 1)
        column->value_class = CM_CLASS_BOOLEAN;
}

static int is_type(const cm_types_t *types, const cm_type_t *type,
                   const char *base)
{
    return types->loose ? strcasestr(base, type->name) != NULL
                        : !strcmp(base, type->name);
}

void cm_types_classify(cm_column_t *column, const char *base,
                       const cm_types_t *types)
{
    const cm_type_t *type = types->list;

    while (type->name && !is_type(types, type, base))
        type++;
    column->value_class = type->value_class;
    if (type->length)
        column->length = type->length;
    column->loose = types->loose;
    if (column->loose) {
        if (!*base)
            column->value_class = CM_CLASS_ANY;
        read_scale(column, base);
    }
    else if (!strncmp(column->type, "bit(", 4) ||
             !strcmp(column->type, "\"bit\"")) {
        classify_bits(column);
    }
    column->rewrites = types->is_rewritten && types->is_rewritten(column, base);
    column->refuses = types->may_refuse && types->may_refuse(column, base);
}
