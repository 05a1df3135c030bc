#include "cli/group.h"

#include <stdlib.h>
#include <string.h>

#include "cli/sandbox.h"
#include "common/platform/nearest.h"

static const char group_prefix[] = "kontor.";
enum { PREFIX = sizeof group_prefix - 1 };

/* ---- asking ---- */

struct asking { const struct connection *connection; struct client_events events; rd_kafka_t *client; rd_kafka_queue_t *queue; };

static void asking_end(struct asking *asking) {
    if (asking->queue) rd_kafka_queue_destroy(asking->queue);
    if (asking->client) rd_kafka_destroy(asking->client);
}

/* Answers come to events' opaque: the struct must not move. */
static bool asking_begin(struct asking *asking, const struct connection *connection, struct error *error) {
    *asking = (struct asking){.connection = connection, .events = {.role = "admin"}};
    if (!connection_client(connection, RD_KAFKA_PRODUCER, NULL, NULL, &asking->events, NULL, &asking->events, &asking->client, error)) return false;
    asking->queue = rd_kafka_queue_new(asking->client);
    return true;
}

static rd_kafka_event_t *answer(struct asking *asking, const char *what, struct error *error) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(asking->queue, KAFKA_TIMEOUT_MS);
    if (event && !rd_kafka_event_error(event)) return event;
    error_set(error, "%s cannot be read at %s: %s", what, connection_brokers(asking->connection), event ? rd_kafka_event_error_string(event) : "no answer; try again");
    if (event) rd_kafka_event_destroy(event);
    return NULL;
}

/* ---- names ---- */

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool names_add(struct topic_names *names, const char *name, struct error *error) {
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->names[i], name) == 0) return true;
    if (names->count == CLUSTER_TOPICS_MAXIMUM) return error_set(error, "more than %d groups begin with %s", CLUSTER_TOPICS_MAXIMUM, group_prefix);
    if (!(names->names[names->count] = strdup(name))) return error_set(error, "out of memory");
    names->count++;
    return true;
}

