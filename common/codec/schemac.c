/* kontor-schemac IN.avsc OUT.h OUT.c: the schema compiler.
 *
 * From schemas/invoice-event.avsc with the record kontor.InvoiceEvent it writes `struct invoice_event` (type.h says how each Avro type is held in C), the
 * types it is made of, and `invoice_event_type`, their description for the codec. Names are the schema's in snake case, without the namespace. A named
 * type is written once, under its own name, so the names of nested records and enums must be unique over all files of schemas/. List types that C
 * needs a name for are called after their record and field: struct invoice_event_lines_list. A schema that would be read otherwise
 * than it says (a logical type we do not know, a default that is no value of its type) is refused. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/codec/default.h"
#include "common/codec/layout.h"

#define NAME_SIZE 400

struct name { char text[NAME_SIZE]; };

struct output {
    FILE *header, *source;
    const struct codec_schema *schema;
    const char *file; /* the schema's file name, for the head comment */
};

/* ---- names ---- */

static bool is_keyword(const char *word) {
    static const char *const keywords[] = {
        "auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "false", "float", "for",
        "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "true",
        "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "typeof", "unix", "linux", "NULL", NULL};
    for (size_t i = 0; keywords[i]; i++)
        if (strcmp(keywords[i], word) == 0) return true;
    return false;
}

/* kontor.InvoiceEvent -> invoice_event; FXRate -> fx_rate. */
static struct name snake(const char *name) {
    struct name out;
    size_t used = 0;
    const char *dot = strrchr(name, '.');
    const char *text = dot ? dot + 1 : name;
    for (size_t i = 0; text[i] && used + 3 < NAME_SIZE / 2; i++) {
        bool upper = isupper((unsigned char)text[i]);
        bool after_word = i > 0 && (islower((unsigned char)text[i - 1]) || isdigit((unsigned char)text[i - 1]));
        bool last_of_acronym = i > 0 && isupper((unsigned char)text[i - 1]) && islower((unsigned char)text[i + 1]);
        if (upper && (after_word || last_of_acronym)) out.text[used++] = '_';
        out.text[used++] = (char)tolower((unsigned char)text[i]);
    }
    out.text[used] = 0;
    return out;
}

static struct name upper(struct name name) {
    for (char *c = name.text; *c; c++) *c = (char)toupper((unsigned char)*c);
    return name;
}

/* a_b, cut at the size of a name (schema names of 200 letters are nobody's). */
static struct name joined(struct name a, const char *b) {
    struct name out;
    snprintf(out.text, sizeof out.text, "%.198s_%.198s", a.text, b);
    return out;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The member's name: the plain one with its unit. */
static struct name member_name(const char *plain, const struct codec_type *type) {
    struct name out;
    const char *unit = type->kind == CODEC_TIMESTAMP_MILLIS ? "_ms" : type->kind == CODEC_TIMESTAMP_MICROS ? "_us" : "";
    if (type->kind == CODEC_DECIMAL) snprintf(out.text, sizeof out.text, "%.300s_e%u", plain, type->scale);
    else snprintf(out.text, sizeof out.text, "%.300s%s%s", plain, ends_with(plain, unit) ? "" : unit, is_keyword(plain) ? "_" : "");
    return out;
}

static struct name branch_name(const struct codec_type *branch) {
    struct name name = {{0}};
    if (branch->kind == CODEC_TIMESTAMP_MILLIS || branch->kind == CODEC_TIMESTAMP_MICROS) snprintf(name.text, sizeof name.text, "timestamp");
    else if (branch->name) name = snake(branch->name);
    else snprintf(name.text, sizeof name.text, "%s_value", codec_kind_name(branch->kind));
    return name;
}

/* The C type of a value; `context` names the list types: <record>_<field>. */
static struct name c_type(const struct codec_type *type, struct name context) {
    struct name out = {{0}};
    const char *text = NULL;
    switch (type->kind) {
    case CODEC_BOOLEAN: text = "bool"; break;
    case CODEC_INT: case CODEC_DATE: text = "int32_t"; break;
    case CODEC_LONG: case CODEC_DECIMAL: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: text = "int64_t"; break;
    case CODEC_FLOAT: text = "float"; break;
    case CODEC_DOUBLE: text = "double"; break;
    case CODEC_BYTES: case CODEC_STRING: case CODEC_UUID: case CODEC_FIXED: text = "struct slice"; break;
    case CODEC_ENUM: snprintf(out.text, sizeof out.text, "enum %.300s", snake(type->name).text); break;
    case CODEC_RECORD: snprintf(out.text, sizeof out.text, "struct %.300s", snake(type->name).text); break;
    case CODEC_ARRAY: snprintf(out.text, sizeof out.text, "struct %.300s_list", context.text); break;
    case CODEC_MAP: snprintf(out.text, sizeof out.text, "struct %.300s_map", context.text); break;
    case CODEC_NULL: case CODEC_OPTIONAL: case CODEC_UNION: text = ""; break; /* no C type of their own */
    }
    if (text) snprintf(out.text, sizeof out.text, "%s", text);
    return out;
}

/* ---- the header ---- */

/* The schema's words as a C comment, wrapped between words. */
static void write_comment(FILE *file, const char *indent, const char *doc, const char *unit) {
    if ((!doc || !*doc) && !unit) return;
    fprintf(file, "%s/* ", indent);
    int column = 0;
    for (const char *c = doc ? doc : ""; *c; c++, column++) {
        if (isspace((unsigned char)*c) && column > 120) { fprintf(file, "\n%s * ", indent); column = 0; }
        else fputc(isspace((unsigned char)*c) ? ' ' : *c, file);
        if (c[0] == '*' && c[1] == '/') fputc(' ', file);
    }
    if (unit) fprintf(file, "%s[%s]", doc && *doc ? " " : "", unit);
    fputs(" */\n", file);
}

static const char *unit_of(const struct codec_type *type, char *space, size_t size) {
    switch (type->kind) {
    case CODEC_OPTIONAL: return unit_of(type->element.type, space, size);
    case CODEC_DATE: return "days since 1970-01-01";
    case CODEC_TIMESTAMP_MILLIS: return "milliseconds since 1970-01-01T00:00:00Z";
    case CODEC_TIMESTAMP_MICROS: return "microseconds since 1970-01-01T00:00:00Z";
    case CODEC_DECIMAL: snprintf(space, size, "times 10^%u, %u digits", type->scale, type->precision); return space;
    default: return NULL;
    }
}

static void write_member(FILE *file, const struct codec_slot *slot, const char *plain, struct name context) {
    const struct codec_type *type = slot->type;
    if (type->kind == CODEC_NULL) { fprintf(file, "    /* %s: always null */\n", plain); return; }
    if (type->kind == CODEC_OPTIONAL) {
        type = type->element.type;
        fprintf(file, "    bool has_%s;\n", plain);
    }
    if (type->kind != CODEC_UNION) {
        fprintf(file, "    %s %s;\n", c_type(type, context).text, member_name(plain, type).text);
        return;
    }
    fprintf(file, "    int %s_branch;\n    union {\n        char none;\n", plain);
    for (uint32_t i = 0; i < type->branch_count; i++) {
        const struct codec_type *branch = type->branches[i];
        if (branch->kind == CODEC_NULL) continue;
        struct name own = branch_name(branch);
        fprintf(file, "        %s %s;\n", c_type(branch, joined(context, own.text)).text, member_name(own.text, branch).text);
    }
    fprintf(file, "    } %s;\n", member_name(plain, type).text);
}

/* The list and map types that a field needs, innermost first, and the names of a union's branches. */
static void write_helpers(struct output *output, const struct codec_type *type, struct name context) {
    FILE *file = output->header;
    if (type->kind == CODEC_OPTIONAL) { write_helpers(output, type->element.type, context); return; }
    if (type->kind == CODEC_UNION) {
        for (uint32_t i = 0; i < type->branch_count; i++) write_helpers(output, type->branches[i], joined(context, branch_name(type->branches[i]).text));
        fprintf(file, "enum {");
        for (uint32_t i = 0; i < type->branch_count; i++)
            fprintf(file, "%s %s = %u", i ? "," : "", upper(joined(context, branch_name(type->branches[i]).text)).text, i);
        fprintf(file, " }; /* of %s_branch */\n\n", context.text);
        return;
    }
    if (type->kind != CODEC_ARRAY && type->kind != CODEC_MAP) return;
    bool is_map = type->kind == CODEC_MAP;
    const struct codec_type *element = type->element.type;
    struct name element_context = joined(context, is_map ? "value" : "item");
    write_helpers(output, element, element_context);
    struct name item = c_type(element, element_context);
    bool own_struct = is_map || element->kind == CODEC_OPTIONAL || element->kind == CODEC_UNION || element->kind == CODEC_NULL;
    if (own_struct) {
        snprintf(item.text, sizeof item.text, "struct %.300s_%s", context.text, is_map ? "entry" : "item");
        fprintf(file, "%s {\n", item.text);
        if (is_map) fprintf(file, "    struct slice key;\n");
        else if (element->kind == CODEC_NULL) fprintf(file, "    char empty;\n");
        write_member(file, &type->element, "value", element_context);
        fprintf(file, "};\n");
        fprintf(output->source, "_Static_assert(sizeof(%s) == %u, \"layout\");\n", item.text, type->element_size);
    }
    fprintf(file, "%s {\n    %s *items;\n    size_t count;\n};\n\n", c_type(type, context).text, item.text);
}

static void write_enum(struct output *output, const struct codec_type *type) {
    struct name name = snake(type->name), prefix = upper(name);
    FILE *file = output->header;
    write_comment(file, "", type->doc, NULL);
    fprintf(file, "enum %s {\n", name.text);
    for (uint32_t i = 0; i < type->symbol_count; i++)
        fprintf(file, "    %s_%s = %u,\n", prefix.text, upper(snake(type->symbols[i])).text, i);
    fprintf(file, "};\nenum { %s_COUNT = %u };\n", prefix.text, type->symbol_count);
    fprintf(file, "/* The symbol as in the schema; \"?\" for a number that is none. */\nconst char *%s_name(enum %s value);\n\n", name.text, name.text);
    fprintf(output->source, "static const char *const %s_symbols[] = {", name.text);
    for (uint32_t i = 0; i < type->symbol_count; i++) fprintf(output->source, "%s\n    \"%s\"", i ? "," : "", type->symbols[i]);
    fprintf(output->source, "};\nconst char *%s_name(enum %s value) {\n    return (unsigned)value < %u ? %s_symbols[(unsigned)value] : \"?\";\n}\n\n",
            name.text, name.text, type->symbol_count, name.text);
}

static void write_assert(struct output *output, struct name record, const char *member, uint32_t offset) {
    fprintf(output->source, "_Static_assert(offsetof(struct %s, %s) == %u, \"layout\");\n", record.text, member, offset);
}

static void write_struct(struct output *output, const struct codec_type *type) {
    struct name record = snake(type->name);
    for (uint32_t i = 0; i < type->field_count; i++)
        write_helpers(output, type->fields[i].slot.type, joined(record, snake(type->fields[i].name).text));
    FILE *file = output->header;
    bool is_empty = true;
    write_comment(file, "", type->doc, NULL);
    fprintf(file, "struct %s {\n", record.text);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct codec_field *field = &type->fields[i];
        struct name plain = snake(field->name), context = joined(record, plain.text);
        const struct codec_type *held = field->slot.type->kind == CODEC_OPTIONAL ? field->slot.type->element.type : field->slot.type;
        char space[64];
        write_comment(file, "    ", field->doc, unit_of(held, space, sizeof space));
        write_member(file, &field->slot, plain.text, context);
        if (held->kind == CODEC_NULL) continue;
        is_empty = false;
        write_assert(output, record, member_name(plain.text, held).text, field->slot.offset);
        char flag[NAME_SIZE];
        snprintf(flag, sizeof flag, held->kind == CODEC_UNION ? "%.300s_branch" : "has_%.300s", plain.text);
        if (held != field->slot.type || held->kind == CODEC_UNION) write_assert(output, record, flag, field->slot.flag_offset);
    }
    fprintf(file, "%s};\nextern const struct codec_type %s_type;\n\n", is_empty ? "    char empty;\n" : "", record.text);
    fprintf(output->source, "_Static_assert(sizeof(struct %s) == %u, \"layout\");\n\n", record.text, type->size);
}

/* ---- the description ---- */

static void write_text(FILE *file, const char *text) {
    if (!text) { fputs("0", file); return; }
    size_t column = 0;
    fputc('"', file);
    for (const char *c = text; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') fprintf(file, "\\%c", byte);
        else if (byte < 32 || byte > 126 || byte == '?') fprintf(file, "\\%03o", byte); /* '?': no trigraphs */
        else fputc(byte, file);
        if (++column % 120 == 0) fputs("\"\n    \"", file);
    }
    fputc('"', file);
}

static bool same_plain(const struct codec_type *a, const struct codec_type *b) {
    return a->kind == b->kind && (a->kind <= CODEC_STRING || (a->kind >= CODEC_DATE && a->kind <= CODEC_UUID) ||
        (a->kind == CODEC_DECIMAL && !a->fixed_size && !b->fixed_size && a->precision == b->precision && a->scale == b->scale));
}

/* The C name of a type's description: records' are public, the others numbered, equal plain ones shared. */
static struct name table_name(const struct output *output, const struct codec_type *type) {
    struct name name = {{0}};
    if (type->kind == CODEC_RECORD) return joined(snake(type->name), "type");
    uint32_t i = 0;
    while (output->schema->types[i] != type && !same_plain(output->schema->types[i], type)) i++;
    snprintf(name.text, sizeof name.text, "type_%u", i);
    return name;
}

static void write_names(struct output *output, const char *label, uint32_t number, const char *const *names, uint32_t count) {
    if (count == 0) return;
    fprintf(output->source, "static const char *const %s_%u[] = {", label, number);
    for (uint32_t i = 0; i < count; i++) fprintf(output->source, "%s\"%s\"", i ? ", " : "", names[i]);
    fprintf(output->source, "};\n");
}

static void write_fields(struct output *output, const struct codec_type *type, uint32_t number) {
    FILE *file = output->source;
    for (uint32_t i = 0; i < type->field_count; i++) {
        char label[64];
        snprintf(label, sizeof label, "aliases_%u", number);
        write_names(output, label, i, type->fields[i].aliases, type->fields[i].alias_count);
    }
    if (type->field_count) fprintf(file, "static const struct codec_field fields_%u[] = {\n", number);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct codec_field *field = &type->fields[i];
        fprintf(file, "    {.name = \"%s\", .default_json = ", field->name);
        write_text(file, field->default_json);
        if (field->alias_count) fprintf(file, ", .aliases = aliases_%u_%u, .alias_count = %u", number, i, field->alias_count);
        fprintf(file, ", .slot = {&%s, %u, %u}},\n", table_name(output, field->slot.type).text, field->slot.offset, field->slot.flag_offset);
    }
    if (type->field_count) fprintf(file, "};\n");
}

