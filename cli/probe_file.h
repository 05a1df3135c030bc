/* probe_file: the synthetic events that `kontor probe` sends, as an operator writes them for her own master data (docs/probe.md): a JSON object, by flow.
 *
 *     {"invoice": {"value": {"kind": "received", "source": "PROBE", "document": "PROBE-{id}", ...}},
 *      "payment": [{"value": {...}}, {"value": {...}}],                          in turn
 *      "review": {"topic": "review.decisions", "outcome": "rejected", "value": {...}},
 *      "settlement": null}                                                        not to be probed
 *
 * topic: <flow>.events unless it says otherwise. outcome: what is to become of it, accepted unless it says otherwise. In the texts of a value {id} stands for what tells
 * this event from every other, {today} for the day and {now} for the time, both UTC; event_id is always {id}. */
#ifndef KONTOR_CLI_PROBE_FILE_H
#define KONTOR_CLI_PROBE_FILE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/topic_list.h"
#include "common/platform/error.h"

enum { PROBE_FLOWS_MAXIMUM = 32, PROBE_ID_SIZE = 64 };

struct probe_event { const char *topic, *outcome, *source, *entity; const json_t *value; };
struct probe_flow { const char *name; struct probe_event *events; size_t count; };     /* count 0: not to be probed */
struct probe_file { json_t *root; struct probe_flow flows[PROBE_FLOWS_MAXIMUM]; size_t count; };

/* Every event is held to the schema of its topic: what is wrong is said with the flow and the field's path. probe_file_free also after a failure. */
MUST_CHECK bool probe_file_read(struct probe_file *file, const char *path, const struct topic_list *topics, struct error *error);
void probe_file_free(struct probe_file *file);
/* NULL: the file says nothing of that flow. */
const struct probe_flow *probe_file_flow(const struct probe_file *file, const char *name);
/* The value with its placeholders filled, to be freed by json_decref. NULL: out of memory. */
json_t *probe_event_fill(const struct probe_event *event, const char *id, int64_t now_ms);
#endif
