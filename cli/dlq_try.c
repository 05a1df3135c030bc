/* What would become of dead letters that were sent again, by today's master data, in memory (trial.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/dlq_replay.h"
#include "cli/sandbox.h"
#include "cli/trial.h"

struct tried { struct exception_record record; char origin[DEAD_NAME_SIZE], processor[64]; };
struct trying { struct arena kept; struct trial_case *cases; struct tried *tried; char (*names)[DEAD_NAME_SIZE]; uint64_t count; };
/* Who answers for events of that topic. */
static const char *processor_of(struct slice topic) {
    for (size_t i = 0; i < known_processor_count; i++)
        for (int k = 0; k < INPUTS_MAXIMUM && known_processors[i]->inputs[k].topic; k++)
            if (!known_processors[i]->inputs[k].follows && slice_equal(topic, slice_of(known_processors[i]->inputs[k].topic))) return known_processors[i]->name;
    return "";
}

static enum scan_step keep(void *context, const struct kafka_record *record, struct error *error) {
    struct dlq_replaying *replaying = context;
    struct trying *trying = replaying->visiting;
    const struct dead *dead = dlq_chosen(replaying, record);
    if (!dead) return SCAN_MORE;
    const struct slice topic = dead_string(&replaying->index, dead->origin_topic), event_id = dead_string(&replaying->index, dead->event_id);
    struct trial_case *this = &trying->cases[trying->count];
    struct tried *tried = &trying->tried[trying->count];
    const char *key = arena_copy(&trying->kept, record->key.data ? record->key.data : "", record->key.length),
               *value = record->value.data ? arena_copy(&trying->kept, record->value.data, record->value.length) : NULL;
    if (!key || (record->value.data && !value)) {
        error_set(error, "out of memory: try fewer with --limit");
        return SCAN_FAILED;
    }
    snprintf(tried->processor, sizeof tried->processor, "%s", processor_of(topic));
    /* Where it would come to lie: the state that decides about it is that partition's. */
    snprintf(tried->origin, sizeof tried->origin, SLICE_FORMAT "/%" PRId32 "/0", SLICE_ARGUMENT(topic), dead->origin_partition < 0 ? 0 : dead->origin_partition);
    tried->record = (struct exception_record){.processor = slice_of(tried->processor), .origin = slice_of(tried->origin)};
    dead_name(&replaying->index, dead, trying->names[trying->count]);
    *this = (struct trial_case){.record = &tried->record, .action = RESOLUTION_ACTION_RETRY, .by = SLICE("you"), .topic = topic, .event = {value ? value : "", record->value.length},
                                .key = {key, record->key.length}, .event_id = event_id, .synthetic = record_is_synthetic(record)};
    trying->count++;
    return trying->count == replaying->chosen_count ? SCAN_ENOUGH : SCAN_MORE;
}

static int by_processor(const void *a, const void *b) {
    const struct trial_case *x = a, *y = b;
    int order = slice_compare(x->record->processor, y->record->processor);
    if (order) return order;
    const int32_t p = origin_partition(x->record->origin, NULL), q = origin_partition(y->record->origin, NULL);
    if (p != q) return p < q ? -1 : 1;
    return x < y ? -1 : 1;
}

static bool print_tried(const struct trying *trying, enum output_format format, struct error *error) {
    static const struct table_column columns[] = {{"id", false}, {"processor", false}, {"event id", false}, {"would be", false}, {"journals", true}, {"reasons", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (uint64_t i = 0; i < trying->count; i++) {
        const struct trial_case *this = &trying->cases[i];
        table_text(table, trying->names[(const struct tried *)this->record - trying->tried]);
        table_slice(table, this->record->processor);
        table_slice(table, this->event_id);
        table_slice(table, this->outcome.length ? this->outcome : this->why);
        table_number(table, (int64_t)this->journals);
        table_slice(table, this->reasons);
    }
    bool ok = table_print(table, format, stdout) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

bool dlq_try_all(struct dlq_replaying *replaying, struct error *error) {
    struct trying trying = {.count = 0};
    const uint64_t count = replaying->chosen_count + 1;
    arena_init(&trying.kept, 1 << 20, (size_t)4 << 30);
    trying.cases = calloc(count, sizeof *trying.cases);
    trying.tried = calloc(count, sizeof *trying.tried);
    trying.names = calloc(count, sizeof *trying.names);
    bool ok = (trying.cases && trying.tried && trying.names) || error_set(error, "out of memory");
    replaying->visiting = &trying;
    ok = ok && (!replaying->chosen_count || dlq_read_chosen(replaying, keep, error));
    if (ok && trying.count) qsort(trying.cases, trying.count, sizeof *trying.cases, by_processor);
    ok = ok && (!trying.count || trial_run(&replaying->connection, trying.cases, trying.count, &trying.kept, error)) && print_tried(&trying, replaying->invocation->format, error);
    free(trying.cases);
    free(trying.tried);
    free(trying.names);
    arena_free(&trying.kept);
    return ok;
}

