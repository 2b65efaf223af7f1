/* The program around the serving side: see host.h. */
#include "exchange/host.h"

#include <stdarg.h>

#include <apr_strings.h>

void cm_host_log(const cm_host_t *host, cm_log_e level, apr_pool_t *pool,
                 const char *format, ...)
{
    va_list args;

    if ((int)level > host->log_level)
        return;
    va_start(args, format);
    host->log(host->baton, level, apr_pvsprintf(pool, format, args));
    va_end(args);
}
