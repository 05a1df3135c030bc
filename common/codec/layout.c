#include "common/codec/layout.h"

#include <stdalign.h>
#include <stddef.h>

static uint32_t aligned(uint32_t offset, uint32_t alignment) { return (offset + alignment - 1) / alignment * alignment; }

/* Where the next member comes to lie; the struct's alignment and end grow with it. */
struct cursor { uint32_t end, alignment; };

static uint32_t place(struct cursor *cursor, uint32_t size, uint32_t alignment) {
    uint32_t offset = aligned(cursor->end, alignment);
    cursor->end = offset + size;
    if (alignment > cursor->alignment) cursor->alignment = alignment;
    return offset;
}

static void place_slot(struct cursor *cursor, struct codec_slot *slot) {
    const struct codec_type *type = slot->type;
    if (type->kind == CODEC_OPTIONAL) {
        slot->flag_offset = place(cursor, sizeof(bool), alignof(bool));
        type = type->element.type;
    } else if (type->kind == CODEC_UNION) {
        slot->flag_offset = place(cursor, sizeof(int), alignof(int));
    }
    if (type->kind == CODEC_NULL) slot->offset = cursor->end;
    else slot->offset = place(cursor, type->size, type->alignment);
}

static void layout_members(struct codec_type *type) {
    struct cursor cursor = {0, 1};
    struct codec_field *fields = (struct codec_field *)type->fields; /* schema.c made them, writable */
    for (uint32_t i = 0; i < type->field_count && cursor.end <= CODEC_STRUCT_SIZE_MAXIMUM; i++) place_slot(&cursor, &fields[i].slot);
    if (cursor.end == 0) cursor.end = 1; /* a struct without members gets a char */
    type->alignment = cursor.alignment;
    type->size = aligned(cursor.end, cursor.alignment);
}

static void layout_list(struct codec_type *type) {
    struct cursor cursor = {0, 1};
    if (type->kind == CODEC_MAP) place(&cursor, sizeof(struct slice), alignof(struct slice));
    place_slot(&cursor, &type->element);
    if (cursor.end == 0) cursor.end = 1;
    type->element_size = aligned(cursor.end, cursor.alignment);
    type->size = sizeof(struct codec_list);
    type->alignment = alignof(struct codec_list);
}

static void layout_union(struct codec_type *type) {
    type->size = type->alignment = 1;
    for (uint32_t i = 0; i < type->branch_count; i++) {
        const struct codec_type *branch = type->branches[i];
        if (branch->kind == CODEC_NULL) continue;
        if (branch->size > type->size) type->size = branch->size;
        if (branch->alignment > type->alignment) type->alignment = branch->alignment;
    }
    type->size = aligned(type->size, type->alignment);
}

static void layout_type(struct codec_type *type) {
#define HELD_AS(c_type) (type->size = sizeof(c_type), type->alignment = alignof(c_type))
    switch (type->kind) {
    case CODEC_NULL: type->size = 0; type->alignment = 1; break;
    case CODEC_BOOLEAN: HELD_AS(bool); break;
    case CODEC_INT: case CODEC_DATE: case CODEC_ENUM: HELD_AS(int32_t); break;
    case CODEC_LONG: case CODEC_DECIMAL: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: HELD_AS(int64_t); break;
    case CODEC_FLOAT: HELD_AS(float); break;
    case CODEC_DOUBLE: HELD_AS(double); break;
    case CODEC_BYTES: case CODEC_STRING: case CODEC_UUID: case CODEC_FIXED: HELD_AS(struct slice); break;
    case CODEC_RECORD: layout_members(type); break;
    case CODEC_ARRAY: case CODEC_MAP: layout_list(type); break;
    case CODEC_OPTIONAL: type->size = type->element.type->size; type->alignment = type->element.type->alignment; break;
    case CODEC_UNION: layout_union(type); break;
    }
#undef HELD_AS
}

bool codec_layout(struct codec_schema *schema, struct error *error) {
    if (schema->recursive)
        return error_set(error, "schema: %s contains itself; a C struct cannot: use an array of another type", schema->recursive);
    for (uint32_t i = 0; i < schema->type_count; i++) {
        struct codec_type *type = schema->types[i];
        if (type->kind == CODEC_DECIMAL && type->scale > CODEC_SCALE_MAXIMUM)
            return error_set(error, "schema: a decimal of scale %u; at most %d are held", type->scale, CODEC_SCALE_MAXIMUM);
        layout_type(type);
        if (type->size > CODEC_STRUCT_SIZE_MAXIMUM)
            return error_set(error, "schema: the struct of %s is larger than %u bytes", type->name ? type->name : "a part",
                             CODEC_STRUCT_SIZE_MAXIMUM);
    }
    schema->laid_out = *schema->root;
    schema->laid_out.schema = schema->text;
    return true;
}

const struct codec_type *codec_type_parse(const char *json, struct error *error) {
    struct codec_schema *schema = codec_schema_parse(slice_of(json), error);
    if (!schema) return NULL;
    if (codec_layout(schema, error)) return &schema->laid_out;
    codec_schema_free(schema);
    return NULL;
}

void codec_type_free(const struct codec_type *type) {
    codec_schema_free((struct codec_schema *)type); /* laid_out is its first member */
}