static bool names_ask(struct asking *asking, struct topic_names *names, struct error *error) {
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(asking->client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    rd_kafka_ListConsumerGroups(asking->client, options, asking->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *event = answer(asking, "the list of groups", error);
    if (!event) return false;
    size_t count;
    const rd_kafka_ConsumerGroupListing_t **listed = rd_kafka_ListConsumerGroups_result_valid(rd_kafka_event_ListConsumerGroups_result(event), &count);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *name = rd_kafka_ConsumerGroupListing_group_id(listed[i]);
        if (strncmp(name, group_prefix, PREFIX) == 0) ok = names_add(names, name + PREFIX, error);
    }
    rd_kafka_event_destroy(event);
    return ok;
}

bool group_names(const struct connection *connection, struct topic_names *names, struct error *error) {
    struct asking asking;
    *names = (struct topic_names){.count = 0};
    bool ok = asking_begin(&asking, connection, error) && names_ask(&asking, names, error);
    for (size_t i = 0; ok && i < known_processor_count; i++) ok = names_add(names, known_processors[i]->name, error);
    asking_end(&asking);
    if (ok) qsort(names->names, names->count, sizeof *names->names, compare_names);
    else topic_names_free(names);
    return ok;
}

/* ---- a group ---- */

static void member_take(struct group *group, const rd_kafka_MemberDescription_t *described) {
    struct group_member *member = &group->members[group->member_count++];
    const char *instance = rd_kafka_MemberDescription_group_instance_id(described);
    snprintf(member->name, sizeof member->name, "%s", instance ? instance : rd_kafka_MemberDescription_client_id(described));
    const char *host = rd_kafka_MemberDescription_host(described);
    snprintf(member->host, sizeof member->host, "%s", host ? host + (*host == '/') : "");
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(described);
    const rd_kafka_topic_partition_list_t *owned = assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
    member->owned = owned ? rd_kafka_topic_partition_list_copy(owned) : rd_kafka_topic_partition_list_new(1);
}

static bool members_ask(struct asking *asking, struct group *group, struct error *error) {
    const char *names[] = {group->name};
    rd_kafka_DescribeConsumerGroups(asking->client, names, 1, NULL, asking->queue);
    rd_kafka_event_t *event = answer(asking, group->name, error);
    if (!event) return false;
    size_t count;
    const rd_kafka_ConsumerGroupDescription_t **described = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    const rd_kafka_error_t *why = count ? rd_kafka_ConsumerGroupDescription_error(described[0]) : NULL;
    const rd_kafka_resp_err_t code = why ? rd_kafka_error_code(why) : RD_KAFKA_RESP_ERR_NO_ERROR;
    bool ok = !code || code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND || error_set(error, "group %s cannot be read: %s", group->name, rd_kafka_error_string(why));
    size_t members = ok && !code && count ? rd_kafka_ConsumerGroupDescription_member_count(described[0]) : 0;
    if (members > GROUP_MEMBERS_MAXIMUM) members = GROUP_MEMBERS_MAXIMUM;
    group->members = calloc(members + 1, sizeof *group->members);
    ok = ok && (group->members || error_set(error, "out of memory"));
    for (size_t i = 0; ok && i < members; i++) member_take(group, rd_kafka_ConsumerGroupDescription_member(described[0], i));
    rd_kafka_event_destroy(event);
    return ok;
}

static bool committed_ask(struct asking *asking, struct group *group, struct error *error) {
    rd_kafka_ListConsumerGroupOffsets_t *wanted = rd_kafka_ListConsumerGroupOffsets_new(group->name, NULL);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(asking->client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    if (refused) rd_kafka_error_destroy(refused);
    rd_kafka_ListConsumerGroupOffsets(asking->client, &wanted, 1, options, asking->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
    rd_kafka_event_t *event = answer(asking, "the group's committed offsets", error);
    if (!event) return false;
    size_t count;
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *why = count ? rd_kafka_group_result_error(results[0]) : NULL;
    bool ok = !why || rd_kafka_error_code(why) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND || error_set(error, "the committed offsets of %s cannot be read: %s", group->name, rd_kafka_error_string(why));
    const rd_kafka_topic_partition_list_t *committed = ok && !why && count ? rd_kafka_group_result_partitions(results[0]) : NULL;
    group->places = committed ? rd_kafka_topic_partition_list_copy(committed) : rd_kafka_topic_partition_list_new(1);
    for (int i = 0; ok && i < group->places->cnt; i++)
        if (group->places->elems[i].err) ok = error_set(error, "%s/%d: its committed offset cannot be read: %s", group->places->elems[i].topic, (int)group->places->elems[i].partition,
                                                       rd_kafka_err2str(group->places->elems[i].err));
    rd_kafka_event_destroy(event);
    return ok;
}

/* The inputs by the processor's declaration; those of another project's by what its group has committed. */
static void inputs_find(struct group *group) {
    const struct processor *processor = processor_named(slice_of(group->processor));
    if (processor) {
        struct topics_inputs inputs;
        topics_inputs(processor, &inputs);
        for (size_t i = 0; i < inputs.count; i++) snprintf(group->inputs[group->topic_count++], TOPIC_NAME_MAXIMUM, "%s", inputs.names[i]);
        group->input_count = group->topic_count - 2;
        return;
    }
    char own[2][TOPIC_NAME_MAXIMUM];
    snprintf(own[0], sizeof own[0], "resolutions.%s", group->processor);
    snprintf(own[1], sizeof own[1], "kontor.%s.timers", group->processor);
    for (int i = 0; i < group->places->cnt && group->input_count < INPUTS_MAXIMUM; i++) {
        const char *topic = group->places->elems[i].topic;
        if (strcmp(topic, own[0]) == 0 || strcmp(topic, own[1]) == 0 || group_is_input(group, topic)) continue;
        snprintf(group->inputs[group->input_count++], TOPIC_NAME_MAXIMUM, "%s", topic);
    }
    group->topic_count = group->input_count;
    for (size_t i = 0; i < 2; i++) memcpy(group->inputs[group->topic_count++], own[i], TOPIC_NAME_MAXIMUM);
}

bool group_is_input(const struct group *group, const char *topic) {
    for (size_t i = 0; i < group->input_count; i++)
        if (strcmp(group->inputs[i], topic) == 0) return true;
    return false;
}

static bool places_complete(struct asking *asking, struct group *group, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(asking->connection, asking->client, &metadata, error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < group->topic_count; i++) {
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, group->inputs[i]);
        if (!topic && i >= group->input_count) {            /* of another project, without resolutions */
            memmove(group->inputs[i], group->inputs[i + 1], (group->topic_count - i - 1) * sizeof group->inputs[0]);
            group->topic_count--;
            i--;
            continue;
        }
        if (!topic) ok = connection_no_topic(asking->connection, metadata, group->inputs[i], error);
        if (ok && i == 0) group->partition_count = topic->partition_cnt;
        for (int32_t p = 0; ok && p < topic->partition_cnt; p++)
            if (!rd_kafka_topic_partition_list_find(group->places, group->inputs[i], p)) rd_kafka_topic_partition_list_add(group->places, group->inputs[i], p)->offset = RD_KAFKA_OFFSET_INVALID;
    }
    for (int i = group->places->cnt - 1; ok && i >= 0; i--)      /* of topics that are gone */
        if (!metadata_topic(metadata, group->places->elems[i].topic)) rd_kafka_topic_partition_list_del_by_idx(group->places, i);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_sort(group->places, NULL, NULL);
    return ok;
}

static bool bounds_ask(struct asking *asking, struct group *group, int64_t what, int64_t *offsets, struct error *error) {
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(group->places);
    for (int i = 0; i < asked->cnt; i++) asked->elems[i].offset = what;
    rd_kafka_resp_err_t code = asked->cnt ? rd_kafka_offsets_for_times(asking->client, asked, KAFKA_TIMEOUT_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; !code && i < asked->cnt; i++) code = asked->elems[i].err;
    for (int i = 0; !code && i < group->places->cnt; i++) {
        const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find(asked, group->places->elems[i].topic, group->places->elems[i].partition);
        offsets[i] = found ? found->offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(asked);
    return !code || error_set(error, "the bounds of the topics cannot be read: %s; try again, or look at the broker's log", rd_kafka_err2str(code));
}

static const char *next_name(void *context) {
    const struct topic_names *names = ((const void **)context)[0];
    size_t *at = ((void **)context)[1];
    return *at < names->count ? names->names[(*at)++] : NULL;
}

static bool is_known(struct asking *asking, const char *processor, struct error *error) {
    struct topic_names names = {.count = 0};
    bool ok = names_ask(asking, &names, error), known = processor_named(slice_of(processor)) != NULL;
    for (size_t i = 0; ok && i < names.count; i++) known |= strcmp(names.names[i], processor) == 0;
    for (size_t i = 0; ok && i < known_processor_count; i++) ok = names_add(&names, known_processors[i]->name, error);
    if (ok && !known) {
        size_t at = 0;
        void *walk[] = {&names, &at};
        const char *nearest = nearest_name(processor, next_name, walk);
        ok = nearest ? error_set(error, "there is no processor %s, nor a group kontor.%s; did you mean %s?", processor, processor, nearest)
                     : error_set(error, "there is no processor %s, nor a group kontor.%s; kontor offsets show lists them", processor, processor);
    }
    topic_names_free(&names);
    return ok;
}

bool group_read(struct group *group, const struct connection *connection, const char *processor, struct error *error) {
    struct asking asking;
    *group = (struct group){.members = NULL};
    snprintf(group->processor, sizeof group->processor, "%s", processor);
    snprintf(group->name, sizeof group->name, "%s%s", group_prefix, group->processor);
    bool ok = asking_begin(&asking, connection, error) && is_known(&asking, processor, error) && members_ask(&asking, group, error) && committed_ask(&asking, group, error);
    if (ok) inputs_find(group);
    ok = ok && places_complete(&asking, group, error);
    group->begins = calloc(ok ? (size_t)group->places->cnt + 1 : 1, sizeof *group->begins);
    group->ends = calloc(ok ? (size_t)group->places->cnt + 1 : 1, sizeof *group->ends);
    if (ok && (!group->begins || !group->ends)) ok = error_set(error, "out of memory");
    ok = ok && bounds_ask(&asking, group, RD_KAFKA_OFFSET_BEGINNING, group->begins, error) && bounds_ask(&asking, group, RD_KAFKA_OFFSET_END, group->ends, error);
    asking_end(&asking);
    if (!ok) group_free(group);
    return ok;
}

void group_free(struct group *group) {
    for (size_t i = 0; i < group->member_count; i++) rd_kafka_topic_partition_list_destroy(group->members[i].owned);
    free(group->members);
    if (group->places) rd_kafka_topic_partition_list_destroy(group->places);
    free(group->begins);
    free(group->ends);
    *group = (struct group){.members = NULL};
}

const char *group_holder(const struct group *group, const char *topic, int32_t partition) {
    for (size_t i = 0; i < group->member_count; i++)
        if (rd_kafka_topic_partition_list_find(group->members[i].owned, topic, partition)) return group->members[i].name;
    return "";
}

bool group_is_empty(const struct group *group, const char *except, struct error *error) {
    char names[300] = "";
    for (size_t i = 0; i < group->member_count; i++) {
        const struct group_member *member = &group->members[i];
        const size_t used = strlen(names);
        if (except && strcmp(member->name, except) == 0) continue;
        snprintf(names + used, sizeof names - used, "%s%s (%s)", used ? ", " : "", member->name, member->host);
    }
    return !*names || error_set(error, "group %s has members: %s. Stop them first; one that was stopped without --leave keeps its place for session.timeout.ms (8 s)", group->name, names);
}
