/* probe_watch: what `kontor probe` reads: the acknowledgments, from the moment it begins, and the two master tables that say which flows there are and who may send
 * synthetic events. One client without a group; nothing blocks for longer than it is told to. */
#ifndef KONTOR_CLI_PROBE_WATCH_H
#define KONTOR_CLI_PROBE_WATCH_H
#include "cli/connection.h"
#include "cli/values.h"
#include "schemas/acknowledgment.h"

struct probe_watch;

/* Makes the client; the topics are looked for by probe_watch_step, until they are there. */
MUST_CHECK bool probe_watch_open(struct probe_watch **watch, const struct connection *connection, struct error *error);
void probe_watch_close(struct probe_watch *watch);

struct probe_listener {
    void *context;
    /* Whether the acknowledgments under that key are wanted: what is not is not even decoded. */
    bool (*wants)(void *context, struct slice key);
    /* One that is marked synthetic; it lives during the call. */
    void (*acknowledged)(void *context, const struct acknowledgment *acknowledgment);
};
/* Takes what has come, waiting at most wait_ms for the first. */
void probe_watch_step(struct probe_watch *watch, int wait_ms, const struct probe_listener *listener);
/* "": the tables are read and the acknowledgments followed; else what is waited for. */
const char *probe_watch_reason(const struct probe_watch *watch);

/* The flows that have a policy today, of any entity. Calls visit. */
void probe_watch_flows(const struct probe_watch *watch, int32_t today, void (*visit)(void *context, const char *flow), void *context);
/* Whether the source may send synthetic events of the entity to the topic today. */
bool probe_watch_permits(const struct probe_watch *watch, const char *source, const char *topic, const char *entity, int32_t today);
#endif
