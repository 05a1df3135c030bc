/* plan_steps: what a plan is made of. Private to plan.c, which writes the steps, and decode.c, which runs them.
 *
 * A plan is one flat row of steps. Records nested in records lie flat in it; a list has its item's steps behind it, up to PLAN_END; a union jumps
 * forward. Skipping a record calls its steps, so that a writer's type may contain itself. */
#ifndef KONTOR_CODEC_PLAN_STEPS_H
#define KONTOR_CODEC_PLAN_STEPS_H
#include "common/codec/plan.h"

enum plan_code {
    PLAN_END,                /* of the record, of a list's item, of a called row */
    PLAN_STRING,
    PLAN_BYTES,
    PLAN_DECIMAL,            /* in bytes at our scale; limit */
    PLAN_OPTIONAL,           /* null or T on both sides; a: the flag's offset, b: the position of null; jump: behind the steps of T */
    PLAN_INT,
    PLAN_LONG,
    PLAN_ENUM,               /* a: the number of symbols, the same on both sides */
    PLAN_LIST,               /* array or map; a: the item's size in C, b: the fewest bytes of an item; jump: behind its steps */
    PLAN_COPY,               /* our default; a: bytes; image */
    PLAN_BOOLEAN,
    PLAN_FLOAT,
    PLAN_DOUBLE,
    PLAN_FIXED,              /* a: bytes */
    PLAN_LONG_FROM_INT,
    PLAN_FLOAT_FROM_INT,
    PLAN_FLOAT_FROM_LONG,
    PLAN_DOUBLE_FROM_INT,
    PLAN_DOUBLE_FROM_LONG,
    PLAN_DOUBLE_FROM_FLOAT,
    PLAN_MICROS_FROM_MILLIS,
    PLAN_DECIMAL_RESCALED,   /* a: size of the fixed, 0: in bytes; b: digits to append << 16 | digits to take off; limit */
    PLAN_ENUM_MAPPED,        /* a: the writer's number of symbols; table: ours for each, -1: unknown here */
    PLAN_SET_BOOLEAN,        /* the flag of an optional becomes true */
    PLAN_SET_INT,            /* the branch of a union becomes a */
    PLAN_SWITCH,             /* a writer's union; a: the number of branches; table: how many steps to go for each */
    PLAN_JUMP,               /* jump: how many steps to go on */
    PLAN_UNRESOLVABLE,
    PLAN_CALL,               /* jump: the position of the row to run */
    PLAN_SKIP_NUMBER,
    PLAN_SKIP_BYTES,
    PLAN_SKIP_FIXED,         /* a: bytes */
    PLAN_SKIP_LIST           /* b: the fewest bytes of an item; jump: behind its steps */
};

struct plan_step {
    uint16_t code;
    uint32_t offset; /* of the value, from the start of the record or item */
    uint32_t a, b, jump;
    union {
        int64_t limit;
        const void *image;
        const int32_t *table;
    };
};

struct codec_plan {
    struct plan_step *steps;
    uint32_t step_count;
    const struct codec_type *reader;
    struct arena arena; /* tables and defaults */
};
#endif
