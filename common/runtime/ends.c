#include "common/runtime/ends.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/platform/clock.h"

enum { ANSWER_MS = 500 };

struct bounds { _Atomic int64_t begin, end; };      /* -1: not known */

struct ends {
    rd_kafka_t *client;
    const char *const *topics;
    size_t topic_count;
    int32_t partition_count;
    struct bounds *bounds;          /* partition * topic_count + topic */
    atomic_bool *wanted;            /* by partition */
    _Atomic int64_t time_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending, hurried;           /* under the lock */
};

static struct bounds *bounds_of(const struct ends *ends, size_t topic, int32_t partition) { return &ends->bounds[(size_t)partition * ends->topic_count + topic]; }

/* The wanted partitions, to be asked for `what`; of beginnings those alone that are not known, since they matter little later. */
static rd_kafka_topic_partition_list_t *list_make(const struct ends *ends, int64_t what) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(32);
    for (int32_t p = 0; p < ends->partition_count; p++) {
        if (!atomic_load(&ends->wanted[p])) continue;
        for (size_t t = 0; t < ends->topic_count; t++)
            if (what == RD_KAFKA_OFFSET_END || atomic_load(&bounds_of(ends, t, p)->begin) < 0) rd_kafka_topic_partition_list_add(list, ends->topics[t], p)->offset = what;
    }
    return list;
}

/* Whether all were answered. What is not keeps what was known of it: the next time asks again. */
static bool ask(struct ends *ends, int64_t what) {
    rd_kafka_topic_partition_list_t *list = list_make(ends, what);
    const bool answered = !list->cnt || !rd_kafka_offsets_for_times(ends->client, list, ANSWER_MS);
    bool whole = answered;
    for (int i = 0; answered && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        if (at->err || at->offset < 0) {
            whole = false;
            continue;
        }
        size_t topic = 0;
        while (strcmp(ends->topics[topic], at->topic) != 0) topic++;
        struct bounds *bounds = bounds_of(ends, topic, at->partition);
        atomic_store(what == RD_KAFKA_OFFSET_END ? &bounds->end : &bounds->begin, at->offset);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return whole;
}

static void *run(void *context) {
    struct ends *ends = context;
    pthread_mutex_lock(&ends->lock);
    while (!ends->ending) {
        ends->hurried = false;
        pthread_mutex_unlock(&ends->lock);
        ask(ends, RD_KAFKA_OFFSET_BEGINNING);
        const int64_t begun_ms = clock_wall_ms();
        if (ask(ends, RD_KAFKA_OFFSET_END)) atomic_store(&ends->time_ms, begun_ms);
        pthread_mutex_lock(&ends->lock);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ENDS_EVERY_MS / 1000;
        int result = 0;
        while (!ends->ending && !ends->hurried && result == 0) result = pthread_cond_timedwait(&ends->changed, &ends->lock, &until);
    }
    pthread_mutex_unlock(&ends->lock);
    return NULL;
}

bool ends_open(struct ends **result, rd_kafka_t *client, const char *const *topics, size_t topic_count, int32_t partition_count, struct error *error) {
    struct ends *ends = calloc(1, sizeof *ends);
    if (!ends) return error_set(error, "out of memory");
    *ends = (struct ends){.client = client, .topics = topics, .topic_count = topic_count, .partition_count = partition_count};
    const size_t count = (size_t)partition_count * topic_count;
    ends->bounds = calloc(count + 1, sizeof *ends->bounds);
    ends->wanted = calloc((size_t)partition_count + 1, sizeof *ends->wanted);
    for (size_t i = 0; ends->bounds && i < count; i++) {
        atomic_init(&ends->bounds[i].begin, -1);
        atomic_init(&ends->bounds[i].end, -1);
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ends->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&ends->lock, NULL);
    if (ends->bounds && ends->wanted && pthread_create(&ends->thread, NULL, run, ends) == 0) {
        *result = ends;
        return true;
    }
    ends->ending = true;    /* there is no thread to wait for */
    ends_close(ends);
    return error_set(error, "no thread for the ends of the inputs: out of memory");
}

void ends_close(struct ends *ends) {
    if (!ends) return;
    if (!ends->ending) {
        pthread_mutex_lock(&ends->lock);
        ends->ending = true;
        pthread_cond_signal(&ends->changed);
        pthread_mutex_unlock(&ends->lock);
        pthread_join(ends->thread, NULL);
    }
    pthread_cond_destroy(&ends->changed);
    pthread_mutex_destroy(&ends->lock);
    free(ends->bounds);
    free(ends->wanted);
    free(ends);
}

void ends_want(struct ends *ends, int32_t partition, bool wanted) {
    if (atomic_load(&ends->wanted[partition]) == wanted) return;
    for (size_t t = 0; wanted && t < ends->topic_count; t++) atomic_store(&bounds_of(ends, t, partition)->end, -1);  /* while it was another's, nobody asked */
    atomic_store(&ends->wanted[partition], wanted);
    if (wanted) ends_hurry(ends);
}

void ends_hurry(struct ends *ends) {
    pthread_mutex_lock(&ends->lock);
    ends->hurried = true;
    pthread_cond_signal(&ends->changed);
    pthread_mutex_unlock(&ends->lock);
}

bool ends_known(const struct ends *ends, size_t topic, int32_t partition, int64_t *begin, int64_t *end) {
    const struct bounds *bounds = bounds_of(ends, topic, partition);
    *begin = atomic_load(&bounds->begin);
    *end = atomic_load(&bounds->end);
    return *begin >= 0 && *end >= 0;
}

int64_t ends_time_ms(const struct ends *ends) { return atomic_load(&ends->time_ms); }
