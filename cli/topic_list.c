#include "cli/topic_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/codec/layout.h"
#include "common/platform/file.h"
#include "common/tables/master.h"
#include "schemas/acknowledgment.h"
#include "schemas/audit_entry.h"
#include "schemas/budget_movement.h"
#include "schemas/budget_use.h"
#include "schemas/commitment.h"
#include "schemas/document.h"
#include "schemas/document_step.h"
#include "schemas/exception.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/payable.h"
#include "schemas/payment_event.h"
#include "schemas/posting_ack.h"
#include "schemas/posting_command.h"
#include "schemas/procurement_event.h"
#include "schemas/resolution.h"
#include "schemas/review_decision.h"
#include "schemas/settlement_event.h"

enum { COLUMNS = 9, LIST_BYTES_MAXIMUM = 1 << 20 };
enum { NAME, KEY, PARTITIONS, CLEANUP, RETENTION_MS, SETTINGS, SCHEMA, WRITES, READS };

/* deploy/topics.tsv as it was when this was built, so that the command works wherever it is installed. */
extern const char topics_tsv[];
__asm__(".section .rodata\n.global topics_tsv\ntopics_tsv:\n.incbin \"" TOPICS_TSV "\"\n.byte 0\n.previous\n");

static const struct { const char *name; const struct codec_type *type; } schemas[] = {
    {"procurement-event", &procurement_event_type}, {"invoice-event", &invoice_event_type}, {"payable", &payable_type},
    {"payment-event", &payment_event_type}, {"expense-event", &expense_event_type}, {"journal-event", &journal_event_type},
    {"settlement-event", &settlement_event_type}, {"posting-command", &posting_command_type},
    {"budget-movement", &budget_movement_type}, {"budget-use", &budget_use_type},
    {"acknowledgment", &acknowledgment_type},       {"exception", &exception_record_type},    {"commitment", &commitment_type},
    {"document-step", &document_step_type},         {"audit-entry", &audit_entry_type},       {"resolution", &resolution_type},
    {"review-decision", &review_decision_type},     {"document", &document_state_type},       {"posting-ack", &posting_ack_type},
};

const struct codec_type *topic_schema_type(const char *schema) {
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        if (strcmp(schemas[i].name, schema) == 0) return schemas[i].type;
    return NULL;
}

/* Cuts the text at the next separator, in place; NULL behind the last piece. */
static char *next_piece(char **rest, const char *separator) {
    return *rest ? strsep(rest, separator) : NULL;
}

static bool set_key(struct topic *topic, char *text, struct error *error) {
    size_t count = 0;
    for (char *field; (field = next_piece(&text, "|"));) {
        if (count == TOPIC_KEY_FIELDS_MAXIMUM) return error_set(error, "the key has more than %d fields", TOPIC_KEY_FIELDS_MAXIMUM);
        topic->key[count++] = field;
    }
    return true;
}

static bool add_setting(struct topic *topic, const char *name, const char *value, struct error *error) {
    if (topic->setting_count == TOPIC_SETTINGS_MAXIMUM) return error_set(error, "more than %d settings", TOPIC_SETTINGS_MAXIMUM);
    topic->settings[topic->setting_count++] = (struct topic_setting){name, value};
    return true;
}

static bool set_settings(struct topic *topic, char *text, struct error *error) {
    for (char *setting; (setting = next_piece(&text, ","));) {
        char *value = strchr(setting, '=');
        if (!value) return error_set(error, "the setting %s has no value; write name=value", setting);
        *value++ = 0;
        if (!add_setting(topic, setting, value, error)) return false;
    }
    return true;
}

/* Where a row is read from. */
struct origin { struct topic_list *list; const char *path; int tasks; bool added; };

