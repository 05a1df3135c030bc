/* chaos_tool: what the checkers of tests/chaos read beside the processors, with nothing of the runtime but the library clients.
 *
 *     chaos_tool fold BROKERS TOPIC         the changelog's newest values, read_committed: PARTITION KEY VALUE in hex, a line each
 *     chaos_tool dump FOLDER [PARTITION]    the same of the local states below FOLDER (of a stopped processor), and "about PARTITION HEX" of each
 *     chaos_tool ends BROKERS               of every partition: TOPIC PARTITION LAST-STABLE-OFFSET END
 *     chaos_tool behind BROKERS GROUP       of every committed partition of the group: TOPIC PARTITION COMMITTED LAST-STABLE-OFFSET
 *     chaos_tool read BROKERS TOPIC SIZE    every committed record, fetched SIZE bytes at a time: PARTITION OFFSET CRC of key and value
 *     chaos_tool large BROKERS TOPIC KEY BYTES TIMESTAMP   produces one record of BYTES bytes that are no event */
#include <dirent.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CALL_MS = 30000, PARTITIONS_MAXIMUM = 1024 };

static void must(bool fine, const char *what, const char *why) {
    if (fine) return;
    fprintf(stderr, "chaos_tool: %s: %s\n", what, why);
    exit(1);
}

static void print_hex(const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers, const char *const *properties) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    must(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why) == RD_KAFKA_CONF_OK, "bootstrap.servers", why);
    for (; *properties; properties += 2) must(rd_kafka_conf_set(conf, properties[0], properties[1], why, sizeof why) == RD_KAFKA_CONF_OK, properties[0], why);
    rd_kafka_t *made = rd_kafka_new(type, conf, why, sizeof why);
    must(made, "client", why);
    return made;
}

static rd_kafka_t *reader(const char *brokers, const char *group, const char *isolation, const char *fetch) {
    const char *const properties[] = {"group.id", group, "isolation.level", isolation, "enable.partition.eof", "true", "enable.auto.commit", "false",
                                      "fetch.wait.max.ms", "50", "fetch.message.max.bytes", fetch, NULL};
    return client(RD_KAFKA_CONSUMER, brokers, properties);
}

static const struct rd_kafka_metadata *metadata_of(rd_kafka_t *handle, const char *topic) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *one = topic ? rd_kafka_topic_new(handle, topic, NULL) : NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(handle, topic == NULL, one, &metadata, CALL_MS);
    must(!err, "metadata", rd_kafka_err2str(err));
    if (one) rd_kafka_topic_destroy(one);
    return metadata;
}

/* Calls visit for every committed record of the topic. */
static void read_all(const char *brokers, const char *topic, const char *fetch, void (*visit)(const rd_kafka_message_t *message)) {
    rd_kafka_t *handle = reader(brokers, "chaos.check", "read_committed", fetch);
    const struct rd_kafka_metadata *metadata = metadata_of(handle, topic);
    int count = metadata->topics[0].partition_cnt;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int p = 0; p < count; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    for (int ended = 0; ended < count;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, CALL_MS);
        must(message, topic, "nothing comes");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
        else {
            must(!message->err, topic, rd_kafka_message_errstr(message));
            visit(message);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(handle);
    rd_kafka_destroy(handle);
}

/* Not folded here: the reader of these lines keeps the newest of a key. "-": deleted. */
static void print_change(const rd_kafka_message_t *message) {
    printf("%" PRId32 " ", message->partition);
    print_hex(message->key, message->key_len);
    printf(" ");
    if (message->payload) print_hex(message->payload, message->len);
    else printf("-");
    printf("\n");
}

static void print_sum(const rd_kafka_message_t *message) {
    uLong sum = crc32(0, message->key, (uInt)message->key_len);
    printf("%" PRId32 " %" PRId64 " %08lx\n", message->partition, message->offset, crc32(sum, message->payload, (uInt)message->len));
}

static void print_database(MDB_txn *transaction, const char *name, const char *partition) {
    MDB_dbi database;
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_dbi_open(transaction, name, 0, &database);
    if (code == MDB_NOTFOUND) return;
    must(!code, name, mdb_strerror(code));
    must(!mdb_cursor_open(transaction, database, &cursor), name, "no cursor");
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (strcmp(name, "about") == 0) {
            printf("about %s ", partition);
            print_hex(value.mv_data, value.mv_size);
        } else {
            printf("%s ", partition);
            print_hex(key.mv_data, key.mv_size);
            printf(" ");
            print_hex(value.mv_data, value.mv_size);
        }
        printf("\n");
    }
    must(code == MDB_NOTFOUND, name, mdb_strerror(code));
    mdb_cursor_close(cursor);
}

