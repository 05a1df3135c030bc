#include "common/runtime/settings.h"

#include <stdio.h>
#include <string.h>

#include "common/platform/http.h"
#include "common/platform/log.h"
#include "common/runtime/producer.h"

#define MINUTE_MS (60 * 1000)
#define DAY_MS (24LL * 60 * MINUTE_MS)

static const struct config_key common_keys[] = {
    {.name = "instance.name", .help = "name of this instance, for good: one process at a time. Gives the transactional.id, the place in the group and the state's lock"},
    {.name = "state.dir", .help = "folder for this instance's states and tables; what is in it can be rebuilt from Kafka"},
    {.name = "kafka.bootstrap.servers", .help = "brokers, HOST:PORT separated by commas. Any kafka.NAME goes to librdkafka as NAME; kafka.producer.NAME and kafka.consumer.NAME to one kind of client"},
    {.name = "kafka.sasl.password", .fallback = "", .help = "password for SASL", .secret = true},
    {.name = "kafka.ssl.key.password", .fallback = "", .help = "password of the client's TLS key", .secret = true},
    {.name = "registry.url", .fallback = "http://127.0.0.1:8081/apis/ccompat/v7", .help = "schema registry, Confluent API; several separated by commas"},
    {.name = "registry.user", .fallback = "", .help = "user for basic authentication"},
    {.name = "registry.password", .fallback = "", .help = "its password", .secret = true},
    {.name = "registry.ca.file", .fallback = "", .help = "PEM file of the authority that the registry's certificate is checked with; empty: the system's"},
    {.name = "registry.certificate.file", .fallback = "", .help = "PEM file of the client's certificate"},
    {.name = "registry.key.file", .fallback = "", .help = "PEM file of its key"},
    {.name = "registry.timeout.ms", .fallback = "2000", .help = "longest that one question to the registry may take", .kind = CONFIG_DURATION_MS, .minimum = 100, .maximum = 8000},
    {.name = "metrics.listen", .fallback = HTTP_LISTEN_DEFAULT, .help = "HOST:PORT of /metrics, /healthz and /readyz"},
    {.name = "log.level", .fallback = "info", .help = "least that is logged", .kind = CONFIG_CHOICE, .choices = LOG_LEVEL_CHOICES},
    {.name = "log.format", .fallback = "json", .help = "how lines look", .kind = CONFIG_CHOICE, .choices = LOG_FORMAT_CHOICES},
    {.name = "batch.max.records", .fallback = "7500", .help = "most records of one transaction", .kind = CONFIG_INTEGER, .minimum = 1, .maximum = 1000000},
    {.name = "batch.max.bytes", .fallback = "8MiB", .help = "most bytes of the records of one transaction", .kind = CONFIG_BYTES, .minimum = 1024, .maximum = 1 << 30},
    {.name = "batch.max.ms", .fallback = "150", .help = "longest that a batch is collected under load; a lone record is committed at once", .kind = CONFIG_DURATION_MS, .minimum = 1, .maximum = 5000},
    {.name = "batch.memory", .fallback = "64MiB", .help = "memory for decoded records and outputs of one transaction; past half of it the transaction is committed", .kind = CONFIG_BYTES, .minimum = 1 << 20, .maximum = 4LL << 30},
    {.name = "commit.gap.ms", .fallback = "3", .help = "least time between two transactions: the broker still writes the last one's markers", .kind = CONFIG_DURATION_MS, .maximum = 1000},
    {.name = "compression", .fallback = "lz4", .help = "of what is produced", .kind = CONFIG_CHOICE, .choices = "none gzip snappy lz4 zstd"},
    {.name = "transaction.timeout.ms", .fallback = "15000", .help = "after that the broker aborts a dead instance's transaction; its readers wait as long", .kind = CONFIG_DURATION_MS, .minimum = 6000, .maximum = PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS},
    {.name = "transaction.call.timeout.ms", .fallback = "10000", .help = "longest that one step of a transaction waits for the broker", .kind = CONFIG_DURATION_MS, .minimum = 1000, .maximum = PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS},
    {.name = "session.timeout.ms", .fallback = "8000", .help = "after that the group gives a silent instance's partitions to others", .kind = CONFIG_DURATION_MS, .minimum = 1000, .maximum = 300000},
    {.name = "leave.on.stop", .fallback = "false", .help = "leave the group when stopped, to scale down; otherwise the place is kept for session.timeout.ms", .kind = CONFIG_BOOLEAN},
    {.name = "parking.limit", .fallback = "30d", .help = "how long an event waits for data before a person must decide, where the rule names no time", .kind = CONFIG_DURATION_MS, .minimum = 1000, .maximum = 3660LL * DAY_MS},
    {.name = "timers.interval", .fallback = "1m", .help = "least time between two ticks of the broker's time for a task where something waits; limits end in a quiet partition too, up to about so much later", .kind = CONFIG_DURATION_MS, .minimum = 100, .maximum = DAY_MS},
    {.name = "state.keep.event.ids", .fallback = "35d", .help = "how long a repeated event id is recognised, in event time", .kind = CONFIG_DURATION_MS, .minimum = DAY_MS, .maximum = 3660LL * DAY_MS},
    {.name = "state.keep.documents", .fallback = "800d", .help = "how long a finished document is known after it last changed, in event time: two fiscal years and some; open ones stay", .kind = CONFIG_DURATION_MS, .minimum = DAY_MS, .maximum = 36600LL * DAY_MS},
    {.name = "poison.flood.window", .fallback = "1000", .help = "records over which the share of poison is taken", .kind = CONFIG_INTEGER, .minimum = 100, .maximum = 1000000},
    {.name = "poison.flood.percent", .fallback = "20", .help = "more poison than this pauses the processor; 100: never", .kind = CONFIG_INTEGER, .minimum = 1, .maximum = 100},
    {.name = "tables.source", .fallback = "", .help = "authoritative sources of the master tables, separated by commas; needed unless every table names its own"},
    {.name = "topics.also", .fallback = "", .help = "lists of topics of processors from other projects, files separated by commas; for the command kontor, which may read the same properties"},
#ifdef KONTOR_FAULT_POINTS
    {.name = "fault", .fallback = "", .help = "POINT:N, for tests: the process kills itself when it comes to POINT the N-th time; POINT:N:stop: it stops itself"},
    {.name = "processing.guarantee", .fallback = "exactly_once", .help = "at_least_once sends without transactions, for tests/bench: what exactly-once costs", .kind = CONFIG_CHOICE, .choices = "exactly_once at_least_once"},
#endif
};

