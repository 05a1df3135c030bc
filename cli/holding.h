/* holding: a processor's group held by this command, so that nobody can take part in it meanwhile without being noticed, and no transaction of ours is committed once somebody
 * does: it is a member like an instance, with all partitions, takes no record, and its transactions carry the group's generation. (A header of its own: exit codes of commands and
 * of processes have the same names.) */
#ifndef KONTOR_CLI_HOLDING_H
#define KONTOR_CLI_HOLDING_H
#include <librdkafka/rdkafka.h>

#include "common/runtime/client.h"

struct holding;
extern const char holding_instance[];

/* topics: the group's, the inputs first, all with partition_count. Waits until the group has given it everything. What it is given must outlive it. */
MUST_CHECK bool holding_open(struct holding **holding, const struct client_settings *settings, const char *group, const char *const *topics, size_t topic_count, int32_t partition_count,
                             struct error *error);
/* Gives the group up. NULL is let be. */
void holding_close(struct holding *holding);
/* Whether it is still alone: to be asked every few seconds. For a transaction: its group's metadata, freed by the caller; NULL with the reason: somebody has come. */
MUST_CHECK bool holding_alone(struct holding *holding, rd_kafka_consumer_group_metadata_t **metadata, struct error *error);
#endif
