/* kontor rules try: what other posting rules would have made of the past. Each processor is replayed twice, with the rules as they are and with the new
 * ones, and the journals are compared by account. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/intern.h"
#include "cli/lines.h"
#include "cli/record_line.h"
#include "cli/replay.h"
#include "cli/table.h"
#include "common/codec/wire.h"
#include "schemas/posting_command.h"

enum { VALUE_MEMORY = 64 << 20, KEY_SIZE = 1024, SETS_MAXIMUM = 64 };

/* An account's sums of one of the two replays, in its entity's functional currency. */
struct sums { sum_e4 debit, credit; };
enum { AS_IS, AS_NEW, VERSIONS };

struct trying {
    struct connection connection;
    int64_t from_ms;
    struct replay_record sets[SETS_MAXIMUM];
    size_t set_count;
    struct codec_plan *plan;
    struct arena arena, kept;
    struct intern accounts;             /* entity, account, currency: by '\n' */
    struct sums (*of_account)[VERSIONS];
    uint32_t account_capacity;
    int version;
    uint64_t journals[VERSIONS], outcomes[VERSIONS][OUTCOME_COUNT];
};

static bool sums_add(struct trying *trying, const struct posting_command *journal, const struct journal_line *line) {
    char key[KEY_SIZE];
    uint32_t number;
    int length = snprintf(key, sizeof key, SLICE_FORMAT "\n" SLICE_FORMAT "\n" SLICE_FORMAT, SLICE_ARGUMENT(journal->entity), SLICE_ARGUMENT(line->account),
                          SLICE_ARGUMENT(journal->functional_currency));
    if (!intern_add(&trying->accounts, (struct slice){key, (size_t)length < sizeof key ? (size_t)length : sizeof key - 1}, &number, NULL)) return false;
    if (number >= trying->account_capacity) {
        uint32_t capacity = trying->account_capacity ? trying->account_capacity * 2 : 256;
        struct sums (*grown)[VERSIONS] = realloc(trying->of_account, capacity * sizeof *grown);
        if (!grown) return false;
        memset(grown + trying->account_capacity, 0, (capacity - trying->account_capacity) * sizeof *grown);
        trying->of_account = grown;
        trying->account_capacity = capacity;
    }
    struct sums *sums = &trying->of_account[number][trying->version];
    if (line->side == JOURNAL_SIDE_DEBIT) sums->debit += line->functional_e4;
    else sums->credit += line->functional_e4;
    return true;
}

static bool take_output(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error) {
    struct trying *trying = context;
    uint32_t schema_id;
    struct slice payload;
    struct posting_command journal;
    if ((strncmp(output->topic, "posting.commands.", 17) != 0 && strcmp(output->topic, "settlement.entries") != 0) || event_time_ms < trying->from_ms) return true;
    arena_reset(&trying->arena);
    if (!codec_wire_read(output->value.data, output->value.length, &schema_id, &payload) ||
        codec_decode(trying->plan, payload.data, payload.length, &trying->arena, &journal) != CODEC_OK) return error_set(error, "out of memory");
    trying->journals[trying->version]++;
    for (size_t i = 0; i < journal.lines.count; i++)
        if (!sums_add(trying, &journal, &journal.lines.items[i])) return error_set(error, "out of memory");
    return true;
}

/* ---- the new rules ---- */

static bool set_keep(struct trying *trying, const struct record_maker *maker, struct error *error) {
    uint32_t schema_id;
    struct slice payload;
    if (!maker->has_value) return error_set(error, "a rule set cannot be taken away by trying");
    if (trying->set_count == SETS_MAXIMUM) return error_set(error, "more than %d rule sets", SETS_MAXIMUM);
    if (!codec_wire_read(maker->value_bytes.data, maker->value_bytes.length, &schema_id, &payload)) return error_set(error, "out of memory");
    const char *key = arena_copy(&trying->kept, maker->key_bytes.data, maker->key_bytes.length), *value = arena_copy(&trying->kept, payload.data, payload.length);
    if (!key || !value) return error_set(error, "out of memory");
    trying->sets[trying->set_count++] = (struct replay_record){MASTER_POSTING_RULES, {key, maker->key_bytes.length}, {value, payload.length}};
    return true;
}

static bool rules_read(struct trying *trying, const char *path, struct error *error) {
    static const char *const key[] = {"rule_set", "valid_from", NULL};
    struct record_maker maker;
    struct lines lines;
    struct slice line;
    if (!record_maker_open(&maker, master_tables[MASTER_POSTING_RULES].type, 0, key, error)) return false;
    bool ok = lines_open(&lines, path, error), opened = ok;
    enum lines_result result = LINES_GIVEN;
    while (ok && (result = lines_next(&lines, &line, error)) == LINES_GIVEN) {
        ok = record_make(&maker, line, error) && set_keep(trying, &maker, error);
        if (!ok) error_prefix(error, "%s: line %lld", path, (long long)lines.number);
    }
    if (opened) lines_close(&lines);
    record_maker_close(&maker);
    if (!ok || result == LINES_FAILED) return false;
    return trying->set_count || error_set(error, "%s holds no rule set", path);
}

/* ---- both replays ---- */

