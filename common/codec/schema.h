/* schema: an Avro schema's JSON text as a tree (type.h without the C layout).
 *
 * The text comes from outside: size, depth, number of types and of named types are bounded, names and defaults' presence are checked, and an error says
 * what is wrong and in which field. Logical types that are unknown or do not fit are ignored, as the specification demands. A named type
 * may refer to itself. Source: Apache Avro specification 1.11, "Schema Declaration" and "Logical Types". */
#ifndef KONTOR_CODEC_SCHEMA_H
#define KONTOR_CODEC_SCHEMA_H
#include <stdbool.h>

#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/error.h"

#define CODEC_SCHEMA_TEXT_MAXIMUM (1u << 20) /* bytes */
#define CODEC_SCHEMA_NESTING_MAXIMUM 64
#define CODEC_SCHEMA_TYPES_MAXIMUM 20000
#define CODEC_SCHEMA_NAMED_MAXIMUM 1000

struct codec_schema {
    struct codec_type laid_out;     /* first: codec_type_parse hands out its address (layout.c) */
    const struct codec_type *root;
    const char *text;               /* the schema as compact JSON, nothing dropped */
    const char *recursive;          /* the name of a type that contains itself; NULL: none does */
    struct codec_type **types;      /* every type, parts before what they are parts of */
    uint32_t type_count;
    struct arena arena;             /* everything above lives here */
};

/* NULL and the reason in *error when the text is not a schema. The result is the caller's, to be freed by codec_schema_free. */
struct codec_schema *codec_schema_parse(struct slice json, struct error *error) MUST_CHECK;
void codec_schema_free(struct codec_schema *schema);
#endif
