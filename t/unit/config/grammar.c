/* The grammar of both readers: words, values, settings, and the client's
 * file. What httpd makes of the same lines is t/130-configuration.t. */
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "config/config_file.h"
#include "config/directive.h"
#include "config/option.h"
#include "config/mask.h"
#include "node/node.h"
#include "../tap.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *dir;

static const char *const files[] = {"main.conf", "c.conf", "sub/a.conf",
                                    "sub/b.conf", "sub/z.conf"};

/* The words of LINE with "|" between, or the error. */
static const char *words_of(const char *line, apr_pool_t *pool)
{
    apr_array_header_t *words;
    cm_error_t *err = cm_directive_words(&words, line, pool);

    return err ? cm_error_text(err, pool) : apr_array_pstrcat(pool, words, '|');
}

static void test_words(apr_pool_t *pool)
{
    static const char *const cases[][2] = {
        {"a b\tc", "a|b|c"},
        {"  a  ", "a"},
        {"", ""},
        {"\"a b\" 'c d'", "a b|c d"},
        {"\"a \\\"b\\\" \\\\ \\c\"", "a \"b\" \\ \\c"},
        {"'it\\'s'", "it's"},
        {"'a\\\"b'", "a\\\"b"},
        {"a\\\\b a\\\"b", "a\\b|a\\\"b"},
        {"table=\"my table\"", "table=\"my|table\""},
        {"\"a\"b", "a|b"},
        {"\"\" x", "|x"},
        {"x \"open", "the quote before 'open' is not closed"},
        {"'open\\'", "the quote before 'open\\'' is not closed"},
        {"trailing\\", "trailing\\"},
        {"\"trailing\\", "the quote before 'trailing\\' is not closed"},
        {"a\r", "a"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(cases); i++)
        is_str(words_of(cases[i][0], pool), cases[i][1], "words of <%s>",
               cases[i][0]);
}

static void test_sizes(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        apr_int64_t bytes; /* 0: fails */
    } cases[] = {
        {"1", 1},
        {"16M", 16 * 1024 * 1024},
        {"2k", 2048},
        {"1G", 1024 * 1024 * 1024},
        {"0", 0},
        {"-1", 0},
        {"", 0},
        {"K", 0},
        {"1KB", 0},
        {"1.5M", 0},
        {"9223372036854775807", APR_INT64_MAX},
        {"9223372036854775808", 0},
        {"9007199254740992K", 0},
    };
    apr_int64_t bytes;
    cm_error_t *err;
    apr_size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        bytes = 0;
        err = cm_option_size(&bytes, cases[i].text, pool);
        is_int(bytes, cases[i].bytes, "size '%s'", cases[i].text);
        is_int(err != NULL, cases[i].bytes == 0, "  and its error");
    }
}

static void test_times(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        apr_interval_time_t interval; /* -1: fails */
    } cases[] = {
        {"90", -1}, /* seconds, or minutes? */
        {"5", -1},
        {"00", 0},
        {"90s", 90000000},
        {"250ms", 250000},
        {"10min", 600000000},
        {"2H", 7200000000},
        {"30d", 2592000000000},
        {"1w", 604800000000},
        {"0", 0},
        {"10m", -1},
        {"", -1},
        {"d", -1},
        {"-3d", -1},
        {"1.5h", -1},
        {"3 d", -1},
        {"9223372036854775s", -1},
    };
    apr_interval_time_t interval;
    cm_error_t *err;
    apr_size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        interval = -1;
        err = cm_option_time(&interval, cases[i].text, pool);
        is_int(interval, cases[i].interval, "time '%s'", cases[i].text);
        is_int(err != NULL, cases[i].interval < 0, "  and its error");
    }
}

/* Write TEXT into the file NAME and return its path. */
static const char *file_of(const char *name, const char *text, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, dir, "/", name, NULL);
    apr_size_t size = strlen(text);
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_WRITE | APR_CREATE | APR_TRUNCATE,
                      APR_OS_DEFAULT, pool) ||
        apr_file_write_full(file, text, size, NULL) || apr_file_close(file))
        abort();
    return path;
}

static cm_error_t *read_text(cm_settings_t **settings, const char *text,
                             apr_pool_t *pool)
{
    const char *path = file_of("main.conf", text, pool);

    return cm_config_file_read(settings, path, pool);
}

#define DATABASE "DBDriver sqlite3\nDBDParams /x\n"

