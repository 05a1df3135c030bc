/* The new changelogs: the old ones are read whole, the new states are built in a folder, written to topics that nobody reads yet, and read back: every record of the topic is
 * held to what was built, and none is missing. A run that is stopped before the switch leaves such a topic behind; the next one makes another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/changelog.h"
#include "cli/progress.h"
#include "cli/rekey.h"
#include "cli/scan.h"

enum { TAKE_AT_ONCE = 2000, TAKE_BYTES = 16 << 20 };

/* ---- reading and building ---- */

struct taking { struct rekey_processor *of; struct buffer bytes; struct state_change changes[TAKE_AT_ONCE]; size_t count; int32_t partition; int64_t next; };

static bool take_apply(struct taking *taking, struct error *error) {
    changes_place(taking->changes, taking->count, taking->bytes.data);
    bool ok = !taking->count || rekeying_take(taking->of->rekeying, taking->partition, taking->changes, taking->count, taking->next, error);
    taking->count = 0;
    buffer_reset(&taking->bytes);
    return ok;
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct taking *taking = context;
    if (record->partition != taking->partition && !take_apply(taking, error)) return SCAN_FAILED;
    taking->partition = record->partition;
    if (!buffer_append(&taking->bytes, record->key.data, record->key.length) || !buffer_append(&taking->bytes, record->value.data, record->value.length)) {
        error_set(error, "out of memory");
        return SCAN_FAILED;
    }
    taking->changes[taking->count++] = (struct state_change){{"", record->key.length}, {record->value.data ? "" : NULL, record->value.data ? record->value.length : 0}};
    taking->next = record->offset + 1;
    taking->of->changelog_records++;
    return (taking->count < TAKE_AT_ONCE && taking->bytes.length < TAKE_BYTES) || take_apply(taking, error) ? SCAN_MORE : SCAN_FAILED;
}

static bool changelog_read(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    struct taking *taking = calloc(1, sizeof *taking);
    if (!taking) return error_set(error, "out of memory");
    char what[64];
    taking->of = of;
    snprintf(what, sizeof what, "reading %.40s", of->processor->name);
    const struct scan scan = {.connection = &rekey->connection, .topics = {of->live.changelog}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                              .progress = what, .visit = take, .context = taking};
    bool ok = scan_run(&scan, error) && take_apply(taking, error);
    buffer_free(&taking->bytes);
    free(taking);
    return ok || error_prefix(error, "%s", of->live.changelog);
}

static void built(void *context, uint64_t records) { progress_at(context, (int64_t)records, (int64_t)records); }

bool rekey_build(struct rekey *rekey, struct error *error) {
    if (rekey->merges && !values_open(&rekey->values, &rekey->connection, error)) return false;
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        char folder[300];
        snprintf(folder, sizeof folder, "%s/%s", rekey->folder, of->processor->name);
        of->rewriting = (struct rekey_rewriting){.of = of->processor, .values = rekey->values};
        of->merge = rekey->merge;
        of->merge.context = &of->rewriting;
        const struct rekeying_options options = {.processor = of->processor, .version = KONTOR_VERSION, .folder = folder, .from = of->from, .to = rekey->to, .new_id = making_new_id,
                                                 .merge = rekey->merges ? &of->merge : NULL};
        making_say("reading %s and building its records for %" PRId32 " partitions", of->live.changelog, rekey->to);
        if (mkdir(folder, 0700) != 0) return error_set(error, "%s cannot be made: %m", folder);
        bool ok = rekeying_open(&of->rekeying, &options, error) && changelog_read(rekey, of, error);
        struct progress progress;
        progress_start(&progress, "building", (int64_t)of->changelog_records);
        ok = ok && rekeying_build(of->rekeying, built, &progress, error);
        progress_end(&progress);
        if (!ok) return error_prefix(error, "%s", of->processor->name);
    }
    return true;
}

/* ---- writing ---- */

static bool changelog_write(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    struct making_writer *writer = NULL;
    bool ok = making_writer_open(&writer, &rekey->making, of->next.changelog, (int64_t)rekeying_counts(of->rekeying)->written, error);
    for (int32_t p = 0; ok && p < rekey->to; p++) {
        making_writer_partition(writer, p);
        ok = rekeying_each(of->rekeying, p, making_writer_send, writer, error);
    }
    ok = ok && making_writer_flush(writer, error);
    making_writer_close(writer);
    return ok;
}

/* ---- reading back ---- */

struct checking { struct rekey_processor *of; uint64_t *counts; };

static enum scan_step check(void *context, const struct kafka_record *record, struct error *error) {
    const struct checking *checking = context;
    if (!rekeying_has(checking->of->rekeying, record->partition, checking->counts[record->partition]++ == 0, record->key, record->value)) {
        error_set(error, "%s/%" PRId32 "/%" PRId64 " is not what was written: look at the broker's log; nothing was changed", record->topic, record->partition, record->offset);
        return SCAN_FAILED;
    }
    return SCAN_MORE;
}

static bool changelog_check(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    struct checking checking = {of, calloc((size_t)rekey->to, sizeof *checking.counts)};
    if (!checking.counts) return error_set(error, "out of memory");
    const struct scan scan = {.connection = &rekey->connection, .topics = {of->next.changelog}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                              .progress = "reading back", .visit = check, .context = &checking};
    bool ok = scan_run(&scan, error);
    for (int32_t p = 0; ok && p < rekey->to; p++)
        if (checking.counts[p] != rekeying_size(of->rekeying, p))
            ok = error_set(error, "%s/%" PRId32 " has %" PRIu64 " records, %" PRIu64 " were written", of->next.changelog, p, checking.counts[p], rekeying_size(of->rekeying, p));
    free(checking.counts);
    return ok;
}

bool rekey_write(struct rekey *rekey, struct error *error) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        making_say("writing %s", of->next.changelog);
        if (!making_changelog_topic(&rekey->making, of->processor->name, of->live.changelog, of->next.changelog, rekey->to, error) || !changelog_write(rekey, of, error)) return false;
        making_say("reading %s back", of->next.changelog);
        if (!changelog_check(rekey, of, error)) return false;
    }
    return true;
}
