/* tables_bench: what master data costs: loading records of suppliers' size, in random key order as a compacted topic has them; opening again; look-ups
 * from the cache and past it; the memory of the process.
 *
 *     tables_bench FOLDER [records]      default 1000000 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/layout.h"
#include "common/platform/clock.h"
#include "common/tables/tables.h"

struct supplier {
    struct slice supplier, name, country, group, tax_id, payment_terms;
    int32_t valid_from;
    struct slice status, source;
};

static struct tables *tables;
static struct error error;

static void or_stop(bool ok) {
    if (ok) return;
    fprintf(stderr, "%s\n", error.text);
    exit(1);
}

static long memory_kib(const char *name) {
    char line[200];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) kib = strtol(line + strlen(name) + 1, NULL, 10);
    if (file) fclose(file);
    return kib;
}

static struct slice key_of(uint64_t number, char text[32]) {
    return (struct slice){text, (size_t)snprintf(text, 32, "vendorID_%07" PRIu64, number)};
}

static void load(uint64_t records) {
    const int64_t start = clock_monotonic_ns();
    uint64_t at = 0;
    for (uint64_t done = 0; done < records;) {
        or_stop(tables_begin(tables, &error));
        for (int i = 0; i < 1000 && done < records; i++, done++) {
            char id[32], key[64];
            at = (at + 611953 * 7) % records; /* a prime's multiple: each once, in no order (when records does not divide it) */
            struct slice name = key_of(at, id);
            struct slice kafka_key = {key, (size_t)snprintf(key, sizeof key, SLICE_FORMAT "|2018-01-01", SLICE_ARGUMENT(name))};
            const struct supplier record = {name, SLICE("Bolt & Nut Trading Company of Rotterdam"), SLICE("NL"), SLICE("trade"), SLICE("NL812345678B01"),
                                            SLICE("30 days net"), 17532, SLICE("active"), SLICE("mdm")};
            or_stop(tables_put(tables, 0, kafka_key, &record, NULL, (int64_t)done, &error) == TABLE_PUT_GOOD);
        }
        or_stop(tables_commit(tables, (const int64_t[]){(int64_t)done}, 0, &error));
    }
    const int64_t took = clock_monotonic_ns() - start;
    printf("loaded  %" PRIu64 " records in %" PRId64 " ms, %" PRId64 " ns each; file %" PRIu64 " MiB\n", tables_entries(tables, 0), took / 1000000,
           took / (int64_t)records, tables_bytes(tables) >> 20);
}

/* Looks `distinct` keys up in turn, `count` times in all, in batches of 1,000. */
static void look_up(const char *what, uint64_t records, uint64_t distinct, int count) {
    static struct slice keys[1000];
    static char texts[1000][32];
    int64_t took = 0;
    for (int done = 0; done < count; done += 1000) {
        for (int i = 0; i < 1000; i++) keys[i] = key_of(((uint64_t)(done + i) % distinct) * 7919 % records, texts[i]);
        const int64_t start = clock_monotonic_ns();
        for (int i = 0; i < 1000; i++) {
            struct table_row row;
            or_stop(tables_find(tables, 0, keys[i], 17600, &row) == TABLE_FOUND);
        }
        tables_trim(tables);
        took += clock_monotonic_ns() - start;
    }
    printf("%-7s %" PRId64 " ns a look-up (%" PRIu64 " keys)\n", what, took / count, distinct);
}

int main(int count, char **arguments) {
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"Supplier\",\"fields\":[{\"name\":\"supplier\",\"type\":\"string\"},{\"name\":\"name\",\"type\":\"string\"},"
        "{\"name\":\"country\",\"type\":\"string\"},{\"name\":\"group\",\"type\":\"string\"},{\"name\":\"tax_id\",\"type\":\"string\"},"
        "{\"name\":\"payment_terms\",\"type\":\"string\"},{\"name\":\"valid_from\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
        "{\"name\":\"status\",\"type\":\"string\"},{\"name\":\"source\",\"type\":\"string\"}]}";
    if (count < 2) {
        fprintf(stderr, "usage: %s FOLDER [records]\n", arguments[0]);
        return 2;
    }
    uint64_t records = count > 2 ? strtoull(arguments[2], NULL, 10) : 1000000;
    const struct codec_type *type = codec_type_parse(schema, &error);
    or_stop(type && type->size == sizeof(struct supplier));
    const struct table suppliers = {"suppliers", type, {"supplier"}, NULL, NULL}, *list[] = {&suppliers, NULL};
    const char *sources[] = {"mdm"};
    const struct tables_options options = {arguments[1], list, sources, 0, 0};
    or_stop(tables_open(&tables, &options, &error));
    printf("opened  RssAnon %ld KiB\n", memory_kib("RssAnon:"));
    load(records ? records : 1);
    printf("        RssAnon %ld KiB, RssFile %ld KiB\n", memory_kib("RssAnon:"), memory_kib("RssFile:"));
    int64_t start = clock_monotonic_ns();
    tables_close(tables);
    int64_t closed = clock_monotonic_ns();
    or_stop(tables_open(&tables, &options, &error));
    printf("closed in %" PRId64 " ms, opened in %" PRId64 " ms\n", (closed - start) / 1000000, (clock_monotonic_ns() - closed) / 1000000);
    look_up("cached", records, 1000 < records ? 1000 : records, 10000000);
    look_up("past it", records, records, 1000000);
    printf("        RssAnon %ld KiB, RssFile %ld KiB\n", memory_kib("RssAnon:"), memory_kib("RssFile:"));
    tables_close(tables);
    codec_type_free(type);
    return 0;
}
