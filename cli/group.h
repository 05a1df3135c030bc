/* group: a processor's consumer group as the broker knows it: who is in it, and how far it has committed in which topics. */
#ifndef KONTOR_CLI_GROUP_H
#define KONTOR_CLI_GROUP_H
#include "cli/connection.h"
#include "common/runtime/topics.h"

enum { GROUP_MEMBERS_MAXIMUM = 512, GROUP_NAME_SIZE = 128, MEMBER_NAME_SIZE = 96 };

struct group_member { char name[MEMBER_NAME_SIZE], host[MEMBER_NAME_SIZE]; rd_kafka_topic_partition_list_t *owned; };

struct group {
    char processor[GROUP_NAME_SIZE], name[GROUP_NAME_SIZE + 8];
    struct group_member *members;
    size_t member_count;
    rd_kafka_topic_partition_list_t *places;   /* sorted: every partition of its inputs, with the committed offset, negative: none; and what it has committed besides */
    int64_t *begins, *ends;                     /* of the partitions' logs, in that order */
    size_t input_count;                         /* how many of inputs are declared: the rest are resolutions and timers */
    char inputs[INPUT_TOPICS_MAXIMUM][TOPIC_NAME_MAXIMUM];
    size_t topic_count;                         /* with them */
    int32_t partition_count;                    /* of the first input */
};

/* processor: its name. Inputs are those of the processor of that name, or of what the group has committed. A group that nobody has ever been in and a name that no processor has are
 * an error with the nearest one. */
MUST_CHECK bool group_read(struct group *group, const struct connection *connection, const char *processor, struct error *error);
void group_free(struct group *group);
/* Who holds a partition; "": nobody. */
const char *group_holder(const struct group *group, const char *topic, int32_t partition);
/* Whether the topic is one of its declared inputs, not the resolutions or the timers. */
bool group_is_input(const struct group *group, const char *topic);
/* False when somebody is in it: an error that names them and says what to do. except: a member's name that does not count; NULL: none. */
MUST_CHECK bool group_is_empty(const struct group *group, const char *except, struct error *error);

/* The names of processors that have a group in the cluster, or none yet but a place in this program; sorted, the caller frees them with topic_names_free. */
MUST_CHECK bool group_names(const struct connection *connection, struct topic_names *names, struct error *error);
#endif