static void write_table(struct output *output, const struct codec_type *type, uint32_t number, bool is_root) {
    FILE *file = output->source;
    write_names(output, "names", number, type->aliases, type->alias_count);
    if (type->kind == CODEC_RECORD) write_fields(output, type, number);
    if (type->branch_count) {
        fprintf(file, "static const struct codec_type *const branches_%u[] = {", number);
        for (uint32_t i = 0; i < type->branch_count; i++) fprintf(file, "%s&%s", i ? ", " : "", table_name(output, type->branches[i]).text);
        fprintf(file, "};\n");
    }
    fprintf(file, "%sconst struct codec_type %s = {.kind = %d /* %s */, .size = %u, .alignment = %u, .default_symbol = %d",
            type->kind == CODEC_RECORD ? "" : "static ", table_name(output, type).text, (int)type->kind, codec_kind_name(type->kind),
            type->size, type->alignment, type->default_symbol);
    if (type->name) fprintf(file, ",\n    .name = \"%s\"", type->name);
    if (type->alias_count) fprintf(file, ", .aliases = names_%u, .alias_count = %u", number, type->alias_count);
    if (type->fixed_size) fprintf(file, ", .fixed_size = %u", type->fixed_size);
    if (type->kind == CODEC_DECIMAL) fprintf(file, ", .precision = %u, .scale = %u", type->precision, type->scale);
    if (type->symbol_count) fprintf(file, ", .symbols = %s_symbols, .symbol_count = %u", snake(type->name).text, type->symbol_count);
    if (type->field_count) fprintf(file, ", .fields = fields_%u, .field_count = %u", number, type->field_count);
    if (type->element.type)
        fprintf(file, ", .element = {&%s, %u, %u}, .element_size = %u", table_name(output, type->element.type).text, type->element.offset,
                type->element.flag_offset, type->element_size);
    if (type->branch_count) fprintf(file, ", .branches = branches_%u, .branch_count = %u, .null_branch = %u", number, type->branch_count, type->null_branch);
    if (is_root) {
        fprintf(file, ",\n    .schema =\n    ");
        write_text(file, output->schema->text);
    }
    fprintf(file, "};\n");
}

