#include "common/codec/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/decimal.h"
#include "common/codec/default.h"
#include "common/codec/plan_steps.h"

#define STEPS_MAXIMUM 200000
#define PLAN_MEMORY_MAXIMUM (64u << 20)

/* A writer's record that is skipped; its steps stand once, behind the rest. */
struct skipped { const struct codec_type *type; uint32_t position; };

struct compiler {
    struct codec_plan *plan;
    uint32_t capacity;
    struct skipped *skipped;
    uint32_t skipped_count, skipped_capacity;
    struct error *error;
    bool aliases_of_both;   /* the writer's too */
    char path[200];
};

static bool compile_value(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t offset);
static bool compile_slot(struct compiler *compiler, const struct codec_type *writer, const struct codec_slot *slot, uint32_t base);
static bool compile_skip(struct compiler *compiler, const struct codec_type *writer);

/* ---- steps, path, errors ---- */

static bool emit(struct compiler *compiler, struct plan_step step) {
    struct codec_plan *plan = compiler->plan;
    if (plan->step_count == compiler->capacity) {
        uint32_t capacity = compiler->capacity ? compiler->capacity * 2 : 64;
        struct plan_step *steps = plan->step_count < STEPS_MAXIMUM ? realloc(plan->steps, capacity * sizeof *steps) : NULL;
        if (!steps) return error_set(compiler->error, "%s: the schemas are too large", compiler->path);
        plan->steps = steps;
        compiler->capacity = capacity;
    }
    plan->steps[plan->step_count++] = step;
    return true;
}

/* Lets the step at `position` jump to the next step. */
static void land_here(struct compiler *compiler, uint32_t position) {
    compiler->plan->steps[position].jump = compiler->plan->step_count - position;
}

static void *allocate(struct compiler *compiler, size_t size) {
    void *memory = arena_alloc(&compiler->plan->arena, size);
    if (!memory) error_set(compiler->error, "%s: the schemas are too large", compiler->path);
    return memory;
}

static size_t path_enter(struct compiler *compiler, const char *name) {
    size_t length = strlen(compiler->path);
    snprintf(compiler->path + length, sizeof compiler->path - length, "%s%s", length && name[0] != '[' ? "." : "", name);
    return length;
}

static bool refuse(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, const char *why) {
    return error_set(compiler->error, "%s: the writer's %s%s%s cannot be read as our %s%s%s%s%s", compiler->path, codec_kind_name(writer->kind),
                     writer->name ? " " : "", writer->name ? writer->name : "", codec_kind_name(reader->kind), reader->name ? " " : "",
                     reader->name ? reader->name : "", why ? ": " : "", why ? why : "");
}

/* ---- matching ---- */

/* What a type is on the wire. */
static enum codec_kind base_of(const struct codec_type *type) {
    switch (type->kind) {
    case CODEC_DECIMAL: return type->fixed_size ? CODEC_FIXED : CODEC_BYTES;
    case CODEC_DATE: return CODEC_INT;
    case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: return CODEC_LONG;
    case CODEC_UUID: return CODEC_STRING;
    case CODEC_OPTIONAL: return CODEC_UNION;
    default: return type->kind;
    }
}

