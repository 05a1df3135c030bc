#include "common/runtime/layout_text.h"

#include <stdio.h>

#include "common/runtime/engine_internal.h"

static const char prefix_bytes[] = {STORE_ENGINE, 'l', 'a', 'y', 'o', 'u', 't'}, header_bytes[] = {STORE_ENGINE, 'h', 'e', 'a', 'd', 'e', 'r'},
                  generation_bytes[] = {STORE_ENGINE, 'g', 'e', 'n', 'e', 'r', 'a', 't', 'i', 'o', 'n'};
static const char clock_bytes[] = {STORE_ENGINE, 'c', 'l', 'o', 'c', 'k'};
const struct slice clock_record_key = {clock_bytes, sizeof clock_bytes};
const struct slice layout_record_prefix = {prefix_bytes, sizeof prefix_bytes}, header_record_key = {header_bytes, sizeof header_bytes},
                   generation_record_key = {generation_bytes, sizeof generation_bytes};

/* ---- reading ---- */

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

static bool store_read(struct slice line, struct slice schema, struct layout_text *layout) {
    struct slice digits = take_word(&line);
    if (layout->store_count == LAYOUT_STORES_MAXIMUM || !digits.length || digits.length > 3) return false;
    struct layout_store *store = &layout->stores[layout->store_count++];
    *store = (struct layout_store){0, line, schema};
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return false;
        store->number = store->number * 10 + (digits.data[i] - '0');
    }
    return store->number <= 255;
}

bool layout_text_read(struct slice text, struct layout_text *layout) {
    struct slice line, schema;
    *layout = (struct layout_text){.store_count = 0};
    if (!take_line(&text, &line) || !slice_equal(take_word(&line), SLICE("inputs"))) return false;
    while (line.length) {
        if (layout->input_count == LAYOUT_INPUTS_MAXIMUM) return false;
        layout->inputs[layout->input_count++] = take_word(&line);
    }
    while (text.length)
        if (!take_line(&text, &line) || !slice_equal(take_word(&line), SLICE("store")) || !take_line(&text, &schema) || !store_read(line, schema, layout)) return false;
    return true;
}

/* ---- making ---- */

const struct codec_type *layout_store_type(const struct processor *processor, int number, const char **name) {
    const int own = number - STORE_FIRST;
    *name = number == STORE_ENGINE ? "task-clock" : number == STORE_PARKED ? "parked" : NULL;
    if (number == STORE_ENGINE) return &task_clock_type;
    if (number == STORE_PARKED) return &parked_event_type;
    for (int i = 0; i <= own && own < STORES_MAXIMUM; i++)
        if (!processor->stores[i].name) return NULL;
    if (own < 0 || own >= STORES_MAXIMUM) return NULL;
    *name = processor->stores[own].name;
    return processor->stores[own].type;
}

static bool append(struct buffer *text, const char *part) { return buffer_append(text, part, strlen(part)); }

bool layout_text_append(const struct processor *processor, struct buffer *text) {
    char line[64];
    const char *name;
    const struct codec_type *type;
    bool ok = append(text, "inputs");
    for (int i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++) ok = ok && append(text, " ") && append(text, processor->inputs[i].topic);
    ok = ok && append(text, "\n");
    for (int i = 0; (type = layout_store_type(processor, i, &name)); i++) {
        snprintf(line, sizeof line, "store %d ", i);
        ok = ok && append(text, line) && append(text, name) && append(text, "\n") && append(text, type->schema) && append(text, "\n");
    }
    return ok;
}
