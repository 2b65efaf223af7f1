/* The module's record and its hooks. */
#include "mod_communicator.h"

#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>
#include <util_filter.h>

static void register_hooks(apr_pool_t *pool)
{
    static const char *const behind_dbd[] = {"mod_dbd.c", NULL};

    (void)pool;
    ap_hook_check_config(mod_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(mod_check_dump, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(mod_watchdog_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(mod_allocator_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(mod_status_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(mod_watchdog_child_init, behind_dbd, NULL,
                       APR_HOOK_LAST);
    ap_hook_translate_name(mod_endpoint_translate, NULL, NULL,
                           APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(mod_endpoint_map, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(mod_endpoint_type, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(mod_endpoint_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(mod_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, mod_status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_insert_filter(mod_refusal_insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_error_filter(mod_refusal_insert_error, NULL, NULL,
                                APR_HOOK_LAST);
    ap_register_output_filter("COMMUNICATOR_REFUSAL", mod_refusal_filter, NULL,
                              AP_FTYPE_CONTENT_SET);
}

AP_DECLARE_MODULE(communicator) = {STANDARD20_MODULE_STUFF,
                                   mod_server_location_create,
                                   mod_server_location_merge,
                                   mod_server_create,
                                   mod_server_merge,
                                   mod_server_directives,
                                   register_hooks,
                                   AP_MODULE_FLAG_NONE};
