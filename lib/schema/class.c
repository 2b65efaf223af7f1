/* What the types of each database are to us: see class.h. */
#include "schema/class.h"

#include <stdlib.h>
#include <string.h>

typedef struct type_t {
    const char *name;
    cm_class_e value_class;
    int length; /* numbers: bytes of storage */
} type_t;

static const type_t pgsql_types[] = {
    {"int2", CM_CLASS_INTEGER, 2},
    {"int4", CM_CLASS_INTEGER, 4},
    {"int8", CM_CLASS_INTEGER, 8},
    {"numeric", CM_CLASS_DECIMAL, 0},
    {"float4", CM_CLASS_FLOAT, 4},
    {"float8", CM_CLASS_FLOAT, 8},
    {"bool", CM_CLASS_BOOLEAN, 0},
    {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},
    {"timestamp", CM_CLASS_TIMESTAMP, 0},
    {"timestamptz", CM_CLASS_TIMESTAMP_ZONE, 0},
    {"bytea", CM_CLASS_BINARY, 0},
    {"money", CM_CLASS_DECIMAL, 0},
    {"bit", CM_CLASS_INTEGER, 8},
    {"json", CM_CLASS_JSON, 0},
    {"jsonb", CM_CLASS_JSON, 0},
    {NULL, CM_CLASS_TEXT, 0},
};

static const type_t mysql_types[] = {
    {"boolean", CM_CLASS_BOOLEAN, 1},
    {"tinyint", CM_CLASS_INTEGER, 1},
    {"smallint", CM_CLASS_INTEGER, 2},
    {"year", CM_CLASS_INTEGER, 2},
    {"mediumint", CM_CLASS_INTEGER, 3},
    {"int", CM_CLASS_INTEGER, 4},
    {"bigint", CM_CLASS_INTEGER, 8},
    {"bit", CM_CLASS_INTEGER, 8},
    {"decimal", CM_CLASS_DECIMAL, 0},
    {"float", CM_CLASS_FLOAT, 4},
    {"double", CM_CLASS_FLOAT, 8},
    {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},
    {"datetime", CM_CLASS_TIMESTAMP, 0},
    {"timestamp", CM_CLASS_TIMESTAMP_ZONE, 0},
    {"json", CM_CLASS_JSON, 0},
    {"binary", CM_CLASS_BINARY, 0},
    {"varbinary", CM_CLASS_BINARY, 0},
    {"tinyblob", CM_CLASS_BINARY, 0},
    {"blob", CM_CLASS_BINARY, 0},
    {"mediumblob", CM_CLASS_BINARY, 0},
    {"longblob", CM_CLASS_BINARY, 0},
    {"geometry", CM_CLASS_BINARY, 0},
    {"point", CM_CLASS_BINARY, 0},
    {"linestring", CM_CLASS_BINARY, 0},
    {"polygon", CM_CLASS_BINARY, 0},
    {"multipoint", CM_CLASS_BINARY, 0},
    {"multilinestring", CM_CLASS_BINARY, 0},
    {"multipolygon", CM_CLASS_BINARY, 0},
    {"geometrycollection", CM_CLASS_BINARY, 0},
    {NULL, CM_CLASS_TEXT, 0},
};

/* Part of the declared type; the first that is found counts. */
static const type_t sqlite_types[] = {
    {"bool", CM_CLASS_BOOLEAN, 8},        {"blob", CM_CLASS_BINARY, 0},
    {"binary", CM_CLASS_BINARY, 0},       {"datetime", CM_CLASS_TIMESTAMP, 0},
    {"timestamp", CM_CLASS_TIMESTAMP, 0}, {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},           {"json", CM_CLASS_JSON, 0},
    {"char", CM_CLASS_TEXT, 0},           {"clob", CM_CLASS_TEXT, 0},
    {"text", CM_CLASS_TEXT, 0},           {"int", CM_CLASS_INTEGER, 8},
    {"real", CM_CLASS_FLOAT, 8},          {"floa", CM_CLASS_FLOAT, 8},
    {"doub", CM_CLASS_FLOAT, 8},          {"dec", CM_CLASS_DECIMAL, 0},
    {"numeric", CM_CLASS_DECIMAL, 0},     {"number", CM_CLASS_DECIMAL, 0},
    {"money", CM_CLASS_DECIMAL, 0},       {NULL, CM_CLASS_TEXT, 0},
};

/* SQLite: "DECIMAL(10,2)" keeps two digits at least. */
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

/* PostgreSQL: whether text that is given to a type of its own comes back as it
 * was: an interval, an array, an address need not. */
static int is_rewritten(const cm_column_t *column, const char *base)
{
    static const char *const exact[] = {"text", "varchar", "bpchar", "uuid",
                                        "name", "char",    "bit",    "varbit",
                                        "",     NULL};
    int i;

    if (column->value_class != CM_CLASS_TEXT)
        return 0;
    for (i = 0; exact[i]; i++)
        if (!strcmp(base, exact[i]))
            return 0;
    return 1;
}

/* More than 64 bits are the string of them; one is true or false. */
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

void cm_class_set(cm_column_t *column, const char *base, cm_database_e database)
{
    const type_t *type = database == CM_PGSQL   ? pgsql_types
                         : database == CM_MYSQL ? mysql_types
                                                : sqlite_types;

    while (type->name && (database == CM_SQLITE3 ? !strcasestr(base, type->name)
                                                 : strcmp(base, type->name)))
        type++;
    column->value_class = type->value_class;
    if (type->length)
        column->length = type->length;
    if (database != CM_SQLITE3) {
        if (!strncmp(column->type, "bit(", 4) ||
            !strcmp(column->type, "\"bit\""))
            classify_bits(column);
        column->rewrites = database == CM_PGSQL && is_rewritten(column, base);
        return;
    }
    column->loose = 1;
    if (!*base)
        column->value_class = CM_CLASS_ANY;
    read_scale(column, base);
}
