/* httpd's own answers at an endpoint, made into answers that a gem understands.
 *
 * A gem regards every status but 401, 403, 409 and 5xx as success and drops its
 * data: a 413 of LimitRequestBody, a 408 of RequestReadTimeout, a redirect to
 * https. Such an answer becomes a 503 here, whatever caused it. */
#include "mod_communicator.h"

#include <http_log.h>
#include <http_protocol.h>
#include <string.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "exchange/log.h"
#include "exchange/serve.h"

APLOG_USE_MODULE(communicator);

/* Return the request before an ErrorDocument redirected it. */
static request_rec *first_of(request_rec *r)
{
    while (r->prev)
        r = r->prev;
    return r;
}

void mod_refusal_insert_error(request_rec *r)
{
    if (mod_endpoint_of(first_of(r)))
        ap_add_output_filter("COMMUNICATOR_REFUSAL", NULL, r, r->connection);
}

void mod_refusal_insert(request_rec *r)
{
    if (r->prev)
        mod_refusal_insert_error(r);
}

/* Return whether a gem understands STATUS when httpd sends it; of a 409 it
 * expects that the body is the number of a message. */
static int is_clear(int status)
{
    return status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN ||
           status >= HTTP_INTERNAL_SERVER_ERROR;
}

/* Make R's answer one to a gem; return its body. */
static const char *rewrite(request_rec *r)
{
    static const char *const headers[] = {
        "Location",      "Content-Encoding", "Content-Language", "ETag",
        "Last-Modified", "Accept-Ranges",    "Content-Location", "Vary"};
    int status = is_clear(r->status) ? r->status : HTTP_SERVICE_UNAVAILABLE;
    apr_size_t i;

    if (status != r->status)
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            CM0015
            "httpd's answer %d became %d: a gem would take it for success",
            r->status, status);
    r->status = status;
    r->status_line = NULL;
    for (i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
        apr_table_unset(r->headers_out, headers[i]);
        apr_table_unset(r->err_headers_out, headers[i]);
    }
    return cm_serve_gem_body(status);
}

/* Pass on the rewritten answer of FILTER's request once; drop what its content
 * generator still sends. */
static apr_status_t replace(ap_filter_t *filter, apr_bucket_brigade *in)
{
    request_rec *r = filter->r;
    const char *body;
    apr_size_t size;

    apr_brigade_cleanup(in);
    if (filter->ctx)
        return APR_SUCCESS;
    filter->ctx = r;
    body = rewrite(r);
    size = strlen(body);
    ap_set_content_type(r, "text/html;charset=utf-8");
    ap_set_content_length(r, (apr_off_t)size);
    APR_BRIGADE_INSERT_TAIL(in, apr_bucket_immortal_create(
                                    body, size, r->connection->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(in,
                            apr_bucket_eos_create(r->connection->bucket_alloc));
    return ap_pass_brigade(filter->next, in);
}

apr_status_t mod_refusal_filter(ap_filter_t *filter, apr_bucket_brigade *in)
{
    if (mod_endpoint_is_gem(first_of(filter->r)))
        return replace(filter, in);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, in);
}
