/* kontor rekey: more partitions, with the state and what is not taken yet where it belongs then. docs/rekey.md has the procedure and what is sound about it. */
#include "cli/rekey.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"

/* ---- the folder ---- */

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static bool folder_make(struct rekey *rekey, struct error *error) {
    const char *parent = option_text(rekey->invocation, "folder", getenv("TMPDIR"));
    const int length = snprintf(rekey->folder, sizeof rekey->folder, "%s/kontor-rekey-XXXXXX", parent && *parent ? parent : "/tmp");
    if (length < (int)sizeof rekey->folder && mkdtemp(rekey->folder)) return true;
    error_set(error, "%s: a folder cannot be made: %m", parent ? parent : "/tmp");
    rekey->folder[0] = 0;
    return false;
}

/* ---- telling ---- */

static void row(struct text_table *table, const char *processor, const char *what, const char *topic, int64_t now, int64_t then, uint64_t records, uint64_t moved, const char *note) {
    table_text(table, processor);
    table_text(table, what);
    table_text(table, topic);
    table_number(table, now);
    table_number(table, then);
    table_number(table, (int64_t)records);
    table_number(table, (int64_t)moved);
    table_text(table, note);
}

static void rows_of_processor(struct text_table *table, const struct rekey *rekey, const struct rekey_processor *of) {
    const struct rekeying_counts *counts = rekeying_counts(of->rekeying);
    const char *name = of->processor->name;
    char note[300];
    snprintf(note, sizeof note, "becomes %s", of->next.changelog);
    row(table, name, "state", of->live.changelog, of->from, rekey->to, counts->records, counts->moved, note);
    if (rekey->merges) {
        snprintf(note, sizeof note, "of %.100s become those of %.100s, %" PRIu64 " that wait with them", rekey->merge.from.data, rekey->merge.to.data, counts->waits_merged);
        row(table, name, "partner", of->live.changelog, of->from, rekey->to, counts->merged, counts->merged, note);
    }
    snprintf(note, sizeof note, "%" PRIu64 " waiting, %" PRIu64 " held, %" PRIu64 " behind them, %" PRIu64 " deferred", counts->waiting, counts->held, counts->behind, counts->deferred);
    row(table, name, "what waits", of->live.changelog, of->from, rekey->to, counts->waiting + counts->held + counts->behind + counts->deferred, counts->waits_moved, note);
    if (counts->everywhere) row(table, name, "seen events", of->live.changelog, of->from, rekey->to, counts->everywhere, 0, "known in every partition: their keys do not say whose they are");
    const uint64_t said = counts->conflicts + counts->unowned;
    for (uint64_t i = 0; i < said && i < REKEYING_CONFLICTS_MAXIMUM; i++) row(table, name, "conflict", of->live.changelog, of->from, rekey->to, 1, 0, counts->conflict_texts[i]);
}

