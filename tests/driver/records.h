/* records: words of a case file as records of our schemas, in the bytes that a source would send. */
#ifndef KONTOR_DRIVER_RECORDS_H
#define KONTOR_DRIVER_RECORDS_H
#include <jansson.h>

#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

/* Sets a field by its schema's type from text: yes/no, numbers, dates, times, lists with commas, records as their first fields with colons between them
 * (10:2.00,20:1.00), none for null. False: no such field, or not its text. */
MUST_CHECK bool record_set(json_t *record, const struct codec_type *type, const char *name, const char *text, struct error *error);
/* Whether a value, as codec_to_json writes it, is what such a text says. */
bool value_matches(const struct codec_type *type, const json_t *got, const char *expected);
/* The field, or NULL. */
const struct codec_field *record_field(const struct codec_type *type, const char *name);
/* Wire format. The bytes live in the arena. */
MUST_CHECK bool record_encode(struct arena *arena, const struct codec_type *type, const json_t *record, uint32_t schema_id, struct slice *bytes, struct error *error);

/* "2026-03-05T10:00Z", with seconds or without, or a date alone (09:00 UTC). */
MUST_CHECK bool time_read(const char *text, int64_t *time_ms, struct error *error);
const char *date_text(struct arena *arena, int64_t time_ms);
/* A decimal of a case file at a scale. */
MUST_CHECK bool decimal_text_read(const char *text, int scale, int64_t *value, struct error *error);
#endif