static bool replay_both(struct trying *trying, struct error *error) {
    for (size_t i = 0; i < known_processor_count; i++)
        for (trying->version = AS_IS; trying->version < VERSIONS; trying->version++) {
            struct engine_counts counts;
            if (!processor_posts(known_processors[i])) continue;    /* no rule changes what it does */
            const struct replay_options options = {.connection = &trying->connection, .processor = known_processors[i], .instead = trying->sets,
                                                   .instead_count = trying->version == AS_NEW ? trying->set_count : 0, .output = take_output, .context = trying};
            if (!replay_run(&options, &counts, error)) return error_prefix(error, "%s", known_processors[i]->name);
            for (int k = 0; k < OUTCOME_COUNT; k++) trying->outcomes[trying->version][k] += counts.outcomes[k];
        }
    return true;
}

/* ---- the answer ---- */

static const struct intern *sorted;
static int compare_accounts(const void *a, const void *b) { return slice_compare(intern_text(sorted, *(const uint32_t *)a), intern_text(sorted, *(const uint32_t *)b)); }

/* entity, account and currency of a key. */
static void key_split(struct slice key, struct slice parts[3]) {
    for (int i = 0; i < 3; i++) {
        const char *end = i < 2 && key.length ? memchr(key.data, '\n', key.length) : NULL;
        size_t length = end ? (size_t)(end - key.data) : key.length;
        parts[i] = (struct slice){key.data, length};
        key = (struct slice){key.data + length + (end != NULL), key.length - length - (end != NULL)};
    }
}

static void add_account(struct text_table *table, const struct trying *trying, uint32_t account) {
    const struct sums *was = &trying->of_account[account][AS_IS], *is = &trying->of_account[account][AS_NEW];
    struct slice parts[3];
    if (was->debit == is->debit && was->credit == is->credit) return;
    key_split(intern_text(&trying->accounts, account), parts);
    for (int i = 0; i < 3; i++) table_slice(table, parts[i]);
    table_amount(table, is->debit - was->debit);
    table_amount(table, is->credit - was->credit);
    table_amount(table, was->debit - was->credit);
    table_amount(table, is->debit - is->credit);
}

static bool print_difference(struct trying *trying, const struct invocation *invocation, struct error *error) {
    static const struct table_column columns[] = {{"entity", false}, {"account", false}, {"currency", false}, {"debit more", true}, {"credit more", true},
                                                  {"balance now", true}, {"balance then", true}};
    uint32_t *order = calloc(trying->accounts.count + 1, sizeof *order);
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; order && i < trying->accounts.count; i++) order[i] = i;
    sorted = &trying->accounts;
    if (order) qsort(order, trying->accounts.count, sizeof *order, compare_accounts);
    for (uint32_t i = 0; order && i < trying->accounts.count; i++) add_account(table, trying, order[i]);
    bool ok = order && table_print(table, invocation->format, stdout);
    table_free(table);
    free(order);
    if (!ok) return error_set(error, "out of memory");
    fflush(stdout);
    fprintf(stderr, "kontor: journals: %llu now, %llu with the new rules\n", (unsigned long long)trying->journals[AS_IS], (unsigned long long)trying->journals[AS_NEW]);
    for (int k = 0; k < OUTCOME_COUNT; k++)
        if (trying->outcomes[AS_IS][k] != trying->outcomes[AS_NEW][k])
            fprintf(stderr, "kontor: events %s: %llu now, %llu with the new rules\n", outcome_names[k], (unsigned long long)trying->outcomes[AS_IS][k],
                    (unsigned long long)trying->outcomes[AS_NEW][k]);
    return true;
}

static enum exit_status rules_run(const struct invocation *invocation) {
    struct error error = {"out of memory"};
    struct trying *trying = calloc(1, sizeof *trying);
    if (!trying) return command_failed(&error);
    arena_init(&trying->arena, 1 << 16, VALUE_MEMORY);
    arena_init(&trying->kept, 1 << 16, VALUE_MEMORY);
    intern_init(&trying->accounts);
    trying->from_ms = option_number(invocation, "from", INT64_MIN);
    trying->plan = codec_plan_own(&posting_command_type, &error);
    bool ok = trying->plan && connection_open(&trying->connection, invocation, &error) && rules_read(trying, invocation->words[1], &error) &&
              replay_both(trying, &error) && print_difference(trying, invocation, &error);
    enum exit_status status = ok ? EXIT_DONE : command_failed(&error);
    connection_close(&trying->connection);
    codec_plan_free(trying->plan);
    intern_free(&trying->accounts);
    arena_free(&trying->arena);
    arena_free(&trying->kept);
    free(trying->of_account);
    free(trying);
    return status;
}

static const char *const words[] = {"try", NULL};
static const struct option options[] = {
    {"from", OPTION_TIME, "TIME", "compare the journals of events from this time on; without it all"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command rules_command = {
    .name = "rules",
    .summary = "tries new posting rules on the past: the difference by account",
    .usage = "try FILE",
    .description = "FILE holds rule sets as master load takes them, a set a line. Every processor is replayed over the events on its topics, with the\n"
                   "rules as they are and with those of FILE, by the master data of today; shown is what the second makes more or less of each\n"
                   "account, in functional currency. Nothing is written to Kafka. A set that is ambiguous, incomplete or unbalanced is refused with\n"
                   "the rule's name. It needs the processors' tables.source (--config or KONTOR_TABLES_SOURCE).",
    .words = words,
    .words_minimum = 2,
    .words_maximum = 2,
    .default_format = "table",
    .options = options,
    .example = "  kontor rules try new-rules.jsonl --from 2026-01-01",
    .run = rules_run,
};
