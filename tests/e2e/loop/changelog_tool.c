/* changelog_tool: what may become of a changelog topic while nobody looks. It reads the records of every partition, committed ones, and writes them again.
 *
 *     changelog_tool BROKERS TOPIC moved      behind the log's start, which has moved over the old ones
 *     changelog_tool BROKERS TOPIC headless   the same without the first record of each partition
 *     changelog_tool BROKERS TOPIC new        in a topic that was deleted and made anew, under another id and up to the old end at least, so that no offset tells
 *     changelog_tool BROKERS TOPIC new FROM TO   ... with this in its headers instead of that, texts of one length
 *     changelog_tool BROKERS TOPIC retention MS  nothing is written: delete.retention.ms */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/state/state.h"
#include "tests/e2e/loop/counter_check.h"

enum { PARTITIONS_MAXIMUM = 64, CALL_MS = 20000 };

struct record { int32_t partition; char *key, *value; size_t key_length, value_length; };
static struct { struct record *items; size_t count, capacity; int partitions; int64_t ends[PARTITIONS_MAXIMUM]; } log_kept;

static char *copy_of(const void *bytes, size_t length) {
    char *copy = malloc(length + 1);
    must(copy, "memory", "out");
    if (length) memcpy(copy, bytes, length);
    return copy;
}

static void keep(const rd_kafka_message_t *message) {
    if (log_kept.count == log_kept.capacity) {
        log_kept.capacity = log_kept.capacity ? log_kept.capacity * 2 : 1024;
        log_kept.items = realloc(log_kept.items, log_kept.capacity * sizeof *log_kept.items);
        must(log_kept.items, "memory", "out");
    }
    log_kept.items[log_kept.count++] = (struct record){message->partition, copy_of(message->key, message->key_len), message->payload ? copy_of(message->payload, message->len) : NULL,
                                                       message->key_len, message->len};
}

static void read_all(const char *brokers, const char *topic) {
    rd_kafka_t *reader = reader_open(brokers, topic, &log_kept.partitions, false);
    must(log_kept.partitions <= PARTITIONS_MAXIMUM, topic, "too many partitions");
    for (int ended = 0; ended < log_kept.partitions;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, CALL_MS);
        must(message, topic, "nothing comes");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
        else {
            must(!message->err, topic, rd_kafka_message_errstr(message));
            keep(message);
        }
        rd_kafka_message_destroy(message);
    }
    for (int p = 0; p < log_kept.partitions; p++) {
        int64_t low;
        rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(reader, topic, p, &low, &log_kept.ends[p], CALL_MS);
        must(!err, topic, rd_kafka_err2str(err));
    }
    rd_kafka_destroy(reader);
}

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client, (void)opaque;
    must(!message->err, "delivery", rd_kafka_err2str(message->err));
}

static rd_kafka_t *writer_open(const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    must(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why) == RD_KAFKA_CONF_OK, "bootstrap.servers", why);
    must(rd_kafka_conf_set(conf, "enable.idempotence", "true", why, sizeof why) == RD_KAFKA_CONF_OK, "enable.idempotence", why);
    must(rd_kafka_conf_set(conf, "queue.buffering.max.messages", "2000000", why, sizeof why) == RD_KAFKA_CONF_OK, "queue", why);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    must(client, "producer", why);
    return client;
}

/* ---- taking away ---- */

static const char *properties[][2] = {{"delete.retention.ms", "604800000"}, {"message.timestamp.type", "LogAppendTime"}};

static void set_policy(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic, const char *policy) {
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, "cleanup.policy", policy);
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) rd_kafka_ConfigResource_set_config(resource, properties[i][0], properties[i][1]);
    rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    must(event && !rd_kafka_event_error(event), "AlterConfigs", event ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    const rd_kafka_ConfigResource_t **altered = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &count);
    must(count == 1 && !rd_kafka_ConfigResource_error(altered[0]), "AlterConfigs", rd_kafka_ConfigResource_error_string(altered[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
}

static rd_kafka_resp_err_t delete_records(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic) {
    rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_new(log_kept.partitions);
    for (int p = 0; p < log_kept.partitions; p++) rd_kafka_topic_partition_list_add(before, topic, p)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(before);
    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    must(event && !rd_kafka_event_error(event), "DeleteRecords", event ? rd_kafka_event_error_string(event) : "no answer");
    const rd_kafka_topic_partition_list_t *moved = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < moved->cnt && !err; i++) err = moved->elems[i].err;
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(before);
    return err;
}

/* A broker lets nobody delete records of a topic that is only compacted, and hears of another policy a little later. */
static void move_start(rd_kafka_t *client, const char *topic) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    int64_t deadline_ms = clock_monotonic_ms() + CALL_MS;
    rd_kafka_resp_err_t err;
    set_policy(client, queue, topic, "delete");
    while ((err = delete_records(client, queue, topic)) && clock_monotonic_ms() < deadline_ms) rd_kafka_poll(client, 100);
    must(!err, "DeleteRecords", rd_kafka_err2str(err));
    set_policy(client, queue, topic, "compact");
    rd_kafka_queue_destroy(queue);
}

