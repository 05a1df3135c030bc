#include "cli/generation.h"

#include <sys/eventfd.h>
#include <unistd.h>

bool generation_live(const struct connection *connection, const char *processor, struct generation *generation, struct error *error) {
    struct tail *tail = NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    generation_first(generation, processor);
    bool ok = (wake >= 0 || error_set(error, "out of descriptors")) && tail_open(&tail, &connection->settings, wake, error) &&
              connection_metadata(connection, tail_client(tail), &metadata, error);
    if (ok && metadata_topic(metadata, GENERATIONS_TOPIC)) ok = generations_read(tail, processor, KAFKA_TIMEOUT_MS, generation, error) == GENERATION_FOUND;
    if (metadata) rd_kafka_metadata_destroy(metadata);
    tail_close(tail);
    if (wake >= 0) close(wake);
    return ok;
}
