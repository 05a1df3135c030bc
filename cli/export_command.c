/* kontor export: the journals for other programs, read back from the topics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/export.h"
#include "cli/scan.h"
#include "cli/values.h"
#include "common/ledger/currency.h"
#include "schemas/account.h"
#include "schemas/legal_entity.h"

enum { VALUE_MEMORY = 256 << 20, KEY_SIZE = 1024, DAY_MS = 86400000 };

/* What master.accounts and master.legal-entities say, the newest record of each. */
struct chart_account { struct slice type, name; };

struct exporting {
    struct connection connection;
    struct values *values;
    struct arena arena, kept;
    const struct export_format *format;     /* NULL: JSON lines */
    struct slice entity;                    /* only its journals; empty: all */
    int32_t from, to;                       /* posting dates, both included */
    struct intern charts, chart_keys;       /* an entity's chart, by `entity`; accounts by `chart|account` */
    struct slice *chart_of;                 /* by number of charts */
    struct chart_account *accounts;         /* by number of chart_keys */
    uint32_t chart_capacity, account_capacity;
    struct intern used, currencies;         /* accounts and currencies of the journals */
    struct export_account *used_accounts;   /* by number of used */
    uint32_t used_capacity;
    struct export_account *of_lines;        /* of the journal at hand */
    size_t of_lines_capacity;
    struct buffer json;
    uint64_t written;
};

/* Room for one more, doubling. */
static bool grow(void **items, uint32_t *capacity, uint32_t count, size_t size) {
    if (count < *capacity) return true;
    uint32_t larger = *capacity ? *capacity * 2 : 256;
    void *grown = realloc(*items, larger * size);
    if (!grown) return false;
    *items = grown;
    *capacity = larger;
    return true;
}

static struct slice keep(struct exporting *exporting, struct slice text) {
    return (struct slice){arena_copy(&exporting->kept, text.data, text.length), text.length};
}

static struct slice joined(char buffer[KEY_SIZE], struct slice a, struct slice b) {
    int length = snprintf(buffer, KEY_SIZE, SLICE_FORMAT "|" SLICE_FORMAT, SLICE_ARGUMENT(a), SLICE_ARGUMENT(b));
    return (struct slice){buffer, length < KEY_SIZE ? (size_t)length : KEY_SIZE - 1};
}

static bool take_account(struct exporting *exporting, const struct account *account) {
    char buffer[KEY_SIZE];
    uint32_t number;
    if (!intern_add(&exporting->chart_keys, joined(buffer, account->chart, account->account), &number, NULL) ||
        !grow((void **)&exporting->accounts, &exporting->account_capacity, number, sizeof *exporting->accounts)) return false;
    exporting->accounts[number] = (struct chart_account){keep(exporting, account->type), keep(exporting, account->name)};
    return true;
}

static bool take_entity(struct exporting *exporting, const struct legal_entity *entity) {
    uint32_t number;
    if (!intern_add(&exporting->charts, entity->entity, &number, NULL) ||
        !grow((void **)&exporting->chart_of, &exporting->chart_capacity, number, sizeof *exporting->chart_of)) return false;
    exporting->chart_of[number] = keep(exporting, entity->chart);
    return true;
}

/* A master record that cannot be read names no account: the journals are exported all the same. */
static enum scan_step take_master(void *context, const struct kafka_record *record, struct error *error) {
    struct exporting *exporting = context;
    union { struct account account; struct legal_entity entity; } value;
    struct error why;
    const bool account = record->topic_index == 0;
    if (!record->value.data || !record->value.length) return SCAN_MORE;
    arena_reset(&exporting->arena);
    switch (values_decode(exporting->values, record->value, account ? &account_type : &legal_entity_type, &exporting->arena, &value, &why)) {
    case VALUES_FAILED: error_set(error, "%s", why.text); return SCAN_FAILED;
    case VALUES_UNREADABLE: return SCAN_MORE;
    case VALUES_OK: break;
    }
    if (account ? take_account(exporting, &value.account) : take_entity(exporting, &value.entity)) return SCAN_MORE;
    error_set(error, "out of memory");
    return SCAN_FAILED;
}

static bool read_masters(struct exporting *exporting, struct error *error) {
    const struct scan scan = {.connection = &exporting->connection, .topics = {"master.accounts", "master.legal-entities"}, .topic_count = 2,
                              .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = take_master, .context = exporting};
    return scan_run(&scan, error);
}

