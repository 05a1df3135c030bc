#include "cli/holding.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/runtime/consumer.h"

enum { SESSION_MS = 10000, JOIN_MS = 60000, LEAVE_MS = 5000, POLL_MS = 20 };
const char holding_instance[] = "kontor-cli";

struct holding { struct consumer *consumer; const char *group; int wake; bool settled; };

static bool poll_group(struct holding *holding, struct error *error) {
    struct consumer_change change;
    struct fatal_cause fatal;
    if (consumer_poll(holding->consumer, &change, &fatal) != STEP_DONE) return error_set(error, "%s", fatal.error.text);
    if (holding->settled && (change.revoked || change.assigned)) return error_set(error, "an instance of %s was started meanwhile: stop it, and give the same command again", holding->group);
    return true;
}

bool holding_open(struct holding **made, const struct client_settings *settings, const char *group, const char *const *topics, size_t topic_count, int32_t partition_count,
                  struct error *error) {
    struct holding *holding = calloc(1, sizeof *holding);
    if (!holding) return error_set(error, "out of memory");
    holding->group = group;
    holding->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const struct consumer_options options = {.settings = settings, .group = group, .instance = holding_instance, .topics = topics, .topic_count = topic_count,
        .partition_count = partition_count, .session_timeout_ms = SESSION_MS, .wake = holding->wake};
    bool ok = holding->wake >= 0 ? consumer_open(&holding->consumer, &options, error) : error_set(error, "out of descriptors");
    for (const int64_t deadline_ms = clock_monotonic_ms() + JOIN_MS; ok && !consumer_is_assigned(holding->consumer);) {
        ok = poll_group(holding, error);
        if (ok && clock_monotonic_ms() > deadline_ms) ok = error_set(error, "group %s did not answer within %d s: %s", group, JOIN_MS / 1000, consumer_reason(holding->consumer));
        usleep(POLL_MS * 1000);
    }
    for (int32_t p = 0; ok && p < partition_count; p++)
        if (!consumer_owns(holding->consumer, p)) ok = error_set(error, "an instance of %s was started meanwhile: stop it, and give the same command again", group);
    holding->settled = ok;
    if (ok) *made = holding;
    else holding_close(holding);
    return ok;
}

void holding_close(struct holding *holding) {
    if (!holding) return;
    if (holding->consumer) consumer_close(holding->consumer, true, LEAVE_MS);
    if (holding->wake >= 0) close(holding->wake);
    free(holding);
}

bool holding_alone(struct holding *holding, rd_kafka_consumer_group_metadata_t **metadata, struct error *error) {
    *metadata = NULL;
    if (!poll_group(holding, error)) return false;
    *metadata = consumer_group(holding->consumer);
    return *metadata || error_set(error, "an instance of %s is being started: stop it, and give the same command again", holding->group);
}
