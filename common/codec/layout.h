/* layout: the C struct of a schema, laid out as the C compiler does on this machine.
 *
 * kontor-schemac writes the struct's text and asserts in the generated file that the compiler agrees with every offset computed here; the tests and
 * tools that meet a schema only at run time get the same description from codec_type_parse. A schema that contains itself has no C
 * struct, nor has a decimal with a scale above 18: both are refused. */
#ifndef KONTOR_CODEC_LAYOUT_H
#define KONTOR_CODEC_LAYOUT_H
#include "common/codec/schema.h"

#define CODEC_STRUCT_SIZE_MAXIMUM (1u << 20) /* bytes */

/* Computes sizes and offsets for every type of the schema, in place. */
bool codec_layout(struct codec_schema *schema, struct error *error) MUST_CHECK;

/* A type made at run time: parse and layout. NULL with the reason. The caller frees it with codec_type_free, and only this one, not its parts. */
const struct codec_type *codec_type_parse(const char *json, struct error *error) MUST_CHECK;
void codec_type_free(const struct codec_type *type);
#endif
