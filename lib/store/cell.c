/* The cells of a result: see cell.h. */
#include "store/cell.h"

#include <apr_strings.h>

const char *cm_cell_text(const cm_rows_t *rows, int row, int column)
{
    return cm_cell(rows, row, column)->data;
}

apr_int64_t cm_cell_number(const cm_rows_t *rows, int row, int column)
{
    const char *text = cm_cell_text(rows, row, column);

    return text ? apr_atoi64(text) : 0;
}
