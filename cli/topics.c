/* kontor topics: makes the cluster's topics those of deploy/topics.tsv, or says where they are not. Nothing that exists is ever changed: another number
 * of partitions would send keys elsewhere than their state is. */
#include <stdlib.h>
#include <string.h>

#include "cli/connection.h"
#include "cli/table.h"
#include "cli/topic_list.h"
#include "common/platform/clock.h"

enum { REPLICATION_USUAL = 3, APPEAR_DEADLINE_MS = 20000, DIFFERENCE_SIZE = 512 };

enum topic_state { TOPIC_AS_DECLARED, TOPIC_MISSING, TOPIC_DIFFERS, TOPIC_CREATED };
static const char *const state_names[] = {"as declared", "missing", "differs", "created"};

struct finding { enum topic_state state; char difference[DIFFERENCE_SIZE]; };

struct work {
    struct connection connection;
    struct client_events events;    /* the client's opaque */
    rd_kafka_t *client;
    struct topic_list list;
    struct finding findings[TOPICS_MAXIMUM];
};

static void differs(struct finding *finding, const char *what, const char *is, const char *declared) {
    size_t length = strlen(finding->difference);
    finding->state = TOPIC_DIFFERS;
    snprintf(finding->difference + length, sizeof finding->difference - length, "%s%s is %s, declared %s", length ? "; " : "", what, is, declared);
}

/* The position of a listed topic by its name; the list has it. */
static size_t position_of(const struct topic_list *list, const char *name) {
    size_t i = 0;
    while (strcmp(list->topics[i].name, name) != 0) i++;
    return i;
}

static void compare_settings(struct work *work, const rd_kafka_ConfigResource_t *resource) {
    size_t count, at = position_of(&work->list, rd_kafka_ConfigResource_name(resource));
    const struct topic *topic = &work->list.topics[at];
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < topic->setting_count; i++) {
        const char *is = "not known to the broker";
        for (size_t k = 0; k < count; k++)
            if (strcmp(rd_kafka_ConfigEntry_name(entries[k]), topic->settings[i].name) == 0) is = rd_kafka_ConfigEntry_value(entries[k]);
        if (strcmp(is ? is : "", topic->settings[i].value) != 0)
            differs(&work->findings[at], topic->settings[i].name, is ? is : "not set", topic->settings[i].value);
    }
}

/* Reads the settings of the topics that exist and compares them. */
static bool check_settings(struct work *work, struct error *error) {
    rd_kafka_ConfigResource_t *resources[TOPICS_MAXIMUM];
    size_t count = 0;
    for (size_t i = 0; i < work->list.count; i++)
        if (work->findings[i].state != TOPIC_MISSING) resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, work->list.topics[i].name);
    if (!count) return true;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(work->client);
    rd_kafka_DescribeConfigs(work->client, resources, count, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_TIMEOUT_MS);
    bool ok = event && !rd_kafka_event_error(event);
    if (!ok) error_set(error, "the settings of the topics cannot be read: %s", event ? rd_kafka_event_error_string(event) : "no answer; try again");
    size_t described = 0;
    const rd_kafka_ConfigResource_t **answers = ok ? rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &described) : NULL;
    for (size_t i = 0; ok && i < described; i++) {
        const char *name = rd_kafka_ConfigResource_name(answers[i]);
        ok = rd_kafka_ConfigResource_error(answers[i]) == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (ok) compare_settings(work, answers[i]);
        else error_set(error, "the settings of %s cannot be read: %s", name, rd_kafka_ConfigResource_error_string(answers[i]));
    }
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy_array(resources, count);
    return ok;
}

/* Fills the findings; brokers: how many there are. */
static bool look(struct work *work, int *brokers, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(&work->connection, work->client, &metadata, error)) return false;
    *brokers = metadata->broker_cnt;
    for (size_t i = 0; i < work->list.count; i++) {
        const struct topic *topic = &work->list.topics[i];
        const struct rd_kafka_metadata_topic *found = metadata_topic(metadata, topic->name);
        work->findings[i] = (struct finding){found ? TOPIC_AS_DECLARED : TOPIC_MISSING, ""};
        char is[16], declared[16];
        snprintf(is, sizeof is, "%d", found ? found->partition_cnt : 0);
        snprintf(declared, sizeof declared, "%d", topic->partitions);
        if (found && found->partition_cnt != topic->partitions) differs(&work->findings[i], "partitions", is, declared);
    }
    rd_kafka_metadata_destroy(metadata);
    return check_settings(work, error);
}

static bool describe_topic(const struct topic *topic, int replication, rd_kafka_NewTopic_t **wanted, struct error *error) {
    char why[256];
    *wanted = rd_kafka_NewTopic_new(topic->name, topic->partitions, replication, why, sizeof why);
    if (!*wanted) return error_set(error, "%s cannot be created: %s", topic->name, why);
    for (size_t i = 0; i < topic->setting_count; i++)
        if (rd_kafka_NewTopic_set_config(*wanted, topic->settings[i].name, topic->settings[i].value))
            return error_set(error, "%s: the setting %s=%s cannot be used", topic->name, topic->settings[i].name, topic->settings[i].value);
    return true;
}

static bool take_created(struct work *work, rd_kafka_event_t *event, struct error *error) {
    size_t count;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]), *why = rd_kafka_topic_result_error_string(results[i]);
        if (!code) work->findings[position_of(&work->list, name)].state = TOPIC_CREATED;
        else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS && ok)
            ok = error_set(error, "%s cannot be created: %s; look at its row in topics.tsv and at the number of brokers", name, why ? why : rd_kafka_err2str(code));
    }
    return ok;
}