static bool print_plan(const struct rekey *rekey, struct error *error) {
    static const struct table_column columns[] = {{"processor", false}, {"what", false}, {"topic", false}, {"partitions", true}, {"then", true}, {"records", true}, {"moved", true}, {"note", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < rekey->topic_count; i++) {
        const struct rekey_topic *topic = &rekey->topics[i];
        row(table, NULL, topic->timers ? "timers" : "unread", topic->name, topic->now, rekey->to, topic->unread, topic->misplaced,
            topic->timers ? "ticks are not moved" : topic->misplaced ? "all unread are sent again" : "");
    }
    for (size_t i = 0; i < rekey->processor_count; i++) rows_of_processor(table, rekey, &rekey->processors[i]);
    bool ok = table_print(table, rekey->invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

static bool no_conflicts(const struct rekey *rekey, struct error *error) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        const struct rekeying_counts *counts = rekeying_counts(rekey->processors[i].rekeying);
        if (counts->conflicts) return error_set(error, "%s: %" PRIu64 " conflicts, the first: %s; nothing was changed", rekey->processors[i].processor->name,
                                                counts->conflicts, counts->conflict_texts[0]);
        if (counts->unowned) return error_set(error, "%s: where %" PRIu64 " records belong is not known, the first: %s; nothing was changed", rekey->processors[i].processor->name, counts->unowned,
                                              counts->conflict_texts[0]);
    }
    return true;
}

/* ---- doing ---- */

static bool apply(struct rekey *rekey, struct error *error) {
    bool ok = making_generations_topic(&rekey->making, rekey->processors[0].live.changelog, error) && rekey_write(rekey, error) &&
         rekey_all_stopped(rekey, error) && rekey_unchanged(rekey, error) && rekey_grow(rekey, error) && rekey_unchanged(rekey, error) && rekey_switch(rekey, error);
    if (!ok) return false;
    if (rekey->merges) {
        making_say("done: the processors may start. What is sent for %s from now on finds nothing of it. The old changelogs are kept until `kontor rekey --drop-old`", rekey->merge.from.data);
        return true;
    }
    making_say("done: the processors may start. Clients that were told of the old number of partitions must ask anew first (metadata.max.age.ms, five minutes, or a restart): what they send "
              "to a wrong partition goes to the dead letters. The old changelogs are kept until `kontor rekey --drop-old`");
    return true;
}

static bool drop_old(struct rekey *rekey, struct error *error) {
    static const struct table_column columns[] = {{"processor", false}, {"live", false}, {"deleted", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    bool ok = true;
    for (size_t i = 0; ok && i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        size_t count = 0;
        ok = making_drop(&rekey->making, of->processor->name, of->live.number, &count, error);
        table_text(table, of->processor->name);
        table_text(table, of->live.changelog);
        table_number(table, (int64_t)count);
    }
    if (ok && !table_print(table, rekey->invocation->format, stdout)) ok = error_set(error, "out of memory");
    table_free(table);
    return ok;
}

static bool work(struct rekey *rekey, struct error *error) {
    bool done;
    if (!connection_open(&rekey->connection, rekey->invocation, error)) return false;
    if (option_given(rekey->invocation, "drop-old")) return rekey_look(rekey, &done, error) && drop_old(rekey, error);
    const bool applies = option_given(rekey->invocation, "yes");
    if (!rekey_look(rekey, &done, error)) return false;
    if (done) {
        making_say("nothing to do: all of it has %" PRId32 " partitions", rekey->to);
        return true;
    }
    if (!rekey_all_stopped(rekey, error) || !rekey_positions(rekey, error) || !folder_make(rekey, error) || !rekey_unread(rekey, error) || !rekey_build(rekey, error)) return false;
    if (rekey->merges && !rekey_merge_found(rekey)) {
        making_say("nothing to do: nothing of %s is there", rekey->merge.from.data);
        return true;
    }
    if (!print_plan(rekey, error) ||
        !no_conflicts(rekey, error)) return false;
    if (applies) return apply(rekey, error);
    making_say("nothing was changed; --yes does it");
    return true;
}

static enum exit_status rekey_run(const struct invocation *invocation) {
    struct error error = {"out of memory"};
    struct rekey *rekey = calloc(1, sizeof *rekey);
    if (!rekey) return command_failed(&error);
    *rekey = (struct rekey){.invocation = invocation, .wake = -1, .to = (int32_t)option_number(invocation, "partitions", 0)};
    const bool drops = option_given(invocation, "drop-old"), merges = option_given(invocation, "becomes") || option_given(invocation, "partner") || option_given(invocation, "entity");
    enum exit_status status = EXIT_DONE;
    arena_init(&rekey->arena, 1 << 20, (size_t)2 << 30);
    if (drops + merges + option_given(invocation, "partitions") != 1 || (drops && option_given(invocation, "yes")) || (merges && option_given(invocation, "processor"))) {
        error_set(&error, "one of --partitions N, --entity E --partner A --becomes B (with --yes to do it), --drop-old; kontor rekey --help explains it");
        (void)command_failed(&error);
        status = EXIT_USAGE;
    } else if (merges && !rekey_merge_read(rekey, &error)) {
        (void)command_failed(&error);
        status = EXIT_USAGE;
    } else if (!drops && !merges && (rekey->to < 1 || rekey->to > 10000)) {
        error_set(&error, "--partitions must be from 1 to 10000");
        (void)command_failed(&error);
        status = EXIT_USAGE;
    } else if (!work(rekey, &error)) status = command_failed(&error);
    rekey_close(rekey);
    if (rekey->folder[0]) nftw(rekey->folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(rekey);
    return status;
}

static const struct option options[] = {
    {"partitions", OPTION_NUMBER, "N", "how many partitions the inputs, timers and changelogs are to have"},
    {"processor", OPTION_TEXT, "NAMES", "only these, with commas between them, and what reads the same topics; without it all that have as many partitions as there are tasks"},
    {"entity", OPTION_TEXT, "E", "entity of a partner that becomes another one"},
    {"partner", OPTION_TEXT, "A", "that partner: a supplier of procurement, invoice and payment"},
    {"becomes", OPTION_TEXT, "B", "which one it becomes; the partitions stay"},
    {"yes", OPTION_FLAG, NULL, "do it; without it only what would be done is printed"},
    {"drop-old", OPTION_FLAG, NULL, "delete the changelogs that do not hold any more"},
    {"folder", OPTION_TEXT, "DIR", "where the states are built, twice as large as they are; without it TMPDIR or /tmp"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command rekey_command = {
    .name = "rekey",
    .summary = "gives processors more partitions, or one supplier's state to another",
    .usage = "--partitions N [--processor NAMES] [--yes] | --entity E --partner A --becomes B [--yes] | --drop-old",
    .description = "The processors must be stopped, those too that write to topics that grow, and their sources quiet. Prints which\n"
                   "topics, records and waiting events move; with --yes it does it. Inputs get more partitions in place, events that\n"
                   "are not taken yet are sent again to theirs, and each changelog is written anew under another name, read back\n"
                   "and compared, before one transaction makes all of it hold. When it is stopped anywhere, run it again.\n"
                   "With --becomes, what procurement, invoice and payment have of one supplier becomes another's: orders, receipts, invoices,\n"
                   "open items and what waits. A document that both have is a conflict, and so is one that is held.\n"
                   "docs/rekey.md has the whole procedure.",
    .words_minimum = 0,
    .words_maximum = 0,
    .default_format = "table",
    .options = options,
    .example = "  kontor rekey --partitions 64\n  kontor rekey --partitions 64 --yes\n  kontor rekey --entity ACME --partner S1 --becomes S2\n  kontor rekey --drop-old",
    .run = rekey_run,
};
