#include "cli/trial.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/progress.h"
#include "cli/sandbox.h"
#include "common/codec/encode.h"
#include "common/codec/wire.h"
#include "common/platform/clock.h"
#include "common/platform/hash.h"
#include "schemas/acknowledgment.h"
#include "schemas/audit_entry.h"

enum { VALUE_MEMORY = 64 << 20, REASONS_SIZE = 2048 };
static const int64_t offset_ahead = (int64_t)1 << 40;    /* of events that are tried: behind all that there are */

static const char *const outcome_texts[] = {"accepted", "duplicate", "rejected", "held", "parked"};

struct trial {
    const struct connection *connection;
    struct arena *arena, values;
    struct sandbox sandbox;
    struct codec_plan *acknowledgments, *exceptions, *audit;
    uint32_t schema_id;                 /* of resolutions */
    struct trial_case *at;
    bool began;                         /* the decision itself is being tried */
    struct buffer bytes;
};

int32_t origin_partition(struct slice origin, int64_t *offset) {
    size_t from = origin.length;
    for (int slashes = 0; from > 0; from--)
        if (origin.data[from - 1] == '/' && ++slashes == 2) break;
    char text[64];
    long partition;
    long long place;
    snprintf(text, sizeof text, SLICE_FORMAT, (int)(origin.length - from), origin.data ? origin.data + from : "");
    if (!from || sscanf(text, "%ld/%lld", &partition, &place) != 2) return -1;
    if (offset) *offset = place;
    return (int32_t)partition;
}

static struct slice keep(struct trial *trial, struct slice text) { return (struct slice){arena_copy(trial->arena, text.data, text.length), text.length}; }

static void reasons_add(char text[REASONS_SIZE], struct slice code, struct slice field, struct slice said) {
    size_t used = strlen(text);
    snprintf(text + used, REASONS_SIZE - used, "%s" SLICE_FORMAT "%s" SLICE_FORMAT "%s" SLICE_FORMAT, used ? "; " : "", SLICE_ARGUMENT(code), field.length ? " " : "",
             SLICE_ARGUMENT(field), said.length ? ": " : "", SLICE_ARGUMENT(said));
}

static bool is_about(const struct trial_case *at, struct slice origin, struct slice event_id) {
    return at && (at->event.data ? slice_equal(event_id, at->event_id) : slice_equal(origin, at->record->origin));
}

static void take_acknowledgment(struct trial *trial, const struct acknowledgment *told) {
    char text[REASONS_SIZE] = "";
    if (!is_about(trial->at, told->origin, told->event_id)) return;
    for (size_t i = 0; i < told->reasons.count; i++) reasons_add(text, told->reasons.items[i].code, told->reasons.items[i].field, told->reasons.items[i].text);
    trial->at->outcome = slice_of(outcome_texts[told->outcome]);
    trial->at->reasons = keep(trial, slice_of(text));
    trial->at->journals = told->journals.count;
}

/* What stays held is told in its exception alone. */
static void take_exception(struct trial *trial, const struct exception_record *told) {
    char text[REASONS_SIZE] = "";
    if (!is_about(trial->at, told->origin, told->event_id) || slice_equal(told->outcome, SLICE("released"))) return;
    for (size_t i = 0; i < told->reasons.count; i++) reasons_add(text, told->reasons.items[i].code, told->reasons.items[i].field, told->reasons.items[i].text);
    trial->at->outcome = keep(trial, told->outcome);
    trial->at->reasons = keep(trial, slice_of(text));
}

static void take_audit(struct trial *trial, const struct audit_entry *told) {
    char text[REASONS_SIZE];
    if (!trial->began || !trial->at) return;
    snprintf(text, sizeof text, SLICE_FORMAT "%s" SLICE_FORMAT, SLICE_ARGUMENT(told->reason), told->reason.length && told->text.length ? ": " : "", SLICE_ARGUMENT(told->text));
    trial->at->why = keep(trial, slice_of(text));
}

