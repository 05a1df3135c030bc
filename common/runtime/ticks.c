/* ticks: a task's clock of the broker's time, so that limits end in a partition where nothing comes.
 *
 * A tick is a record of kontor.<processor>.timers; nothing of it counts but the time at which the broker appended it. Waiting is counted from the first tick
 * *after* an event began to wait, so it never ends too early. Such a tick leaves a mark, its time, in the task's clock; a waiting event has kept what the clock
 * showed when it began to wait, and the first mark after that is where its limit begins. Marks that no event needs are dropped, and when there are too many one
 * becomes the one after it: limits may end later by that, never earlier.
 *
 * Marks and what the events keep are state, ticks are in the log: the same logs end the same limits, whatever is killed. The heap and the counts here are
 * memory, made again when a task opens. */
#include <stdlib.h>

#include "common/runtime/engine_internal.h"

/* The first mark after a moment, or the number of marks. */
static size_t mark_after(const struct task *task, int64_t time_ms) {
    size_t low = 0, high = task->mark_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (task->marks[middle].time_ms <= time_ms) low = middle + 1;
        else high = middle;
    }
    return low;
}

static int64_t later(int64_t time_ms, int64_t by_ms) { return time_ms > INT64_MAX - by_ms ? INT64_MAX : time_ms + by_ms; }

static bool unmarked_add(struct parking *parking, uint64_t sequence, int64_t limit_ms) {
    if (parking->unmarked_count == parking->unmarked_capacity) {
        size_t capacity = parking->unmarked_capacity ? parking->unmarked_capacity * 2 : 64;
        struct unmarked *grown = realloc(parking->unmarked, capacity * sizeof *grown);
        if (!grown) return false;
        parking->unmarked = grown;
        parking->unmarked_capacity = capacity;
    }
    parking->unmarked[parking->unmarked_count++] = (struct unmarked){sequence, limit_ms};
    return true;
}

bool ticks_wait(struct task *task, uint64_t sequence, const struct parked_event *parked) {
    if (parked->limit_ms < 0) return true;
    size_t at = mark_after(task, parked->waits_from_ms);
    if (at < task->mark_count) {
        task->marks[at].waiting++;
        return deadlines_push(&task->parking.by_broker, (struct parked_deadline){later(task->marks[at].time_ms, parked->limit_ms), sequence});
    }
    task->parking.unmarked_waiting++;
    return unmarked_add(&task->parking, sequence, parked->limit_ms);
}

void ticks_leave(struct task *task, const struct parked_event *parked) {
    if (parked->limit_ms < 0) return;
    size_t at = mark_after(task, parked->waits_from_ms);
    if (at < task->mark_count) task->marks[at].waiting--;
    else if (!--task->parking.unmarked_waiting) task->parking.unmarked_count = 0;
}

void ticks_drop_marks(struct task *task) {
    size_t kept = 0;
    for (size_t i = 0; i < task->mark_count; i++)
        if (task->marks[i].waiting) task->marks[kept++] = task->marks[i];
    task->mark_count = kept;
}

/* A mark becomes the one after it, where that leaves the shortest time between its neighbours: what began to wait in that time is counted from the later one.
 * The first mark stays, so that nothing is put off again and again. */
static void marks_merge(struct task *task) {
    struct mark *marks = task->marks;
    size_t least = 1;
    for (size_t i = 2; i + 1 < task->mark_count; i++)
        if (marks[i + 1].time_ms - marks[i - 1].time_ms < marks[least + 1].time_ms - marks[least - 1].time_ms) least = i;
    marks[least + 1].waiting += marks[least].waiting;
    task->mark_count--;
    memmove(marks + least, marks + least + 1, (task->mark_count - least) * sizeof *marks);
}

bool ticks_move(struct task *task, int64_t broker_time_ms) {
    struct parking *parking = &task->parking;
    if (broker_time_ms <= task->broker_time_ms) return true;
    task->broker_time_ms = broker_time_ms;
    if (!parking->unmarked_waiting) return true;
    ticks_drop_marks(task);
    if (task->mark_count == MARKS_MAXIMUM) marks_merge(task);
    task->marks[task->mark_count++] = (struct mark){broker_time_ms, parking->unmarked_waiting};
    for (size_t i = 0; i < parking->unmarked_count; i++) {
        const struct unmarked *unmarked = &parking->unmarked[i];
        if (!deadlines_push(&parking->by_broker, (struct parked_deadline){later(broker_time_ms, unmarked->limit_ms), unmarked->sequence})) return false;
    }
    parking->unmarked_count = parking->unmarked_waiting = 0;
    return true;
}

uint64_t ticks_expired(struct task *task) { return deadlines_pop_until(&task->parking.by_broker, task->broker_time_ms); }

enum ticks_end ticks_is_over(struct task *task, uint64_t sequence, const struct parked_event *parked) {
    size_t at = mark_after(task, parked->waits_from_ms);
    if (at == task->mark_count) return TICKS_NOT_OVER;
    int64_t end_ms = later(task->marks[at].time_ms, parked->limit_ms);
    if (end_ms <= task->broker_time_ms) return TICKS_OVER;
    /* Its mark has become a later one since the heap was told. */
    return deadlines_push(&task->parking.by_broker, (struct parked_deadline){end_ms, sequence}) ? TICKS_NOT_OVER : TICKS_NO_MEMORY;
}

bool task_wants_tick(const struct task *task, int64_t now_ms) {
    const struct parking *parking = &task->parking;
    return parking->unmarked_waiting || (parking->by_broker.count && parking->by_broker.items[0].at_ms <= now_ms);
}