/* The first model of the lines TEXT. */
static const cm_model_t *model_of(const char *text, apr_pool_t *pool)
{
    cm_settings_t *settings;
    cm_error_t *err = read_text(
        &settings,
        apr_pstrcat(pool, DATABASE "CommunicatorName n\n", text, NULL), pool);

    if (!ok(!err, "taken: %.*s", (int)strcspn(text, "\n"), text)) {
        diag_text("error", cm_error_text(err, pool));
        exit(done_testing());
    }
    return APR_ARRAY_IDX(settings->models, 0, const cm_model_t *);
}

static void test_model(apr_pool_t *pool)
{
    const cm_model_t *model;

    model = model_of("CommunicatorModel blog_post table=blog_posts", pool);
    is_str(model->name, "blog_post", "name");
    is_str(model->type, "BlogPost", "type as Rails names it");
    is_str(model->table, "blog_posts", "table");
    is_str(model->key, "id", "default key");
    ok(model->receives && model->publishes, "default direction");
    ok(model->deletes && !model->shared_keys, "default deletes and keys");
    is_int(model->conflict, CM_CONFLICT_NEWEST, "default conflict");
    is_int(model->place.line, 4, "line");
    ok(!cm_settings_model_carries(model, "id"), "the key is not carried");
    ok(cm_settings_model_carries(model, "title"), "a column is");

    model = model_of("CommunicatorModel post_2a \"table=my posts\" key=uuid "
                     "direction=receive except=a,b references=x:post_2a,y:z "
                     "keys=shared match=c,d conflict=n deletes=no\n"
                     "CommunicatorModel z table=z",
                     pool);
    is_str(model->type, "Post2a", "type with a number");
    is_str(model->table, "my posts", "a table with a blank");
    ok(model->receives && !model->publishes, "direction=receive");
    is_str(apr_array_pstrcat(pool, model->columns.except, '|'), "a|b",
           "except=");
    is_str(cm_settings_model_reference(model, "y")->model, "z", "references=");
    ok(!cm_settings_model_reference(model, "a"), "no reference");
    is_str(cm_settings_model_reference(model, "y")->none, NULL, "no none");
    is_str(apr_array_pstrcat(pool, model->columns.match, '|'), "c|d", "match=");
    is_str(model->conflict_node, "n", "conflict=NODE");
    ok(!model->deletes, "deletes=no");
    ok(cm_settings_model_carries(model, "uuid"), "a shared key is carried");
    ok(!cm_settings_model_carries(model, "b"), "an excepted column is not");

    model = model_of("CommunicatorModel p table=p references=a:p?0,b:p?a:b,"
                     "c:p?",
                     pool);
    is_str(cm_settings_model_reference(model, "a")->none, "0", "none");
    is_str(cm_settings_model_reference(model, "b")->none, "a:b", "  is a text");
    is_str(cm_settings_model_reference(model, "c")->none, "", "  or empty");

    model = model_of("CommunicatorModel p table=p references=a:{b}?-", pool);
    is_str(cm_settings_model_reference(model, "a")->type, "b", "a named model");
    is_str(cm_settings_model_reference(model, "a")->model, NULL, "  of any");
    is_str(cm_settings_model_reference(model, "a")->none, "-", "  or none");

    model = model_of("CommunicatorModel p table=p only=a,b except=b", pool);
    ok(cm_settings_model_carries(model, "a") &&
           !cm_settings_model_carries(model, "b") &&
           !cm_settings_model_carries(model, "c"),
       "only= but except=");
}

static void test_keys(apr_pool_t *pool)
{
    const cm_model_t *model;

    model = model_of("CommunicatorModel p table=p leave=delete "
                     "\"where=a = 'b c' AND \\\"D\\\" > 1\"",
                     pool);
    is_str(model->where, "a = 'b c' AND \"D\" > 1", "where=");
    ok(model->leave_deletes, "leave=delete");

    model = model_of("CommunicatorModel p table=p key=a,b only=c", pool);
    is_str(model->key, "a,b", "a key of several columns");
    ok(cm_settings_model_carries(model, "b") &&
           !cm_settings_model_carries(model, "d"),
       "  is carried");
    is_int(model->columns.match->nelts, 0, "  without match=");

    model = model_of("CommunicatorModel p table=p key=a,b references=a:z,b:z\n"
                     "CommunicatorModel z table=z",
                     pool);
    is_str(apr_array_pstrcat(pool, model->columns.match, '|'), "a|b",
           "a key of references is match=");

    model = model_of("CommunicatorModel p table=p key=a references=a:z "
                     "keys=shared\nCommunicatorModel z table=z",
                     pool);
    ok(!model->shared_keys && model->columns.match->nelts == 1 &&
           cm_settings_model_carries(model, "a"),
       "a shared key with numbers that differ is match=");

    model = model_of("CommunicatorModel p table=p key=a,b references=a:q "
                     "keys=shared\n"
                     "CommunicatorModel q table=q key=c references=c:z "
                     "keys=shared\nCommunicatorModel z table=z",
                     pool);
    ok(!model->shared_keys, "  also through another model");

    model = model_of("CommunicatorModel p table=p key=a,b references=a:z "
                     "keys=shared\nCommunicatorModel z table=z keys=shared",
                     pool);
    ok(model->shared_keys && !model->columns.match->nelts,
       "with shared references it stays shared");
}

