/* wire: Confluent's framing of a record: a zero byte, the schema id as four bytes, big endian, then Avro.
 * Source: Confluent Schema Registry documentation, "Wire format". */
#ifndef KONTOR_CODEC_WIRE_H
#define KONTOR_CODEC_WIRE_H
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

#define CODEC_WIRE_HEADER_SIZE 5

/* Splits a message into schema id and payload, a slice of the message. False when it is shorter than its header or has another magic byte. */
static inline bool MUST_CHECK codec_wire_read(const void *bytes, size_t length, uint32_t *schema_id, struct slice *payload) {
    const unsigned char *b = bytes;
    if (length < CODEC_WIRE_HEADER_SIZE || b[0] != 0) return false;
    *schema_id = (uint32_t)b[1] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 8 | b[4];
    *payload = (struct slice){(const char *)bytes + CODEC_WIRE_HEADER_SIZE, length - CODEC_WIRE_HEADER_SIZE};
    return true;
}

/* Appends the header; codec_encode appends the rest. */
static inline bool MUST_CHECK codec_wire_append(struct buffer *out, uint32_t schema_id) {
    const unsigned char header[CODEC_WIRE_HEADER_SIZE] = {
        0, (unsigned char)(schema_id >> 24), (unsigned char)(schema_id >> 16), (unsigned char)(schema_id >> 8), (unsigned char)schema_id};
    return buffer_append(out, header, sizeof header);
}
#endif
