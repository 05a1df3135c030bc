/* field_path: fields of an event set by path, as `kontor exceptions correct` takes them, with the event's schema at hand.
 *
 *     total=119.00                lines[0].tax_code=V19         lines[2]={"line":"3","net":"10.00"}      lines[1]=        taxes=[]
 *
 * What stands behind the = is the value as it is: a text, an amount, a day, a symbol. `null` is nothing where the schema allows that. Whole records and lists are JSON.
 * An item one behind the last is added; an item set to nothing is taken out. Whether the value fits its field is said by codec_from_json, of the whole. */
#ifndef KONTOR_CLI_FIELD_PATH_H
#define KONTOR_CLI_FIELD_PATH_H
#include <jansson.h>

#include "common/codec/type.h"
#include "common/platform/error.h"

/* event: as codec_to_json wrote it, with every field of the type. False: what is wrong, with the path and the nearest name; the event may have been changed in part. */
MUST_CHECK bool field_path_set(const struct codec_type *type, json_t *event, struct slice assignment, struct error *error);

/* What differs, as an object of field paths: [before, after]; a member that only one side has is null on the other. The caller's. NULL: memory is out. */
MUST_CHECK json_t *field_difference(json_t *before, json_t *after);
#endif