/* ---- the whole ---- */

static void write_files(struct output *output, const char *header_name) {
    const struct codec_schema *schema = output->schema;
    struct name guard = upper(snake(schema->root->name));
    fprintf(output->header, "/* Written by kontor-schemac from %s; change that and build. */\n#ifndef KONTOR_SCHEMAS_%s_H\n#define KONTOR_SCHEMAS_%s_H\n"
            "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n#include \"common/codec/type.h\"\n\n",
            output->file, guard.text, guard.text);
    fprintf(output->source, "/* Written by kontor-schemac from %s; change that and build. */\n#include \"schemas/%s\"\n\n", output->file, header_name);
    for (uint32_t i = 0; i < schema->type_count; i++) {
        if (schema->types[i]->kind == CODEC_ENUM) write_enum(output, schema->types[i]);
        if (schema->types[i]->kind == CODEC_RECORD) write_struct(output, schema->types[i]);
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        bool is_shared = false;
        for (uint32_t j = 0; j < i && !is_shared; j++) is_shared = same_plain(schema->types[i], schema->types[j]);
        if (!is_shared) write_table(output, schema->types[i], i, schema->types[i] == schema->root);
    }
    fprintf(output->header, "#endif\n");
}

/* What a writer's schema may have and ours may not. */
static bool check(const struct codec_schema *schema, struct error *error) {
    if (schema->root->kind != CODEC_RECORD) return error_set(error, "the outermost type must be a record");
    struct arena arena;
    arena_init(&arena, 65536, 64u << 20);
    bool ok = true;
    for (uint32_t i = 0; ok && i < schema->type_count; i++) {
        const struct codec_type *type = schema->types[i];
        if (type->ignored_logical)
            ok = error_set(error, "logicalType %s is unknown or does not fit its type", type->ignored_logical);
        for (uint32_t j = 0; ok && j < type->field_count; j++) {
            arena_reset(&arena);
            void *scratch = arena_alloc(&arena, type->size);
            if (!scratch) ok = error_set(error, "out of memory");
            else if (type->fields[j].default_json && !codec_default(&type->fields[j], &arena, scratch, error))
                ok = error_prefix(error, "%s.%s", type->name, type->fields[j].name);
        }
    }
    arena_free(&arena);
    return ok;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(CODEC_SCHEMA_TEXT_MAXIMUM + 1) : NULL;
    if (text) *length = fread(text, 1, CODEC_SCHEMA_TEXT_MAXIMUM + 1, file);
    if (file) fclose(file);
    return text;
}

