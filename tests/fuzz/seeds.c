/* seeds FOLDER CASE...: what the fuzz targets begin with, made of the case files: each event as a record (engine) and as a line of JSON (record_line), each
 * master record (master, rules), each case file as it is (case); of the world after engine.case its changelogs (state). One folder per target. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "common/platform/file.h"
#include "common/platform/hash.h"
#include "common/tables/master.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/posting_rule_set.h"
#include "schemas/supplier.h"
#include "tests/driver/records.h"
#include "tests/fuzz/world.h"

static const char *root;
static struct run run;

/* Equal seeds have one name, so they are one file. */
static void seed_write(const char *target, const void *head, size_t head_length, struct slice body) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, target);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%016llx", root, target, (unsigned long long)(hash_bytes(head, head_length) * 31 + hash_slice(body)));
    FILE *file = fopen(path, "w");
    if (!file || fwrite(head, 1, head_length, file) != head_length || fwrite(body.data, 1, body.length, file) != body.length || fclose(file) != 0) {
        fprintf(stderr, "seeds: %s cannot be written\n", path);
        exit(1);
    }
}

static const struct codec_type *type_of(struct slice value, struct slice *payload) {
    uint32_t id;
    if (!codec_wire_read(value.data, value.length, &id, payload) || !id || id > broker_schema_count) return NULL;
    return broker_schemas[id - 1];
}

/* record_line_fuzz's numbers of the types that it knows. */
static int line_type(const struct codec_type *type) {
    const struct codec_type *const types[] = {NULL, &invoice_event_type, &expense_event_type, &journal_event_type, &posting_rule_set_type, &supplier_type};
    for (int i = 1; i < (int)(sizeof types / sizeof *types); i++)
        if (type == types[i]) return i;
    return -1;
}

static void line_write(const struct codec_type *type, const struct codec_plan *plan, struct slice payload) {
    struct arena arena;
    struct buffer json = {0};
    const int number = line_type(type);
    if (number < 0) return;
    const uint8_t head = (uint8_t)number;
    arena_init(&arena, 1 << 16, 1 << 26);
    void *value = arena_alloc(&arena, type->size);
    if (codec_decode(plan, payload.data, payload.length, &arena, value) == CODEC_OK && codec_to_json(type, value, &json)) seed_write("record_line", &head, 1, buffer_slice(&json));
    buffer_free(&json);
    arena_free(&arena);
}

/* To every processor that reads the topic. */
static void record_write(const char *topic, struct slice value) {
    struct slice payload;
    const struct codec_type *type = type_of(value, &payload);
    if (!type) return;
    for (int i = 0; i < family_count; i++)
        for (int k = 0; k < INPUTS_MAXIMUM && families[i].processor->inputs[k].topic; k++) {
            const uint8_t head[] = {(uint8_t)i, (uint8_t)(k | 16 | 32), 0};
            if (strcmp(families[i].processor->inputs[k].topic, topic) == 0) seed_write("engine", head, sizeof head, payload);
        }
    line_write(type, run.broker.plans[broker_schema_id(type) - 1], payload);
}

static void event_write(const struct given *given) { record_write(given->topic, given->value); }

/* What the processors sent: others read it. */
static void outputs_write(void) {
    for (size_t i = 0; i < run.broker.count; i++)
        if (run.broker.items[i]->processor && run.broker.items[i]->value.data) record_write(run.broker.items[i]->topic, run.broker.items[i]->value);
}

static void masters_write(void) {
    struct error error;
    for (size_t i = 0; i < run.broker.count; i++) {
        const struct stored *stored = run.broker.items[i];
        for (int table = 0; table < MASTER_COUNT; table++) {
            if (strncmp(stored->topic, "master.", 7) != 0 || strcmp(stored->topic + 7, master_tables[table].name) != 0 || stored->value.length <= CODEC_WIRE_HEADER_SIZE) continue;
            uint8_t head[2 + 255] = {(uint8_t)table, (uint8_t)stored->key.length};
            if (stored->key.length > 255) continue;
            memcpy(head + 2, stored->key.data, stored->key.length);
            const struct slice payload = {stored->value.data + CODEC_WIRE_HEADER_SIZE, stored->value.length - CODEC_WIRE_HEADER_SIZE};
            seed_write("master", head, 2 + stored->key.length, payload);
            if (table == MASTER_POSTING_RULES) seed_write("rules", "", 0, payload);
            struct codec_plan *plan = codec_plan_own(master_tables[table].type, &error);
            if (plan) line_write(master_tables[table].type, plan, payload);
            codec_plan_free(plan);
        }
    }
}

/* What a processor has in its changelog after engine.case, a partition a file. */
static void changelogs_write(void) {
    static uint8_t bytes[1 << 16];
    for (int i = 0; i < family_count; i++)
        for (int32_t partition = 0; partition < PARTITIONS; partition++) {
            size_t length = 1;
            bytes[0] = (uint8_t)i;
            for (size_t k = 0; k < run.broker.count; k++) {
                const struct stored *stored = run.broker.items[k];
                struct slice body;
                uint8_t version;
                char topic[128];
                snprintf(topic, sizeof topic, "kontor.%s.changelog", families[i].processor->name);
                if (strcmp(stored->topic, topic) != 0 || stored->partition != partition || !state_unseal(stored->key, stored->value, &body, &version)) continue;
                if (stored->key.length > 255 || body.length > UINT16_MAX || sizeof bytes - length < stored->key.length + body.length + 4) continue;
                bytes[length++] = (uint8_t)stored->key.length;
                memcpy(bytes + length, stored->key.data, stored->key.length);
                length += stored->key.length;
                bytes[length++] = version;
                bytes[length++] = (uint8_t)body.length;
                bytes[length++] = (uint8_t)(body.length >> 8);
                memcpy(bytes + length, body.data, body.length);
                length += body.length;
            }
            if (length > 1) seed_write("state", "", 0, (struct slice){(const char *)bytes, length});
        }
}

/* One of each form that text_fuzz's readers know, and our own list of topics. */
static void texts_write(void) {
    static const char *const texts[] = {"2026-03-02", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00.123+01:00", "-0001-12-31", "2026-03-05T1800", "invoice.events/3/1234", "1772445600000",
                                        "aGVsbG8=", "ACME|S1", "100%25|A%7CB|2018-01-01", "2026-03-02 10:00", "+12026-01-01T00:00:00-0130"};
    struct buffer list = {0};
    struct error error;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) seed_write("text", "", 0, slice_of(texts[i]));
    if (file_read(KONTOR_SOURCE "/deploy/topics.tsv", 1 << 20, &list, &error)) seed_write("topic_list", "", 0, buffer_slice(&list));
    buffer_free(&list);
}

int main(int count, char **words) {
    struct error error;
    if (count < 3) { fprintf(stderr, "seeds FOLDER CASE...\n"); return 2; }
    root = words[1];
    mkdir(root, 0755);
    world_open(&run, true);
    masters_write();
    texts_write();
    world_give(&run, KONTOR_SOURCE "/tests/fuzz/engine.case", NULL);
    outputs_write();
    changelogs_write();
    for (int i = 2; i < count; i++) {
        struct buffer text = {0};
        world_give(&run, words[i], event_write);
        if (file_read(words[i], 1 << 20, &text, &error)) seed_write("case", "", 0, buffer_slice(&text));
        buffer_free(&text);
    }
    world_close(&run);
    return 0;
}
