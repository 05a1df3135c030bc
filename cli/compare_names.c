/* The master records behind differences: of each event that has one, what its journals were made with then and now. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/compare_internal.h"
#include "common/codec/wire.h"
#include "schemas/acknowledgment.h"
#include "schemas/exception.h"
#include "schemas/posting_command.h"

enum { TEXT_SIZE = 1024, GIVEN_MAXIMUM = 64 };

/* A table's offset as a journal names it. */
struct given { int32_t table; int64_t offset; };
struct naming {
    struct compare *compare;
    struct slice origin;
    struct given there[GIVEN_MAXIMUM], here[GIVEN_MAXIMUM];
    size_t there_count, here_count;
    char text[TEXT_SIZE];
};

static int32_t table_named(const struct compare *compare, struct slice name) {
    const struct sandbox *sandbox = compare->history->sandbox;
    for (size_t i = 0; i < sandbox->table_count; i++)
        if (slice_equal(name, slice_of(sandbox->list[i]->name))) return (int32_t)i;
    return -1;
}

static void name(struct naming *naming, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void name(struct naming *naming, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = strlen(naming->text);
    if (!strstr(naming->text, text)) snprintf(naming->text + used, TEXT_SIZE - used, "%s%s", used ? "; " : "", text);
}

static const char *table_name(const struct naming *naming, int32_t table) { return naming->compare->history->sandbox->list[table]->name; }

static void name_version(struct naming *naming, const struct happening *old, const struct happening *new) {
    name(naming, "%s " SLICE_FORMAT " at offset %lld, superseded by offset %lld", table_name(naming, old->number), SLICE_ARGUMENT(old->key), (long long)old->offset, (long long)new->offset);
}

/* A record that the topics do not hold any more has left its offset in the journal, and its key is that of the record used now. */
static void name_gone(struct naming *naming, int32_t table, int64_t offset, const struct happening *new) {
    if (offset >= 0) name(naming, "%s " SLICE_FORMAT ": what was at offset %lld is gone, superseded by offset %lld", table_name(naming, table), SLICE_ARGUMENT(new->key), (long long)offset, (long long)new->offset);
    else name(naming, "%s " SLICE_FORMAT ": what was there before offset %lld is gone, or it came only then", table_name(naming, table), SLICE_ARGUMENT(new->key), (long long)new->offset);
}

static struct given *given_of(struct given *list, size_t count, int32_t table) {
    for (size_t i = 0; i < count; i++)
        if (list[i].table == table) return &list[i];
    return NULL;
}

static bool decode(struct compare *compare, const struct compared_topic *topic, struct slice value, void **record) {
    uint32_t id;
    struct slice payload;
    struct error why;
    arena_reset(&compare->arena);
    *record = topic->type ? arena_alloc(&compare->arena, topic->type->size) : NULL;
    return *record && codec_wire_read(value.data, value.length, &id, &payload) && values_decode(compare->values, value, topic->type, &compare->arena, *record, &why) == VALUES_OK;
}

static void take_offsets(struct naming *naming, const struct posting_command *command, struct given *list, size_t *count) {
    for (size_t i = 0; i < command->master_offsets.count; i++) {
        const int32_t table = table_named(naming->compare, command->master_offsets.items[i].table);
        struct given *known = given_of(list, *count, table);
        if (table < 0 || (!known && *count == GIVEN_MAXIMUM)) continue;
        if (!known) list[(*count)++] = (struct given){table, command->master_offsets.items[i].offset};
        else if (command->master_offsets.items[i].offset > known->offset) known->offset = command->master_offsets.items[i].offset;
    }
}

/* Keys that one side waits for: their first known version came later, or took the place of one that is gone. */
static void name_missing(struct naming *naming, struct slice table_text, struct slice key) {
    const int32_t table = table_named(naming->compare, table_text);
    const struct happening *first = table < 0 ? NULL : history_first(naming->compare->history, table, key);
    const int64_t decided_ms = history_decided_ms(naming->compare->history, naming->origin);
    if (first && first->time_ms > decided_ms) name_gone(naming, table, -1, first);
}

static void take_missing(struct naming *naming, const struct compared_topic *topic, const void *record) {
    if (topic->type == &acknowledgment_type) {
        const struct acknowledgment *told = record;
        for (size_t i = 0; i < told->missing.count; i++) name_missing(naming, told->missing.items[i].table, told->missing.items[i].key);
    } else if (topic->type == &exception_record_type) {
        const struct exception_record *told = record;
        for (size_t i = 0; i < told->missing.count; i++) name_missing(naming, told->missing.items[i].table, told->missing.items[i].key);
    }
}

static void take_difference(struct naming *naming, const struct difference *difference) {
    const struct compared_topic *topic = &naming->compare->topics[difference->topic];
    void *record;
    if (difference->there.data && decode(naming->compare, topic, difference->there, &record)) {
        if (topic->type == &posting_command_type) take_offsets(naming, record, naming->there, &naming->there_count);
    }
    if (difference->here.data && decode(naming->compare, topic, difference->here, &record)) {
        if (topic->type == &posting_command_type) take_offsets(naming, record, naming->here, &naming->here_count);
        take_missing(naming, topic, record);
    }
}

/* What the journals of then were made with: superseded since, when a newer version of the same key is there. One that was written again as it was is behind no difference
 * but that of the offset: `again` names those. */
static void name_used(struct naming *naming, bool again) {
    const struct history *history = naming->compare->history;
    for (size_t i = 0; i < naming->there_count; i++) {
        const struct given *used = &naming->there[i], *now = given_of(naming->here, naming->here_count, used->table);
        if (now && now->offset == used->offset) continue;
        const struct happening *old = history_version(history, used->table, used->offset), *new = old ? history_newest(history, old) : now ? history_version(history, used->table, now->offset) : NULL;
        if (old && new && (again || !slice_equal(old->value, new->value))) name_version(naming, old, new);
        else if (!old && new) name_gone(naming, used->table, used->offset, new);
    }
    /* What those of now are made with, when it came after the decision. */
    const int64_t decided_ms = history_decided_ms(history, naming->origin);
    for (size_t i = 0; i < naming->here_count; i++) {
        const struct given *now = &naming->here[i];
        const struct happening *new = history_version(history, now->table, now->offset), *old = new ? history_before(history, new) : NULL;
        if (!new || new->time_ms <= decided_ms || given_of(naming->there, naming->there_count, now->table)) continue;
        if (old && (again || !slice_equal(old->value, new->value))) name_version(naming, old, new);
        else if (!old) name_gone(naming, now->table, -1, new);
    }
}

static const struct compare *sorted;
static int by_origin(const void *a, const void *b) {
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = slice_compare(sorted->differences[x].origin, sorted->differences[y].origin);
    return order ? order : (x > y) - (x < y);
}

bool compare_names(struct compare *compare, struct error *error) {
    size_t *order = malloc((compare->count + 1) * sizeof *order);
    struct naming *naming = malloc(sizeof *naming);
    compare->superseded = calloc(compare->count + 1, sizeof *compare->superseded);
    bool ok = order && naming && compare->superseded;
    for (size_t i = 0; ok && i < compare->count; i++) order[i] = i;
    sorted = compare;
    if (ok && compare->count) qsort(order, compare->count, sizeof *order, by_origin);
    for (size_t from = 0, to; ok && from < compare->count; from = to) {
        *naming = (struct naming){.compare = compare, .origin = compare->differences[order[from]].origin};
        for (to = from; to < compare->count && slice_equal(compare->differences[order[to]].origin, naming->origin); to++) take_difference(naming, &compare->differences[order[to]]);
        name_used(naming, false);
        if (!naming->text[0]) name_used(naming, true);
        const size_t length = strlen(naming->text);
        const char *kept = arena_copy(&compare->kept, naming->text, length);
        ok = kept != NULL;
        for (size_t i = from; ok && i < to; i++) compare->superseded[order[i]] = (struct slice){kept, length};
        if (!length) compare->unexplained += to - from;
    }
    free(order);
    free(naming);
    return ok || error_set(error, "out of memory");
}
