/* layout_text: the record of a layout (layouts.c says what it is for) as text, made of a processor's declaration and taken apart again. It is fixed for good:
 *
 *     inputs <topic> ...
 *     store <number> <name>
 *     <the schema's JSON, on one line>
 *     store ...
 *
 * `kontor-<processor> --print-layout` prints it, `kontor state migrate` reads it. */
#ifndef KONTOR_RUNTIME_LAYOUT_TEXT_H
#define KONTOR_RUNTIME_LAYOUT_TEXT_H
#include "common/platform/buffer.h"
#include "common/platform/error.h"
#include "common/runtime/processor.h"

enum { LAYOUT_STORES_MAXIMUM = 32, LAYOUT_INPUTS_MAXIMUM = 16 };

/* Slices into the text. */
struct layout_store { int number; struct slice name, schema; };
struct layout_text {
    struct slice inputs[LAYOUT_INPUTS_MAXIMUM];
    size_t input_count;
    struct layout_store stores[LAYOUT_STORES_MAXIMUM];
    size_t store_count;
};

/* False: it is not such a record. */
MUST_CHECK bool layout_text_read(struct slice text, struct layout_text *layout);

/* The schema of a store by its number on the wire, the engine's own among them; NULL: the processor has none. name: its name. */
const struct codec_type *layout_store_type(const struct processor *processor, int number, const char **name);
/* Appends the layout of the processor. False: memory is out. */
MUST_CHECK bool layout_text_append(const struct processor *processor, struct buffer *text);

/* The key of a layout's record, which has its number behind that; the header's, and the changelog's generation (kontor state). All stand in the engine's own store. */
extern const struct slice layout_record_prefix, header_record_key, generation_record_key;
/* The task's clock, the last record of every batch of a processor. */
extern const struct slice clock_record_key;
#endif