static bool take_output(void *context, const struct engine_output *output, struct error *error) {
    struct trial *trial = context;
    const bool acknowledged = strcmp(output->topic, "acknowledgments") == 0, audited = strcmp(output->topic, "audit") == 0;
    union { struct acknowledgment acknowledgment; struct exception_record exception; struct audit_entry audit; } told;
    const struct codec_plan *plan = acknowledged ? trial->acknowledgments : audited ? trial->audit : trial->exceptions;
    uint32_t id;
    struct slice payload;
    if (trial->at && strncmp(output->topic, "dlq.", 4) == 0) {
        struct slice code = {0}, said = {0};
        char text[REASONS_SIZE] = "";
        for (size_t i = 0; i < output->header_count; i++) {
            if (strcmp(output->headers[i].name, "kontor-reason") == 0) code = output->headers[i].value;
            if (strcmp(output->headers[i].name, "kontor-text") == 0) said = output->headers[i].value;
        }
        reasons_add(text, code, (struct slice){0}, said);
        trial->at->outcome = SLICE("poison");
        trial->at->reasons = keep(trial, slice_of(text));
    }
    if (!acknowledged && !audited && strncmp(output->topic, "exceptions.", 11) != 0) return true;
    arena_reset(&trial->values);
    if (!codec_wire_read(output->value.data, output->value.length, &id, &payload) ||
        codec_decode(plan, payload.data, payload.length, &trial->values, &told) != CODEC_OK) return error_set(error, "out of memory");
    if (acknowledged) take_acknowledgment(trial, &told.acknowledgment);
    else if (audited) take_audit(trial, &told.audit);
    else take_exception(trial, &told.exception);
    return true;
}

/* The decision, as kontor-reviewer would pass it on. */
static bool resolve(struct trial *trial, struct sandbox_task *task, const struct trial_case *at, struct error *error) {
    const struct exception_record *record = at->record;
    const struct resolution resolution = {.processor = record->processor, .item = record->item, .origin = record->origin, .shown = record->shown, .action = at->action,
                                          .by = at->by, .occurred_at_ms = clock_wall_ms()};
    buffer_reset(&trial->bytes);
    if (!codec_wire_append(&trial->bytes, trial->schema_id) || !codec_encode(&resolution_type, &resolution, &trial->bytes)) return error_set(error, "out of memory");
    const char *value = arena_copy(trial->arena, trial->bytes.data, trial->bytes.length);
    if (!value) return error_set(error, "out of memory");
    const struct engine_message message = {.partition = task_partition(task->task), .offset = offset_ahead, .timestamp_ms = clock_wall_ms(), .received_ms = clock_wall_ms(),
                                           .key = at->key, .value = {value, trial->bytes.length}};
    return sandbox_resolve(&trial->sandbox, task, &message, error);
}

/* The event that takes its place. */
static bool come(struct trial *trial, struct sandbox_task *task, const struct trial_case *at, int64_t number, struct error *error) {
    static const struct record_header mark = {SYNTHETIC_HEADER, {"", 0}};
    const struct processor *processor = trial->sandbox.processor;
    struct engine_message message = {.partition = task_partition(task->task), .offset = offset_ahead + number, .timestamp_ms = clock_wall_ms(), .received_ms = clock_wall_ms(),
                                     .key = at->key, .value = at->event, .headers = &mark, .header_count = at->synthetic};
    while (message.input < INPUTS_MAXIMUM && processor->inputs[message.input].topic && !slice_equal(slice_of(processor->inputs[message.input].topic), at->topic)) message.input++;
    if (message.input == INPUTS_MAXIMUM || !processor->inputs[message.input].topic)
        return error_set(error, "kontor-%s does not read " SLICE_FORMAT, processor->name, SLICE_ARGUMENT(at->topic));
    return sandbox_take(&trial->sandbox, task, &message, error);
}

static bool try_one(struct trial *trial, struct sandbox_task *task, struct trial_case *at, int64_t number, struct error *error) {
    struct sandbox_task other = {.task = NULL}, *of_event = task;
    trial->began = true;
    bool ok = !at->record->item || resolve(trial, task, at, error);
    const int32_t partition = at->event.data ? hash_partition(at->key, trial->sandbox.partition_count) : -1;
    if (ok && at->event.data && partition != task_partition(task->task)) {  /* a correction may lead to another partner */
        ok = sandbox_commit(&trial->sandbox, error) && sandbox_task_open(&trial->sandbox, partition, true, &other, error);
        of_event = &other;
    }
    ok = ok && (!at->event.data || come(trial, of_event, at, number, error)) && sandbox_commit(&trial->sandbox, error);
    sandbox_task_close(&other);
    trial->began = false;
    return ok;
}

