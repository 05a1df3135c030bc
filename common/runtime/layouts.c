/* layouts: with which schemas the values of a state were written. The version byte of a value's seal is the number of a layout: the inputs and stores of the
 * program that wrote it, in their order, and each store's Avro schema. The state holds every layout that was ever written with, one record each under
 * STORE_ENGINE "layout" and the number (one byte, 1 to 255); a program writes its own in the batch of its first value. So a value says itself how it
 * is to be read, to programs that came before or after the one that wrote it.
 *
 * A layout's record is text, fixed for good (STATE_FORMAT says so), because everything else is read by means of it, by every version and by people with no more
 * than a console consumer at hand:
 *
 *     inputs <topic> ...
 *     store <number> <name>
 *     <the schema's JSON, on one line>
 *     store ...
 *
 * It and the changelog's header are sealed with version byte 0: no layout. What all have in common whatever their layout – the day and the seen events in front
 * of a value, overlay.c – belongs to STATE_FORMAT too.
 *
 * Plans are made when a task with a layout that is new to this process opens; then a value costs one look into an array more. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/plan.h"
#include "common/runtime/engine_internal.h"

enum { LAYOUT_NUMBER_MAXIMUM = 255 };

static const char layout_prefix[] = {STORE_ENGINE, 'l', 'a', 'y', 'o', 'u', 't'};

static const char *store_name(const struct engine *engine, int store) {
    return store == STORE_ENGINE ? "task-clock" : store == STORE_PARKED ? "parked" : engine->processor->stores[store - STORE_FIRST].name;
}

/* ---- ours ---- */

static bool text_append(struct buffer *text, const char *part) { return buffer_append(text, part, strlen(part)); }

static bool text_make(const struct engine *engine, struct buffer *text) {
    char line[64];
    bool ok = text_append(text, "inputs");
    for (int i = 0; i < INPUTS_MAXIMUM && engine->processor->inputs[i].topic; i++)
        ok = ok && text_append(text, " ") && text_append(text, engine->processor->inputs[i].topic);
    ok = ok && text_append(text, "\n");
    for (int i = 0; i < STORE_LIMIT; i++) {
        if (!engine->store_types[i]) continue;
        snprintf(line, sizeof line, "store %d ", i);
        ok = ok && text_append(text, line) && text_append(text, store_name(engine, i)) && text_append(text, "\n") && text_append(text, engine->store_types[i]->schema) &&
             text_append(text, "\n");
    }
    return ok;
}

static void layout_free(struct layout *layout) {
    for (int i = 0; i < STORE_LIMIT; i++) codec_plan_free(layout->made[i]);
    buffer_free(&layout->text);
    free(layout);
}

bool layouts_open(struct engine *engine, struct error *error) {
    struct layout *own = calloc(1, sizeof *own);
    if (!own) return error_set(error, "out of memory");
    bool ok = true;
    for (int i = 0; ok && i < STORE_LIMIT; i++)
        if (engine->store_types[i]) ok = (own->plans[i] = own->made[i] = codec_plan_own(engine->store_types[i], error));
    if (ok && !text_make(engine, &own->text)) ok = error_set(error, "out of memory");
    if (!ok) {
        layout_free(own);
        return false;
    }
    engine->layouts = engine->own_layout = own;
    return true;
}

void layouts_free(struct engine *engine) {
    for (struct layout *layout = engine->layouts, *next; layout; layout = next) {
        next = layout->next;
        layout_free(layout);
    }
}

/* ---- those of others ---- */

static bool take_line(struct slice *text, struct slice *line) {
    const char *end = text->length ? memchr(text->data, '\n', text->length) : NULL;
    if (!end) return false;
    *line = (struct slice){text->data, (size_t)(end - text->data)};
    *text = (struct slice){end + 1, text->length - line->length - 1};
    return true;
}

/* The part before the next blank, or all of it. */
static struct slice take_word(struct slice *line) {
    const char *blank = line->length ? memchr(line->data, ' ', line->length) : NULL;
    struct slice word = {line->data, blank ? (size_t)(blank - line->data) : line->length};
    size_t taken = blank ? word.length + 1 : word.length;
    *line = (struct slice){line->data + taken, line->length - taken};
    return word;
}

/* Events that wait name their input by its position. */
static bool inputs_fit(const struct engine *engine, struct slice line, struct error *error) {
    for (int i = 0; line.length; i++) {
        struct slice topic = take_word(&line);
        const char *ours = i < INPUTS_MAXIMUM ? engine->processor->inputs[i].topic : NULL;
        if (!ours || !slice_equal(topic, slice_of(ours)))
            return error_set(error, "input %d is " SLICE_FORMAT " there and %s here: inputs are known by their position, keep their order and add new ones behind", i,
                             SLICE_ARGUMENT(topic), ours ? ours : "nothing");
    }
    return true;
}

