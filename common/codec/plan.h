/* plan: how to read records of one writer's schema into one struct of ours, worked out once.
 *
 * Avro's schema resolution (specification 1.11, "Schema Resolution") happens when the plan is made: order, promotions, defaults, aliases, unions, skipped
 * fields. Reading is then one pass over the bytes. Beyond the specification, because money and time are at stake:
 *   - a decimal of a lower scale than ours is rescaled; of a higher scale only if exact, else CODEC_DECIMAL_INEXACT (type.h); decimals in bytes and in
 *     fixed are read alike; bytes without a scale are refused where we want a decimal;
 *   - timestamp-millis is converted where we want micros; the reverse would lose time and is refused, as is a date for a timestamp, a date or a
 *     timestamp for a float, a decimal for a text;
 *   - in a union of ours the branch of the very same type is preferred to one by promotion, as the Java library does.
 * The form of a uuid is not checked: it is a text.
 * A pair that can never be read is refused when the plan is made, with the field's path. A writer's union branch or enum symbol that we do not know is
 * refused only when a record has it: CODEC_UNRESOLVABLE. */
#ifndef KONTOR_CODEC_PLAN_H
#define KONTOR_CODEC_PLAN_H
#include "common/codec/schema.h"

enum codec_result {
    CODEC_OK,
    CODEC_TRUNCATED,      /* the bytes end within a value */
    CODEC_INVALID,        /* no value of the writer's schema: branch or symbol out of range, text not UTF-8, number too long, ... */
    CODEC_UNRESOLVABLE,   /* a good value of the writer's schema that ours cannot hold: an unknown symbol or branch */
    CODEC_TRAILING_BYTES, /* a whole record, and more behind it */
    CODEC_TOO_LARGE,      /* nested too deep, or too many items of no size */
    CODEC_NO_MEMORY       /* the arena gave none: its limit, or the machine's */
};

struct codec_plan;

/* NULL with the reason, which names the field's path, when the writer's records can never be read as `reader`. The plan keeps `reader` but
 * not `writer`. Freed by codec_plan_free; records' default values (strings, arrays) point into it. Immutable: threads may share it. */
struct codec_plan *codec_plan_new(const struct codec_schema *writer, const struct codec_type *reader, struct error *error) MUST_CHECK;
/* The same for a writer that is another version of `reader`, older or newer: a field that the newer one has renamed is found by the alias that it carries, on
 * whichever side that is. (The specification asks the reader's aliases only; then a version before the renaming would read defaults for what is there.) */
struct codec_plan *codec_plan_relative(const struct codec_schema *writer, const struct codec_type *reader, struct error *error) MUST_CHECK;
/* The plan for records written with the type's own schema: of our own state and outputs. */
struct codec_plan *codec_plan_own(const struct codec_type *type, struct error *error) MUST_CHECK;
void codec_plan_free(struct codec_plan *plan);

/* Reads one whole record into *out, which has plan's reader->size bytes and is zeroed first. Strings are slices into `bytes`, arrays lie in the arena;
 * both must outlive *out. After a result other than CODEC_OK *out is meaningless. Never reads outside of the bytes, whatever they hold. */
enum codec_result codec_decode(const struct codec_plan *plan, const void *bytes, size_t length, struct arena *arena, void *out) MUST_CHECK;

/* "truncated", ...: a static text for messages. */
const char *codec_result_text(enum codec_result result);
#endif
