#include "common/runtime/producer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/fault.h"

enum {
    API_PRODUCE = 0, API_INIT_PRODUCER_ID = 22, API_ADD_PARTITIONS = 24, API_ADD_OFFSETS = 25, API_END_TRANSACTION = 26, API_COMMIT_OFFSETS = 28,
    API_COUNT = 32,
    TOPICS_MAXIMUM = 64,
    SLICE_MS = 100,             /* how often a wait looks up */
    QUICK_ABORT_MS = 500,
    METADATA_TIMEOUT_MS = 1000,
    FENCED_MAXIMUM = 6,         /* in a row, without a commit between */
    FENCED_PAUSE_MS = 100       /* doubled each time, up to 8 of them */
};

/* Requests of one client, by API. Its threads count; freed only after the client was destroyed. librdkafka 2.0.2 calls response_received twice for
 * requests with a reply queue and once for Produce, always before it repeats the request: that one ended with an error is what is relied on, the
 * difference of sent and answered counts for Produce alone. */
struct requests { atomic_int sent[API_COUNT], answered[API_COUNT], lost[API_COUNT]; };

struct producer_topic { const char *name; rd_kafka_topic_t *topic; };

struct producer {
    struct client_events events;    /* first: the clients' opaque */
    struct producer_options options;
    struct requests requests;
    rd_kafka_t *client;             /* NULL: to be made */
    struct producer_topic topics[TOPICS_MAXIMUM];
    size_t topic_count, last_topic;
    bool initialised, open, committing, offsets_sent, failed;
    int ends_before;                /* EndTxn requests that had left when the transaction began */
    int undelivered, unplaced;      /* delivery reports with an error; without the offset that was asked for */
    char delivery_error[128];
    int fenced;
    int64_t not_before_ms;
    struct error reason;            /* why it is not ready */
    struct producer_counts counts;
};

/* ---- what the client tells ---- */

static rd_kafka_resp_err_t request_sent(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id, int16_t api, int16_t version,
                                        int32_t correlation, size_t size, void *opaque) {
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)correlation, (void)size;
    struct requests *requests = opaque;
    if (api >= 0 && api < API_COUNT) atomic_fetch_add(&requests->sent[api], 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t request_ended(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id, int16_t api, int16_t version,
                                         int32_t correlation, size_t size, int64_t round_trip, rd_kafka_resp_err_t err, void *opaque) {
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)correlation, (void)size, (void)round_trip;
    struct requests *requests = opaque;
    if (api >= 0 && api < API_COUNT) atomic_fetch_add(err ? &requests->lost[api] : &requests->answered[api], 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t client_made(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text, size_t size) {
    (void)conf, (void)text, (void)size;
    rd_kafka_resp_err_t err = rd_kafka_interceptor_add_on_request_sent(client, "doubt", request_sent, opaque);
    return err ? err : rd_kafka_interceptor_add_on_response_received(client, "doubt", request_ended, opaque);
}

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    struct producer *producer = opaque;
    if (message->err) {
        if (producer->undelivered++ == 0)
            snprintf(producer->delivery_error, sizeof producer->delivery_error, "%s: %s", rd_kafka_topic_name(message->rkt),
                     rd_kafka_err2str(message->err));
        return;
    }
    struct delivery *delivery = message->_private;
    if (!delivery) return;
    if (message->offset < 0) {
        producer->unplaced++;
    } else if (message->offset > delivery->offset) {
        *delivery = (struct delivery){message->offset, rd_kafka_message_timestamp(message, NULL)};
    }
}

static void set_callbacks(rd_kafka_conf_t *conf, void *opaque) {
    struct producer *producer = opaque;
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);   /* without one every flush waits 10 ms */
    rd_kafka_conf_interceptor_add_on_new(conf, "doubt", client_made, &producer->requests);
}

/* ---- doubt ---- */

/* Whether a request that can act on a later transaction may still be on its way. */
static bool in_doubt(struct producer *producer) {
    static const struct { int api; const char *name; } acting[] = {
        {API_PRODUCE, "Produce"}, {API_INIT_PRODUCER_ID, "InitProducerId"}, {API_ADD_PARTITIONS, "AddPartitionsToTxn"},
        {API_ADD_OFFSETS, "AddOffsetsToTxn"}, {API_END_TRANSACTION, "EndTxn"}, {API_COMMIT_OFFSETS, "TxnOffsetCommit"}};
    struct requests *requests = &producer->requests;
    for (size_t i = 0; i < sizeof acting / sizeof *acting; i++) {
        if (atomic_load(&requests->lost[acting[i].api]) == 0) continue;
        error_set(&producer->reason, "a request (%s) ended without an answer", acting[i].name);
        return true;
    }
    int under_way = atomic_load(&requests->sent[API_PRODUCE]) - atomic_load(&requests->answered[API_PRODUCE]) - atomic_load(&requests->lost[API_PRODUCE]);
    if (under_way > 0) error_set(&producer->reason, "a request (Produce) is still under way");
    return under_way > 0;
}

