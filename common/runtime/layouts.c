/* layouts: with which schemas the values of a state were written. The version byte of a value's seal is the number of a layout: the inputs and stores of the
 * program that wrote it, in their order, and each store's Avro schema. The state holds every layout that was ever written with, one record each under
 * STORE_ENGINE "layout" and the number (one byte, 1 to 255); a program writes its own in the batch of its first value. So a value says itself how it
 * is to be read, to programs that came before or after the one that wrote it.
 *
 * A layout's record is text (layout_text.h), fixed for good, STATE_FORMAT says so, because everything else is read by means of it, by every version and by people
 * with no more than a console consumer at hand.
 *
 * It and the changelog's header are sealed with version byte 0: no layout. What all have in common whatever their layout – the day and the seen events in front
 * of a value, overlay.c – belongs to STATE_FORMAT too.
 *
 * Plans are made when a task with a layout that is new to this process opens; then a value costs one look into an array more. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/plan.h"
#include "common/runtime/engine_internal.h"
#include "common/runtime/layout_text.h"

enum { LAYOUT_NUMBER_MAXIMUM = 255 };

static const char *store_name(const struct engine *engine, int store) {
    const char *name;
    layout_store_type(engine->processor, store, &name);
    return name;
}

/* ---- ours ---- */

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
    if (ok && !layout_text_append(engine->processor, &own->text)) ok = error_set(error, "out of memory");
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

/* Events that wait name their input by its position. */
static bool inputs_fit(const struct engine *engine, const struct layout_text *layout, struct error *error) {
    for (size_t i = 0; i < layout->input_count; i++) {
        const struct slice topic = layout->inputs[i];
        const char *ours = i < INPUTS_MAXIMUM ? engine->processor->inputs[i].topic : NULL;
        if (!ours || !slice_equal(topic, slice_of(ours)))
            return error_set(error, "input %zu is " SLICE_FORMAT " there and %s here: inputs are known by their position, keep their order and add new ones behind", i,
                             SLICE_ARGUMENT(topic), ours ? ours : "nothing");
    }
    return true;
}

/* Stores are known by their number: *number -1 for one that this program does not have. */
static bool store_fits(const struct engine *engine, const struct layout_store *store, int *number, struct error *error) {
    bool known = store->number < STORE_LIMIT && engine->store_types[store->number];
    *number = store->number;
    if (known && slice_equal(store->name, slice_of(store_name(engine, *number)))) return true;
    const char *here = known ? store_name(engine, *number) : NULL;
    for (int i = 0; i < STORE_LIMIT && !here; i++)
        if (engine->store_types[i] && slice_equal(store->name, slice_of(store_name(engine, i)))) here = "at another place";
    if (here)
        return error_set(error, "store %d is " SLICE_FORMAT " there and %s here: stores are known by their position, keep their order and add new ones behind", *number,
                         SLICE_ARGUMENT(store->name), here);
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
    struct layout_text text;
    if (!layout_text_read(buffer_slice(&layout->text), &text)) return error_set(error, "its record is not one of ours");
    if (!inputs_fit(engine, &text, error)) return false;
    for (size_t i = 0; i < text.store_count; i++) {
        int number;
        if (!store_fits(engine, &text.stores[i], &number, error) || (number >= 0 && !plan_make(engine, layout, number, text.stores[i].schema, error))) return false;
    }
    return true;
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
    int number = key.length == layout_record_prefix.length + 1 ? (unsigned char)key.data[layout_record_prefix.length] : 0;
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
    enum state_result result = state_scan(task->state, layout_record_prefix, load_one, &loading, error);
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
    memcpy(bytes, layout_record_prefix.data, layout_record_prefix.length);
    bytes[layout_record_prefix.length] = (char)task->layout;
    return (struct slice){bytes, layout_record_prefix.length + 1};
}

struct slice layouts_text(const struct task *task) { return buffer_slice(&task->engine->own_layout->text); }
