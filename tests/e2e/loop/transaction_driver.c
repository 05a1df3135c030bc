/* transaction_driver: runs transactions step by step as a test says, through kontor's producer or through plain librdkafka used as its manual says, to
 * show that the second goes wrong where the first does not.
 *
 *     transaction_driver ours|naive BROKERS TRANSACTIONAL_ID GROUP TOPIC SOCKET_TIMEOUT_MS DIRECT_BROKERS
 *
 * One command a line on standard input, one line of answer: prepare, begin, send VALUE, offset N, commit, abort, flush (naive), renewals; and, asked of the broker
 * directly, values (committed ones in TOPIC), committed (the group's offset of TOPIC/0). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/runtime/producer.h"
#include "tests/e2e/loop/counter_check.h"

static const char *topic, *group;
static char kept[256][64];      /* values live until the transaction's end */
static int kept_count;

/* ---- ours ---- */

static struct producer *ours;
static struct client_settings settings;

static const char *answer_of(enum step step, const struct abort_cause *cause) { return step == STEP_DONE ? "ok" : cause->error.text; }

static const char *prepare_ours(void) {
    struct fatal_cause fatal;
    int64_t deadline = clock_monotonic_ms() + 30000;
    while (clock_monotonic_ms() < deadline) {
        enum producer_state state = producer_prepare(ours, 200, &fatal);
        if (state == PRODUCER_READY) return "ok";
        if (state == PRODUCER_FAILED) break;
    }
    return "not ready";
}

static const char *send_ours(const char *value, struct abort_cause *cause) {
    const struct engine_output output = {.topic = topic, .partition = 0, .key = SLICE("key"), .value = slice_of(value)};
    return answer_of(producer_send(ours, &output, NULL, cause), cause);
}

static const char *offset_ours(const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *metadata, struct abort_cause *cause) {
    return answer_of(producer_send_offsets(ours, offsets, metadata, cause), cause);
}

static const char *commit_ours(struct abort_cause *cause) {
    static const char *const names[] = {[COMMIT_DONE] = "ok", [COMMIT_ABORTED] = "aborted", [COMMIT_UNKNOWN] = "unknown"};
    enum commit_outcome outcome = producer_commit(ours, cause);
    if (outcome != COMMIT_DONE) producer_discard(ours);
    return names[outcome];
}

/* ---- naive: abort when told to, repeat when told to ---- */

static rd_kafka_t *naive;

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) { (void)client, (void)message, (void)opaque; }