static void test_settings(apr_pool_t *pool)
{
    cm_settings_t *settings;
    const cm_peer_settings_t *peer;
    cm_error_t *err;

    err = read_text(&settings,
                    "# a comment, \\\n  which goes on\n"
                    "DBDriver pgsql\r\nDBDParams \"host=/run dbname=x\"\n"
                    "  communicatorname central\n"
                    "CommunicatorPeer facade uri=https://www.example.com/m \\\n"
                    "    user=u password-file=/etc/s\n"
                    "CommunicatorPeer other user=o protocol=gem\n"
                    "CommunicatorBatch 7 2K\nCommunicatorMaxBody 1M\n"
                    "CommunicatorOnError stop\nCommunicatorRequireTLS off\n"
                    "CommunicatorExpectEvery 10min\n"
                    "CommunicatorRetain forever\nCommunicatorWaiters 3\n"
                    "CommunicatorStateDir /s\nCommunicatorRunDir /r\n"
                    "CommunicatorAfterApplyCommand \"reindex -q\"\n"
                    "CommunicatorNotifyCommand \"mail -s x root\"",
                    pool);
    if (!ok(!err, "a whole file is taken")) {
        diag_text("error", cm_error_text(err, pool));
        return;
    }
    is_str(settings->database.driver, "pgsql", "DBDriver");
    is_str(settings->database.params, "host=/run dbname=x", "DBDParams");
    is_str(settings->name, "central", "names of directives in any case");
    peer = cm_settings_peer(settings, "facade");
    is_str(peer->uri, "https://www.example.com/m", "uri=");
    is_str(peer->password_file, "/etc/s", "password-file= after a \\");
    is_int(peer->place.line, 7, "the last line of a continued one");
    ok(!cm_settings_peer_of_user(settings, "u"),
       "the user that we log in as is nobody who logs in here");
    is_str(cm_settings_peer_of_user(settings, "o")->name, "other",
           "the peer of a user");
    ok(!peer->gem && cm_settings_peer(settings, "other")->gem,
       "protocol=gem, of the peer that says so");
    is_int(settings->batch.messages, 7, "CommunicatorBatch");
    is_int(settings->batch.bytes, 2048, "  its bytes");
    is_int(settings->max_body, 1048576, "CommunicatorMaxBody");
    is_int(settings->on_error, CM_ON_ERROR_STOP, "CommunicatorOnError");
    is_int(settings->require_tls.on, 0, "CommunicatorRequireTLS");
    is_int(settings->expect_every, 600000000, "CommunicatorExpectEvery");
    is_int(settings->retain, -1, "CommunicatorRetain");
    is_int(settings->waiters, 3, "CommunicatorWaiters");
    is_str(settings->client.state_directory, "/s", "CommunicatorStateDir");
    is_str(settings->client.run_directory, "/r", "CommunicatorRunDir");
    is_str(settings->client.after_command, "reindex -q",
           "CommunicatorAfterApplyCommand");
    is_str(settings->client.notify_command, "mail -s x root",
           "CommunicatorNotifyCommand");
}

static void test_merge(apr_pool_t *pool)
{
    cm_settings_t *base, *over;
    const cm_settings_t *merged;

    if (read_text(&base,
                  DATABASE "CommunicatorName a\nCommunicatorBatch 9\n"
                           "CommunicatorModel m table=m",
                  pool) ||
        read_text(&over,
                  DATABASE "CommunicatorName b\nCommunicatorRequireTLS off\n"
                           "CommunicatorModel n table=n",
                  pool))
        abort();
    merged = cm_settings_merge(base, over, pool);
    is_str(merged->name, "b", "merge: the inner name");
    is_int(merged->batch.messages, 9, "merge: what only the outer sets");
    is_int(merged->require_tls.on, 0, "merge: what only the inner sets");
    ok(cm_settings_model(merged, "m") && cm_settings_model(merged, "n"),
       "merge: the models of both");
    is_int(base->models->nelts, 1, "merge: the outer stays as it was");
}

