#include "common/runtime/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/engine.h"
#include "common/runtime/generations.h"

#define HOW "; see `kontor topics apply`"

struct look {
    const struct processor *processor;
    const struct rd_kafka_metadata *metadata;
    struct topics *topics;
    struct error *error;
    bool wrong;
};

static const struct rd_kafka_metadata_topic *find(const struct look *look, const char *name) {
    for (int i = 0; i < look->metadata->topic_cnt; i++)
        if (strcmp(look->metadata->topics[i].topic, name) == 0) return &look->metadata->topics[i];
    return NULL;
}

static void wrong(struct look *look, const char *format, const char *topic, int found, int wanted) {
    if (look->wrong) return;
    look->wrong = true;
    char text[512];
    snprintf(text, sizeof text, "%s", format);
    error_set(look->error, "topic %s: %s (%d, expected %d)" HOW, topic, text, found, wanted);
}

/* Partition count; 0 and the complaint when it is not there. */
static int partitions_of(struct look *look, const char *name) {
    const struct rd_kafka_metadata_topic *topic = find(look, name);
    if (topic && topic->partition_cnt > 0) return topic->partition_cnt;
    if (!look->wrong) error_set(look->error, "topic %s does not exist" HOW, name);
    look->wrong = true;
    return 0;
}

void topics_inputs(const struct processor *processor, struct topics_inputs *inputs) {
    inputs->count = 0;
    snprintf(inputs->resolutions, TOPIC_NAME_MAXIMUM, "resolutions.%s", processor->name);
    snprintf(inputs->timers, TOPIC_NAME_MAXIMUM, "kontor.%s.timers", processor->name);
    for (; inputs->count < INPUTS_MAXIMUM && processor->inputs[inputs->count].topic; inputs->count++) inputs->names[inputs->count] = processor->inputs[inputs->count].topic;
    inputs->names[inputs->count++] = inputs->resolutions;
    inputs->names[inputs->count++] = inputs->timers;
}

static void check_inputs(struct look *look) {
    struct topics *topics = look->topics;
    struct topics_inputs inputs;
    topics_inputs(look->processor, &inputs);
    snprintf(topics->timers, sizeof topics->timers, "%s", inputs.timers);
    for (size_t i = 0; i < inputs.count; i++) {
        int count = partitions_of(look, inputs.names[i]);
        if (i == 0) topics->partition_count = count;
        else if (count && count != topics->partition_count) wrong(look, "all inputs need the same number of partitions", inputs.names[i], count, topics->partition_count);
    }
    int changelog = partitions_of(look, topics->changelog);
    if (changelog && changelog != topics->partition_count) look->wrong = !error_set(look->error, "%s has %d partitions, the inputs have %d: keys lie elsewhere than their state; `kontor rekey` moves it, and one that was stopped half way goes on; where there is no state, see `kontor topics apply`",
                                 topics->changelog, changelog, topics->partition_count);
    for (int i = 0; look->processor->tables[i] != END_OF_TABLES; i++) {
        char name[TOPIC_NAME_MAXIMUM];
        snprintf(name, sizeof name, "master.%s", master_tables[look->processor->tables[i]].name);
        int count = partitions_of(look, name);
        if (count > 1) wrong(look, "a master topic has one partition, so that its records have one order", name, count, 1);
    }
}

static void add_output(struct look *look, const char *name) {
    if (look->topics->output_count < TOPIC_NAMES_MAXIMUM) snprintf(look->topics->outputs[look->topics->output_count++], TOPIC_NAME_MAXIMUM, "%s", name);
}

/* Every topic <output>.<erp> makes an ERP known. */
static void add_per_erp(struct look *look, const char *output) {
    size_t length = strlen(output);
    struct topics *topics = look->topics;
    for (int i = 0; i < look->metadata->topic_cnt; i++) {
        const char *name = look->metadata->topics[i].topic;
        if (strncmp(name, output, length) != 0 || name[length] != '.') continue;
        add_output(look, name);
        size_t used = strlen(topics->erps);
        const char *erp = name + length + 1, *known = strstr(topics->erps, erp);
        bool there = known && (known == topics->erps || known[-1] == ',') && (known[strlen(erp)] == 0 || known[strlen(erp)] == ',');
        if (!there) snprintf(topics->erps + used, sizeof topics->erps - used, "%s%s", used ? "," : "", erp);
    }
    if (!topics->erps[0] && !look->wrong) look->wrong = !error_set(look->error, "no topic %s.<erp> exists, there is no ERP to post to" HOW, output);
}

static void visit_output(void *context, const char *topic, const struct codec_type *type, bool per_erp) {
    struct look *look = context;
    (void)type;
    if (per_erp) add_per_erp(look, topic);
    else if (!generation_number(topic, look->processor->name) && partitions_of(look, topic)) add_output(look, topic);
}

/* ---- configurations ---- */

static const char *entry_of(const rd_kafka_ConfigResource_t *resource, const char *name) {
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0) return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

