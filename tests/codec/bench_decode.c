/* bench_decode: nanoseconds to decode, encode and print an invoice of about 200 bytes with five lines, beside avro-c's generic reader on the same bytes.
 * Prints one line each. Needs avro-c for the comparison only. */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/plan.h"

#define ROUNDS 100000
#define REPEATS 40 /* the best of short runs: other work on the machine disturbs some, not all */

static const char invoice_schema[] =
    "{\"type\":\"record\",\"name\":\"Invoice\",\"namespace\":\"bench\",\"fields\":["
    "{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"Kind\",\"symbols\":[\"RECEIVED\",\"CANCELLED\"]}},"
    "{\"name\":\"entity\",\"type\":\"string\"},{\"name\":\"supplier\",\"type\":\"string\"},{\"name\":\"document\",\"type\":\"string\"},"
    "{\"name\":\"document_date\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},{\"name\":\"currency\",\"type\":\"string\"},"
    "{\"name\":\"total\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":4}},"
    "{\"name\":\"tax\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":4}],\"default\":null},"
    "{\"name\":\"order\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Line\",\"fields\":["
    "{\"name\":\"number\",\"type\":\"int\"},{\"name\":\"order_line\",\"type\":\"string\"},"
    "{\"name\":\"quantity\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":6}},"
    "{\"name\":\"net\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":4}},"
    "{\"name\":\"tax_code\",\"type\":\"string\"},{\"name\":\"account\",\"type\":[\"null\",\"string\"],\"default\":null}]}}}]}";

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void stop(const char *what) {
    fprintf(stderr, "bench_decode: %s\n", what);
    exit(1);
}

/* The record by hand, byte by byte: not by our encoder. */
static void put_number(struct buffer *out, int64_t value) {
    uint64_t bits = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; bits >= 0x80; bits >>= 7) if (!buffer_append(out, &(uint8_t){(uint8_t)(bits | 0x80)}, 1)) stop("memory");
    if (!buffer_append(out, &(uint8_t){(uint8_t)bits}, 1)) stop("memory");
}

static void put_text(struct buffer *out, const char *text, size_t length) {
    put_number(out, (int64_t)length);
    if (!buffer_append(out, text, length)) stop("memory");
}

static void make_invoice(struct buffer *out) {
    put_text(out, "c0ffee00-1234-5678-9abc-0123456789ab", 36);
    put_number(out, 0);
    put_text(out, "C0001", 5);
    put_text(out, "S0004711", 8);
    put_text(out, "4507001200", 10);
    put_number(out, 17562);
    put_number(out, 1517392800000);
    put_text(out, "EUR", 3);
    put_text(out, "\x00\xb5\x92\x18", 4);
    put_number(out, 1);
    put_text(out, "\x1c\xfd\xe8", 3);
    put_number(out, 1);
    put_text(out, "4500012345", 10);
    put_number(out, 5);
    for (int i = 1; i <= 5; i++) {
        put_number(out, i);
        put_text(out, "00010", 5);
        put_text(out, "\x00\x98\x96\x80", 4);
        put_text(out, "\x1e\x84\x80", 3);
        put_text(out, "V1", 2);
        put_number(out, i % 2);
        if (i % 2) put_text(out, "19", 2);
    }
    put_number(out, 0);
}

enum work { DECODE, ENCODE, TO_JSON };

static double best_ours(const struct codec_type *type, const struct codec_plan *plan, const struct buffer *bytes, enum work work) {
    struct arena arena;
    arena_init(&arena, 65536, 1u << 20);
    struct buffer out = {0};
    char *record = calloc(1, type->size);
    uint64_t best = UINT64_MAX;
    const int rounds = work == TO_JSON ? ROUNDS / 10 : ROUNDS;
    if (!record || codec_decode(plan, bytes->data, bytes->length, &arena, record) != CODEC_OK) stop("the invoice cannot be read");
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        uint64_t start = now_ns();
        for (int i = 0; i < rounds; i++) {
            bool ok;
            if (work == ENCODE || work == TO_JSON) {
                buffer_reset(&out);
                ok = work == ENCODE ? codec_encode(type, record, &out) : codec_to_json(type, record, &out);
            } else {
                arena_reset(&arena);
                ok = codec_decode(plan, bytes->data, bytes->length, &arena, record) == CODEC_OK;
            }
            if (!ok) stop("a round failed");
        }
        uint64_t took = now_ns() - start;
        if (took < best) best = took;
    }
    if (work == ENCODE && (out.length != bytes->length || memcmp(out.data, bytes->data, out.length) != 0)) stop("encoded otherwise");
    free(record);
    buffer_free(&out);
    arena_free(&arena);
    return (double)best / rounds;
}

static double best_avro_c(const struct buffer *bytes) {
    avro_schema_t schema;
    if (avro_schema_from_json_length(invoice_schema, sizeof invoice_schema - 1, &schema) != 0) stop(avro_strerror());
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    avro_value_t value;
    avro_generic_value_new(iface, &value);
    avro_reader_t reader = avro_reader_memory(bytes->data, (int64_t)bytes->length);
    const int rounds = ROUNDS / 10;
    uint64_t best = UINT64_MAX;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        uint64_t start = now_ns();
        for (int i = 0; i < rounds; i++) {
            avro_reader_memory_set_source(reader, bytes->data, (int64_t)bytes->length);
            avro_value_reset(&value);
            if (avro_value_read(reader, &value) != 0) stop(avro_strerror());
        }
        uint64_t took = now_ns() - start;
        if (took < best) best = took;
    }
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
    return (double)best / rounds;
}

int main(void) {
    struct error error;
    const struct codec_type *type = codec_type_parse(invoice_schema, &error);
    if (!type) stop(error.text);
    struct codec_plan *plan = codec_plan_own(type, &error);
    if (!plan) stop(error.text);
    struct buffer bytes = {0};
    make_invoice(&bytes);
    double decode = best_ours(type, plan, &bytes, DECODE), encode = best_ours(type, plan, &bytes, ENCODE);
    double to_json = best_ours(type, plan, &bytes, TO_JSON), avro_c = best_avro_c(&bytes);
    printf("invoice of %zu bytes, five lines: kontor decode %.0f ns, encode %.0f ns, to JSON %.0f ns; avro-c decode %.0f ns\n", bytes.length, decode, encode,
           to_json, avro_c);
    buffer_free(&bytes);
    codec_plan_free(plan);
    codec_type_free(type);
    return 0;
}