static const char *unqualified(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* The specification compares names without their namespace; an alias of ours stands for the writer's name. */
static bool names_match(const struct codec_type *writer, const struct codec_type *reader) {
    if (strcmp(unqualified(writer->name), unqualified(reader->name)) == 0) return true;
    for (uint32_t i = 0; i < reader->alias_count; i++)
        if (strcmp(writer->name, reader->aliases[i]) == 0 || strcmp(unqualified(writer->name), unqualified(reader->aliases[i])) == 0) return true;
    return false;
}

/* The step that reads one scalar as another; PLAN_END when there is none. */
static enum plan_code scalar_code(const struct codec_type *writer, const struct codec_type *reader) {
    const enum codec_kind from = base_of(writer);
    const bool is_int = from == CODEC_INT, is_long = from == CODEC_LONG;
    const bool is_time = writer->kind == CODEC_DATE || writer->kind == CODEC_TIMESTAMP_MILLIS || writer->kind == CODEC_TIMESTAMP_MICROS;
    switch (reader->kind) {
    case CODEC_BOOLEAN: return from == CODEC_BOOLEAN ? PLAN_BOOLEAN : PLAN_END;
    case CODEC_INT: case CODEC_DATE: return is_int ? PLAN_INT : PLAN_END;
    case CODEC_LONG: return is_int ? PLAN_LONG_FROM_INT : is_long ? PLAN_LONG : PLAN_END;
    case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS:
        if (writer->kind == CODEC_INT) return PLAN_LONG_FROM_INT;
        if (writer->kind == CODEC_LONG || writer->kind == reader->kind) return PLAN_LONG;
        return writer->kind == CODEC_TIMESTAMP_MILLIS ? PLAN_MICROS_FROM_MILLIS : PLAN_END;
    case CODEC_FLOAT:
        if (is_time) return PLAN_END;
        return is_int ? PLAN_FLOAT_FROM_INT : is_long ? PLAN_FLOAT_FROM_LONG : from == CODEC_FLOAT ? PLAN_FLOAT : PLAN_END;
    case CODEC_DOUBLE:
        if (is_time) return PLAN_END;
        if (is_int || is_long) return is_int ? PLAN_DOUBLE_FROM_INT : PLAN_DOUBLE_FROM_LONG;
        return from == CODEC_FLOAT ? PLAN_DOUBLE_FROM_FLOAT : from == CODEC_DOUBLE ? PLAN_DOUBLE : PLAN_END;
    case CODEC_STRING: case CODEC_UUID: return from == CODEC_STRING || writer->kind == CODEC_BYTES ? PLAN_STRING : PLAN_END;
    case CODEC_BYTES: return from == CODEC_BYTES || from == CODEC_STRING ? PLAN_BYTES : PLAN_END;
    case CODEC_FIXED:
        return from == CODEC_FIXED && writer->fixed_size == reader->fixed_size && names_match(writer, reader) ? PLAN_FIXED : PLAN_END;
    case CODEC_DECIMAL: return writer->kind == CODEC_DECIMAL ? PLAN_DECIMAL : PLAN_END;
    default: return PLAN_END;
    }
}

/* Whether the types match, as the specification calls it: a record by its name, a list by its items. A union matches as a whole. */
static bool matches(const struct codec_type *writer, const struct codec_type *reader) {
    const enum codec_kind from = base_of(writer), to = base_of(reader);
    if (from == CODEC_UNION || to == CODEC_UNION) return true;
    if (to == CODEC_NULL) return from == CODEC_NULL;
    if (to == CODEC_RECORD || to == CODEC_ENUM) return from == to && names_match(writer, reader);
    if (to == CODEC_ARRAY || to == CODEC_MAP) return from == to && matches(writer->element.type, reader->element.type);
    return scalar_code(writer, reader) != PLAN_END;
}

/* The branch of ours for a value of the writer's type: the very same type first, then the first that matches. -1: none. */
static int32_t branch_for(const struct codec_type *writer, const struct codec_type *reader) {
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < reader->branch_count; i++) {
            const struct codec_type *branch = reader->branches[i];
            bool is_same = branch->kind == writer->kind && !branch->name == !writer->name && (!branch->name || strcmp(branch->name, writer->name) == 0);
            if ((pass == 1 || is_same) && matches(writer, branch)) return (int32_t)i;
        }
    return -1;
}

/* ---- scalars and enums ---- */

static bool compile_decimal(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t offset) {
    struct plan_step step = {.code = PLAN_DECIMAL, .offset = offset, .a = writer->fixed_size, .limit = codec_decimal_limit(reader->precision)};
    uint32_t up = reader->scale > writer->scale ? reader->scale - writer->scale : 0;
    uint32_t down = writer->scale > reader->scale ? writer->scale - reader->scale : 0;
    if (down > CODEC_RESCALE_DOWN_MAXIMUM) return refuse(compiler, writer, reader, "the scales are too far apart");
    if (up || down || writer->fixed_size) {
        step.code = PLAN_DECIMAL_RESCALED;
        step.b = up << 16 | down;
    }
    return emit(compiler, step);
}