/* <schema>.avsc beside the list. */
static bool read_schema(const struct origin *origin, struct topic *topic, struct error *error) {
    char path[4096];
    const char *slash = strrchr(origin->path, '/');
    struct buffer text = {0};
    struct topic_list *list = origin->list;
    const int length = snprintf(path, sizeof path, "%.*s%s.avsc", slash ? (int)(slash + 1 - origin->path) : 0, origin->path, topic->schema);
    if (length < 0 || (size_t)length >= sizeof path) return error_set(error, "the path of the schema %s is too long", topic->schema);
    bool ok = file_read(path, LIST_BYTES_MAXIMUM, &text, error) && (buffer_append(&text, "", 1) || error_set(error, "out of memory"));
    if (!ok) error_prefix(error, "kontor has no schema %s, and beside the list", topic->schema);
    else ok = (topic->type = codec_type_parse(text.data, error)) || error_prefix(error, "%s", path);
    if (ok) list->read[list->read_count++] = topic->type;   /* one of a topic at most: there is room */
    buffer_free(&text);
    return ok;
}

/* master.<table> has the table's type, whatever file it comes from. */
static bool set_schema(const struct origin *origin, struct topic *topic, const char *schema, struct error *error) {
    topic->schema = schema;
    topic->type = topic_schema_type(schema);
    for (size_t i = 0; i < MASTER_COUNT && strncmp(topic->name, "master.", 7) == 0; i++)
        if (strcmp(master_tables[i].name, topic->name + 7) == 0) topic->type = master_tables[i].type;
    if (topic->type) return true;
    if (origin->added) return read_schema(origin, topic, error);
    return error_set(error, "schemas/%s.avsc is not one that this program was built with", schema);
}

static bool set_topic(const struct origin *origin, struct topic *topic, char *const columns[COLUMNS], struct error *error) {
    *topic = (struct topic){.name = columns[NAME], .writes = columns[WRITES], .reads = columns[READS]};
    char *end;
    long partitions = strtol(columns[PARTITIONS], &end, 10);
    if (*end || partitions < 1 || partitions > 100000) return error_set(error, "partitions %s: expected a number from 1", columns[PARTITIONS]);
    topic->partitions = partitions == TASKS_IN_LIST && origin->tasks ? origin->tasks : (int)partitions;
    if (strcmp(columns[KEY], "-") != 0 && !set_key(topic, columns[KEY], error)) return false;
    if (!add_setting(topic, "cleanup.policy", columns[CLEANUP], error)) return false;
    if (strcmp(columns[RETENTION_MS], "-") != 0 && !add_setting(topic, "retention.ms", columns[RETENTION_MS], error)) return false;
    if (strcmp(columns[SETTINGS], "-") != 0 && !set_settings(topic, columns[SETTINGS], error)) return false;
    return strcmp(columns[SCHEMA], "-") == 0 || set_schema(origin, topic, columns[SCHEMA], error);
}

/* As Kafka has it: letters, digits, dots, dashes and underscores. */
static bool is_topic_name(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t length = strlen(name);
    return length > 0 && length <= 249 && strspn(name, letters) == length && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool read_line(const struct origin *origin, char *line, struct error *error) {
    struct topic_list *list = origin->list;
    char *columns[COLUMNS];
    size_t count = 0;
    for (char *column; (column = next_piece(&line, "\t")); count++)
        if (count < COLUMNS) columns[count] = column;
    if (count != COLUMNS) return error_set(error, "%zu columns; expected %d, separated by tabs", count, COLUMNS);
    if (!is_topic_name(columns[NAME])) return error_set(error, "\"%s\" is no name of a topic: letters, digits, dots, dashes and underscores, 249 at most", columns[NAME]);
    if (list->count == TOPICS_MAXIMUM) return error_set(error, "more than %d topics", TOPICS_MAXIMUM);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->topics[i].name, columns[NAME]) == 0) return error_set(error, "the topic %s is listed twice", columns[NAME]);
    return set_topic(origin, &list->topics[list->count++], columns, error);
}

static bool read_lines(const struct origin *origin, char *text, struct error *error) {
    const size_t before = origin->list->count;
    int number = 0;
    for (char *line; (line = next_piece(&text, "\n"));) {
        number++;
        if (*line == '#' || !*line) continue;
        if (!read_line(origin, line, error)) return error_prefix(error, "line %d", number);
    }
    return origin->list->count > before ? true : error_set(error, "no topic in it");
}