static void open_naive(const char *brokers, const char *transactional_id, const char *socket_timeout) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const values[][2] = {{"bootstrap.servers", brokers}, {"transactional.id", transactional_id}, {"linger.ms", "1"},
                                     {"transaction.timeout.ms", "15000"}, {"socket.timeout.ms", socket_timeout}, {"reconnect.backoff.max.ms", "200"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        must(rd_kafka_conf_set(conf, values[i][0], values[i][1], why, sizeof why) == RD_KAFKA_CONF_OK, values[i][0], why);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    naive = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    must(naive, "producer", why);
    rd_kafka_error_t *error = rd_kafka_init_transactions(naive, 30000);
    must(!error, "init_transactions", rd_kafka_error_string(error));
}

/* As a program whose supervisor starts it again after a fatal error. */
static const char *prepare_naive(char *const *arguments) {
    char text[256];
    if (rd_kafka_fatal_error(naive, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR) return "ok";
    rd_kafka_destroy(naive);
    open_naive(arguments[2], arguments[3], arguments[6]);
    return "ok";
}

static const char *after(rd_kafka_error_t *error) {
    static char text[256];
    if (!error) return "ok";
    snprintf(text, sizeof text, "%s%s", rd_kafka_error_name(error), rd_kafka_error_is_fatal(error) ? " fatal" : "");
    rd_kafka_error_destroy(error);
    return text;
}

static const char *end_naive(rd_kafka_error_t *(*end)(rd_kafka_t *, int)) {
    for (int i = 0; i < 10; i++) {
        rd_kafka_error_t *error = end(naive, 10000);
        if (!error || !rd_kafka_error_is_retriable(error)) return after(error);
        rd_kafka_error_destroy(error);
    }
    return "no end";
}

static const char *send_naive(const char *value) {
    return rd_kafka_err2name(rd_kafka_producev(naive, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY("key", 3), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                                               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END));
}

/* ---- asked of the broker ---- */

static void print_values(const char *brokers) {
    int partitions;
    rd_kafka_t *reader = reader_open(brokers, topic, &partitions, false);
    for (int ended = 0; ended < partitions;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 20000);
        must(message, topic, "nothing comes");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
        else printf("%.*s ", (int)message->len, (const char *)message->payload);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(reader);
    printf("\n");
}

static void print_committed(const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
    rd_kafka_conf_set(conf, "group.id", group, why, sizeof why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    must(client, "consumer", why);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0);
    rd_kafka_resp_err_t err = rd_kafka_committed(client, list, 20000);
    if (err) printf("%s\n", rd_kafka_err2name(err));
    else printf("%lld\n", (long long)(list->elems[0].offset < 0 ? 0 : list->elems[0].offset));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

/* ---- commands ---- */

static const char *offset(int64_t position, struct abort_cause *cause) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = position;
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
    const char *answer = ours ? offset_ours(offsets, metadata, cause) : after(rd_kafka_send_offsets_to_transaction(naive, offsets, metadata, 10000));
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(offsets);
    return answer;
}

static const char *run(const char *command, const char *argument, char *const *arguments) {
    static struct abort_cause cause;
    if (strcmp(command, "prepare") == 0) return ours ? prepare_ours() : prepare_naive(arguments);
    if (strcmp(command, "begin") == 0) return ours ? answer_of(producer_begin(ours, &cause), &cause) : after(rd_kafka_begin_transaction(naive));
    if (strcmp(command, "send") == 0) {
        char *value = kept[kept_count++ % 256];
        snprintf(value, sizeof kept[0], "%s", argument);
        return ours ? send_ours(value, &cause) : send_naive(value);
    }
    if (strcmp(command, "offset") == 0) return offset(atoll(argument), &cause);
    if (strcmp(command, "commit") == 0) return ours ? commit_ours(&cause) : end_naive(rd_kafka_commit_transaction);
    if (strcmp(command, "abort") == 0) return ours ? (producer_discard(ours), "ok") : end_naive(rd_kafka_abort_transaction);
    if (strcmp(command, "flush") == 0 && naive) return rd_kafka_err2name(rd_kafka_flush(naive, 10000));
    if (strcmp(command, "renewals") == 0) {
        static char text[32];
        snprintf(text, sizeof text, "%lld", ours ? (long long)producer_counts(ours).renewed : 0LL);
        return text;
    }
    return "unknown command";
}

int main(int argc, char **argv) {
    struct error error;
    if (argc != 8) return 2;
    group = argv[4], topic = argv[5];
    if (strcmp(argv[1], "ours") == 0) {
        must(client_settings_add(&settings, "bootstrap.servers", argv[2], &error) && client_settings_add(&settings, "socket.timeout.ms", argv[6], &error), "settings", error.text);
        const struct producer_options options = {&settings, argv[3], 15000, 10000, "none", &topic, 1, NULL, false};
        must(producer_open(&ours, &options, &error), "producer", error.text);
    } else open_naive(argv[2], argv[3], argv[6]);
    char line[256];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *argument = strchr(line, ' ');
        if (argument) *argument++ = 0;
        if (strcmp(line, "values") == 0) print_values(argv[7]);
        else if (strcmp(line, "committed") == 0) print_committed(argv[7]);
        else printf("%s\n", run(line, argument ? argument : "", argv));
    }
    producer_close(ours);
    if (naive) rd_kafka_destroy(naive);
    return 0;
}