static bool compile_enum(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t offset) {
    int32_t *table = allocate(compiler, writer->symbol_count * sizeof *table);
    if (!table) return false;
    bool is_same = true;
    for (uint32_t i = 0; i < writer->symbol_count; i++) {
        table[i] = reader->default_symbol;
        /* The same position first: of two enums of one family this is nearly always it. */
        if (i < reader->symbol_count && strcmp(writer->symbols[i], reader->symbols[i]) == 0) table[i] = (int32_t)i;
        else
            for (uint32_t j = 0; j < reader->symbol_count; j++)
                if (strcmp(writer->symbols[i], reader->symbols[j]) == 0) table[i] = (int32_t)j;
        if (table[i] != (int32_t)i) is_same = false;
    }
    struct plan_step step = {.code = is_same ? PLAN_ENUM : PLAN_ENUM_MAPPED, .offset = offset, .a = writer->symbol_count, .table = table};
    return emit(compiler, step);
}

/* ---- records ---- */

static const struct codec_field *field_named(const struct codec_type *record, const char *name) {
    for (uint32_t i = 0; i < record->field_count; i++)
        if (strcmp(record->fields[i].name, name) == 0) return &record->fields[i];
    return NULL;
}

static bool has_alias(const struct codec_field *field, const char *name) {
    for (uint32_t i = 0; i < field->alias_count; i++)
        if (strcmp(field->aliases[i], name) == 0) return true;
    return false;
}

/* The writer's fields that carry the name of one of ours as an alias. */
static void pair_renamed(const struct codec_type *writer, const struct codec_type *reader, const struct codec_field **readers, bool *has_writer) {
    for (uint32_t i = 0; i < reader->field_count; i++)
        for (uint32_t j = 0; j < writer->field_count && !has_writer[i]; j++) {
            if (readers[j] || !has_alias(&writer->fields[j], reader->fields[i].name)) continue;
            readers[j] = &reader->fields[i];
            has_writer[i] = true;
        }
}

/* For each field of ours the writer's: of the same name, else of the first alias that is no other field's name. Fills readers[writer's field]. */
static void pair_fields(const struct codec_type *writer, const struct codec_type *reader, const struct codec_field **readers, bool *has_writer) {
    for (uint32_t i = 0; i < reader->field_count; i++) {
        const struct codec_field *from = field_named(writer, reader->fields[i].name);
        has_writer[i] = from != NULL;
        if (from) readers[from - writer->fields] = &reader->fields[i];
    }
    for (uint32_t i = 0; i < reader->field_count; i++)
        for (uint32_t j = 0; j < reader->fields[i].alias_count && !has_writer[i]; j++) {
            const struct codec_field *from = field_named(writer, reader->fields[i].aliases[j]);
            if (!from || readers[from - writer->fields]) continue;
            readers[from - writer->fields] = &reader->fields[i];
            has_writer[i] = true;
        }
}

/* The default as it lies in the struct, from the flag (which stands before its value) to the value's end. */
static bool compile_default(struct compiler *compiler, const struct codec_field *field, char *scratch, uint32_t base) {
    if (!codec_default(field, &compiler->plan->arena, scratch, compiler->error))
        return error_prefix(compiler->error, "%s: the writer has no such field", compiler->path);
    const struct codec_type *type = field->slot.type;
    bool has_flag = type->kind == CODEC_OPTIONAL || type->kind == CODEC_UNION;
    uint32_t start = has_flag ? field->slot.flag_offset : field->slot.offset;
    uint32_t size = field->slot.offset + type->size - start;
    uint32_t zeros = 0;
    while (zeros < size && scratch[start + zeros] == 0) zeros++;
    if (zeros == size) return true; /* the struct is zeroed anyway */
    return emit(compiler, (struct plan_step){.code = PLAN_COPY, .offset = base + start, .a = size, .image = scratch + start});
}

