#include "common/codec/measure.h"

#include <stdbool.h>

static bool slot_holds(const struct codec_slot *slot, const char *base);

static bool list_holds(const struct codec_type *type, const struct codec_list *list) {
    const char *item = list->items;
    for (size_t i = 0; i < list->count; i++, item += type->element_size)
        if (!slot_holds(&type->element, item)) return false;
    return true;
}

static bool value_holds(const struct codec_type *type, const char *value) {
    switch (type->kind) {
    case CODEC_DECIMAL: return codec_decimal_is_number(*(const int64_t *)(const void *)value);
    case CODEC_RECORD: return !codec_not_a_number(type, value);
    case CODEC_ARRAY: case CODEC_MAP: return list_holds(type, (const struct codec_list *)(const void *)value);
    default: return true;
    }
}

static bool slot_holds(const struct codec_slot *slot, const char *base) {
    const struct codec_type *type = slot->type;
    if (type->kind == CODEC_OPTIONAL) return !*(const bool *)(base + slot->flag_offset) || value_holds(type->element.type, base + slot->offset);
    if (type->kind == CODEC_UNION) return value_holds(type->branches[*(const unsigned *)(const void *)(base + slot->flag_offset)], base + slot->offset);
    return value_holds(type, base + slot->offset);
}

const char *codec_not_a_number(const struct codec_type *record_type, const void *record) {
    for (uint32_t i = 0; i < record_type->field_count; i++)
        if (!slot_holds(&record_type->fields[i].slot, record)) return record_type->fields[i].name;
    return NULL;
}

const char *codec_longest_list(const struct codec_type *record_type, const void *record, size_t *count) {
    const char *longest = NULL;
    *count = 0;
    for (uint32_t i = 0; i < record_type->field_count; i++) {
        const struct codec_slot *slot = &record_type->fields[i].slot;
        if (slot->type->kind != CODEC_ARRAY && slot->type->kind != CODEC_MAP) continue;
        const struct codec_list *list = (const struct codec_list *)(const void *)((const char *)record + slot->offset);
        if (list->count <= *count) continue;
        longest = record_type->fields[i].name;
        *count = list->count;
    }
    return longest;
}
