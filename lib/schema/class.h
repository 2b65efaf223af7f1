/* What the column types of each database are to us. */
#ifndef CM_SCHEMA_CLASS_H
#define CM_SCHEMA_CLASS_H

#include "store/dialect.h"
#include "schema/table.h"

/* Set the class of COLUMN, and the length of its numbers, from BASE, the
 * name of its type without length; SQLite: the declared type as it stands,
 * of which length and scale are read too. */
void cm_class_set(cm_column_t *column, const char *base,
                  cm_database_e database);

#endif