static bool is_fenced(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED || err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
}

/* Frees the error. The producer is not used again: every error leaves something open. */
static enum step failed(struct producer *producer, const char *call, rd_kafka_error_t *error, struct abort_cause *cause) {
    rd_kafka_resp_err_t err = rd_kafka_error_code(error), fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
    char text[200];
    if (err == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_error_is_fatal(error)) fatal = rd_kafka_fatal_error(producer->client, text, sizeof text);
    if (is_fenced(err) || is_fenced(fatal)) {
        int doubled = producer->fenced < 3 ? producer->fenced : 3;
        producer->fenced++;
        producer->not_before_ms = clock_monotonic_ms() + ((int64_t)FENCED_PAUSE_MS << doubled);
    }
    error_set(&producer->reason, "%s: %s", call, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    producer->failed = true;
    if (producer->undelivered) return abort_because(cause, "%s; first undelivered record: %s", producer->reason.text, producer->delivery_error);
    return abort_because(cause, "%s", producer->reason.text);
}

/* ---- life of the client ---- */

static bool start_client(struct producer *producer, struct error *error) {
    char transaction_timeout[16];
    snprintf(transaction_timeout, sizeof transaction_timeout, "%d", producer->options.transaction_timeout_ms);
    const struct client_property usual[] = {
        {"linger.ms", "2"}, {"socket.nagle.disable", "true"}, {"compression.type", producer->options.compression},
        {"message.max.bytes", "4194304"}, {"queue.buffering.max.messages", "0"}, {"queue.buffering.max.kbytes", "2097151"}, /* the batch is the bound */
        {"socket.timeout.ms", "5000"}, {"socket.connection.setup.timeout.ms", "5000"}, {"retry.backoff.ms", "20"},
        {"reconnect.backoff.ms", "50"}, {"reconnect.backoff.max.ms", "1000"}, {NULL, NULL}};
    const bool once = !producer->options.at_least_once;
    const struct client_property fixed[] = {
        {"acks", "all"}, {"partitioner", "murmur2_random"}, /* Java's */ {"message.timeout.ms", transaction_timeout}, {"enable.idempotence", "true"},
        {once ? "transactional.id" : NULL, producer->options.transactional_id}, {"transaction.timeout.ms", transaction_timeout}, {NULL, NULL}};
    producer->requests = (struct requests){0};
    struct client_options options = {RD_KAFKA_PRODUCER, producer->options.settings, usual, fixed, &producer->events, set_callbacks, producer, true};
    return client_new(&producer->client, &options, error);
}

static void stop_client(struct producer *producer) {
    if (!producer->client) return;
    rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(producer->client, 0);     /* the purged records' reports, while their deliveries still live */
    for (size_t i = 0; i < producer->topic_count; i++) rd_kafka_topic_destroy(producer->topics[i].topic);
    producer->topic_count = producer->last_topic = 0;
    rd_kafka_destroy(producer->client);
    producer->client = NULL;
    producer->initialised = producer->open = producer->committing = producer->offsets_sent = producer->failed = false;
    producer->undelivered = producer->unplaced = 0;
}

bool producer_open(struct producer **result, const struct producer_options *options, struct error *error) {
    if (options->transaction_timeout_ms > PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS)
        return error_set(error, "a transaction time-out of %d ms is over %d ms: a dead instance would block its readers too long",
                         options->transaction_timeout_ms, PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS);
    struct producer *producer = calloc(1, sizeof *producer);
    if (!producer) return error_set(error, "out of memory");
    producer->options = *options;
    producer->events.role = "producer";
    if (!start_client(producer, error)) {
        free(producer);
        return false;
    }
    error_set(&producer->reason, "not initialised yet");
    *result = producer;
    return true;
}

static bool hurried(const struct producer *producer) { return producer->options.hurried && producer->options.hurried(); }

/* Aborts the open transaction quickly, so that the next init_transactions need not wait for the broker to do it. Never after a commit was asked for:
 * that one may have won. */
static void abort_quickly(struct producer *producer) {
    if (!producer->open || producer->committing || client_is_unreachable(&producer->events) || hurried(producer)) return;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(producer->client, QUICK_ABORT_MS);
    if (error) rd_kafka_error_destroy(error);
}

void producer_close(struct producer *producer) {
    if (!producer) return;
    if (producer->client) abort_quickly(producer);
    stop_client(producer);
    free(producer);
}

void producer_discard(struct producer *producer) {
    if (!producer->client) return;
    abort_quickly(producer);
    if (producer->open) producer->counts.discarded++;
    stop_client(producer);
}

/* ---- becoming ready ---- */

static rd_kafka_topic_t *topic_of(struct producer *producer, const char *name) {
    if (producer->last_topic < producer->topic_count && producer->topics[producer->last_topic].name == name)
        return producer->topics[producer->last_topic].topic;
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (producer->topics[i].name != name) continue;
        producer->last_topic = i;
        return producer->topics[i].topic;
    }
    if (producer->topic_count == TOPICS_MAXIMUM) return NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->client, name, NULL);
    if (topic) producer->topics[producer->topic_count++] = (struct producer_topic){name, topic};
    return topic;
}