static bool find(struct intern *intern, struct slice text, uint32_t *number) { return intern_has(intern, text) && intern_add(intern, text, number, NULL); }

/* The account as the journal's entity knows it, and noted as used. */
static bool account_of(struct exporting *exporting, const struct posting_command *journal, struct slice account, struct export_account *found) {
    char buffer[KEY_SIZE];
    uint32_t number, chart, in_chart;
    bool added;
    if (!intern_add(&exporting->used, joined(buffer, journal->entity, account), &number, &added) ||
        !grow((void **)&exporting->used_accounts, &exporting->used_capacity, number, sizeof *exporting->used_accounts)) return false;
    if (added) {
        struct export_account *made = &exporting->used_accounts[number];
        *made = (struct export_account){.entity = keep(exporting, journal->entity), .account = keep(exporting, account)};
        if (find(&exporting->charts, journal->entity, &chart) && find(&exporting->chart_keys, joined(buffer, exporting->chart_of[chart], account), &in_chart)) {
            made->type = exporting->accounts[in_chart].type;
            made->name = exporting->accounts[in_chart].name;
        }
    }
    *found = exporting->used_accounts[number];
    return true;
}

static bool write_journal(struct exporting *exporting, const struct posting_command *journal) {
    if (journal->lines.count > exporting->of_lines_capacity) {
        struct export_account *grown = realloc(exporting->of_lines, journal->lines.count * sizeof *grown);
        if (!grown) return false;
        exporting->of_lines = grown;
        exporting->of_lines_capacity = journal->lines.count;
    }
    for (size_t i = 0; i < journal->lines.count; i++)
        if (!account_of(exporting, journal, journal->lines.items[i].account, &exporting->of_lines[i])) return false;
    if (!intern_add(&exporting->currencies, journal->currency, &(uint32_t){0}, NULL) ||
        !intern_add(&exporting->currencies, journal->functional_currency, &(uint32_t){0}, NULL)) return false;
    exporting->format->journal(stdout, journal, exporting->of_lines);
    return true;
}

static enum scan_step take_journal(void *context, const struct kafka_record *record, struct error *error) {
    struct exporting *exporting = context;
    struct posting_command journal;
    struct error why;
    arena_reset(&exporting->arena);
    buffer_reset(&exporting->json);
    enum values_result result = values_decode(exporting->values, record->value, &posting_command_type, &exporting->arena, &journal, &why);
    bool chosen = result == VALUES_OK && (!exporting->entity.length || slice_equal(exporting->entity, journal.entity)) &&
                  journal.posting_date >= exporting->from && journal.posting_date <= exporting->to;
    if (chosen && !exporting->format) result = values_to_json(exporting->values, record->value, &exporting->json, &why);
    if (result != VALUES_OK) {   /* an export that leaves journals out would be taken for the whole */
        error_set(error, "%s/%d/%lld cannot be read: %.300s; nothing of this export can be relied on", record->topic, (int)record->partition, (long long)record->offset, why.text);
        return SCAN_FAILED;
    }
    if (!chosen) return SCAN_MORE;
    exporting->written++;
    if (!exporting->format) {
        fwrite(exporting->json.data, 1, exporting->json.length, stdout);
        putchar('\n');
    } else if (!write_journal(exporting, &journal)) {
        error_set(error, "out of memory after %llu journals", (unsigned long long)exporting->written);
        return SCAN_FAILED;
    }
    if (!ferror(stdout)) return SCAN_MORE;
    error_set(error, "standard output cannot be written: %m");
    return SCAN_FAILED;
}

static void write_declarations(struct exporting *exporting) {
    if (!exporting->format || !exporting->format->account) return;
    putchar('\n');
    for (uint32_t i = 0; i < exporting->used.count; i++) exporting->format->account(stdout, &exporting->used_accounts[i]);
    for (uint32_t i = 0; i < exporting->currencies.count; i++) {
        struct slice code = intern_text(&exporting->currencies, i);
        struct currency currency;
        exporting->format->commodity(stdout, code, currency_find(code, &currency) ? currency_minor_digits(currency) : 2);
    }
}

