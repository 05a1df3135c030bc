#include "common/runtime/migration_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char forgotten_prefix[] = "kontor_forgotten_";

/* ---- lines ---- */

static const char *const kinds[] = {"rename", "default", "forget", "rename-store", "forget-store"};
enum { KINDS = sizeof kinds / sizeof *kinds, LINE_SIZE = 4096 };

void changes_free(struct changes *changes) {
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->items[i].store);
        free(changes->items[i].path);
        free(changes->items[i].name);
        json_decref(changes->items[i].value);
    }
    free(changes->items);
    *changes = (struct changes){0};
}

/* The next word of a line, which is cut off behind it. */
static char *word_of(char **line) {
    char *at = *line + strspn(*line, " \t");
    char *end = at + strcspn(at, " \t");
    *line = end + (*end != 0);
    *end = 0;
    return at;
}

static bool line_read(struct change *change, char *line, struct error *error) {
    const int number = change->line;
    char *kind = word_of(&line), *subject = word_of(&line), *rest = line + strspn(line, " \t");
    int k = 0;
    while (k < KINDS && strcmp(kinds[k], kind) != 0) k++;
    if (k == KINDS) return error_set(error, "line %d: %s is not rename, default, forget, rename-store or forget-store", number, kind);
    change->kind = (enum change_kind)k;
    char *dot = strchr(subject, '.');
    const bool of_field = k <= CHANGE_FORGET, with_rest = k != CHANGE_FORGET && k != CHANGE_FORGET_STORE;
    if (!*subject || (of_field && (!dot || dot == subject || !dot[1]))) return error_set(error, "line %d: %s needs %s", number, kind, of_field ? "STORE.FIELD" : "STORE");
    if (with_rest != (*rest != 0)) return error_set(error, "line %d: %s %s needs %s behind it", number, kind, subject,
                                                     with_rest ? (k == CHANGE_DEFAULT ? "a value as JSON" : "the new name") : "nothing");
    if (of_field) *dot = 0;
    change->store = strdup(subject);
    change->path = strdup(of_field ? dot + 1 : "");
    if (k == CHANGE_DEFAULT) {
        json_error_t why;
        change->value = json_loads(rest, JSON_DECODE_ANY, &why);
        if (!change->value) return error_set(error, "line %d: %s is not JSON: %s", number, rest, why.text);
    } else {
        char *name = word_of(&line);
        if (*(line + strspn(line, " \t"))) return error_set(error, "line %d: one name too many", number);
        change->name = strdup(name);
    }
    return (change->store && change->path && (change->name || change->value)) || error_set(error, "out of memory");
}

bool changes_read(struct changes *changes, struct slice text, struct error *error) {
    *changes = (struct changes){0};
    for (int number = 1; text.length; number++) {
        char line[LINE_SIZE];
        const char *end = memchr(text.data, '\n', text.length);
        const size_t length = end ? (size_t)(end - text.data) : text.length;
        if (length >= sizeof line) return error_set(error, "line %d is longer than %d bytes", number, LINE_SIZE - 1);
        memcpy(line, text.data, length);
        line[length] = 0;
        text = (struct slice){text.data + length + (end != NULL), text.length - length - (end != NULL)};
        for (size_t last = strlen(line); last && strchr(" \t\r", line[last - 1]); last--) line[last - 1] = 0;
        const size_t blank = strspn(line, " \t");
        if (!line[blank] || line[blank] == '#') continue;
        struct change *grown = realloc(changes->items, (changes->count + 1) * sizeof *grown);
        if (!grown) return error_set(error, "out of memory");
        changes->items = grown;
        grown[changes->count] = (struct change){.line = number};
        if (!line_read(&grown[changes->count++], line + blank, error)) return false;
    }
    return true;
}

/* ---- schemas ---- */

/* The definition of a named type; NULL: there is none in the schema. */
static json_t *definition_of(json_t *schema, const char *name) {
    size_t i;
    json_t *part, *found = NULL;
    const char *key, *own = json_string_value(json_object_get(schema, "name")), *dot = strrchr(name, '.'), *own_dot = own ? strrchr(own, '.') : NULL;
    if (json_is_object(schema) && own && json_is_string(json_object_get(schema, "type")) && strcmp(own_dot ? own_dot + 1 : own, dot ? dot + 1 : name) == 0 &&
        json_object_get(schema, "fields")) return schema;
    if (json_is_array(schema)) json_array_foreach(schema, i, part) if (!found) found = definition_of(part, name);
    if (json_is_object(schema)) json_object_foreach(schema, key, part) if (!found && strcmp(key, "default") != 0) found = definition_of(part, name);
    return found;
}

/* The record that is reached through lists, maps and unions; NULL: none is. */
static json_t *record_within(json_t *root, json_t *type, int depth) {
    if (depth > 16) return NULL;
    if (json_is_array(type)) {
        size_t i;
        json_t *branch, *record = NULL;
        json_array_foreach(type, i, branch) if (!record) record = record_within(root, branch, depth + 1);
        return record;
    }
    if (json_is_string(type)) {
        json_t *named = definition_of(root, json_string_value(type));
        return named && json_object_get(named, "fields") ? named : NULL;
    }
    if (json_object_get(type, "fields")) return type;
    json_t *inner = json_object_get(type, "items");
    if (!inner) inner = json_object_get(type, "values");
    if (!inner && !json_is_string(json_object_get(type, "type"))) inner = json_object_get(type, "type");
    return inner ? record_within(root, inner, depth + 1) : NULL;
}