/* Stores are known by their number: *number -1 for one that this program does not have. */
static bool store_fits(const struct engine *engine, struct slice line, int *number, struct error *error) {
    struct slice digits = take_word(&line);
    *number = 0;
    for (size_t i = 0; i < digits.length && *number < 1000; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return error_set(error, "its record is not one of ours");
        *number = *number * 10 + (digits.data[i] - '0');
    }
    bool known = *number >= 0 && *number < STORE_LIMIT && engine->store_types[*number];
    if (known && slice_equal(line, slice_of(store_name(engine, *number)))) return true;
    const char *here = known ? store_name(engine, *number) : NULL;
    for (int i = 0; i < STORE_LIMIT && !here; i++)
        if (engine->store_types[i] && slice_equal(line, slice_of(store_name(engine, i)))) here = "at another place";
    if (here)
        return error_set(error, "store %d is " SLICE_FORMAT " there and %s here: stores are known by their position, keep their order and add new ones behind", *number,
                         SLICE_ARGUMENT(line), here);
    *number = -1;
    return true;
}

static bool plan_make(const struct engine *engine, struct layout *layout, int store, struct slice schema, struct error *error) {
    const struct codec_type *type = engine->store_types[store];
    if (slice_equal(schema, slice_of(type->schema))) {
        layout->plans[store] = engine->own_layout->plans[store];
        return true;
    }
    struct codec_schema *writer = codec_schema_parse(schema, error);
    if (writer) layout->plans[store] = layout->made[store] = codec_plan_relative(writer, type, error);
    codec_schema_free(writer);
    return layout->plans[store] || error_prefix(error, "store %s", store_name(engine, store));
}

static bool layout_read(const struct engine *engine, struct layout *layout, struct error *error) {
    struct slice text = buffer_slice(&layout->text), line, schema;
    bool ok = take_line(&text, &line) && slice_equal(take_word(&line), SLICE("inputs"));
    if (ok && !inputs_fit(engine, line, error)) return false;
    while (ok && text.length) {
        int store;
        ok = take_line(&text, &line) && slice_equal(take_word(&line), SLICE("store")) && take_line(&text, &schema);
        if (ok && !store_fits(engine, line, &store, error)) return false;
        ok = ok && (store < 0 || !layout->plans[store]);    /* none comes twice */
        if (ok && store >= 0 && !plan_make(engine, layout, store, schema, error)) return false;
    }
    return ok || error_set(error, "its record is not one of ours");
}

/* The engine's layout of that text; made when it is met for the first time. */
static struct layout *layout_of(struct engine *engine, struct slice text, struct error *error) {
    for (struct layout *layout = engine->layouts; layout; layout = layout->next)
        if (slice_equal(buffer_slice(&layout->text), text)) return layout;
    struct layout *layout = calloc(1, sizeof *layout);
    if (!layout || !buffer_append(&layout->text, text.data, text.length)) error_set(error, "out of memory");
    else if (layout_read(engine, layout, error)) {
        layout->next = engine->layouts;
        return engine->layouts = layout;
    }
    if (layout) layout_free(layout);
    return NULL;
}

/* ---- a task's ---- */

struct loading { struct task *task; struct error *error; int largest; bool refused; };

static bool load_one(void *context, struct slice key, struct state_value value) {
    struct loading *loading = context;
    struct task *task = loading->task;
    int number = key.length == sizeof layout_prefix + 1 ? (unsigned char)key.data[sizeof layout_prefix] : 0;
    struct layout *layout = number ? layout_of(task->engine, value.body, loading->error) : NULL;
    if (!layout) {
        error_prefix(loading->error, "partition %d: layout %d, which values of the state were written with, does not fit this program", task->partition, number);
        return !(loading->refused = true);
    }
    task->layouts[number] = layout;
    if (layout == task->engine->own_layout) task->layout = (uint8_t)number;
    loading->largest = number;
    return true;
}

enum engine_result layouts_load(struct task *task, struct error *error) {
    struct loading loading = {.task = task, .error = error};
    memset(task->layouts, 0, sizeof task->layouts);
    task->layout = 0;
    task->layout_record = (struct slice){0};
    enum state_result result = state_scan(task->state, (struct slice){layout_prefix, sizeof layout_prefix}, load_one, &loading, error);
    if (result == STATE_CORRUPT || result == STATE_FAILED) return ENGINE_REBUILD;
    if (!loading.refused && !task->layout && loading.largest == LAYOUT_NUMBER_MAXIMUM)
        loading.refused = !error_set(error, "partition %d: the state was written with %d layouts, there is no number left for another", task->partition, LAYOUT_NUMBER_MAXIMUM);
    if (loading.refused) {
        struct error why = *error;
        error_set(error, "%.440s; use a program that fits, or see `kontor state migrate`", why.text);
        return ENGINE_FATAL;
    }
    task->layout_missing = !task->layout;
    if (task->layout_missing) task->layout = (uint8_t)(loading.largest + 1);
    task->layouts[task->layout] = task->engine->own_layout;
    return ENGINE_DONE;
}

struct slice layouts_key(const struct task *task, char bytes[LAYOUT_KEY_SIZE]) {
    memcpy(bytes, layout_prefix, sizeof layout_prefix);
    bytes[sizeof layout_prefix] = (char)task->layout;
    return (struct slice){bytes, sizeof layout_prefix + 1};
}

struct slice layouts_text(const struct task *task) { return buffer_slice(&task->engine->own_layout->text); }