static bool create_missing(struct work *work, int replication, struct error *error) {
    rd_kafka_NewTopic_t *wanted[TOPICS_MAXIMUM];
    size_t count = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < work->list.count; i++)
        if (work->findings[i].state == TOPIC_MISSING) {
            wanted[count] = NULL;
            ok = describe_topic(&work->list.topics[i], replication, &wanted[count], error);
            if (wanted[count]) count++;
        }
    if (ok && count) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(work->client);
        rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(work->client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        ok = !rd_kafka_AdminOptions_set_request_timeout(options, 4 * KAFKA_TIMEOUT_MS, NULL, 0) &&
             !rd_kafka_AdminOptions_set_operation_timeout(options, 2 * KAFKA_TIMEOUT_MS, NULL, 0);
        rd_kafka_CreateTopics(work->client, wanted, count, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
        if (!ok || !event || rd_kafka_event_error(event))
            ok = error_set(error, "the topics cannot be created: %s", event ? rd_kafka_event_error_string(event) : "no answer; try again");
        else ok = take_created(work, event, error);
        if (event) rd_kafka_event_destroy(event);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_NewTopic_destroy_array(wanted, count);
    return ok;
}

/* Until every broker tells of every listed topic with a leader for each partition, so that what starts next finds them. */
static bool wait_for_topics(struct work *work, struct error *error) {
    int64_t deadline_ms = clock_monotonic_ms() + APPEAR_DEADLINE_MS;
    for (size_t ready = 0; ready < work->list.count;) {
        const struct rd_kafka_metadata *metadata;
        if (!connection_metadata(&work->connection, work->client, &metadata, error)) return false;
        ready = 0;
        for (size_t i = 0; i < work->list.count; i++) {
            const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, work->list.topics[i].name);
            int led = 0;
            for (int p = 0; topic && p < topic->partition_cnt; p++) led += topic->partitions[p].leader >= 0;
            ready += topic && led == topic->partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
        if (ready < work->list.count && clock_monotonic_ms() > deadline_ms)
            return error_set(error, "%zu topics have no leader %d s after they were created; look at the broker's log", work->list.count - ready, APPEAR_DEADLINE_MS / 1000);
        if (ready < work->list.count) rd_kafka_poll(work->client, 50);
    }
    return true;
}

static bool print_findings(const struct work *work, enum output_format format) {
    static const struct table_column columns[] = {{"topic", false}, {"partitions", true}, {"state", false}, {"difference", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < work->list.count; i++) {
        table_text(table, work->list.topics[i].name);
        table_number(table, work->list.topics[i].partitions);
        table_text(table, state_names[work->findings[i].state]);
        table_text(table, work->findings[i].difference);
    }
    bool ok = table_print(table, format, stdout);
    table_free(table);
    return ok;
}

static bool work_on(struct work *work, const struct invocation *invocation, bool apply, struct error *error) {
    int brokers;
    if (!connection_open(&work->connection, invocation, error) ||
        !connection_topic_list(&work->connection, &work->list, option_text(invocation, "topics", NULL), option_text(invocation, "also", NULL),
                               (int)option_number(invocation, "partitions", 0), error))
        return false;
    work->events.role = "admin";
    if (!connection_client(&work->connection, RD_KAFKA_PRODUCER, NULL, NULL, &work->events, NULL, &work->events, &work->client, error) ||
        !look(work, &brokers, error))
        return false;
    int usual = brokers < REPLICATION_USUAL ? brokers : REPLICATION_USUAL;
    return !apply || (create_missing(work, (int)option_number(invocation, "replication", usual), error) && wait_for_topics(work, error));
}

static enum exit_status topics_run(const struct invocation *invocation) {
    struct work *work = calloc(1, sizeof *work);
    struct error error = {"out of memory"};
    bool apply = strcmp(invocation->words[0], "apply") == 0;
    bool ok = work && work_on(work, invocation, apply, &error) && (print_findings(work, invocation->format) || error_set(&error, "out of memory"));
    size_t missing = 0, different = 0;
    for (size_t i = 0; ok && i < work->list.count; i++) {
        missing += work->findings[i].state == TOPIC_MISSING;
        different += work->findings[i].state == TOPIC_DIFFERS;
    }
    if (ok && missing) ok = error_set(&error, "%zu topics are missing; kontor topics apply creates them", missing);
    else if (ok && different)
        ok = error_set(&error, "%zu topics are not as declared and were left as they are; change the settings with kafka-configs.sh, or for another "
                       "number of partitions delete the topic and what was made of it, then kontor topics apply", different);
    if (work && work->client) rd_kafka_destroy(work->client);
    if (work) {
        connection_close(&work->connection);
        topic_list_free(&work->list);
    }
    free(work);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const char *const words[] = {"apply", "check", NULL};
static const struct option options[] = {
    {"topics", OPTION_TEXT, "FILE", "list of topics; without it the one this program was built with (deploy/topics.tsv)"},
    {"also", OPTION_TEXT, "FILE", "the list of a processor from another project besides; several with commas between them, or topics.also of --config"},
    {"partitions", OPTION_NUMBER, "N", "number of tasks: in place of 32 wherever the list says 32"},
    {"replication", OPTION_NUMBER, "N", "copies of each new partition; without it 3, or as many as there are brokers"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command topics_command = {
    .name = "topics",
    .summary = "creates kontor's topics, or compares them with their declaration",
    .usage = "apply|check",
    .description = "apply creates the topics that are missing and can be repeated; what exists is never changed. Both list every topic\n"
                   "with what differs from its declaration, and exit with 1 when something does.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "table",
    .options = options,
    .example = "  kontor topics apply\n  kontor topics apply --also payroll/topics.tsv\n  kontor topics check --format json",
    .run = topics_run,
};
