/* migrate: Communicator's tables and triggers. */
#include "command.h"

#include <stdio.h>

#include <json.h>

#include "cm_schema.h"

typedef struct migration_t {
    const cm_client_t *client;
    int steps;
} migration_t;

static void on_step(void *baton, const char *what, const char *sql)
{
    migration_t *migration = baton;
    const cm_output_t *output = migration->client->output;

    migration->steps += sql != NULL; /* a warning is no step */
    if (output->json) {
        json_object *json = json_object_new_object();

        cm_output_add_text(json, "step", what);
        cm_output_add_text(json, "sql", sql);
        cm_output_add_truth(json, "done", !migration->client->options->dry_run);
        cm_output_json(output, json);
        return;
    }
    if (migration->client->options->dry_run) {
        if (what)
            printf("-- %s\n", what);
        if (sql)
            printf("%s;\n\n", sql);
        return;
    }
    if (what)
        cm_output_line(output, "%s", what);
    if (sql && output->verbose)
        printf("%s;\n", sql);
}

cm_error_t *cm_command_migrate(int *status, cm_client_t *client,
                               apr_pool_t *scratch_pool)
{
    migration_t migration = {client, 0};
    int dry_run = client->options->dry_run;

    (void)status;
    CM_TRY(cm_client_store(client));
    CM_TRY_FOR(cm_schema_migrate(client->store, client->settings, dry_run,
                                 on_step, &migration, scratch_pool),
               scratch_pool, "cannot migrate");
    if (migration.steps == 0)
        cm_output_line(client->output, "%snothing to do", dry_run ? "-- " : "");
    return NULL;
}