/* Read TEXT and expect the error WANT, with "F" for the file. */
static void fails(const char *text, const char *want, apr_pool_t *pool)
{
    cm_settings_t *settings;
    cm_error_t *err = read_text(&settings, text, pool);
    const char *got = err ? cm_error_text(err, pool) : "";
    const char *place = strstr(got, dir);

    if (place)
        got = apr_psprintf(pool, "%.*sF%s", (int)(place - got), got,
                           place + strlen(dir) + strlen("/main.conf"));
    is_str(got, want, "refused: %.*s", (int)strcspn(text, "\n"), text);
}

#define ON_LINE_4 "Syntax error on line 4 of F: model 'p': "

static void test_bad_keys(apr_pool_t *pool)
{
    static const char *const cases[][2] = {
        {"key=a,a", "key= names 'a' twice"},
        {"key=a,b except=b", "except= names 'b', a column of the key"},
        {"key=a references=a:p except=a",
         "except= names 'a', a column of the key"},
        {"references=a:{t},b:{t}", "references= names 't' twice"},
        {"references=a:{t} except=t",
         "references=a:{t} names two columns of which only one is carried"},
        {"key=a,b references=a:{t}",
         "key= names 'a' without 't', which says what it refers to"},
        {"match=a references=a:{t}",
         "match= names 'a' without 't', which says what it refers to"},
        {"references=x:z",
         "references=x:z cannot name a record whose key has several columns"},
        {"where=a direction=receive",
         "where= selects what is sent, and direction=receive sends nothing"},
        {"leave=delete", "leave=delete needs where="},
        {"where=a leave=delete deletes=no",
         "leave=delete and deletes=no contradict each other"},
        {"where=a leave=delete references=b:p",
         "leave=delete is not possible: records of model 'p' refer to it, and "
         "would be deleted with it on both sides"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(cases); i++)
        fails(apr_pstrcat(pool,
                          DATABASE "CommunicatorName n\n"
                                   "CommunicatorModel p table=p ",
                          cases[i][0],
                          "\nCommunicatorModel z table=z key=a,b\n", NULL),
              apr_pstrcat(pool, ON_LINE_4, cases[i][1], NULL), pool);
}

static void test_client_only(apr_pool_t *pool)
{
    fails("<Location \"/x\">\n",
          "Syntax error on line 1 of F: '<Location' is only for httpd: "
          "communicator-sync has no sections, variables or other modules",
          pool);
    fails("DBDMax 3\n",
          "Syntax error on line 1 of F: 'DBDMax' is only for httpd: "
          "communicator-sync has no sections, variables or other modules",
          pool);
    fails("\nDBDParams x${HOME}y\n",
          "Syntax error on line 2 of F: '${HOME}' is a variable of httpd, "
          "which communicator-sync does not know",
          pool);
    fails("CommunicatorName x\n", "cannot use 'F': DBDriver is missing", pool);
    fails("DBDriver sqlite3\n", "CommunicatorName is missing", pool);
    fails("Include\n",
          "Syntax error on line 1 of F: Include takes one word: Include "
          "FILE|DIRECTORY|PATTERN",
          pool);
    fails("Include main.conf\n",
          "Syntax error on line 1 of F: files include each other more than 16 "
          "deep",
          pool);
}

static void test_include(apr_pool_t *pool)
{
    cm_settings_t *settings;
    cm_error_t *err;
    const char *sub = apr_pstrcat(pool, dir, "/sub", NULL);

    apr_dir_make(sub, APR_OS_DEFAULT, pool);
    apr_dir_make(apr_pstrcat(pool, sub, "/empty", NULL), APR_OS_DEFAULT, pool);
    file_of("sub/b.conf", "CommunicatorName second\nInclude ../c.conf\n", pool);
    file_of("sub/a.conf", "CommunicatorName first\n", pool);
    file_of("c.conf", "CommunicatorModel c table=c\n", pool);
    err = read_text(&settings, DATABASE "Include sub\n", pool);
    is_str(err ? cm_error_text(err, pool) : settings->name, "second",
           "a directory's files are read in order");
    is_str(cm_settings_model(settings, "c")->place.file,
           apr_pstrcat(pool, dir, "/sub/../c.conf", NULL),
           "a file is found beside the one that includes it");
    err = read_text(&settings, DATABASE "Include sub/[a]*.conf\n", pool);
    is_str(err ? cm_error_text(err, pool) : settings->name, "first",
           "a pattern's files are read");
    file_of("sub/z.conf", "\nCommunicatorNam x\n", pool);
    err = read_text(&settings, DATABASE "Include sub\n", pool);
    is_str(apr_psprintf(pool, "%.*s", (int)strlen(dir) + 60,
                        cm_error_text(err, pool)),
           apr_psprintf(pool, "%.*s", (int)strlen(dir) + 60,
                        apr_pstrcat(pool, "Syntax error on line 2 of ", dir,
                                    "/sub/z.conf: unknown directive "
                                    "'CommunicatorNam' (known: ",
                                    NULL)),
           "an error names the file that it is in");
    err = read_text(&settings, "\nInclude none.conf\n", pool);
    is_str(cm_error_text(err, pool),
           apr_pstrcat(pool, "Syntax error on line 2 of ", dir,
                       "/main.conf: cannot read '", dir,
                       "/none.conf': No such file or directory", NULL),
           "a file that is not there");
}

/* Make the folder for the files. */
static void make_dir(apr_pool_t *pool)
{
    const char *temp;
    char *name;

    if (apr_temp_dir_get(&temp, pool))
        abort();
    name = apr_pstrcat(pool, temp, "/cm-config-XXXXXX", NULL);
    dir = mkdtemp(name);
    if (!dir)
        abort();
}

/* Remove it. */
static void remove_dir(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < COUNT(files); i++)
        apr_file_remove(apr_pstrcat(pool, dir, "/", files[i], NULL), pool);
    apr_dir_remove(apr_pstrcat(pool, dir, "/sub/empty", NULL), pool);
    apr_dir_remove(apr_pstrcat(pool, dir, "/sub", NULL), pool);
    apr_dir_remove(dir, pool);
}

