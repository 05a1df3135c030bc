#include <string.h>

#include "common/codec/decimal.h"
#include "common/codec/plan_steps.h"
#include "common/platform/utf8.h"

#define DEPTH_MAXIMUM 160            /* lists in lists and skipped records in records; only a type that contains itself gets there */
#define EMPTY_ITEMS_MAXIMUM 65536    /* list items that take no bytes, in one record: nothing else bounds their number */

struct decoder {
    const uint8_t *at, *end;
    const struct plan_step *steps;
    struct arena *arena;
    size_t empty_items;
    unsigned depth;
};

static enum codec_result run(struct decoder *decoder, const struct plan_step *body, char *base, size_t count, size_t stride);

/* ---- values ---- */

static enum codec_result take_long_slowly(const uint8_t **at, const uint8_t *end, int64_t *value) {
    const uint8_t *b = *at;
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (b == end) return CODEC_TRUNCATED;
        uint8_t byte = *b++;
        if (shift == 63 && byte > 1) return CODEC_INVALID;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *at = b;
            *value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return CODEC_OK;
        }
    }
    return CODEC_INVALID;
}

static inline enum codec_result take_long(const uint8_t **at, const uint8_t *end, int64_t *value) {
    if (__builtin_expect(*at != end && **at < 0x80, 1)) {
        uint32_t bits = *(*at)++;
        *value = (int32_t)(bits >> 1 ^ (0 - (bits & 1)));
        return CODEC_OK;
    }
    return take_long_slowly(at, end, value);
}

static inline enum codec_result take_int(const uint8_t **at, const uint8_t *end, int64_t *value) {
    enum codec_result result = take_long(at, end, value);
    return result == CODEC_OK && *value != (int32_t)*value ? CODEC_INVALID : result;
}

/* A position: of a branch or a symbol, below count. */
static inline enum codec_result take_position(const uint8_t **at, const uint8_t *end, uint32_t count, int64_t *value) {
    enum codec_result result = take_long(at, end, value);
    return result == CODEC_OK && (uint64_t)*value >= count ? CODEC_INVALID : result;
}

static inline enum codec_result take_bytes(const uint8_t **at, const uint8_t *end, struct slice *out) {
    int64_t length;
    enum codec_result result = take_long(at, end, &length);
    if (result != CODEC_OK) return result;
    if (length < 0) return CODEC_INVALID;
    if (length > end - *at) return CODEC_TRUNCATED;
    *out = (struct slice){(const char *)*at, (size_t)length};
    *at += length;
    return CODEC_OK;
}

static inline enum codec_result take_fixed(const uint8_t **at, const uint8_t *end, size_t size, void *out) {
    if ((size_t)(end - *at) < size) return CODEC_TRUNCATED;
    if (out) memcpy(out, *at, size);
    *at += size;
    return CODEC_OK;
}

/* Plain ASCII, which nearly all is, by the word. */
static inline bool text_is_valid(struct slice text) {
    const uint8_t *b = (const uint8_t *)text.data;
    size_t length = text.length;
    uint64_t bits = 0, word;
    if (length >= 8) {
        for (size_t i = 0; i + 8 <= length; i += 8) { memcpy(&word, b + i, 8); bits |= word; }
        memcpy(&word, b + length - 8, 8);
        bits |= word;
    } else if (length >= 4) {
        uint32_t head, tail;
        memcpy(&head, b, 4);
        memcpy(&tail, b + length - 4, 4);
        bits = head | tail;
    } else {
        for (size_t i = 0; i < length; i++) bits |= b[i];
    }
    return __builtin_expect((bits & 0x8080808080808080u) == 0, 1) || utf8_is_valid(text);
}

/* ---- lists ---- */

/* A block's number of items. *skip is set to the block's bytes when the writer gave them. */
static enum codec_result take_block(struct decoder *decoder, uint32_t minimum, size_t *count, int64_t *skip) {
    int64_t number;
    *skip = -1;
    enum codec_result result = take_long(&decoder->at, decoder->end, &number);
    if (result != CODEC_OK) return result;
    if (number < 0) {
        if (number == INT64_MIN) return CODEC_INVALID;
        number = -number;
        result = take_long(&decoder->at, decoder->end, skip);
        if (result != CODEC_OK) return result;
        if (*skip < 0) return CODEC_INVALID;
        if (*skip > decoder->end - decoder->at) return CODEC_TRUNCATED;
    }
    *count = (size_t)number;
    if (minimum == 0) {
        if (*count > EMPTY_ITEMS_MAXIMUM - decoder->empty_items) return CODEC_TOO_LARGE;
        decoder->empty_items += *count;
    } else if (*count > (size_t)(decoder->end - decoder->at) / minimum) return CODEC_TRUNCATED;
    return CODEC_OK;
}