static bool compile_record(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t base) {
    if (!names_match(writer, reader)) return refuse(compiler, writer, reader, "another name, and no alias");
    const struct codec_field **readers = calloc(writer->field_count + 1, sizeof *readers);
    bool *has_writer = calloc(reader->field_count + 1, sizeof *has_writer);
    bool ok = readers && has_writer;
    if (!ok) error_set(compiler->error, "out of memory");
    else pair_fields(writer, reader, readers, has_writer);
    if (ok && compiler->aliases_of_both) pair_renamed(writer, reader, readers, has_writer);
    for (uint32_t i = 0; ok && i < writer->field_count; i++) {
        size_t path = path_enter(compiler, writer->fields[i].name);
        const struct codec_type *from = writer->fields[i].slot.type;
        ok = readers[i] ? compile_slot(compiler, from, &readers[i]->slot, base) : compile_skip(compiler, from);
        compiler->path[path] = 0;
    }
    char *scratch = NULL;
    for (uint32_t i = 0; ok && i < reader->field_count; i++) {
        if (has_writer[i]) continue;
        size_t path = path_enter(compiler, reader->fields[i].name);
        if (!scratch) scratch = allocate(compiler, reader->size);
        ok = scratch && compile_default(compiler, &reader->fields[i], scratch, base);
        compiler->path[path] = 0;
    }
    free(readers);
    free(has_writer);
    return ok;
}

/* ---- lists ---- */

static uint32_t item_minimum(const struct codec_type *list) {
    uint32_t minimum = list->element.type->wire_minimum;
    return list->kind == CODEC_MAP && minimum < UINT32_MAX ? minimum + 1 : minimum; /* the key's length */
}

static bool compile_list(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t offset) {
    uint32_t start = compiler->plan->step_count;
    struct plan_step list = {.code = PLAN_LIST, .offset = offset, .a = reader->element_size, .b = item_minimum(writer)};
    if (!emit(compiler, list)) return false;
    if (reader->kind == CODEC_MAP && !emit(compiler, (struct plan_step){.code = PLAN_STRING})) return false;
    size_t path = path_enter(compiler, "[]");
    if (!compile_slot(compiler, writer->element.type, &reader->element, 0)) return false;
    compiler->path[path] = 0;
    if (!emit(compiler, (struct plan_step){.code = PLAN_END})) return false;
    land_here(compiler, start);
    return true;
}

/* ---- unions ---- */

static bool compile_branch(struct compiler *compiler, const struct codec_type *writer, const struct codec_slot *slot, uint32_t base) {
    const struct codec_type *reader = slot->type;
    if (reader->kind != CODEC_OPTIONAL && reader->kind != CODEC_UNION) {
        return matches(writer, reader) ? compile_value(compiler, writer, reader, base + slot->offset)
                                       : emit(compiler, (struct plan_step){.code = PLAN_UNRESOLVABLE});
    }
    int32_t branch = branch_for(writer, reader);
    if (branch < 0) return emit(compiler, (struct plan_step){.code = PLAN_UNRESOLVABLE});
    struct plan_step flag = {.code = PLAN_SET_INT, .offset = base + slot->flag_offset, .a = (uint32_t)branch};
    if (reader->kind == CODEC_OPTIONAL) flag.code = PLAN_SET_BOOLEAN;
    bool is_absent = reader->kind == CODEC_OPTIONAL && (uint32_t)branch == reader->null_branch;
    if (!is_absent && !emit(compiler, flag)) return false;
    return compile_value(compiler, writer, reader->branches[branch], base + slot->offset);
}

/* Some branch must be readable; where null may come on both sides, some other one. */
static bool union_can_be_read(const struct codec_type *writer, const struct codec_type *reader) {
    bool has_value = false, can_be_read = false;
    for (uint32_t i = 0; i < writer->branch_count; i++) {
        const struct codec_type *branch = writer->branches[i];
        bool counts = branch->kind != CODEC_NULL || reader->kind != CODEC_OPTIONAL;
        has_value |= counts;
        can_be_read |= counts && (base_of(reader) == CODEC_UNION ? branch_for(branch, reader) >= 0 : matches(branch, reader));
    }
    return can_be_read || !has_value;
}

