/* Dead letters on their way back.
 *
 * Each goes in one transaction with its entry on the topic audit, and what audit says of is not sent again: that is all the progress there is, so a run that was
 * interrupted anywhere is simply run again. Two runs at once fence each other: both are one transactional producer. The index is read once more when the producer
 * is ready, which sees whatever a fenced one has committed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/dlq_replay.h"
#include "cli/transactions.h"
#include "cli/values.h"
#include "common/codec/encode.h"
#include "common/codec/wire.h"
#include "common/platform/clock.h"
#include "schemas/audit_entry.h"

enum { BATCH_RECORDS = 5000, BATCH_BYTES = 16 << 20, BATCH_MS = 1000, HEADERS_MAXIMUM = 256 };

/* ---- one record ---- */

static const char *origin_of(struct dlq_replaying *replaying, const struct dead *dead, struct error *error) {
    const struct slice topic = dead_string(&replaying->index, dead->origin_topic);
    for (size_t i = 0; i < replaying->origin_count; i++)
        if (slice_equal(topic, slice_of(replaying->origins[i]))) return replaying->origins[i];
    if (replaying->origin_count == ORIGINS_MAXIMUM || !(replaying->origins[replaying->origin_count] = strndup(topic.data, topic.length))) {
        error_set(error, "out of memory");
        return NULL;
    }
    return replaying->origins[replaying->origin_count++];
}

static struct slice copy(struct dlq_replaying *replaying, struct slice bytes, bool *ok) {
    const char *made = bytes.data ? arena_copy(&replaying->batch, bytes.data, bytes.length) : NULL;
    *ok = *ok && (made || !bytes.data);
    return (struct slice){made, made ? bytes.length : 0};
}

static struct slice number_text(struct dlq_replaying *replaying, int64_t number, bool *ok) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return copy(replaying, slice_of(text), ok);
}

/* As they came, without those that kontor put there, and with those of this replay. */
static bool headers_make(struct dlq_replaying *replaying, const struct kafka_record *record, const char *name, struct record_header *headers, size_t *count, struct error *error) {
    rd_kafka_headers_t *theirs;
    const char *header;
    const void *value;
    size_t size;
    bool ok = true;
    *count = 0;
    for (size_t i = 0; !rd_kafka_message_headers(record->message, &theirs) && !rd_kafka_header_get_all(theirs, i, &header, &value, &size); i++) {
        if (strncmp(header, "kontor-", 7) == 0 && strcmp(header, SYNTHETIC_HEADER) != 0) continue;
        if (*count + 4 == HEADERS_MAXIMUM) return error_set(error, "%s has more than %d headers", name, HEADERS_MAXIMUM - 4);
        headers[*count].name = copy(replaying, (struct slice){header, strlen(header)}, &ok).data;
        headers[(*count)++].value = copy(replaying, (struct slice){value ? value : "", size}, &ok);
    }
    headers[(*count)++] = (struct record_header){HEADER_REPLAY_OF, copy(replaying, slice_of(name), &ok)};
    headers[(*count)++] = (struct record_header){HEADER_REPLAYS, number_text(replaying, header_number(record, HEADER_REPLAYS, 0) + 1, &ok)};
    headers[(*count)++] = (struct record_header){HEADER_REPLAY_REASON, copy(replaying, record_header(record, "kontor-reason"), &ok)};
    headers[(*count)++] = (struct record_header){HEADER_REPLAY_REPEATS, number_text(replaying, dead_repeats(record) + 1, &ok)};
    return ok || error_set(error, "out of memory");
}

static bool audit_make(struct dlq_replaying *replaying, const struct dead *dead, const char *name, const char *topic, struct slice *value, struct error *error) {
    const struct dlq_index *index = &replaying->index;
    const struct slice entity = dead_string(index, dead->entity), key = dead_string(index, dead->key);
    const char *bar = key.length ? memchr(key.data, '|', key.length) : NULL;
    const bool readable = bytes_are_text(key);
    char text[320];
    bool ok = true;
    snprintf(text, sizeof text, "sent to %s again", topic);
    const struct audit_entry entry = {.occurred_at_ms = clock_wall_ms(), .processor = SLICE("kontor-cli"), .action = SLICE("replay"), .outcome = AUDIT_OUTCOME_DONE,
                                      .reason = dead_string(index, dead->reason), .text = slice_of(text), .by = slice_of(replaying->user), .role = slice_of(replaying->role),
                                      .why = slice_of(replaying->why), .entity = entity,
                                      .partner = bar && readable ? (struct slice){bar + 1, key.length - (size_t)(bar + 1 - key.data)} : (struct slice){"", 0},
                                      .event_id = dead_string(index, dead->event_id), .origin = slice_of(name)};
    buffer_reset(&replaying->scratch);
    if (!codec_wire_append(&replaying->scratch, replaying->audit_schema) || !codec_encode(&audit_entry_type, &entry, &replaying->scratch)) return error_set(error, "out of memory");
    *value = copy(replaying, buffer_slice(&replaying->scratch), &ok);
    return ok || error_set(error, "out of memory");
}