/* Partition after partition: the same topics give the same file. */
static bool read_journals(struct exporting *exporting, struct error *error) {
    struct topic_names topics = {.count = 0};
    struct client_events events = {.role = "client"};
    rd_kafka_t *client = NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    bool ok = connection_topics(&exporting->connection, "posting.commands.", &topics, error) &&
              connection_client(&exporting->connection, RD_KAFKA_CONSUMER, (const struct client_property[]){{NULL, NULL}}, (const struct client_property[]){{NULL, NULL}},
                                &events, NULL, &events, &client, error) &&
              connection_metadata(&exporting->connection, client, &metadata, error);
    for (size_t i = 0; ok && i < topics.count; i++) {
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, topics.names[i]);
        for (int32_t p = 0; ok && topic && p < topic->partition_cnt; p++) {
            const struct scan scan = {.connection = &exporting->connection, .topics = {topics.names[i]}, .topic_count = 1, .partition = p,
                                      .from_offset = SCAN_FROM_BEGINNING, .progress = "exporting", .visit = take_journal, .context = exporting};
            ok = scan_run(&scan, error);
        }
    }
    if (metadata) rd_kafka_metadata_destroy(metadata);
    if (client) rd_kafka_destroy(client);
    topic_names_free(&topics);
    return ok;
}

static const char *const format_names[] = {"hledger", "beancount", "csv", "jsonl", NULL};

static void format_choose(struct exporting *exporting, const char *name) {
    static const struct export_format *const formats[] = {&export_hledger, &export_beancount, &export_csv};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i]->name, name) == 0) exporting->format = formats[i];
}

static enum exit_status export_run(const struct invocation *invocation) {
    struct exporting *exporting = calloc(1, sizeof *exporting);
    struct error error;
    if (!exporting) {
        error_set(&error, "out of memory");
        return command_failed(&error);
    }
    arena_init(&exporting->arena, 1 << 16, VALUE_MEMORY);
    arena_init(&exporting->kept, 1 << 16, VALUE_MEMORY);
    struct intern *const interns[] = {&exporting->charts, &exporting->chart_keys, &exporting->used, &exporting->currencies};
    for (size_t i = 0; i < sizeof interns / sizeof *interns; i++) intern_init(interns[i]);
    format_choose(exporting, invocation->format_name);
    exporting->entity = slice_of(option_text(invocation, "entity", ""));
    exporting->from = (int32_t)(option_number(invocation, "from", INT64_C(-25567) * DAY_MS) / DAY_MS);
    exporting->to = (int32_t)(option_number(invocation, "to", INT64_C(2932896) * DAY_MS) / DAY_MS);
    bool ok = connection_open(&exporting->connection, invocation, &error) && values_open(&exporting->values, &exporting->connection, &error) &&
              read_masters(exporting, &error);
    if (ok && exporting->format) exporting->format->head(stdout);
    ok = ok && read_journals(exporting, &error);
    if (ok) write_declarations(exporting);
    enum exit_status status = ok ? EXIT_DONE : command_failed(&error);
    values_close(exporting->values);
    connection_close(&exporting->connection);
    for (size_t i = 0; i < sizeof interns / sizeof *interns; i++) intern_free(interns[i]);
    arena_free(&exporting->arena);
    arena_free(&exporting->kept);
    buffer_free(&exporting->json);
    free(exporting->chart_of);
    free(exporting->accounts);
    free(exporting->used_accounts);
    free(exporting->of_lines);
    free(exporting);
    return status;
}

static const char *const words[] = {"journal", NULL};
static const struct option options[] = {
    {"entity", OPTION_TEXT, "ENTITY", "only this legal entity's journals"},
    {"from", OPTION_TIME, "DATE", "only from this posting date on"},
    {"to", OPTION_TIME, "DATE", "only up to this posting date, it included"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command export_command = {
    .name = "export",
    .summary = "journals for another program: hledger, beancount, csv or jsonl",
    .usage = "journal",
    .description = "Reads the posting commands back from the topics, committed records only, and writes them to standard output, in the same order each\n"
                   "time. hledger and beancount get the accounts with their types from master.accounts, so that their strict checks pass; amounts in\n"
                   "another currency carry their functional value (@@). A journal that cannot be read ends the export with an error.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "hledger",
    .formats = format_names,
    .options = options,
    .example = "  kontor export journal --format hledger >journals.hledger && hledger --file journals.hledger check --strict\n"
               "  kontor export journal --format csv --entity ACME --from 2026-01-01 --to 2026-01-31 >january.csv",
    .run = export_run,
};