static bool compile_optional(struct compiler *compiler, const struct codec_type *writer, const struct codec_slot *slot, uint32_t base) {
    uint32_t start = compiler->plan->step_count;
    struct plan_step step = {.code = PLAN_OPTIONAL, .a = base + slot->flag_offset, .b = writer->null_branch};
    if (!emit(compiler, step)) return false;
    if (!compile_value(compiler, writer->element.type, slot->type->element.type, base + slot->offset)) return false;
    land_here(compiler, start);
    return true;
}

/* The branches one after the other; `slot` NULL: they are skipped. */
static bool compile_switch(struct compiler *compiler, const struct codec_type *writer, const struct codec_slot *slot, uint32_t base) {
    uint32_t start = compiler->plan->step_count, count = writer->branch_count;
    int32_t *table = allocate(compiler, count * sizeof *table);
    uint32_t *jumps = table ? calloc(count, sizeof *jumps) : NULL;
    bool ok = jumps && emit(compiler, (struct plan_step){.code = PLAN_SWITCH, .a = count, .table = table});
    for (uint32_t i = 0; ok && i < count; i++) {
        table[i] = (int32_t)(compiler->plan->step_count - start);
        ok = slot ? compile_branch(compiler, writer->branches[i], slot, base) : compile_skip(compiler, writer->branches[i]);
        jumps[i] = compiler->plan->step_count;
        ok = ok && emit(compiler, (struct plan_step){.code = PLAN_JUMP});
    }
    for (uint32_t i = 0; ok && i < count; i++) land_here(compiler, jumps[i]);
    free(jumps);
    return ok;
}

static bool compile_slot(struct compiler *compiler, const struct codec_type *writer, const struct codec_slot *slot, uint32_t base) {
    const struct codec_type *reader = slot->type;
    if (base_of(writer) == CODEC_UNION) {
        if (!union_can_be_read(writer, reader)) return refuse(compiler, writer, reader, "no branch matches");
        if (writer->kind == CODEC_OPTIONAL && reader->kind == CODEC_OPTIONAL && matches(writer->element.type, reader->element.type))
            return compile_optional(compiler, writer, slot, base);
        return compile_switch(compiler, writer, slot, base);
    }
    if (base_of(reader) != CODEC_UNION) return compile_value(compiler, writer, reader, base + slot->offset);
    if (branch_for(writer, reader) < 0) return refuse(compiler, writer, reader, "no branch matches");
    return compile_branch(compiler, writer, slot, base);
}

/* Neither side a union. */
static bool compile_value(struct compiler *compiler, const struct codec_type *writer, const struct codec_type *reader, uint32_t offset) {
    if (!matches(writer, reader)) return refuse(compiler, writer, reader, NULL);
    switch (reader->kind) {
    case CODEC_NULL: return true;
    case CODEC_RECORD: return compile_record(compiler, writer, reader, offset);
    case CODEC_ENUM: return compile_enum(compiler, writer, reader, offset);
    case CODEC_ARRAY: case CODEC_MAP: return compile_list(compiler, writer, reader, offset);
    case CODEC_DECIMAL: return compile_decimal(compiler, writer, reader, offset);
    default: return emit(compiler, (struct plan_step){.code = (uint16_t)scalar_code(writer, reader), .offset = offset, .a = reader->fixed_size});
    }
}

/* ---- skipping ---- */

static bool call_record(struct compiler *compiler, const struct codec_type *writer) {
    if (writer->wire_minimum == 0) return true; /* nothing on the wire */
    uint32_t i = 0;
    while (i < compiler->skipped_count && compiler->skipped[i].type != writer) i++;
    if (i == compiler->skipped_count) {
        if (i == compiler->skipped_capacity) {
            uint32_t capacity = i ? i * 2 : 16;
            struct skipped *skipped = realloc(compiler->skipped, capacity * sizeof *skipped);
            if (!skipped) return error_set(compiler->error, "out of memory");
            compiler->skipped = skipped;
            compiler->skipped_capacity = capacity;
        }
        compiler->skipped[compiler->skipped_count++] = (struct skipped){writer, 0};
    }
    return emit(compiler, (struct plan_step){.code = PLAN_CALL, .jump = i}); /* the position is put in when it is known */
}