/* The folder for the output, which a fresh build folder has not yet. */
static void make_folder(const char *path) {
    char folder[4096];
    if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder) return;
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(folder, 0755); /* what fails shows when the file is opened */
        *slash = '/';
    }
}

static bool compile(const char *const paths[3], struct error *error) {
    size_t length = 0;
    char *text = read_file(paths[0], &length);
    if (!text) return error_set(error, "%s", strerror(errno));
    struct codec_schema *schema = codec_schema_parse((struct slice){text, length}, error);
    free(text);
    bool ok = schema && codec_layout(schema, error) && check(schema, error);
    if (ok) {
        const char *slash = strrchr(paths[0], '/'), *header_slash = strrchr(paths[1], '/');
        struct output output = {.schema = schema, .file = slash ? slash + 1 : paths[0]};
        make_folder(paths[1]);
        make_folder(paths[2]);
        output.header = fopen(paths[1], "w");
        output.source = fopen(paths[2], "w");
        ok = output.header && output.source;
        if (ok) write_files(&output, header_slash ? header_slash + 1 : paths[1]);
        if (output.header && (ferror(output.header) | fclose(output.header))) ok = false;
        if (output.source && (ferror(output.source) | fclose(output.source))) ok = false;
        if (!ok) {
            error_set(error, "cannot write %s and %s: %s", paths[1], paths[2], strerror(errno));
            remove(paths[1]);
            remove(paths[2]);
        }
    }
    codec_schema_free(schema);
    return ok;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: kontor-schemac IN.avsc OUT.h OUT.c\n");
        return 2;
    }
    struct error error = {{0}};
    if (compile((const char *const[]){arguments[1], arguments[2], arguments[3]}, &error)) return 0;
    fprintf(stderr, "%s: %s\n", arguments[1], error.text);
    return 1;
}
