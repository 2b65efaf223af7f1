/* A table of the application: see table.h. */
#include "schema/table.h"

#include <string.h>

const cm_column_t *cm_table_column(const cm_table_t *table, const char *name)
{
    return apr_hash_get(table->by_name, name, APR_HASH_KEY_STRING);
}

int cm_table_settable(const cm_table_t *table, const char *name)
{
    const cm_column_t *column = cm_table_column(table, name);

    if (!column || !column->carried || column->generated ||
        column == table->key)
        return -1;
    return column - table->columns;
}