enum { COMMON_COUNT = sizeof common_keys / sizeof *common_keys, TABLE_KEY_SIZE = 96 };

static const char *table_key(char *name, enum master table) {
    snprintf(name, TABLE_KEY_SIZE, "tables.%s.source", master_tables[table].name);
    return name;
}

const struct config_key *settings_keys(const struct processor *processor, size_t *count) {
    static struct config_key keys[COMMON_COUNT + MASTER_COUNT];
    static char names[MASTER_COUNT][TABLE_KEY_SIZE];
    memcpy(keys, common_keys, sizeof common_keys);
    *count = COMMON_COUNT;
    for (int i = 0; processor->tables[i] != END_OF_TABLES; i++)
        keys[(*count)++] = (struct config_key){.name = table_key(names[i], processor->tables[i]), .fallback = "", .help = "authoritative sources of this table alone"};
    return keys;
}

struct adding { struct client_settings *settings; struct error *error; bool failed; };

static void add(void *context, const char *name, const char *value) {
    struct adding *adding = context;
    if (!*value || adding->failed) return;
    adding->failed = !client_settings_add(adding->settings, name, value, adding->error);
}

bool settings_kafka(const struct config *config, struct client_settings *settings, struct error *error) {
    struct adding adding = {settings, error, false};
    config_each(config, "kafka.", add, &adding);
    return !adding.failed && client_settings_check(settings, error);
}

void settings_table_sources(const struct config *config, const struct processor *processor, const char **sources) {
    for (int i = 0; processor->tables[i] != END_OF_TABLES; i++) {
        char name[TABLE_KEY_SIZE];
        table_key(name, processor->tables[i]);
        sources[i] = config_is_set(config, name) ? config_text(config, name) : config_text(config, "tables.source");
    }
}
