#include "common/posting/flows.h"

#include <stdlib.h>

#include "schemas/flow_policy.h"

static const int64_t minute_ms = 60000;

const char *const flow_step_names[FLOW_STEP_COUNT] = {"decided", "posted", "paid", "settled"};

static bool limit_take(struct flow_limits *limits, const struct flow_limit *from, struct error *error) {
    int step = 0;
    while (step < FLOW_STEP_COUNT && !slice_equal(from->step, slice_of(flow_step_names[step]))) step++;
    if (step == FLOW_STEP_COUNT)
        return error_set(error, "a limit of " SLICE_FORMAT ", which is no step: decided, posted, paid or settled", SLICE_ARGUMENT(from->step));
    if (limits->ms[step]) return error_set(error, "two limits of %s", flow_step_names[step]);
    if (from->minutes <= 0) return error_set(error, "the limit of %s is not above 0", flow_step_names[step]);
    limits->ms[step] = from->minutes * minute_ms;
    return true;
}

void *flow_compile(const void *record, struct error *error) {
    const struct flow_policy *policy = record;
    struct flow_limits limits = {{0}};
    if (!policy->control_owner.length || !policy->exception_path.length) {
        error_set(error, "no %s: somebody must answer for every flow", policy->control_owner.length ? "exception path" : "control owner");
        return NULL;
    }
    for (size_t i = 0; i < policy->limits.count; i++)
        if (!limit_take(&limits, &policy->limits.items[i], error)) return NULL;
    struct flow_limits *compiled = malloc(sizeof *compiled);
    if (!compiled) { error_set(error, ""); return NULL; }   /* not the record's fault (tables.h) */
    *compiled = limits;
    return compiled;
}

void flow_release(void *compiled) { free(compiled); }
