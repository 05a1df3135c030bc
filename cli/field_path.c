#include "cli/field_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/nearest.h"

enum { PATH_SIZE = 256, INDEX_MAXIMUM = 100000 };

/* Where the path leads: a member of an object, or an item of a list. */
struct place { json_t *holder; char name[PATH_SIZE]; size_t index; bool is_item; const struct codec_type *type; };

static const struct codec_type *plain(const struct codec_type *type, bool *nullable) {
    *nullable = type->kind == CODEC_OPTIONAL;
    return *nullable ? type->branches[1 - type->null_branch] : type;
}

struct field_walk { const struct codec_type *type; uint32_t at; };
static const char *next_field(void *context) {
    struct field_walk *walk = context;
    return walk->at < walk->type->field_count ? walk->type->fields[walk->at++].name : NULL;
}

static const struct codec_field *field_named(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0) return &type->fields[i];
    return NULL;
}

static bool no_field(const struct codec_type *type, struct slice path, const char *name, struct error *error) {
    struct field_walk walk = {type, 0};
    const char *nearest = nearest_name(name, next_field, &walk);
    return nearest ? error_set(error, SLICE_FORMAT ": there is no field %s; did you mean %s?", SLICE_ARGUMENT(path), name, nearest)
                   : error_set(error, SLICE_FORMAT ": %s has no field %s", SLICE_ARGUMENT(path), type->name ? type->name : "the event", name);
}

/* [12] at *at; moves behind it. */
static bool take_index(struct slice path, size_t *at, size_t *index, struct error *error) {
    size_t from = *at + 1, to = from;
    *index = 0;
    while (to < path.length && path.data[to] >= '0' && path.data[to] <= '9' && *index <= INDEX_MAXIMUM) *index = *index * 10 + (size_t)(path.data[to++] - '0');
    if (to == from || to >= path.length || path.data[to] != ']' || *index > INDEX_MAXIMUM)
        return error_set(error, SLICE_FORMAT ": expected the number of an item in brackets, from 0, for example lines[0]", SLICE_ARGUMENT(path));
    *at = to + 1;
    return true;
}

static bool take_name(struct slice path, size_t *at, char name[PATH_SIZE], struct error *error) {
    size_t length = 0;
    while (*at + length < path.length && !strchr(".[", path.data[*at + length])) length++;
    if (!length || length >= PATH_SIZE || memchr(path.data + *at, 0, length)) return error_set(error, SLICE_FORMAT ": a field's name is missing", SLICE_ARGUMENT(path));
    memcpy(name, path.data + *at, length);
    name[length] = 0;
    *at += length;
    return true;
}

static json_t *held(const struct place *place) {
    return place->is_item ? json_array_get(place->holder, place->index) : json_object_get(place->holder, place->name);
}

/* What is at the place, so that the path can go on into it; made when it is not there yet. */
static json_t *enter(struct place *place, struct slice path, struct error *error) {
    bool nullable;
    const struct codec_type *type = plain(place->type, &nullable);
    json_t *value = held(place), *made;
    if (type->kind != CODEC_RECORD && type->kind != CODEC_ARRAY) {
        error_set(error, SLICE_FORMAT ": %s is %s, which has no parts", SLICE_ARGUMENT(path), place->is_item ? "the item" : place->name, codec_kind_name(type->kind));
        return NULL;
    }
    if (json_is_object(value) || json_is_array(value)) return value;
    made = type->kind == CODEC_RECORD ? json_object() : json_array();
    bool ok = made && (place->is_item ? !json_array_append_new(place->holder, made) : !json_object_set_new(place->holder, place->name, made));
    if (!ok) error_set(error, "out of memory");
    return ok ? made : NULL;
}

static bool into_item(struct place *place, json_t *list, struct slice path, size_t *at, struct error *error) {
    bool nullable;
    const struct codec_type *type = plain(place->type, &nullable);
    size_t index, count = json_array_size(list);
    if (type->kind != CODEC_ARRAY || !json_is_array(list)) return error_set(error, SLICE_FORMAT ": %s is no list", SLICE_ARGUMENT(path), place->is_item ? "the item" : place->name);
    if (!take_index(path, at, &index, error)) return false;
    if (index > count)
        return error_set(error, SLICE_FORMAT ": there are %zu items, the next one is [%zu]", SLICE_ARGUMENT(path), count, count);
    place->holder = list;
    place->is_item = true;
    place->index = index;
    place->type = type->element.type;
    return true;
}