/* Whether the file was read before, by whatever path; its place is noted. One that is not there is told by who reads it. */
static bool was_read(struct topic_list *list, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return false;
    for (size_t i = 0; i < list->text_count; i++)
        if (list->files[i].number == status.st_ino && list->files[i].device == status.st_dev) return true;
    if (list->text_count < TOPIC_FILES_MAXIMUM) list->files[list->text_count].device = status.st_dev, list->files[list->text_count].number = status.st_ino;
    return false;
}

/* path NULL: the compiled-in list. On error the list is empty. */
static bool read_file(const struct origin *origin, struct error *error) {
    struct topic_list *list = origin->list;
    const char *path = origin->path;
    if (path && was_read(list, path)) return true;
    bool ok = list->text_count < TOPIC_FILES_MAXIMUM || error_set(error, "more than %d lists of topics", TOPIC_FILES_MAXIMUM);
    struct buffer *text = ok ? &list->texts[list->text_count++] : NULL;
    if (ok) ok = path ? file_read(path, LIST_BYTES_MAXIMUM, text, error)
                      : buffer_append(text, topics_tsv, strlen(topics_tsv)) || error_set(error, "out of memory");
    if (ok) ok = buffer_append(text, "", 1) || error_set(error, "out of memory");
    if (ok && strlen(text->data) + 1 != text->length) ok = error_set(error, "%s: there is a zero byte in it", path ? path : "the compiled-in list of topics");
    else if (ok) ok = read_lines(origin, text->data, error) || error_prefix(error, "%s", path ? path : "the compiled-in list of topics");
    if (!ok) topic_list_free(list);
    return ok;
}

bool topic_list_read(struct topic_list *list, const char *path, int tasks, struct error *error) {
    memset(list, 0, sizeof *list);
    return read_file(&(struct origin){.list = list, .path = path, .tasks = tasks}, error);
}

bool topic_list_add(struct topic_list *list, const char *paths, int tasks, struct error *error) {
    char *copy = paths ? strdup(paths) : NULL, *rest = copy;
    if (paths && !copy) topic_list_free(list);
    bool ok = !paths || copy || error_set(error, "out of memory");
    for (char *path; ok && (path = next_piece(&rest, ","));)
        if (*path) ok = read_file(&(struct origin){.list = list, .path = path, .tasks = tasks, .added = true}, error);
    free(copy);
    return ok;
}

void topic_list_free(struct topic_list *list) {
    for (size_t i = 0; i < list->text_count; i++) buffer_free(&list->texts[i]);
    for (size_t i = 0; i < list->read_count; i++) codec_type_free(list->read[i]);
    memset(list, 0, sizeof *list);
}

const struct topic *topic_list_find(const struct topic_list *list, const char *name) {
    static const char per_erp[] = "posting.commands.";
    const struct topic *like = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct topic *topic = &list->topics[i];
        if (strcmp(topic->name, name) == 0) return topic;
        if (strncmp(topic->name, per_erp, sizeof per_erp - 1) == 0 && strncmp(name, per_erp, sizeof per_erp - 1) == 0) like = topic;
    }
    return like;
}

/* Whether a comma-separated list has the word. */
static bool names(const char *list, const char *word) {
    for (size_t length; *list; list += length + (list[length] == ',')) {
        length = strcspn(list, ",");
        if (length == strlen(word) && strncmp(list, word, length) == 0) return true;
    }
    return false;
}

bool topic_is_input(const struct topic_list *list, const struct topic *topic) {
    /* Kontor's own are none, but for the entries of batches and what takes of budgets: each is answered for as an event is. */
    if (!names(topic->writes, "sources") && strcmp(topic->name, "settlement.entries") != 0 && strcmp(topic->name, "budget.movements") != 0) return false;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->topics[i].name, "dlq.", 4) == 0 && strcmp(list->topics[i].name + 4, topic->name) == 0) return true;
    return false;
}
