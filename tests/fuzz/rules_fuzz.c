/* A posting rule set as any bytes: it is refused with a reason, or compiled and asked. */
#include <stdint.h>

#include "common/codec/plan.h"
#include "common/posting/rules.h"
#include "schemas/posting_rule_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct codec_plan *plan;
    static struct arena arena;
    struct error error;
    if (!plan) {
        plan = codec_plan_own(&posting_rule_set_type, &error);
        arena_init(&arena, 1 << 16, 1 << 22);
        if (!plan) __builtin_trap();
    }
    arena_reset(&arena);
    struct posting_rule_set record;
    if (codec_decode(plan, bytes, length, &arena, &record) != CODEC_OK) return 0;
    struct rule_set *set = rules_compile(&record, &error);
    if (!set) return 0;
    const struct slice dimensions[RULE_DIMENSION_COUNT] = {SLICE("a"), SLICE("b"), SLICE("c")};
    if (set->rule_count) (void)rules_pick(set, set->rules[0].step, dimensions);
    rules_release(set);
    return 0;
}
