/* compare: what a replay gives against what the topics hold, byte for byte.
 *
 * First the hashes of all records of the processor's output topics are read. Then each output of the replay that is of an event of the range is looked for among
 * them. What is left on one side or the other is a difference; the topics are read once more for those of theirs, so that only differences are kept.
 * Of an event with differences it is then found which master record the processor had used that another one has superseded since. */
#ifndef KONTOR_CLI_COMPARE_H
#define KONTOR_CLI_COMPARE_H
#include <jansson.h>

#include "cli/history.h"
#include "common/runtime/engine.h"

struct compare;

/* from, to: the range of event times, to not included. */
MUST_CHECK bool compare_open(struct compare **compare, const struct connection *connection, const struct processor *processor, int64_t from_ms, int64_t to_ms, struct error *error);
void compare_close(struct compare *compare);

/* Call-backs of replay_run; context: the compare. */
MUST_CHECK bool compare_began(void *context, const struct history *history, int32_t partition_count, struct error *error);
MUST_CHECK bool compare_event(void *context, struct slice origin, int64_t event_time_ms, struct error *error);
MUST_CHECK bool compare_output(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error);
MUST_CHECK bool compare_ended(void *context, struct error *error);

/* Whether the output is of an event of the range; for outputs that go elsewhere. */
MUST_CHECK bool compare_in_range(struct compare *compare, const struct engine_output *output, int64_t event_time_ms, bool *in_range, struct error *error);

/* {"processor", "events", "undecided": of them, "topics": [{"topic", "same", "other", "only_on_topic", "only_in_replay"}], "differences": [{"topic", "event", "document", "difference", "fields",
 * "superseded"}]}; of the differences `limit` at most. The caller's; NULL: memory is out. */
json_t *compare_json(const struct compare *compare, size_t limit);
size_t compare_differences(const struct compare *compare), compare_unexplained(const struct compare *compare);
#endif
