/* A session with a peer over HTTP: see connect.h. */
#include "connect.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/file.h"
#include "service.h"

/* httpd accepts headers of 8190 bytes, and base64 makes four bytes of three. */
#define PASSWORD_MAX 4096

/* Return the uri= of PEER, with the path "/messages.json" when it has none. */
static const char *complete(const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    apr_uri_t parts;

    apr_uri_parse(pool, peer->uri, &parts);
    if (parts.path && strcmp(parts.path, "/") != 0)
        return peer->uri;
    parts.path = apr_pstrdup(pool, "/messages.json");
    return apr_uri_unparse(pool, &parts, 0);
}

static cm_error_t *file_failed(const char *path, apr_status_t rv,
                               apr_pool_t *pool)
{
    char words[120];

    return CM_FAIL(pool, CM_FILE, "cannot read the file '%s': %s", path,
                   apr_strerror(rv, words, sizeof(words)));
}

static cm_error_t *read_line(const char **line, const char *path,
                             apr_pool_t *pool)
{
    char buffer[PASSWORD_MAX + 1];
    apr_size_t size = PASSWORD_MAX;
    apr_file_t *file;
    apr_status_t rv;

    CM_TRY_FOR(cm_file_open(&file, path, pool), pool, "no password");
    rv = apr_file_read_full(file, buffer, PASSWORD_MAX, &size);
    apr_file_close(file);
    if (rv != APR_SUCCESS && rv != APR_EOF)
        return file_failed(path, rv, pool);
    buffer[size] = '\0';
    if (size == PASSWORD_MAX && !strpbrk(buffer, "\r\n"))
        return CM_FAIL(pool, CM_CONFIG,
                       "the first line of the file '%s' is too long (at most "
                       "%d bytes)",
                       path, PASSWORD_MAX - 1);
    buffer[strcspn(buffer, "\r\n")] = '\0';
    *line = apr_pstrdup(pool, buffer);
    if (!**line)
        return CM_FAIL(pool, CM_CONFIG, "the file '%s' is empty", path);
    return NULL;
}

/* Return the file that systemd gives, or NULL. systemd protects its directory,
 * so files in it may be 0440. */
static const char *credential(const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY"), *path;

    if (!directory)
        return NULL;
    path = apr_pstrcat(pool, directory, "/", peer->name, NULL);
    if (access(path, F_OK) == 0)
        return path;
    path = apr_pstrcat(pool, directory, "/password", NULL);
    return access(path, F_OK) == 0 ? path : NULL;
}

/* The file belongs to who runs this, or to root, and is for them alone. Root
 * may let a group read it: that of the user who runs this. */
static cm_error_t *check_owner(const char *path, apr_pool_t *pool)
{
    apr_fileperms_t open =
        APR_FPROT_GREAD | APR_FPROT_GWRITE | APR_FPROT_WREAD | APR_FPROT_WWRITE;
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_stat(&info, path, APR_FINFO_PROT | APR_FINFO_OWNER, pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return file_failed(path, rv, pool);
    /* Root, working by hand, may use the file of the user who runs this. */
    if (info.user != 0 && info.user != geteuid() && geteuid() != 0)
        return CM_FAIL(pool, CM_CONFIG, "the file '%s' belongs to someone else",
                       path);
    if (info.user == 0)
        open &= ~APR_FPROT_GREAD;
    if (info.protection & open)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG, "others may read or change the file '%s'",
                    path),
            pool, "chmod %s %s", info.user == 0 ? "640" : "600", path);
    return NULL;
}

static cm_error_t *read_own(const char **line, const char *path,
                            apr_pool_t *pool)
{
    CM_TRY(check_owner(path, pool));
    return read_line(line, path, pool);
}

static cm_error_t *read_password(const char **password,
                                 const cm_peer_settings_t *peer,
                                 apr_pool_t *pool)
{
    const char *path = credential(peer, pool);

    if (path)
        return read_line(password, path, pool);
    if (!peer->password_file && peer->cert)
        return NULL; /* the certificate is the login */
    if (!peer->password_file)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG, "%s:%d: peer '%s' has no password",
                    peer->place.file, peer->place.line, peer->name),
            pool, "add password-file=FILE to its CommunicatorPeer");
    return read_own(password, peer->password_file, pool);
}

/* Read all that CONFIG needs to log in, at the peer and on the way to it. */
static cm_error_t *read_secrets(sync_http_config_t *config, apr_pool_t *pool)
{
    const cm_peer_settings_t *peer = config->peer;

    if (peer->user)
        CM_TRY(read_password(&config->password, peer, pool));
    if (peer->proxy_user_file)
        CM_TRY(read_own(&config->proxy_login, peer->proxy_user_file, pool));
    if (peer->proxy_user_file && !strchr(config->proxy_login, ':'))
        return CM_FAIL(pool, CM_CONFIG,
                       "the first line of '%s' is not USER:PASSWORD",
                       peer->proxy_user_file);
    if (peer->key_password_file)
        CM_TRY(read_own(&config->key_password, peer->key_password_file, pool));
    if (peer->cert)
        return check_owner(peer->key ? peer->key : peer->cert, pool);
    return NULL;
}

cm_error_t *sync_connect_probe(cm_session_t **session, sync_http_t **http,
                               cm_error_t **secret, const sync_client_t *client,
                               const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const cm_settings_t *own = client->settings;
    sync_http_config_t *config = apr_pcalloc(pool, sizeof(*config));
    cm_transport_t *transport = apr_palloc(pool, sizeof(*transport));

    *secret = NULL;
    config->peer = peer;
    config->uri = complete(peer, pool);
    config->timeout = client->options->run.timeout;
    config->reply_limit = own->max_body < INT_MAX ? own->max_body : INT_MAX;
    config->headers = apr_table_make(pool, 8);
    config->packs = peer->compress == CM_COMPRESS_AUTO
                        ? !peer->loopback
                        : peer->compress == CM_COMPRESS_YES;
    config->kept = client->kept;
    config->sends_packed = peer->compress != CM_COMPRESS_NO;
    *secret = read_secrets(config, pool);
    CM_TRY(sync_http_open(http, config, pool));
    *transport = sync_http_transport(*http);
    *session = cm_session_create(transport, own->name, peer, pool);
    (*session)->check = sync_service_check;
    return NULL;
}

cm_error_t *sync_connect(cm_session_t **session, const sync_client_t *client,
                         const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    sync_http_t *http;
    cm_error_t *secret;

    CM_TRY(sync_connect_probe(session, &http, &secret, client, peer, pool));
    CM_TRY(secret);
    (*session)->node = client->node;
    (*session)->moved = sync_progress_show;
    (*session)->baton = client->output;
    return cm_session_load(*session, pool);
}