static void check_timers(struct look *look, const rd_kafka_ConfigResource_t *resource) {
    static const struct { const char *setting, *value, *why; } wanted[] = {
        {"cleanup.policy", "delete", "a replay needs every tick"}, {"retention.ms", "-1", "a replay needs every tick"},
        {"message.timestamp.type", "LogAppendTime", "its records are ticks of the broker's time"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && !look->wrong; i++) {
        const char *found = entry_of(resource, wanted[i].setting);
        if (found && strcmp(found, wanted[i].value) != 0)
            look->wrong = !error_set(look->error, "topic %s has %s=%s, it must be %s: %s" HOW, look->topics->timers, wanted[i].setting, found, wanted[i].value, wanted[i].why);
    }
}

static void check_config(struct look *look, const rd_kafka_ConfigResource_t *resource) {
    const char *name = rd_kafka_ConfigResource_name(resource), *policy = entry_of(resource, "cleanup.policy");
    if (strcmp(name, look->topics->timers) == 0) {
        check_timers(look, resource);
        return;
    }
    const char *retention = entry_of(resource, "delete.retention.ms"), *stamp = entry_of(resource, "message.timestamp.type");
    bool changelog = strcmp(name, look->topics->changelog) == 0;
    int64_t age = retention ? strtoll(retention, NULL, 10) / 2 : 0;
    if (look->wrong) return;
    if (policy && strcmp(policy, "compact") != 0)
        look->wrong = !error_set(look->error, "topic %s has cleanup.policy=%s, it must be compact: records would be lost%s" HOW, name, policy, changelog ? " that the state is made of" : "");
    else if (changelog && stamp && strcmp(stamp, "LogAppendTime") != 0)
        look->wrong = !error_set(look->error, "topic %s has message.timestamp.type=%s, it must be LogAppendTime: the age of a state is the broker's time" HOW, name, stamp);
    int64_t *place = changelog ? &look->topics->state_maximum_age_ms : &look->topics->tables_maximum_age_ms;
    if (age > 0 && (*place == 0 || age < *place)) *place = age;
}

static enum topics_answer ask_configs(struct look *look, rd_kafka_t *client, int timeout_ms) {
    rd_kafka_ConfigResource_t *resources[MASTER_COUNT + 2];
    size_t count = 0;
    resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, look->topics->changelog);
    resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, look->topics->timers);
    for (int i = 0; look->processor->tables[i] != END_OF_TABLES; i++) {
        char name[TOPIC_NAME_MAXIMUM];
        snprintf(name, sizeof name, "master.%s", master_tables[look->processor->tables[i]].name);
        resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    }
    char why[128];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DescribeConfigs(client, resources, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 100);
    enum topics_answer answer = TOPICS_UNREACHABLE;
    if (event && !rd_kafka_event_error(event)) {
        size_t described;
        const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &described);
        for (size_t i = 0; i < described; i++) check_config(look, found[i]);
        answer = look->wrong ? TOPICS_WRONG : TOPICS_FINE;
    } else {
        error_set(look->error, "topics' configurations cannot be read: %s", event ? rd_kafka_event_error_string(event) : "no answer");
    }
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(resources, count);
    return answer;
}

/* Which changelog is the live one. Where another generation was made, the topic that says so must be there. */
static enum topics_answer find_generation(struct look *look, struct tail *tail, int timeout_ms) {
    struct generation generation;
    generation_first(&generation, look->processor->name);
    if (find(look, GENERATIONS_TOPIC)) switch (generations_read(tail, look->processor->name, timeout_ms, &generation, look->error)) {
    case GENERATION_FOUND: break;
    case GENERATION_UNREACHABLE: return TOPICS_UNREACHABLE;
    case GENERATION_WRONG: look->wrong = true; break;
    } else for (int i = 0; i < look->metadata->topic_cnt; i++)
        if (generation_number(look->metadata->topics[i].topic, look->processor->name) > 1)
            look->wrong = !error_set(look->error, "topic %s does not exist, but %s does: which changelog holds is not known; nothing is safe to read until it is restored",
                                     GENERATIONS_TOPIC, look->metadata->topics[i].topic);
    snprintf(look->topics->changelog, sizeof look->topics->changelog, "%s", generation.changelog);
    return TOPICS_FINE;
}

enum topics_answer topics_look(struct tail *tail, const struct processor *processor, int timeout_ms, struct topics *topics, struct error *error) {
    struct look look = {processor, NULL, topics, error, false};
    rd_kafka_t *client = tail_client(tail);
    memset(topics, 0, sizeof *topics);
    rd_kafka_poll(client, 0);
    rd_kafka_resp_err_t err = rd_kafka_metadata(client, 1, NULL, &look.metadata, timeout_ms);
    if (err) {
        error_set(error, "no broker answers: %s", rd_kafka_err2str(err));
        return TOPICS_UNREACHABLE;
    }
    const enum topics_answer answer = find_generation(&look, tail, timeout_ms);
    if (answer == TOPICS_FINE) check_inputs(&look);
    if (answer == TOPICS_FINE) engine_outputs(processor, visit_output, &look);
    rd_kafka_metadata_destroy(look.metadata);
    if (answer != TOPICS_FINE) return answer;
    if (look.wrong) return TOPICS_WRONG;
    char *cluster = rd_kafka_clusterid(client, timeout_ms);
    snprintf(topics->cluster, sizeof topics->cluster, "%s", cluster ? cluster : "");
    if (!cluster) return TOPICS_UNREACHABLE;
    rd_kafka_mem_free(client, cluster);
    return ask_configs(&look, client, timeout_ms);
}
