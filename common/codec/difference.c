#include "common/codec/difference.h"

#include <stdio.h>
#include <string.h>

#include "common/codec/json.h"

enum { PATH_SIZE = 512 };
struct walk { struct buffer *out; bool any; char path[PATH_SIZE]; };

static bool text_append(struct buffer *out, const char *text) { return buffer_append(out, text, strlen(text)); }

/* A value, or null: of what is absent. Unions other than with null are not among the events' fields: they would be written as null on both sides. */
static bool value_append(const struct codec_type *type, const void *value, struct buffer *out) {
    return value && type->kind != CODEC_UNION ? codec_to_json(type, value, out) : text_append(out, "null");
}

/* Both as JSON behind what is there; the same text: both are taken back again. */
static bool pair_append(struct walk *walk, const struct codec_type *type, const void *before, const void *after) {
    struct buffer *out = walk->out;
    const size_t start = out->length;
    if (!text_append(out, walk->any ? ",\"" : "\"") || !text_append(out, walk->path) || !text_append(out, "\":[")) return false;
    const size_t first = out->length;
    if (!value_append(type, before, out) || !text_append(out, ",")) return false;
    const size_t second = out->length;
    if (!value_append(type, after, out)) return false;
    const size_t length = second - first - 1;
    if (out->length - second == length && memcmp(out->data + first, out->data + second, length) == 0) { out->length = start; return true; }
    walk->any = true;
    return text_append(out, "]");
}

static bool value_walk(struct walk *walk, const struct codec_type *type, const void *before, const void *after);

static bool slot_walk(struct walk *walk, const struct codec_slot *slot, const char *before, const char *after) {
    const void *one = before + slot->offset, *other = after + slot->offset;
    if (slot->type->kind != CODEC_OPTIONAL) return value_walk(walk, slot->type, one, other);
    if (!*(const bool *)(before + slot->flag_offset)) one = NULL;
    if (!*(const bool *)(after + slot->flag_offset)) other = NULL;
    return value_walk(walk, slot->type->element.type, one, other);
}

static bool record_walk(struct walk *walk, const struct codec_type *type, const char *before, const char *after) {
    const size_t length = strlen(walk->path);
    bool ok = true;
    for (uint32_t i = 0; ok && i < type->field_count; i++) {
        snprintf(walk->path + length, PATH_SIZE - length, "%s%s", length ? "." : "", type->fields[i].name);
        ok = slot_walk(walk, &type->fields[i].slot, before, after);
    }
    walk->path[length] = 0;
    return ok;
}

static bool list_walk(struct walk *walk, const struct codec_type *type, const struct codec_list *before, const struct codec_list *after) {
    const size_t length = strlen(walk->path), count = before->count > after->count ? before->count : after->count;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *one = i < before->count ? (const char *)before->items + i * type->element_size + type->element.offset : NULL;
        const char *other = i < after->count ? (const char *)after->items + i * type->element_size + type->element.offset : NULL;
        snprintf(walk->path + length, PATH_SIZE - length, "[%zu]", i);
        ok = value_walk(walk, type->element.type, one, other);
    }
    walk->path[length] = 0;
    return ok;
}

static bool value_walk(struct walk *walk, const struct codec_type *type, const void *before, const void *after) {
    if (!before && !after) return true;
    if (before && after && type->kind == CODEC_RECORD) return record_walk(walk, type, before, after);
    if (before && after && type->kind == CODEC_ARRAY && type->element.type->kind == CODEC_RECORD) return list_walk(walk, type, before, after);
    return pair_append(walk, type, before, after);
}

bool codec_difference(const struct codec_type *type, const void *before, const void *after, struct buffer *out) {
    struct walk walk = {.out = out};
    return text_append(out, "{") && value_walk(&walk, type, before, after) && text_append(out, "}");
}
