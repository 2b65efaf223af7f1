/* configtest: show the configuration. It was read before this command starts,
 * and errors in it were reported. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <json.h>

#include "config/directive.h"

static void print_json(const sync_client_t *client, const cm_buffer_t *lines)
{
    json_object *json = json_object_new_object();
    json_object *list = json_object_new_array();
    const char *line, *end = lines->data, *stop = lines->data + lines->size;

    sync_output_add_text(json, "config", client->options->config);
    sync_output_add_truth(json, "ok", 1);
    for (line = end; line < stop; line = end + 1) {
        end = memchr(line, '\n', stop - line);
        json_object_array_add(
            list, json_object_new_string_len(line, (int)(end - line)));
    }
    json_object_object_add(json, "in_force", list);
    sync_output_json(client->output, json);
}

cm_error_t *sync_command_configtest(sync_client_t *client)
{
    cm_buffer_t *lines = cm_buffer_create(4096, client->pool);

    cm_directive_print(lines, client->settings, 1);
    if (client->output->json)
        print_json(client, lines);
    else if (client->options->print.dump)
        fwrite(lines->data, 1, lines->size, stdout);
    else
        sync_output_line(client->output, "Syntax OK");
    return NULL;
}