/* ---- transactions ---- */

static bool failed(const struct dlq_replaying *replaying, struct error *error) {
    char count[AMOUNT_TEXT_SIZE];
    const struct error why = *error;
    return error_set(error, "%.300s. %s records were sent for certain; the same command goes on where this one ended, and sends nothing twice", why.text,
                     count_text((int64_t)replaying->sent, count));
}

static bool commit(struct dlq_replaying *replaying, struct error *error) {
    if (!replaying->open) return true;
    replaying->open = false;
    if (!transactions_commit(replaying->transactions, error)) return failed(replaying, error);
    replaying->sent += replaying->batch_records;
    replaying->batch_records = 0;
    arena_reset(&replaying->batch);
    progress_at(&replaying->progress, (int64_t)replaying->sent, (int64_t)replaying->sent);
    return true;
}

/* Waits until the next record is due; what is sent already is not kept open meanwhile. */
static bool keep_rate(struct dlq_replaying *replaying, struct error *error) {
    const int64_t rate = option_number(replaying->invocation, "rate", 0);
    if (!rate) return true;
    for (;;) {
        const int64_t due_ms = replaying->started_ms + (int64_t)(replaying->sent + replaying->batch_records) * 1000 / rate, wait_ms = due_ms - clock_monotonic_ms();
        if (wait_ms <= 0) return true;
        if (replaying->open && clock_monotonic_ms() - replaying->batch_ms >= BATCH_MS && !commit(replaying, error)) return false;
        usleep((useconds_t)(wait_ms < 50 ? wait_ms : 50) * 1000);
    }
}

static bool send_one(struct dlq_replaying *replaying, const struct kafka_record *record, const struct dead *dead, struct error *error) {
    struct record_header headers[HEADERS_MAXIMUM];
    struct slice audit;
    size_t count;
    bool copied = true;
    char name[DEAD_NAME_SIZE];
    dead_name(&replaying->index, dead, name);
    const char *topic = origin_of(replaying, dead, error);
    if (!topic || !keep_rate(replaying, error)) return false;
    if (!replaying->open) {
        if (!transactions_begin(replaying->transactions, error)) return failed(replaying, error);
        replaying->open = true;
        replaying->batch_ms = clock_monotonic_ms();
    }
    const struct slice key = copy(replaying, record->key, &copied), value = copy(replaying, record->value, &copied);
    if (!copied) return error_set(error, "out of memory");
    if (!headers_make(replaying, record, name, headers, &count, error) || !audit_make(replaying, dead, name, topic, &audit, error)) return false;
    const struct engine_output again = {.topic = topic, .partition = -1, .key = key, .value = value, .timestamp_ms = header_number(record, "kontor-timestamp", 0), .headers = headers,
                                        .header_count = count};
    const struct engine_output told = {.topic = "audit", .partition = -1, .key = key, .value = audit};
    if (!transactions_send(replaying->transactions, &again, error) || !transactions_send(replaying->transactions, &told, error)) return failed(replaying, error);
    replaying->batch_records++;
    const bool full = replaying->batch_records == BATCH_RECORDS || arena_used(&replaying->batch) >= BATCH_BYTES || clock_monotonic_ms() - replaying->batch_ms >= BATCH_MS;
    return !full || commit(replaying, error);
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct dlq_replaying *replaying = context;
    const struct dead *dead = dlq_chosen(replaying, record);
    if (!dead) return SCAN_MORE;
    if (!send_one(replaying, record, dead, error)) return SCAN_FAILED;
    return replaying->sent + replaying->batch_records == replaying->chosen_count ? SCAN_ENOUGH : SCAN_MORE;
}

static bool audit_schema_find(struct dlq_replaying *replaying, struct error *error) {
    char subject[SUBJECT_SIZE];
    struct registry *registry = connection_registry(&replaying->connection, error);
    bool ok = registry && registry_lookup_id(registry, subject_of("audit", subject), audit_entry_type.schema, &replaying->audit_schema, error) == REGISTRY_FOUND;
    registry_free(registry);
    return ok || error_prefix(error, "%s (kontor schemas register puts it there)", subject);
}

bool dlq_send_all(struct dlq_replaying *replaying, struct error *error) {
    uint64_t read;
    if (!audit_schema_find(replaying, error) || !transactions_open(&replaying->transactions, &replaying->connection.settings, "kontor-cli.dlq-replay", error) ||
        !transactions_ready(replaying->transactions, error) || !dlq_index_update(&replaying->index, &replaying->connection, &read, error) || !dlq_choose(replaying, error)) return false;
    progress_start(&replaying->progress, "replaying", (int64_t)replaying->chosen_count);
    replaying->started_ms = clock_monotonic_ms();
    bool ok = !replaying->chosen_count || (dlq_read_chosen(replaying, take, error) && commit(replaying, error));
    progress_end(&replaying->progress);
    return ok;
}

