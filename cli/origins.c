#include "cli/origins.h"

#include <stdlib.h>
#include <string.h>

bool origins_add_topic(struct origins *origins, const char *topic) {
    if (origins->topic_count == ORIGIN_TOPICS_MAXIMUM) return false;
    struct origin_partition *partitions = calloc(ORIGIN_PARTITIONS_MAXIMUM, sizeof *partitions);
    if (!partitions) return false;
    origins->topics[origins->topic_count] = topic;
    origins->partitions[origins->topic_count++] = partitions;
    return true;
}

bool origins_set_range(struct origins *origins, size_t topic, int32_t partition, int64_t begin, int64_t end) {
    if (partition >= ORIGIN_PARTITIONS_MAXIMUM) return false;
    struct origin *events = calloc((size_t)(end - begin) + 1, sizeof *events);
    origins->partitions[topic][partition] = (struct origin_partition){events, begin, end};
    return events;
}

void origins_free(struct origins *origins) {
    for (size_t i = 0; i < origins->topic_count; i++) {
        for (size_t p = 0; p < ORIGIN_PARTITIONS_MAXIMUM; p++) free(origins->partitions[i][p].events);
        free(origins->partitions[i]);
    }
    *origins = (struct origins){.topic_count = 0};
}

enum origin_result origins_find(struct origins *origins, size_t topic, int32_t partition, int64_t offset, struct origin **origin) {
    if (topic >= origins->topic_count || partition < 0 || partition >= ORIGIN_PARTITIONS_MAXIMUM) return ORIGIN_NONE;
    const struct origin_partition *in = &origins->partitions[topic][partition];
    if (!in->events) return ORIGIN_NONE;
    if (offset < in->begin || offset >= in->end) return ORIGIN_OUTSIDE;
    *origin = &in->events[offset - in->begin];
    return ORIGIN_FOUND;
}

/* The number behind the last slash, which is cut off. */
static bool take_number(struct slice *text, int64_t *number) {
    const char *slash = text->length ? memrchr(text->data, '/', text->length) : NULL;
    size_t digits = slash ? text->length - (size_t)(slash + 1 - text->data) : 0;
    if (digits < 1 || digits > 18) return false;
    *number = 0;
    for (size_t i = 1; i <= digits; i++) {
        if (slash[i] < '0' || slash[i] > '9') return false;
        *number = *number * 10 + (slash[i] - '0');
    }
    text->length = (size_t)(slash - text->data);
    return true;
}

bool origin_parse(struct slice text, struct slice *topic, int32_t *partition, int64_t *offset) {
    int64_t number;
    if (!take_number(&text, offset) || !take_number(&text, &number) || number > INT32_MAX) return false;
    *partition = (int32_t)number;
    *topic = text;
    return text.length > 0;
}

enum origin_result origins_find_text(struct origins *origins, struct slice text, struct origin **origin) {
    struct slice topic;
    int32_t partition;
    int64_t offset;
    if (!origin_parse(text, &topic, &partition, &offset)) return ORIGIN_NONE;
    for (size_t i = 0; i < origins->topic_count; i++)
        if (slice_equal(topic, slice_of(origins->topics[i]))) return origins_find(origins, i, partition, offset, origin);
    return ORIGIN_NONE;
}