static bool has_alias(const json_t *field, const char *name) {
    size_t i;
    json_t *alias;
    json_array_foreach(json_object_get(field, "aliases"), i, alias)
        if (strcmp(json_string_value(alias) ? json_string_value(alias) : "", name) == 0) return true;
    return false;
}

static const char *name_of(const json_t *field) {
    const char *name = json_string_value(json_object_get(field, "name"));
    return name ? name : "";
}

json_t *schema_field(json_t *schema, const char *path, json_t **fields, size_t *index) {
    json_t *record = record_within(schema, schema, 0), *found = NULL;
    while (record && *path) {
        char name[256];
        const size_t length = strcspn(path, ".");
        if (length >= sizeof name) return NULL;
        memcpy(name, path, length);
        name[length] = 0;
        path += length + (path[length] == '.');
        *fields = json_object_get(record, "fields");
        found = NULL;
        size_t i;
        json_t *field;
        json_array_foreach(*fields, i, field)
            if (!found && strcmp(name_of(field), name) == 0) { found = field; *index = i; }
        json_array_foreach(*fields, i, field)
            if (!found && has_alias(field, name)) { found = field; *index = i; }
        if (!found) return NULL;
        record = *path ? record_within(schema, json_object_get(found, "type"), 0) : NULL;
    }
    return *path ? NULL : found;
}

json_t *schema_pair(json_t *writer, const json_t *field) {
    json_t *fields = json_object_get(writer, "fields"), *other;
    size_t i;
    json_array_foreach(fields, i, other) if (strcmp(name_of(other), name_of(field)) == 0) return other;
    json_array_foreach(fields, i, other) if (has_alias(field, name_of(other)) || has_alias(other, name_of(field))) return other;
    return NULL;
}

bool schema_same(json_t *a, json_t *b) {
    if (json_typeof(a) != json_typeof(b)) return false;
    if (json_is_array(a)) {
        for (size_t i = 0; i < json_array_size(a); i++)
            if (i >= json_array_size(b) || !schema_same(json_array_get(a, i), json_array_get(b, i))) return false;
        return json_array_size(a) == json_array_size(b);
    }
    if (!json_is_object(a)) return json_equal(a, b);
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value)
        if (strcmp(key, "doc") != 0 && (!json_object_get(b, key) || !schema_same(value, json_object_get(b, key)))) return false;
    json_object_foreach(b, key, value)
        if (strcmp(key, "doc") != 0 && !json_object_get(a, key)) return false;
    return true;
}

/* ---- changes on schemas ---- */

const char *changes_store(struct changes *changes, const char *store) {
    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->items[i];
        if (change->kind < CHANGE_RENAME_STORE || strcmp(change->store, store) != 0) continue;
        change->used = true;
        return change->kind == CHANGE_FORGET_STORE ? NULL : change->name;
    }
    return store;
}

static bool rename_field(const struct change *change, json_t *writer, json_t *reader, bool *used) {
    json_t *fields;
    size_t index;
    char path[512];
    const char *last = strrchr(change->path, '.');
    snprintf(path, sizeof path, "%.*s%s", (int)(last ? last + 1 - change->path : 0), change->path, change->name);
    json_t *there = schema_field(writer, change->path, &fields, &index), *here = there ? schema_field(reader, path, &fields, &index) : NULL;
    if (!here) return true;
    json_t *aliases = json_object_get(here, "aliases");
    *used = true;
    if (!aliases && json_object_set_new(here, "aliases", aliases = json_array())) return false;
    return json_array_append_new(aliases, json_string(name_of(there))) == 0;
}

int changes_apply(struct changes *changes, const char *store, const char *name, json_t *writer, json_t *reader) {
    int count = 0;
    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->items[i];
        json_t *fields, *field;
        size_t index;
        bool used = false, ok = true;
        if (change->kind >= CHANGE_RENAME_STORE || (strcmp(change->store, store) != 0 && strcmp(change->store, name) != 0)) continue;
        if (change->kind == CHANGE_RENAME) ok = rename_field(change, writer, reader, &used);
        if (change->kind == CHANGE_DEFAULT && (field = schema_field(reader, change->path, &fields, &index))) ok = (used = true, json_object_set(field, "default", change->value) == 0);
        if (change->kind == CHANGE_FORGET && (field = schema_field(writer, change->path, &fields, &index))) {
            char forgotten[64];
            snprintf(forgotten, sizeof forgotten, "%s%zu", forgotten_prefix, i);
            json_object_del(field, "aliases");
            used = true;
            ok = json_object_set_new(field, "name", json_string(forgotten)) == 0;
        }
        if (!ok) return -1;
        change->used |= used;
        count += used;
    }
    return count;
}
