/* counter: the smallest processor that shows whether the loop is exactly-once: it copies each event and says the how manieth of its partner it is. It
 * remembers no event ids, so a record that is taken twice shows twice, and one that is lost leaves every later count short. */
#ifndef KONTOR_TESTS_COUNTER_H
#define KONTOR_TESTS_COUNTER_H
#include "common/runtime/processor.h"

enum { COUNTER_INPUTS = 2 };
extern const struct processor counter_processor;
#endif