static void delete_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic) {
    rd_kafka_DeleteTopic_t *request = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(client, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    must(event && !rd_kafka_event_error(event), "DeleteTopics", event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(request);
}

static rd_kafka_resp_err_t create_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic) {
    char why[256];
    rd_kafka_NewTopic_t *request = rd_kafka_NewTopic_new(topic, log_kept.partitions, 1, why, sizeof why);
    rd_kafka_NewTopic_set_config(request, "cleanup.policy", "compact");
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) rd_kafka_NewTopic_set_config(request, properties[i][0], properties[i][1]);
    rd_kafka_CreateTopics(client, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    must(event && !rd_kafka_event_error(event), "CreateTopics", event ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(request);
    return err;
}

static void make_anew(rd_kafka_t *client, const char *topic) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    int64_t deadline_ms = clock_monotonic_ms() + CALL_MS;
    delete_topic(client, queue, topic);
    rd_kafka_resp_err_t err;
    while ((err = create_topic(client, queue, topic)) && clock_monotonic_ms() < deadline_ms) rd_kafka_poll(client, 100);
    must(!err, topic, rd_kafka_err2str(err));
    rd_kafka_queue_destroy(queue);
}

/* ---- writing again ---- */

static bool is_header(const struct record *record) { return record->key_length == 7 && memcmp(record->key, "\0header", 7) == 0; }

/* Another id of the same length; and what else is to be changed. */
static void change_header(struct record *record, const char *from, const char *to) {
    char *place = from ? memmem(record->value, record->value_length, from, strlen(from)) : NULL;
    must(!from || (place && strlen(from) == strlen(to)), "header", "does not have that text");
    if (place) memcpy(place, to, strlen(to));
    char *last = &record->value[record->value_length - 1];
    *last = *last == '0' ? '1' : '0';
    state_seal(record->value, record->value_length, (struct slice){record->key, record->key_length}, 0);
}

static void write_one(rd_kafka_t *client, const char *topic, const struct record *record) {
    rd_kafka_resp_err_t err = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(record->partition), RD_KAFKA_V_KEY(record->key, record->key_length),
                                                RD_KAFKA_V_VALUE(record->value, record->value_length), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    must(!err, topic, rd_kafka_err2str(err));
}

static void write_all(rd_kafka_t *client, const char *topic, bool with_headers, bool to_the_old_end) {
    const struct record *last[PARTITIONS_MAXIMUM] = {0};
    int64_t written[PARTITIONS_MAXIMUM] = {0};
    for (size_t i = 0; i < log_kept.count; i++) {
        if (!with_headers && is_header(&log_kept.items[i])) continue;
        write_one(client, topic, &log_kept.items[i]);
        last[log_kept.items[i].partition] = &log_kept.items[i];
        written[log_kept.items[i].partition]++;
    }
    for (int p = 0; to_the_old_end && p < log_kept.partitions; p++)
        for (; last[p] && written[p] < log_kept.ends[p]; written[p]++) write_one(client, topic, last[p]);
    must(!rd_kafka_flush(client, 60000), "flush", "not delivered");
}

int main(int argc, char **argv) {
    const char *mode = argc >= 4 ? argv[3] : "";
    if (strcmp(mode, "retention") == 0 && argc == 5) {
        rd_kafka_t *admin = writer_open(argv[1]);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
        properties[0][1] = argv[4];
        set_policy(admin, queue, argv[2], "compact");
        rd_kafka_queue_destroy(queue);
        rd_kafka_destroy(admin);
        return 0;
    }
    bool anew = strcmp(mode, "new") == 0, headless = strcmp(mode, "headless") == 0;
    if (!(anew && (argc == 4 || argc == 6)) && !(argc == 4 && (headless || strcmp(mode, "moved") == 0))) {
        fprintf(stderr, "usage: changelog_tool BROKERS TOPIC moved|headless|new [FROM TO]|retention MS\n");
        return 2;
    }
    read_all(argv[1], argv[2]);
    rd_kafka_t *client = writer_open(argv[1]);
    if (anew) make_anew(client, argv[2]);
    else {
        write_all(client, argv[2], true, false);    /* what is deleted reaches further than any state has read */
        move_start(client, argv[2]);
    }
    for (size_t i = 0; anew && i < log_kept.count; i++)
        if (is_header(&log_kept.items[i])) change_header(&log_kept.items[i], argc == 6 ? argv[4] : NULL, argc == 6 ? argv[5] : NULL);
    write_all(client, argv[2], !headless, anew);
    rd_kafka_destroy(client);
    printf("%zu records of %d partitions\n", log_kept.count, log_kept.partitions);
    return 0;
}
