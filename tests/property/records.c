#include "tests/property/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/type.h"
#include "schemas/acknowledgment.h"
#include "schemas/posting_command.h"

const char *wide_print(wide amount_e4, char text[WIDE_TEXT_SIZE]) {
    char digits[WIDE_TEXT_SIZE];
    size_t at = sizeof digits;
    wide left = wide_size(amount_e4);
    digits[--at] = 0;
    for (int i = 0; i < 5 || left; i++) {
        if (i == 4) digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(left % 10));
        left /= 10;
    }
    snprintf(text, WIDE_TEXT_SIZE, "%s%s", amount_e4 < 0 ? "-" : "", digits + at);
    return text;
}

/* ---- which field of a schema goes where ---- */

enum target { TARGET_TEXT, TARGET_NUMBER, TARGET_LIST, TARGET_COUNT_OF };
enum { FIELDS_MAXIMUM = 64 };
struct layout;
struct bound { const char *name; enum target target; size_t offset; struct layout *items; };
struct layout {
    const struct codec_type *type;
    size_t size;
    const struct bound *bounds;
    const struct bound *by_field[FIELDS_MAXIMUM];   /* NULL: not of interest */
};

#define TEXT(of, name) {#name, TARGET_TEXT, offsetof(struct of, name), NULL}
#define NUMBER(of, name, member) {name, TARGET_NUMBER, offsetof(struct of, member), NULL}
static const struct bound line_bounds[] = {
    TEXT(seen_line, account), TEXT(seen_line, cost_centre), TEXT(seen_line, project), TEXT(seen_line, tax_code), TEXT(seen_line, partner), TEXT(seen_line, source_line),
    NUMBER(seen_line, "side", side), NUMBER(seen_line, "amount", amount_e4), NUMBER(seen_line, "functional", functional_e4), {NULL, 0, 0, NULL}};
static struct layout line_layout = {.size = sizeof(struct seen_line), .bounds = line_bounds};
static const struct bound journal_bounds[] = {
    TEXT(seen_journal, idempotency_key), TEXT(seen_journal, erp), TEXT(seen_journal, entity), TEXT(seen_journal, ledger), TEXT(seen_journal, partner),
    TEXT(seen_journal, document), TEXT(seen_journal, step), TEXT(seen_journal, reverses), TEXT(seen_journal, origin), TEXT(seen_journal, period),
    TEXT(seen_journal, currency), TEXT(seen_journal, functional_currency), TEXT(seen_journal, rule), TEXT(seen_journal, counterpart), TEXT(seen_journal, event_id),
    NUMBER(seen_journal, "version", version), NUMBER(seen_journal, "posting_date", posting_date), NUMBER(seen_journal, "document_date", document_date),
    NUMBER(seen_journal, "rate", rate_e10), NUMBER(seen_journal, "negative_posting", negative_posting),
    {"lines", TARGET_LIST, offsetof(struct seen_journal, lines), &line_layout}, {NULL, 0, 0, NULL}};
static struct layout journal_layout = {.size = sizeof(struct seen_journal), .bounds = journal_bounds};
static const struct bound reason_bounds[] = {TEXT(seen_reason, code), TEXT(seen_reason, field), TEXT(seen_reason, text), {NULL, 0, 0, NULL}};
static struct layout reason_layout = {.size = sizeof(struct seen_reason), .bounds = reason_bounds};
static const struct bound answer_bounds[] = {
    TEXT(seen_answer, origin), TEXT(seen_answer, processor), TEXT(seen_answer, event_id), NUMBER(seen_answer, "outcome", outcome), NUMBER(seen_answer, "later", later),
    {"journals", TARGET_COUNT_OF, offsetof(struct seen_answer, journals), NULL},
    {"reasons", TARGET_LIST, offsetof(struct seen_answer, reasons), &reason_layout}, {NULL, 0, 0, NULL}};
static struct layout answer_layout = {.size = sizeof(struct seen_answer), .bounds = answer_bounds};

static void layout_resolve(struct layout *layout, const struct codec_type *type) {
    layout->type = type;
    for (const struct bound *bound = layout->bounds; bound->name; bound++) {
        bool found = false;
        for (uint32_t i = 0; i < type->field_count && i < FIELDS_MAXIMUM; i++) {
            if (strcmp(type->fields[i].name, bound->name) != 0) continue;
            found = true;
            layout->by_field[i] = bound;
            if (bound->items) layout_resolve(bound->items, type->fields[i].slot.type->element.type);
        }
        if (!found) { fprintf(stderr, "kontor-property: %s has no field %s\n", type->name, bound->name); exit(2); }
    }
}

void records_prepare(void) {
    layout_resolve(&journal_layout, &posting_command_type);
    layout_resolve(&answer_layout, &acknowledgment_type);
}

/* ---- Avro (specification 1.11, "Binary Encoding") ---- */

struct cursor { const unsigned char *at, *end; struct arena *arena; };

