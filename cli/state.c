/* kontor state: what processors keep: shown, dropped, carried over to another layout. */
#include "cli/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/layout_text.h"

bool state_processor(const struct invocation *invocation, const char **processor, struct error *error) {
    if (invocation->word_count < 2) return error_set(error, "which processor? kontor state %s PROCESSOR; kontor offsets show lists them", invocation->words[0]);
    *processor = invocation->words[1];
    return true;
}

static bool names_take(void *context, struct slice key, struct state_value value) {
    struct store_names *names = context;
    struct layout_text layout;
    (void)key;
    if (!layout_text_read(value.body, &layout)) return true;
    for (size_t i = 0; i < layout.store_count; i++)
        snprintf(names->names[layout.stores[i].number], STORE_NAME_SIZE, SLICE_FORMAT, SLICE_ARGUMENT(layout.stores[i].name));
    return true;
}

bool store_names_read(struct store_names *names, struct fold *fold, struct error *error) {
    const enum state_result result = state_scan(fold->state, layout_record_prefix, names_take, names, error);
    for (int i = 0; i < STORE_NUMBERS; i++)
        if (!names->names[i][0]) snprintf(names->names[i], STORE_NAME_SIZE, "store %d", i);
    return result == STATE_FOUND || result == STATE_ABSENT;
}

bool state_offsets_text(const struct group *group, int32_t partition, char text[OFFSETS_TEXT_SIZE], struct error *error) {
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < group->places->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &group->places->elems[i];
        if (place->partition != partition || place->offset < 0) continue;
        used += (size_t)snprintf(text + used, OFFSETS_TEXT_SIZE - used, "%s%s:%" PRId64, used ? "," : "", place->topic, place->offset);
        if (used >= OFFSETS_TEXT_SIZE) return error_set(error, "group %s has committed offsets of too many topics", group->name);
    }
    return true;
}

/* ---- the command ---- */

static enum exit_status state_run(const struct invocation *invocation) {
    if (strcmp(invocation->words[0], "show") == 0) return state_show(invocation);
    return strcmp(invocation->words[0], "drop") == 0 ? state_drop(invocation) : state_migrate(invocation);
}

static const char *const words[] = {"show", "migrate", "drop", NULL};
static const struct option options[] = {
    {"partitions", OPTION_FLAG, NULL, "show: a row for each partition, not their sum"},
    {"local", OPTION_TEXT, "DIR", "show, drop: the state.dir of an instance, on this machine"},
    {"layout", OPTION_TEXT, "FILE", "migrate: the new layout, as the new program prints it with --print-layout; without it this program's"},
    {"changes", OPTION_TEXT, "FILE", "migrate: lines that say what Avro cannot know: rename, default, forget, rename-store, forget-store"},
    {"back", OPTION_FLAG, NULL, "migrate: back to the generation before, as long as the processor has not gone on"},
    {"changelog", OPTION_FLAG, NULL, "drop: begins a new, empty generation of the state"},
    {"repeat-outputs", OPTION_FLAG, NULL, "drop --changelog: yes, everything will be decided and sent again"},
    {"generation", OPTION_NUMBER, "N", "drop: the changelog of that generation, which is not the live one"},
    {"yes", OPTION_FLAG, NULL, "drop, migrate: does it; without, only what would be done is shown"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command state_command = {
    .name = "state",
    .summary = "what a processor keeps: shows it, carries it over to a new layout, drops it",
    .usage = "show|migrate|drop PROCESSOR",
    .description = "show reads the live changelog: its generation, format and layouts, and the records and bytes of each store; and names those that are kept.\n\n"
                   "migrate is for a program that refuses to start because it cannot read what an older one wrote. It reads the state with the layouts\n"
                   "that are recorded in it, writes it in the new one to another changelog, kontor.<processor>.changelog.<number>, and makes that one the live\n"
                   "one; the one before is kept until it is dropped. What Avro's rules do not resolve is told field by field; a file of --changes says it:\n"
                   "    rename STORE.FIELD NAME | default STORE.FIELD JSON | forget STORE.FIELD | rename-store STORE NAME | forget-store STORE\n"
                   "The processor must be stopped; nothing is changed once an instance joins. Interrupted, it is given again.\n\n"
                   "drop --local DIR deletes an instance's copy, which is rebuilt from the changelog. drop --changelog makes the processor forget\n"
                   "everything: its group must be at the beginning (kontor offsets reset --everything --to beginning), and all is sent again.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 2,
    .default_format = "table",
    .options = options,
    .example = "  kontor state show invoice\n"
               "  kontor-invoice --print-layout > new.layout      # of the new version\n"
               "  kontor state migrate invoice --layout new.layout\n"
               "  kontor state migrate invoice --layout new.layout --changes invoice.changes --yes\n"
               "  kontor state drop invoice --generation 1 --yes\n"
               "  kontor state drop invoice --local /var/lib/kontor/invoice-0 --yes",
    .run = state_run,
};
