/* The certificates that a peer shows: see certificate.h. */
#include "certificate.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <curl/curl.h>
#include "config/settings.h"

const char *sync_certificate_hint(const char *words,
                                  const cm_peer_settings_t *peer,
                                  apr_pool_t *pool)
{
    const char *file = peer->place.file;
    int line = peer->place.line;

    if (strstr(words, "expired"))
        return "renew the certificate of the peer's httpd, unless this host's "
               "clock is wrong";
    if (strstr(words, "not yet valid"))
        return "is the clock of this host right?";
    if (strstr(words, "subject name"))
        return apr_psprintf(pool,
                            "uri= must name the host as its certificate does "
                            "(%s:%d)",
                            file, line);
    return apr_psprintf(pool,
                        "name the authority that signed the peer's "
                        "certificate by ca-file= (%s:%d)",
                        file, line);
}

apr_int64_t sync_certificate_expires(void *curl)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    const struct curl_slist *line;
    time_t first = 0, end;
    int i;

    curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain);
    for (i = 0; chain && i < chain->num_of_certs; i++)
        for (line = chain->certinfo[i]; line; line = line->next) {
            if (strncmp(line->data, label, sizeof(label) - 1) != 0)
                continue;
            end = curl_getdate(line->data + sizeof(label) - 1, NULL);
            if (end > 0 && (!first || end < first))
                first = end;
        }
    return apr_time_from_sec((apr_int64_t)first);
}