/* Where its state is: by its key, since what waits may have come to another partition than its origin's (kontor rekey); of a dead letter, which has none, by that. */
static int32_t partition_of(const struct trial *trial, const struct trial_case *at) {
    char text[STATE_KEY_MAXIMUM];
    const struct slice parts[] = {at->record->entity, at->record->partner}, key = parts[0].length && parts[1].length ? tables_key(text, sizeof text, parts, 2) : (struct slice){0};
    return key.length ? hash_partition(key, trial->sandbox.partition_count) : origin_partition(at->record->origin, NULL);
}

/* All cases of one partition. What has been due by today's master data comes first. */
static bool try_partition(struct trial *trial, struct trial_case *cases, size_t count, struct error *error) {
    struct sandbox_task task = {.task = NULL};
    const int32_t partition = partition_of(trial, &cases[0]);
    trial->at = NULL;
    bool ok = sandbox_task_open(&trial->sandbox, partition, true, &task, error) && sandbox_take(&trial->sandbox, &task, NULL, error) && sandbox_commit(&trial->sandbox, error);
    for (size_t i = 0; ok && i < count; i++) {
        trial->at = &cases[i];
        ok = try_one(trial, &task, &cases[i], (int64_t)i, error);
    }
    trial->at = NULL;
    sandbox_task_close(&task);
    return ok;
}

static bool schema_find(struct trial *trial, struct error *error) {
    char topic[128], subject[SUBJECT_SIZE];
    snprintf(topic, sizeof topic, "resolutions.%s", trial->sandbox.processor->name);
    if (registry_lookup_id(values_registry(trial->sandbox.values), subject_of(topic, subject), resolution_type.schema, &trial->schema_id, error) == REGISTRY_FOUND) return true;
    return error_prefix(error, "%s (kontor schemas register)", subject);
}

static bool same_partition(const struct trial *trial, const struct trial_case *a, const struct trial_case *b) {
    return slice_equal(a->record->processor, b->record->processor) && partition_of(trial, a) == partition_of(trial, b);
}

static bool try_processor(struct trial *trial, struct trial_case *cases, size_t count, struct progress *progress, struct error *error) {
    const struct processor *processor = processor_named(cases[0].record->processor);
    if (!processor) return error_set(error, "this program does not know the processor " SLICE_FORMAT "; it is of another version", SLICE_ARGUMENT(cases[0].record->processor));
    bool ok = sandbox_open(&trial->sandbox, trial->connection, processor, take_output, trial, error) && sandbox_tables_today(&trial->sandbox, error) &&
              sandbox_start(&trial->sandbox, error) && schema_find(trial, error);
    for (size_t from = 0, to; ok && from < count; from = to) {
        for (to = from + 1; to < count && same_partition(trial, &cases[from], &cases[to]); to++) {}
        ok = try_partition(trial, cases + from, to - from, error);
        progress_at(progress, (int64_t)to, (int64_t)to);
    }
    sandbox_close(&trial->sandbox);
    return ok;
}

bool trial_run(const struct connection *connection, struct trial_case *cases, size_t count, struct arena *arena, struct error *error) {
    struct trial *trial = calloc(1, sizeof *trial);
    if (!trial) return error_set(error, "out of memory");
    trial->connection = connection;
    trial->arena = arena;
    arena_init(&trial->values, 1 << 16, VALUE_MEMORY);
    trial->acknowledgments = codec_plan_own(&acknowledgment_type, error);
    trial->exceptions = codec_plan_own(&exception_record_type, error);
    trial->audit = codec_plan_own(&audit_entry_type, error);
    bool ok = trial->acknowledgments && trial->exceptions && trial->audit;
    struct progress progress;
    progress_start(&progress, "trying", (int64_t)count);
    for (size_t from = 0, to; ok && from < count; from = to) {
        for (to = from + 1; to < count && slice_equal(cases[to].record->processor, cases[from].record->processor); to++) {}
        ok = try_processor(trial, cases + from, to - from, &progress, error);
    }
    progress_end(&progress);
    codec_plan_free(trial->acknowledgments);
    codec_plan_free(trial->exceptions);
    codec_plan_free(trial->audit);
    arena_free(&trial->values);
    buffer_free(&trial->bytes);
    free(trial);
    return ok;
}