static bool find_place(const struct codec_type *type, json_t *event, struct slice path, struct place *place, struct error *error) {
    size_t at = 0;
    json_t *inside = event;
    bool nullable;
    *place = (struct place){.type = type};
    for (bool first = true; at < path.length || first; first = false) {
        if (!first && !(inside = enter(place, path, error))) return false;
        if (!first && path.data[at] == '[') {
            if (!into_item(place, inside, path, &at, error)) return false;
            continue;
        }
        if (!first && path.data[at++] != '.') return error_set(error, SLICE_FORMAT ": expected . or [ behind a part of the path", SLICE_ARGUMENT(path));
        const struct codec_type *record = plain(place->type, &nullable);
        if (record->kind != CODEC_RECORD || !json_is_object(inside))
            return error_set(error, SLICE_FORMAT ": %s is %s, which has no fields", SLICE_ARGUMENT(path), place->is_item ? "the item" : place->name, codec_kind_name(record->kind));
        if (!take_name(path, &at, place->name, error)) return false;
        const struct codec_field *field = field_named(record, place->name);
        if (!field) return no_field(record, path, place->name, error);
        place->holder = inside;
        place->is_item = false;
        place->type = field->slot.type;
    }
    return true;
}

/* The value as JSON, as the type at the place wants it. */
static json_t *value_make(const struct codec_type *type, struct slice path, struct slice text, struct error *error) {
    bool nullable;
    const struct codec_type *inner = plain(type, &nullable);
    json_t *made = NULL;
    json_error_t why = {.text = ""};
    if (slice_equal(text, SLICE("null")) && (nullable || inner->kind == CODEC_UNION)) return json_null();
    switch (inner->kind) {
    case CODEC_BOOLEAN:
    case CODEC_INT:
    case CODEC_LONG:
    case CODEC_FLOAT:
    case CODEC_DOUBLE:
    case CODEC_RECORD:
    case CODEC_ARRAY:
    case CODEC_MAP:
    case CODEC_UNION: made = json_loadb(text.data ? text.data : "", text.length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why); break;
    default: made = json_stringn(text.data ? text.data : "", text.length);
    }
    if (!made) error_set(error, SLICE_FORMAT ": expected %s%s%s, not " SLICE_FORMAT, SLICE_ARGUMENT(path), codec_kind_name(inner->kind), nullable ? " or null" : "",
                         why.text[0] ? " as JSON" : "", SLICE_ARGUMENT(text));
    return made;
}

bool field_path_set(const struct codec_type *type, json_t *event, struct slice assignment, struct error *error) {
    const char *equals = assignment.length ? memchr(assignment.data, '=', assignment.length) : NULL;
    if (!equals || equals == assignment.data) return error_set(error, SLICE_FORMAT ": expected field=value, for example total=119.00 or lines[0].tax_code=V19", SLICE_ARGUMENT(assignment));
    const struct slice path = {assignment.data, (size_t)(equals - assignment.data)}, text = {equals + 1, assignment.length - path.length - 1};
    struct place place;
    if (!find_place(type, event, path, &place, error)) return false;
    if (place.is_item && !text.length) {
        if (place.index == json_array_size(place.holder)) return error_set(error, SLICE_FORMAT ": there is no such item to take out", SLICE_ARGUMENT(path));
        return !json_array_remove(place.holder, place.index) || error_set(error, "out of memory");
    }
    json_t *value = value_make(place.type, path, text, error);
    if (!value) return false;
    const bool failed = !place.is_item ? json_object_set_new(place.holder, place.name, value) : place.index == json_array_size(place.holder)
                        ? json_array_append_new(place.holder, value) : json_array_set_new(place.holder, place.index, value);
    return !failed || error_set(error, "out of memory");
}

/* ---- the difference ---- */

static bool differ(json_t *out, const char *path, json_t *before, json_t *after);

static bool put(json_t *out, const char *path, json_t *before, json_t *after) {
    json_t *pair = json_array();
    bool ok = pair && !json_array_append(pair, before ? before : json_null()) && !json_array_append(pair, after ? after : json_null()) && !json_object_set(out, path, pair);
    json_decref(pair);
    return ok;
}

static bool differ_objects(json_t *out, const char *path, json_t *before, json_t *after) {
    char below[PATH_SIZE * 2];
    const char *name;
    json_t *value;
    json_object_foreach(before, name, value) {
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", name);
        if (!differ(out, below, value, json_object_get(after, name))) return false;
    }
    json_object_foreach(after, name, value) {
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", name);
        if (!json_object_get(before, name) && !put(out, below, NULL, value)) return false;
    }
    return true;
}

static bool differ_lists(json_t *out, const char *path, json_t *before, json_t *after) {
    char below[PATH_SIZE * 2];
    size_t count = json_array_size(before) > json_array_size(after) ? json_array_size(before) : json_array_size(after);
    for (size_t i = 0; i < count; i++) {
        snprintf(below, sizeof below, "%s[%zu]", path, i);
        if (!differ(out, below, json_array_get(before, i), json_array_get(after, i))) return false;
    }
    return true;
}

static bool differ(json_t *out, const char *path, json_t *before, json_t *after) {
    if (json_is_object(before) && json_is_object(after)) return differ_objects(out, path, before, after);
    if (json_is_array(before) && json_is_array(after)) return differ_lists(out, path, before, after);
    return (before && after && json_equal(before, after)) || put(out, path, before, after);
}

json_t *field_difference(json_t *before, json_t *after) {
    json_t *out = json_object();
    if (out && !differ(out, "", before, after)) {
        json_decref(out);
        out = NULL;
    }
    return out;
}
