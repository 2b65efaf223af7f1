/* The few calls that apr_dbd does not have: see internal.h.
 *
 * The driver has loaded the database's client library already; its functions
 * are found there, and it is never loaded or linked. Communicator works without
 * it, too: it then recognises errors by their words. The calls themselves are
 * in the dialects. */
#include "store/internal.h"

#include <dlfcn.h>

static void *find(const cm_store_t *store, const char *name)
{
    const char *const *library = store->dialect->ops->libraries;
    void *found = NULL;

    for (; *library && !found; library++) {
        void *handle = dlopen(*library, RTLD_LAZY | RTLD_NOLOAD);

        if (handle) {
            found = dlsym(handle, name);
            dlclose(handle);
        }
    }
    return found;
}

/* Some are asked for at each statement. */
void *cm_native_symbol(const cm_store_t *store, const char *name)
{
    void *found = apr_hash_get(store->symbols, name, APR_HASH_KEY_STRING);

    if (!found) {
        found = find(store, name);
        apr_hash_set(store->symbols, name, APR_HASH_KEY_STRING, found);
    }
    return found;
}

void *cm_native_connection(const cm_store_t *store)
{
    return apr_dbd_native_handle(store->driver, store->handle);
}

int cm_native_number(const cm_store_t *store, const char *name)
{
    int (*number)(void *) = NULL;

    if (name)
        *(void **)&number = cm_native_symbol(store, name);
    return number ? number(cm_native_connection(store)) : 0;
}
