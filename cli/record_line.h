/* record_line: one line of JSON as a Kafka record.
 *
 * Either {"timestamp": ms, "key": "...", "headers": {...}, "value": {...}} – all but the value may be missing – or the value alone. Without a key it is made of
 * the value's fields, as the topic's declaration says: <entity>|<supplier>, of a master table its key fields and valid_from; ids percent-encoded. What
 * kontor consume prints is understood too: its "partition" and "offset" are not looked at. A value null is a tombstone.
 * Keys and header values that are no text are written {"base64": "..."}. */
#ifndef KONTOR_CLI_RECORD_LINE_H
#define KONTOR_CLI_RECORD_LINE_H
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"

enum { RECORD_KEY_FIELDS_MAXIMUM = 8 };

/* How to make records for one topic; set up once, its memory is used again for every line. */
struct record_maker {
    const struct codec_type *type;          /* of the values; NULL: they are base64 and sent as they are */
    uint32_t schema_id;
    const struct codec_field *key_fields[RECORD_KEY_FIELDS_MAXIMUM];
    size_t key_field_count;                 /* 0: every line must bring its key */
    struct arena arena;
    void *value;                            /* type->size bytes */
    /* The record last made. */
    struct buffer key_bytes, value_bytes;
    bool has_key, has_value;
    int64_t timestamp_ms;                   /* 0: now */
    rd_kafka_headers_t *headers;            /* NULL: none; who sends them sets this to NULL */
};

/* key: names of the value's string or date fields, NULL behind the last; NULL: <entity>|<supplier> or <entity>|<partner> when the type has them. */
MUST_CHECK bool record_maker_open(struct record_maker *maker, const struct codec_type *type, uint32_t schema_id, const char *const *key, struct error *error);
void record_maker_close(struct record_maker *maker);

/* False with what is wrong, with the field's path; then nothing of the line is to be sent. */
MUST_CHECK bool record_make(struct record_maker *maker, struct slice line, struct error *error);

/* Appends the id with % and | percent-encoded. */
MUST_CHECK bool key_append(struct buffer *key, struct slice id);
#endif