static void dump_one(const char *folder, const char *partition) {
    char path[4096];
    MDB_env *environment;
    MDB_txn *transaction;
    snprintf(path, sizeof path, "%s/%s", folder, partition);
    must(!mdb_env_create(&environment), path, "no environment");
    mdb_env_set_maxdbs(environment, 4);
    int code = mdb_env_open(environment, path, MDB_RDONLY | MDB_NOLOCK, 0600);
    must(!code, path, mdb_strerror(code));
    code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction);
    must(!code, path, mdb_strerror(code));
    print_database(transaction, "about", partition);
    print_database(transaction, "records", partition);
    mdb_txn_abort(transaction);
    mdb_env_close(environment);
}

static void dump(const char *folder, const char *only) {
    struct dirent *entry;
    DIR *dir = opendir(folder);
    must(dir, folder, "cannot be read");
    while ((entry = readdir(dir)))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && (!only || strcmp(only, entry->d_name) == 0)) dump_one(folder, entry->d_name);
    closedir(dir);
}

static int64_t end_of(rd_kafka_t *handle, const char *topic, int32_t partition) {
    int64_t low, high;
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high, CALL_MS);
    must(!err, topic, rd_kafka_err2str(err));
    return high;
}

static void ends(const char *brokers) {
    rd_kafka_t *stable = reader(brokers, "chaos.check", "read_committed", "1048576"), *all = reader(brokers, "chaos.check", "read_uncommitted", "1048576");
    const struct rd_kafka_metadata *metadata = metadata_of(all, NULL);
    for (int t = 0; t < metadata->topic_cnt; t++)
        for (int p = 0; p < metadata->topics[t].partition_cnt; p++) {
            const char *topic = metadata->topics[t].topic;
            int64_t committed = end_of(stable, topic, p);
            printf("%s %d %" PRId64 " %" PRId64 "\n", topic, p, committed, end_of(all, topic, p));
        }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(stable);
    rd_kafka_destroy(all);
}

static void behind(const char *brokers, const char *group) {
    rd_kafka_t *handle = reader(brokers, group, "read_committed", "1048576");
    const struct rd_kafka_metadata *metadata = metadata_of(handle, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAXIMUM);
    for (int t = 0; t < metadata->topic_cnt; t++)
        for (int p = 0; p < metadata->topics[t].partition_cnt; p++)
            if (strncmp(metadata->topics[t].topic, "__", 2) != 0) rd_kafka_topic_partition_list_add(list, metadata->topics[t].topic, p);
    rd_kafka_resp_err_t err = rd_kafka_committed(handle, list, CALL_MS);
    must(!err, group, rd_kafka_err2str(err));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset >= 0)
            printf("%s %d %" PRId64 " %" PRId64 "\n", list->elems[i].topic, list->elems[i].partition, list->elems[i].offset, end_of(handle, list->elems[i].topic, list->elems[i].partition));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(handle);
}

static void large(const char *brokers, const char *topic, const char *key, size_t length, int64_t timestamp) {
    static const char *const properties[] = {"enable.idempotence", "true", "partitioner", "murmur2_random", "message.max.bytes", "33554432", NULL};
    rd_kafka_t *handle = client(RD_KAFKA_PRODUCER, brokers, properties);
    char *bytes = malloc(length);
    must(bytes, "memory", "out");
    for (size_t i = 0; i < length; i++) bytes[i] = (char)('!' + i * 7919 % 90);     /* no zero byte in front: never Avro of ours */
    rd_kafka_resp_err_t err = rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(bytes, length),
                                                RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    must(!err, topic, rd_kafka_err2str(err));
    err = rd_kafka_flush(handle, CALL_MS);
    must(!err, topic, rd_kafka_err2str(err));
    free(bytes);
    rd_kafka_destroy(handle);
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc == 4 && strcmp(verb, "fold") == 0) read_all(argv[2], argv[3], "1048576", print_change);
    else if ((argc == 3 || argc == 4) && strcmp(verb, "dump") == 0) dump(argv[2], argc == 4 ? argv[3] : NULL);
    else if (argc == 3 && strcmp(verb, "ends") == 0) ends(argv[2]);
    else if (argc == 4 && strcmp(verb, "behind") == 0) behind(argv[2], argv[3]);
    else if (argc == 5 && strcmp(verb, "read") == 0) read_all(argv[2], argv[3], argv[4], print_sum);
    else if (argc == 7 && strcmp(verb, "large") == 0) large(argv[2], argv[3], argv[4], strtoull(argv[5], NULL, 10), strtoll(argv[6], NULL, 10));
    else {
        fprintf(stderr, "usage: chaos_tool fold|dump|ends|behind|read|large ..., see the head of tests/chaos/chaos_tool.c\n");
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