static bool long_read(struct cursor *cursor, int64_t *value) {
    uint64_t bits = 0;
    for (int shift = 0; shift < 70 && cursor->at < cursor->end; shift += 7) {
        unsigned char byte = *cursor->at++;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        *value = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
        return true;
    }
    return false;
}

static bool bytes_read(struct cursor *cursor, struct slice *bytes) {
    int64_t length;
    if (!long_read(cursor, &length) || length < 0 || length > cursor->end - cursor->at) return false;
    *bytes = (struct slice){(const char *)cursor->at, (size_t)length};
    cursor->at += length;
    return true;
}

/* Big endian, two's complement, of any length. */
static bool decimal_value(struct slice bytes, wide *value) {
    if (bytes.length > sizeof(wide)) return false;
    unsigned __int128 bits = bytes.length && bytes.data[0] & 0x80 ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < bytes.length; i++) bits = bits << 8 | (unsigned char)bytes.data[i];
    *value = (wide)bits;
    return true;
}

static bool record_read(struct cursor *cursor, const struct codec_type *type, const struct layout *layout, char *out);
static bool list_read(struct cursor *cursor, const struct codec_type *element, const struct bound *bound, char *out);

static void number_put(const struct bound *bound, char *out, wide value) {
    if (bound && bound->target == TARGET_NUMBER) memcpy(out + bound->offset, &value, sizeof value);
}

static bool value_read(struct cursor *cursor, const struct codec_type *type, const struct bound *bound, char *out) {
    int64_t number;
    struct slice bytes;
    wide amount;
    switch (type->kind) {
    case CODEC_NULL: return true;
    case CODEC_BOOLEAN:
        if (cursor->at == cursor->end) return false;
        number_put(bound, out, *cursor->at++);
        return true;
    case CODEC_INT: case CODEC_LONG: case CODEC_DATE: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: case CODEC_ENUM:
        if (!long_read(cursor, &number)) return false;
        number_put(bound, out, number);
        return true;
    case CODEC_STRING: case CODEC_BYTES: case CODEC_UUID:
        if (!bytes_read(cursor, &bytes)) return false;
        if (bound && bound->target == TARGET_TEXT) memcpy(out + bound->offset, &bytes, sizeof bytes);
        return true;
    case CODEC_DECIMAL:
        if (!bytes_read(cursor, &bytes) || !decimal_value(bytes, &amount)) return false;
        number_put(bound, out, amount);
        return true;
    case CODEC_OPTIONAL:
        if (!long_read(cursor, &number) || number < 0 || number > 1) return false;
        return number == (int64_t)type->null_branch || value_read(cursor, type->element.type, bound, out);
    case CODEC_RECORD: return record_read(cursor, type, NULL, NULL);
    case CODEC_ARRAY: return list_read(cursor, type->element.type, bound, out);
    default: return false;   /* the two schemas have no others */
    }
}

/* Items come in blocks; one of no items ends them. */
static bool list_read(struct cursor *cursor, const struct codec_type *element, const struct bound *bound, char *out) {
    const struct layout *layout = bound ? bound->items : NULL;
    char *items = NULL;
    size_t count = 0;
    for (;;) {
        int64_t block, size;
        if (!long_read(cursor, &block)) return false;
        if (block < 0 && !long_read(cursor, &size)) return false;
        if (block < 0) block = -block;
        if (!block) break;
        if (block > cursor->end - cursor->at) return false;
        if (layout) {
            char *grown = arena_alloc(cursor->arena, (count + (size_t)block) * layout->size);
            if (!grown) return false;
            if (count) memcpy(grown, items, count * layout->size);
            items = grown;
        }
        for (int64_t i = 0; i < block; i++, count++)
            if (layout ? !record_read(cursor, element, layout, items + count * layout->size) : !value_read(cursor, element, NULL, NULL)) return false;
    }
    if (!bound) return true;
    if (bound->target == TARGET_COUNT_OF) {
        wide counted = (wide)count;
        memcpy(out + bound->offset, &counted, sizeof counted);
    } else if (layout) {
        memcpy(out + bound->offset, &items, sizeof items);
        memcpy(out + bound->offset + sizeof items, &count, sizeof count);
    }
    return true;
}

static bool record_read(struct cursor *cursor, const struct codec_type *type, const struct layout *layout, char *out) {
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!value_read(cursor, type->fields[i].slot.type, layout ? layout->by_field[i] : NULL, out)) return false;
    return true;
}

static bool whole_read(struct slice payload, struct arena *arena, const struct layout *layout, void *out) {
    struct cursor cursor = {(const unsigned char *)payload.data, (const unsigned char *)payload.data + payload.length, arena};
    memset(out, 0, layout->size);
    return record_read(&cursor, layout->type, layout, out) && cursor.at == cursor.end;
}

bool journal_read(struct slice payload, struct arena *arena, struct seen_journal *journal) { return whole_read(payload, arena, &journal_layout, journal); }
bool answer_read(struct slice payload, struct arena *arena, struct seen_answer *answer) { return whole_read(payload, arena, &answer_layout, answer); }