static bool compile_skip(struct compiler *compiler, const struct codec_type *writer) {
    uint32_t start = compiler->plan->step_count;
    switch (base_of(writer)) {
    case CODEC_NULL: return true;
    case CODEC_BOOLEAN: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_FIXED, .a = 1});
    case CODEC_FLOAT: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_FIXED, .a = 4});
    case CODEC_DOUBLE: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_FIXED, .a = 8});
    case CODEC_FIXED: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_FIXED, .a = writer->fixed_size});
    case CODEC_BYTES: case CODEC_STRING: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_BYTES});
    case CODEC_UNION: return compile_switch(compiler, writer, NULL, 0);
    case CODEC_RECORD: return call_record(compiler, writer);
    case CODEC_ARRAY: case CODEC_MAP:
        if (!emit(compiler, (struct plan_step){.code = PLAN_SKIP_LIST, .b = item_minimum(writer)})) return false;
        if (writer->kind == CODEC_MAP && !emit(compiler, (struct plan_step){.code = PLAN_SKIP_BYTES})) return false;
        if (!compile_skip(compiler, writer->element.type) || !emit(compiler, (struct plan_step){.code = PLAN_END})) return false;
        land_here(compiler, start);
        return true;
    default: return emit(compiler, (struct plan_step){.code = PLAN_SKIP_NUMBER});
    }
}

/* The rows of the skipped records, which may name further ones, then the positions in the calls. */
static bool compile_skipped(struct compiler *compiler) {
    for (uint32_t i = 0; i < compiler->skipped_count; i++) {
        const struct codec_type *type = compiler->skipped[i].type;
        compiler->skipped[i].position = compiler->plan->step_count;
        for (uint32_t j = 0; j < type->field_count; j++)
            if (!compile_skip(compiler, type->fields[j].slot.type)) return false;
        if (!emit(compiler, (struct plan_step){.code = PLAN_END})) return false;
    }
    for (uint32_t i = 0; i < compiler->plan->step_count; i++)
        if (compiler->plan->steps[i].code == PLAN_CALL)
            compiler->plan->steps[i].jump = compiler->skipped[compiler->plan->steps[i].jump].position;
    return true;
}

/* ---- the whole ---- */

static struct codec_plan *plan_make(const struct codec_schema *writer, const struct codec_type *reader, bool aliases_of_both, struct error *error) {
    struct codec_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        error_set(error, "out of memory");
        return NULL;
    }
    arena_init(&plan->arena, 4096, PLAN_MEMORY_MAXIMUM);
    plan->reader = reader;
    struct compiler compiler = {.plan = plan, .error = error, .aliases_of_both = aliases_of_both};
    if (reader->name) path_enter(&compiler, reader->name);
    const struct codec_slot whole = {.type = reader};
    bool ok = base_of(reader) != CODEC_UNION || error_set(error, "%s: our outermost type is a union, which has no place for its branch", compiler.path);
    ok = ok && compile_slot(&compiler, writer->root, &whole, 0) && emit(&compiler, (struct plan_step){.code = PLAN_END}) && compile_skipped(&compiler);
    free(compiler.skipped);
    if (ok) return plan;
    codec_plan_free(plan);
    return NULL;
}

struct codec_plan *codec_plan_new(const struct codec_schema *writer, const struct codec_type *reader, struct error *error) {
    return plan_make(writer, reader, false, error);
}

struct codec_plan *codec_plan_relative(const struct codec_schema *writer, const struct codec_type *reader, struct error *error) {
    return plan_make(writer, reader, true, error);
}

struct codec_plan *codec_plan_own(const struct codec_type *type, struct error *error) {
    if (!type->schema) {
        error_set(error, "%s has no schema of its own: it is a part of another type", type->name ? type->name : "the type");
        return NULL;
    }
    struct codec_schema *schema = codec_schema_parse(slice_of(type->schema), error);
    if (!schema) return NULL;
    struct codec_plan *plan = codec_plan_new(schema, type, error);
    codec_schema_free(schema);
    return plan;
}

void codec_plan_free(struct codec_plan *plan) {
    if (!plan) return;
    free(plan->steps);
    arena_free(&plan->arena);
    free(plan);
}