static enum codec_result run_deeper(struct decoder *decoder, const struct plan_step *body, char *base, size_t count, size_t stride) {
    if (decoder->depth == DEPTH_MAXIMUM) return CODEC_TOO_LARGE;
    decoder->depth++;
    enum codec_result result = run(decoder, body, base, count, stride);
    decoder->depth--;
    return result;
}

static enum codec_result read_list(struct decoder *decoder, const struct plan_step *step, struct codec_list *list) {
    size_t capacity = 0, more;
    const size_t size = step->a;
    for (;;) {
        int64_t ignored;
        enum codec_result result = take_block(decoder, step->b, &more, &ignored);
        if (result != CODEC_OK || more == 0) return result;
        if (more > capacity - list->count) {
            capacity = list->count ? 2 * (list->count + more) : more;
            char *items = arena_alloc(decoder->arena, capacity * size);
            if (!items) return CODEC_NO_MEMORY;
            if (list->count) memcpy(items, list->items, list->count * size);
            list->items = items;
        }
        char *first = (char *)list->items + list->count * size;
        result = run_deeper(decoder, step + 1, first, more, size);
        if (result != CODEC_OK) return result;
        list->count += more;
    }
}

static enum codec_result skip_list(struct decoder *decoder, const struct plan_step *step, char *base) {
    for (;;) {
        size_t count;
        int64_t skip;
        enum codec_result result = take_block(decoder, step->b, &count, &skip);
        if (result != CODEC_OK || count == 0) return result;
        if (skip >= 0) { decoder->at += skip; continue; }
        result = run_deeper(decoder, step + 1, base, count, 0);
        if (result != CODEC_OK) return result;
    }
}

/* ---- the rarer steps: those that neither jump nor call ---- */

static enum codec_result take_decimal(const uint8_t **at, const uint8_t *end, const struct plan_step *step, int64_t *out) {
    struct slice bytes = {(const char *)*at, step->a};
    enum codec_result result = step->a ? take_fixed(at, end, step->a, NULL) : take_bytes(at, end, &bytes);
    if (result != CODEC_OK) return result;
    if (bytes.length == 0) return CODEC_INVALID;
    *out = codec_decimal_rescale((const unsigned char *)bytes.data, bytes.length, step->b >> 16, step->b & 0xffff, step->limit);
    return CODEC_OK;
}

/* Avro's floats are little endian, and so is every machine that this is built for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the codec copies floats as they are");

static enum codec_result run_rare(const uint8_t **at, const uint8_t *end, const struct plan_step *step, void *place) {
    int64_t number;
    enum codec_result result;
    struct slice ignored;
    switch (step->code) {
    case PLAN_BOOLEAN:
        if (*at == end) return CODEC_TRUNCATED;
        if (**at > 1) return CODEC_INVALID;
        *(bool *)place = *(*at)++ == 1;
        return CODEC_OK;
    case PLAN_FLOAT: return take_fixed(at, end, 4, place);
    case PLAN_DOUBLE: return take_fixed(at, end, 8, place);
    case PLAN_FIXED: *(struct slice *)place = (struct slice){(const char *)*at, step->a}; return take_fixed(at, end, step->a, NULL);
    case PLAN_LONG_FROM_INT: return take_int(at, end, place);
    case PLAN_FLOAT_FROM_INT: result = take_int(at, end, &number); *(float *)place = result ? 0 : (float)number; return result;
    case PLAN_FLOAT_FROM_LONG: result = take_long(at, end, &number); *(float *)place = result ? 0 : (float)number; return result;
    case PLAN_DOUBLE_FROM_INT: result = take_int(at, end, &number); *(double *)place = result ? 0 : (double)number; return result;
    case PLAN_DOUBLE_FROM_LONG: result = take_long(at, end, &number); *(double *)place = result ? 0 : (double)number; return result;
    case PLAN_DOUBLE_FROM_FLOAT: {
        float narrow = 0;
        result = take_fixed(at, end, 4, &narrow);
        *(double *)place = (double)narrow;
        return result;
    }
    case PLAN_MICROS_FROM_MILLIS:
        result = take_long(at, end, &number);
        if (result != CODEC_OK) return result;
        return __builtin_mul_overflow(number, 1000, (int64_t *)place) ? CODEC_UNRESOLVABLE : CODEC_OK;
    case PLAN_DECIMAL_RESCALED: return take_decimal(at, end, step, place);
    case PLAN_ENUM_MAPPED:
        result = take_position(at, end, step->a, &number);
        if (result != CODEC_OK) return result;
        *(int32_t *)place = step->table[number];
        return step->table[number] < 0 ? CODEC_UNRESOLVABLE : CODEC_OK;
    case PLAN_SET_BOOLEAN: *(bool *)place = true; return CODEC_OK;
    case PLAN_SET_INT: *(int *)place = (int)step->a; return CODEC_OK;
    case PLAN_SKIP_NUMBER: return take_long(at, end, &number);
    case PLAN_SKIP_BYTES: return take_bytes(at, end, &ignored);
    case PLAN_SKIP_FIXED: return take_fixed(at, end, step->a, NULL);
    default: return CODEC_UNRESOLVABLE; /* PLAN_UNRESOLVABLE: the others are run's own */
    }
}

