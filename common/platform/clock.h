/* clock: the only place that reads clocks. Decisions never do: their time is the event's. */
#ifndef KONTOR_PLATFORM_CLOCK_H
#define KONTOR_PLATFORM_CLOCK_H
#include <stdint.h>

/* For durations: never set back, no relation to the calendar. */
int64_t clock_monotonic_ns(void);
static inline int64_t clock_monotonic_ms(void) { return clock_monotonic_ns() / 1000000; }

/* Milliseconds since 1970-01-01T00:00:00Z, as Kafka's record timestamps have it. */
int64_t clock_wall_ms(void);
#endif