/* Without it the first record of a topic waits up to a second for librdkafka's regular look at topics it does not know. */
static void fetch_metadata(struct producer *producer) {
    for (size_t i = 0; i < producer->options.topic_count; i++) topic_of(producer, producer->options.topics[i]);
    if (producer->topic_count == 0) return;
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(producer->client, 0, NULL, &metadata, METADATA_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
}

static enum producer_state waiting(struct producer *producer, const char *what) {
    error_set(&producer->reason, "%s", what);
    return PRODUCER_WAITING;
}

static bool is_refused(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED || err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || err == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT ||
           err == RD_KAFKA_RESP_ERR__AUTHENTICATION;
}

static enum producer_state not_initialised(struct producer *producer, rd_kafka_error_t *error, struct fatal_cause *fatal) {
    rd_kafka_resp_err_t err = rd_kafka_error_code(error);
    bool again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error);
    struct abort_cause cause;
    if (again) {        /* librdkafka goes on in the background */
        char text[200];
        snprintf(text, sizeof text, "init_transactions: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return waiting(producer, text);
    }
    failed(producer, "init_transactions", error, &cause);
    if (is_refused(err)) {
        fatal_because(fatal, EXIT_RUN, "the broker refuses transactional.id %s: %s", producer->options.transactional_id, producer->reason.text);
        return PRODUCER_FAILED;
    }
    stop_client(producer);
    if (producer->not_before_ms < clock_monotonic_ms()) producer->not_before_ms = clock_monotonic_ms() + FENCED_PAUSE_MS;
    return PRODUCER_WAITING;
}

/* Fenced: by a transaction that the broker timed out, or by a twin. A twin also takes our place in the group, which tells it apart (consumer.h); should it
 * not be in the group, this is the bound. */
static bool fenced_too_often(struct producer *producer, struct fatal_cause *fatal) {
    if (producer->fenced <= FENCED_MAXIMUM) return false;
    fatal_because(fatal, EXIT_TWIN, "fenced %d times in a row: another process uses transactional.id %s; give each instance its own instance.name", producer->fenced,
                  producer->options.transactional_id);
    return true;
}

enum producer_state producer_prepare(struct producer *producer, int timeout_ms, struct fatal_cause *fatal) {
    if (producer->client && (producer->failed || (producer->initialised && in_doubt(producer)))) {
        log_info_with("producer_renewed", LOG_FIELDS(LOG_TEXT("transactional_id", producer->options.transactional_id)), "%s: renewing the producer",
                      producer->reason.text);
        stop_client(producer);
    }
    if (!producer->client) {
        if (fenced_too_often(producer, fatal)) return PRODUCER_FAILED;
        if (clock_monotonic_ms() < producer->not_before_ms) return PRODUCER_WAITING;
        struct error error;
        if (!start_client(producer, &error)) return waiting(producer, error.text);
        producer->counts.renewed++;
    }
    if (!producer->initialised) {
        rd_kafka_error_t *error = producer->options.at_least_once ? NULL : rd_kafka_init_transactions(producer->client, timeout_ms);
        rd_kafka_poll(producer->client, 0);
        if (error) return not_initialised(producer, error, fatal);
        client_reached(&producer->events);
        producer->initialised = true;
        fetch_metadata(producer);
        if (in_doubt(producer)) return PRODUCER_WAITING;    /* the next call renews */
    }
    producer->reason.text[0] = 0;
    return PRODUCER_READY;
}

const char *producer_reason(const struct producer *producer) { return producer->reason.text; }

/* ---- a transaction ---- */

enum step producer_begin(struct producer *producer, struct abort_cause *abort) {
    rd_kafka_error_t *error = producer->options.at_least_once ? NULL : rd_kafka_begin_transaction(producer->client);
    if (error) return failed(producer, "begin_transaction", error, abort);
    producer->open = true;
    producer->committing = producer->offsets_sent = false;
    producer->ends_before = atomic_load(&producer->requests.sent[API_END_TRANSACTION]);
    FAULT_POINT("after-begin");
    return STEP_DONE;
}

static rd_kafka_headers_t *headers_of(const struct engine_output *output) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(output->header_count);
    for (size_t i = 0; i < output->header_count; i++) {
        const struct record_header *header = &output->headers[i];
        rd_kafka_header_add(headers, header->name, -1, header->value.data, (ssize_t)header->value.length);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(rd_kafka_topic_t *topic, rd_kafka_t *client, const struct engine_output *output, struct delivery *delivery) {
    void *value = (void *)(uintptr_t)output->value.data;
    if (output->header_count == 0 && output->timestamp_ms == 0) {
        int refused = rd_kafka_produce(topic, output->partition, 0, value, output->value.length, output->key.data, output->key.length, delivery);
        return refused ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_headers_t *headers = headers_of(output);
    rd_kafka_resp_err_t err =
        rd_kafka_producev(client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(output->partition), RD_KAFKA_V_MSGFLAGS(0),
                          RD_KAFKA_V_VALUE(value, output->value.length), RD_KAFKA_V_KEY(output->key.data, output->key.length),
                          RD_KAFKA_V_TIMESTAMP(output->timestamp_ms), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(delivery), RD_KAFKA_V_END);
    if (err) rd_kafka_headers_destroy(headers);
    return err;
}

enum step producer_send(struct producer *producer, const struct engine_output *output, struct delivery *delivery, struct abort_cause *abort) {
    rd_kafka_topic_t *topic = topic_of(producer, output->topic);
    if (!topic) {
        producer->failed = true;
        return abort_because(abort, "topic %s: %s", output->topic, rd_kafka_err2str(rd_kafka_last_error()));
    }
    int64_t deadline = clock_monotonic_ms() + producer->options.call_timeout_ms;
    for (;;) {
        rd_kafka_resp_err_t err = produce(topic, producer->client, output, delivery);
        if (!err) break;
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL || clock_monotonic_ms() > deadline || hurried(producer)) {
            producer->failed = true;
            return abort_because(abort, "producing to %s: %s", output->topic, rd_kafka_err2str(err));
        }
        rd_kafka_poll(producer->client, 10);
    }
    FAULT_POINT("after-produce");
    return STEP_DONE;
}

enum step producer_send_offsets(struct producer *producer, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *group, struct abort_cause *abort) {
    if (producer->offsets_sent || offsets->cnt == 0) {
        producer->failed = true;    /* a second one could lose to a late copy of the first; none would not be fenced by the group */
        return abort_because(abort, "offsets are sent once in a transaction, and at least one");
    }
    producer->offsets_sent = true;
    if (producer->options.at_least_once) return STEP_DONE;
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(producer->client, offsets, group, producer->options.call_timeout_ms);
    return error ? failed(producer, "send_offsets_to_transaction", error, abort) : STEP_DONE;
}

/* Every record of the batch is with the broker, or an error. */
static rd_kafka_error_t *flush(struct producer *producer) {
    rd_kafka_resp_err_t err = rd_kafka_flush(producer->client, producer->options.call_timeout_ms);
    return err ? rd_kafka_error_new(err, "flush: %s", rd_kafka_err2str(err)) : NULL;
}

enum commit_outcome producer_commit(struct producer *producer, struct abort_cause *cause) {
    int64_t deadline = clock_monotonic_ms() + producer->options.call_timeout_ms;
    rd_kafka_error_t *error;
    producer->committing = true;
    for (;;) {
        error = producer->options.at_least_once ? flush(producer) : rd_kafka_commit_transaction(producer->client, SLICE_MS);
        bool again = error && rd_kafka_error_is_retriable(error) && clock_monotonic_ms() < deadline && !hurried(producer);
        if (!again) break;
        rd_kafka_error_destroy(error);
    }
    rd_kafka_poll(producer->client, 0);
    if (error) {
        bool asked = atomic_load(&producer->requests.sent[API_END_TRANSACTION]) > producer->ends_before;
        bool abortable = rd_kafka_error_txn_requires_abort(error);
        if (abortable && !asked) producer->committing = false;
        failed(producer, "commit_transaction", error, cause);
        if (abortable && !asked) return COMMIT_ABORTED;
        producer->counts.unknown++;
        return COMMIT_UNKNOWN;
    }
    producer->open = producer->committing = false;
    if (producer->unplaced || producer->undelivered) {
        producer->failed = true;
        producer->counts.unknown++;
        error_set(&producer->reason, "committed, but %d records were delivered without telling their offset", producer->unplaced);
        abort_because(cause, "%s", producer->reason.text);
        return COMMIT_UNKNOWN;
    }
    producer->fenced = 0;
    producer->counts.committed++;
    client_reached(&producer->events);
    return COMMIT_DONE;
}

struct producer_counts producer_counts(const struct producer *producer) { return producer->counts; }

const struct client_statistics *producer_statistics(const struct producer *producer) { return &producer->events.statistics; }