/* What is shown of a database, an address, a command. */
static const struct {
    const char *text, *masked;
} secrets[] = {
    {"host=db user=app password=s3cret dbname=app",
     "host=db user=app password=*** dbname=app"},
    {"host=db password = s3cret dbname = app",
     "host=db password = *** dbname = app"},
    {"password='s 3 c' host=db", "password=*** host=db"},
    {"password='it\\'s' host=db", "password=*** host=db"},
    {"password=a,b;c host=db", "password=*** host=db"},
    {"password=a\\ b host=db", "password=*** host=db"},
    {"sslpassword=s3cret host=db", "sslpassword=*** host=db"},
    {"user=app PWD=s3cret", "user=app PWD=***"},
    {"host=db,user=app,pass=s3cret,port=3306",
     "host=db,user=app,pass=***,port=3306"},
    {"host=db;pass = s3cret; port = 3306", "host=db;pass = ***; port = 3306"},
    {"postgresql://app:s3cret@db:5432/app", "postgresql://app:***@db:5432/app"},
    {"postgresql://app:s3:c@ret@db/app", "postgresql://app:***@db/app"},
    {"postgresql://db/app?user=a&password=s3cret&sslmode=require",
     "postgresql://db/app?user=a&password=***&sslmode=require"},
    {"https://user:pw@www.example.com/messages.json",
     "https://user:***@www.example.com/messages.json"},
    {"https://www.example.com:8443/a@b", "https://www.example.com:8443/a@b"},
    {"passfile=/etc/pgpass host=db", "passfile=/etc/pgpass host=db"},
    {"/var/lib/app/app.db", "/var/lib/app/app.db"},
    {"password=", "password=***"},
    {"password='", "password=***"},
    {"password=\\", "password=***"},
};

static void test_secrets(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
        is_str(cm_mask_passwords(secrets[i].text, pool), secrets[i].masked,
               "%s is masked", secrets[i].text);
}

/* What is stored may lie in the future, when the clock was set back. */
static void test_past(void)
{
    ok(!cm_clock_is_past(1000, 1010, 10), "the span is just over");
    ok(cm_clock_is_past(1000, 1011, 10), "it is");
    ok(!cm_clock_is_past(1010, 1000, 10), "a little ahead");
    ok(cm_clock_is_past(1011, 1000, 10), "far ahead, nobody knows");
    ok(cm_clock_is_past(0, 1000, 10), "never");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_dir(pool);
    test_words(pool);
    test_sizes(pool);
    test_times(pool);
    test_keys(pool);
    test_bad_keys(pool);
    test_model(pool);
    test_settings(pool);
    test_merge(pool);
    test_client_only(pool);
    test_include(pool);
    remove_dir(pool);
    test_secrets(pool);
    test_past();
    return done_testing();
}
