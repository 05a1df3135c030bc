#include "common/runtime/generations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/platform/clock.h"

enum { READ_AT_ONCE = 256, PAUSE_MS = 5 };

const struct slice generation_closed_key = {"\0closed", 7};

void generation_changelog(char name[GENERATION_NAME_MAXIMUM], const char *processor, int number) {
    int length = snprintf(name, GENERATION_NAME_MAXIMUM, "kontor.%s.changelog", processor);
    if (number > 1 && length > 0 && length < GENERATION_NAME_MAXIMUM) snprintf(name + length, GENERATION_NAME_MAXIMUM - (size_t)length, ".%d", number);
}

void generation_first(struct generation *generation, const char *processor) {
    *generation = (struct generation){.number = 1};
    generation_changelog(generation->changelog, processor, 1);
}

int generation_number(const char *topic, const char *processor) {
    char name[GENERATION_NAME_MAXIMUM];
    generation_changelog(name, processor, 1);
    const size_t length = strlen(name);
    if (strncmp(topic, name, length) != 0) return 0;
    if (!topic[length]) return 1;
    char *end;
    const long number = topic[length] == '.' ? strtol(topic + length + 1, &end, 10) : 0;
    return number > 1 && number < 1000000 && !*end ? (int)number : 0;
}

bool generation_parse(struct generation *generation, struct slice value) {
    char text[GENERATION_TEXT_SIZE];
    *generation = (struct generation){.number = 0};
    if (!value.data) return false;
    snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENT(value));     /* what a mark says besides is cut */
    return sscanf(text, "generation=%d changelog=%249s partitions=%d", &generation->number, generation->changelog, &generation->partitions) == 3 && generation->number > 0 &&
           generation->partitions > 0;
}

int generation_format(char text[GENERATION_TEXT_SIZE], const struct generation *generation, const char *from) {
    return snprintf(text, GENERATION_TEXT_SIZE, "generation=%d changelog=%s partitions=%d from=%s", generation->number, generation->changelog, (int)generation->partitions, from);
}

struct reading { const char *processor; struct generation *generation; struct error *error; int64_t end; bool done, wrong; };

static void take(struct reading *reading, const rd_kafka_message_t *message) {
    if (message->err) {
        reading->done |= message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset >= reading->end;
        return;
    }
    if (slice_equal((struct slice){message->key, message->key_len}, slice_of(reading->processor))) {
        reading->wrong = !generation_parse(reading->generation, (struct slice){message->payload, message->len});
        if (reading->wrong) error_set(reading->error, "%s: the record of %s at offset %lld is not one of ours", GENERATIONS_TOPIC, reading->processor, (long long)message->offset);
    }
    reading->done |= message->offset + 1 >= reading->end;
}

enum generation_answer generations_read(struct tail *tail, const char *processor, int timeout_ms, struct generation *generation, struct error *error) {
    int64_t low, high;
    struct tail_queue *queue;
    generation_first(generation, processor);
    if (!tail_bounds(tail, GENERATIONS_TOPIC, 0, timeout_ms, &low, &high, error)) return GENERATION_UNREACHABLE;
    if (low == high) return GENERATION_FOUND;
    if (!tail_queue_open(tail, &queue, error)) return GENERATION_UNREACHABLE;
    struct reading reading = {.processor = processor, .generation = generation, .error = error, .end = high};
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    bool ok = tail_start(queue, GENERATIONS_TOPIC, 0, low, error);
    while (ok && !reading.done) {
        rd_kafka_message_t *messages[READ_AT_ONCE];
        const size_t count = tail_read(queue, messages, READ_AT_ONCE);
        for (size_t i = 0; i < count; i++) {
            take(&reading, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
        if (!count && !reading.done && clock_monotonic_ms() > deadline_ms)
            ok = error_set(error, "%s cannot be read to its end: no answer, or another generation is being made", GENERATIONS_TOPIC);
        else if (!count && !reading.done) nanosleep(&(struct timespec){0, PAUSE_MS * 1000000L}, NULL);
    }
    tail_stop(queue, GENERATIONS_TOPIC, 0);
    tail_queue_close(queue);
    if (!ok) return GENERATION_UNREACHABLE;
    return reading.wrong ? GENERATION_WRONG : GENERATION_FOUND;
}