/* ---- the loop ---- */

/* Runs the steps for `count` (at least one) records or items that lie `stride` bytes apart. */
static enum codec_result run(struct decoder *decoder, const struct plan_step *body, char *base, size_t count, size_t stride) {
    const struct plan_step *step = body;
    const uint8_t *at = decoder->at, *const end = decoder->end;
    for (;; step++) {
        void *place = base + step->offset;
        struct slice bytes;
        int64_t number = 0;
        enum codec_result result = CODEC_OK;
        switch (step->code) {
        case PLAN_END:
            if (--count == 0) { decoder->at = at; return CODEC_OK; }
            base += stride;
            step = body - 1;
            break;
        case PLAN_STRING:
            result = take_bytes(&at, end, &bytes);
            if (result == CODEC_OK && !text_is_valid(bytes)) result = CODEC_INVALID;
            if (result == CODEC_OK) *(struct slice *)place = bytes;
            break;
        case PLAN_BYTES: result = take_bytes(&at, end, place); break;
        case PLAN_DECIMAL:
            result = take_bytes(&at, end, &bytes);
            if (result != CODEC_OK) break;
            if (bytes.length == 0) return CODEC_INVALID;
            *(int64_t *)place = codec_decimal_read((const unsigned char *)bytes.data, bytes.length, step->limit);
            break;
        case PLAN_OPTIONAL:
            result = take_position(&at, end, 2, &number);
            if (number == step->b) step += step->jump - 1;
            else *(bool *)(base + step->a) = true;
            break;
        case PLAN_INT:
            result = take_int(&at, end, &number);
            *(int32_t *)place = (int32_t)number;
            break;
        case PLAN_LONG: result = take_long(&at, end, place); break;
        case PLAN_ENUM:
            result = take_position(&at, end, step->a, &number);
            *(int32_t *)place = (int32_t)number;
            break;
        case PLAN_COPY: memcpy(place, step->image, step->a); break;
        case PLAN_LIST: case PLAN_SKIP_LIST: case PLAN_CALL:
            decoder->at = at;
            if (step->code == PLAN_LIST) result = read_list(decoder, step, place);
            else if (step->code == PLAN_SKIP_LIST) result = skip_list(decoder, step, base);
            else result = run_deeper(decoder, decoder->steps + step->jump, base, 1, 0);
            at = decoder->at;
            if (step->code != PLAN_CALL) step += step->jump - 1;
            break;
        case PLAN_SWITCH:
            result = take_position(&at, end, step->a, &number);
            if (result == CODEC_OK) step += step->table[number] - 1;
            break;
        case PLAN_JUMP: step += step->jump - 1; break;
        default: result = run_rare(&at, end, step, place); break;
        }
        if (__builtin_expect(result != CODEC_OK, 0)) return result;
    }
}

enum codec_result codec_decode(const struct codec_plan *plan, const void *bytes, size_t length, struct arena *arena, void *out) {
    const uint8_t *start = bytes ? bytes : (const uint8_t *)"";
    struct decoder decoder = {.at = start, .end = start + length, .steps = plan->steps, .arena = arena};
    memset(out, 0, plan->reader->size);
    enum codec_result result = run(&decoder, plan->steps, out, 1, 0);
    if (result != CODEC_OK) return result;
    return decoder.at == decoder.end ? CODEC_OK : CODEC_TRAILING_BYTES;
}

const char *codec_result_text(enum codec_result result) {
    static const char *const texts[] = {
        [CODEC_OK] = "ok", [CODEC_TRUNCATED] = "truncated", [CODEC_INVALID] = "not a value of its schema",
        [CODEC_UNRESOLVABLE] = "a value that our schema cannot hold", [CODEC_TRAILING_BYTES] = "more bytes behind the record",
        [CODEC_TOO_LARGE] = "too large",
        [CODEC_NO_MEMORY] = "memory is out"};
    return (unsigned)result < sizeof texts / sizeof *texts ? texts[result] : "?";
}
