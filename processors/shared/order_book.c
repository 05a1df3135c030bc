#include "processors/shared/order_book.h"

struct slice order_key(struct decision *decision, struct slice entity, struct slice order, struct slice line) { return KEY(decision, entity, order, line); }

struct slice order_key_part(struct decision *decision, struct slice key, int part) {
    size_t from = 0, to = 0;
    for (; part >= 0; part--) {
        from = to ? to + 1 : 0;
        for (to = from; to < key.length && key.data[to] != '|'; to++) {}
    }
    if (from >= to) return (struct slice){0};
    char *text = decision_alloc(decision, to - from);
    size_t length = 0;
    for (size_t i = from; i < to; i++) {   /* %25 and %7C are all that a key has */
        bool encoded = key.data[i] == '%';
        text[length++] = !encoded ? key.data[i] : key.data[i + 1] == '2' ? '%' : '|';
        if (encoded) i += 2;
    }
    return (struct slice){text, length};
}

struct order_copy *order_find(struct order_book *book, struct slice key) {
    for (struct order_copy *copy = book->first; copy; copy = copy->next)
        if (slice_equal(copy->key, key)) return copy;
    struct order_copy *copy = decision_alloc(book->decision, sizeof *copy);
    const struct order_line *line = key.length ? state_find(book->decision, book->store, key) : NULL;
    *copy = (struct order_copy){.next = book->first, .key = key, .exists = line != NULL};
    if (line) copy->line = *line;
    book->first = copy;
    return copy;
}

bool order_line_is_undelivered(const void *record) {
    const struct order_line *line = record;
    if (line->status == ORDER_LINE_STATUS_REQUISITION) return true;
    return line->status == ORDER_LINE_STATUS_OPEN && !line->completed && line->received_e6 < order_now(line)->quantity_e6;
}

bool order_line_is_unsettled(const void *record) {
    return order_line_is_undelivered(record) || order_uncovered(record) != 0;
}

void order_book_put(struct order_book *book) {
    for (const struct order_copy *copy = book->first; copy; copy = copy->next)
        if (copy->changed) state_put(book->decision, book->store, copy->key, &copy->line);
}

void order_price_set(struct decision *decision, struct order_line *line, int64_t quantity_e6, int64_t net_e4) {
    size_t kept = line->prices.count;
    while (kept && line->prices.items[kept - 1].from_e6 >= line->received_e6) kept--;
    struct order_price *prices = decision_alloc(decision, (kept + 1) * sizeof *prices);
    if (kept) memcpy(prices, line->prices.items, kept * sizeof *prices);
    prices[kept] = (struct order_price){.from_e6 = kept ? line->received_e6 : 0, .quantity_e6 = quantity_e6, .net_e4 = net_e4};
    line->prices.items = prices;
    line->prices.count = kept + 1;
}

bool order_exceeded(const struct order_line *line, int64_t quantity_e6, int64_t percent_e4) {
    const __int128 hundred_percent = 1000000;   /* per cent at scale 4 */
    return (__int128)quantity_e6 * hundred_percent > (__int128)order_now(line)->quantity_e6 * (hundred_percent + percent_e4);
}

/* ⌊V·x/N⌋ to the minor unit. */
static bool value_up_to(const struct order_price *price, struct currency currency, int64_t to_e6, int64_t *value_e4) {
    struct decimal_exact exact;
    int digits = currency_minor_digits(currency);
    int64_t value;
    return decimal_share(price->net_e4, MONEY_SCALE, to_e6, price->quantity_e6, &exact) && decimal_round(exact, digits, DECIMAL_DOWN, &value) &&
           decimal_rescale(value, digits, MONEY_SCALE, DECIMAL_EXACT, value_e4);
}

bool order_value(const struct order_line *line, struct currency currency, int64_t from_e6, int64_t to_e6, int64_t *value_e4) {
    int64_t sum = 0;
    for (size_t i = 0; i < line->prices.count; i++) {
        int64_t starts = line->prices.items[i].from_e6, ends = i + 1 < line->prices.count ? line->prices.items[i + 1].from_e6 : INT64_MAX;
        int64_t from = from_e6 > starts ? from_e6 : starts, to = to_e6 < ends ? to_e6 : ends, before, after, part;
        if (from >= to) continue;
        if (!value_up_to(&line->prices.items[i], currency, from, &before) || !value_up_to(&line->prices.items[i], currency, to, &after) ||
            !decimal_subtract(after, before, &part) || !decimal_add(sum, part, &sum)) return false;
    }
    *value_e4 = sum;
    return true;
}

int64_t order_uncovered(const struct order_line *line) {
    int64_t open = line->received_e6;
    for (size_t i = 0; i < line->covered.count; i++) open -= line->covered.items[i].to_e6 - line->covered.items[i].from_e6;
    return open;
}

bool order_cover_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional, int64_t quantity_e6,
                      struct order_cover *cover) {
    bool all = quantity_e6 == order_uncovered(line);
    int64_t at = 0, left = quantity_e6, value;
    *cover = (struct order_cover){.ranges = decision_alloc(decision, (line->covered.count + 1) * sizeof *cover->ranges)};
    for (size_t i = 0; left > 0 && i <= line->covered.count; i++) {
        int64_t gap_end = i < line->covered.count ? line->covered.items[i].from_e6 : line->received_e6;
        if (gap_end > line->received_e6) gap_end = line->received_e6;
        if (gap_end > at) {
            int64_t taken = gap_end - at < left ? gap_end - at : left;
            cover->ranges[cover->count++] = (struct covered_range){at, at + taken};
            if (!order_value(line, currency, at, at + taken, &value) || !decimal_add(cover->value_e4, value, &cover->value_e4)) return false;
            left -= taken;
        }
        if (i < line->covered.count) at = line->covered.items[i].to_e6;
    }
    if (all) return decimal_subtract(line->received_value_e4, line->covered_value_e4, &cover->value_e4) &&
                    decimal_subtract(line->received_functional_e4, line->covered_functional_e4, &cover->functional_e4);
    if (currency_equal(currency, functional)) { cover->functional_e4 = cover->value_e4; return true; }
    if (!line->received_value_e4) return true;
    return money_share(line->received_functional_e4, cover->value_e4, line->received_value_e4, functional, &cover->functional_e4);
}

bool order_returned_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional, int64_t quantity_e6,
                         struct order_cover *cover) {
    const bool all = quantity_e6 == -order_uncovered(line);
    int64_t left = quantity_e6, value;
    *cover = (struct order_cover){.ranges = decision_alloc(decision, (line->covered.count + 1) * sizeof *cover->ranges)};
    for (size_t i = line->covered.count; i-- > 0 && left > 0;) {
        const struct covered_range *range = &line->covered.items[i];
        int64_t from = range->to_e6 - left > range->from_e6 ? range->to_e6 - left : range->from_e6;
        cover->ranges[cover->count++] = (struct covered_range){from, range->to_e6};
        if (!order_value(line, currency, from, range->to_e6, &value) || !decimal_add(cover->value_e4, value, &cover->value_e4)) return false;
        left -= range->to_e6 - from;
    }
    if (all) return decimal_subtract(line->covered_value_e4, line->received_value_e4, &cover->value_e4) &&
                    decimal_subtract(line->covered_functional_e4, line->received_functional_e4, &cover->functional_e4);
    if (currency_equal(currency, functional) || !line->covered_value_e4) { cover->functional_e4 = cover->value_e4; return true; }
    return money_share(line->covered_functional_e4, cover->value_e4, line->covered_value_e4, functional, &cover->functional_e4);
}

bool order_rest_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional, struct order_cover *cover) {
    const int64_t open_e6 = order_uncovered(line);
    if (open_e6 > 0) return order_cover_find(decision, line, currency, functional, open_e6, cover);
    *cover = (struct order_cover){.ranges = NULL};
    return decimal_subtract(line->received_value_e4, line->covered_value_e4, &cover->value_e4) &&
           decimal_subtract(line->received_functional_e4, line->covered_functional_e4, &cover->functional_e4);
}

static void covered_add(struct covered_range *ranges, size_t *count, struct covered_range added) {
    size_t at = *count;
    for (; at && ranges[at - 1].from_e6 > added.from_e6; at--) ranges[at] = ranges[at - 1];
    ranges[at] = added;
    ++*count;
    for (size_t i = at ? at - 1 : at; i + 1 < *count;) {   /* neighbours that touch become one */
        if (ranges[i].to_e6 < ranges[i + 1].from_e6) {
            if (i++ > at) break;
            continue;
        }
        ranges[i].to_e6 = ranges[i + 1].to_e6 > ranges[i].to_e6 ? ranges[i + 1].to_e6 : ranges[i].to_e6;
        memmove(&ranges[i + 1], &ranges[i + 2], (*count - i - 2) * sizeof *ranges);
        --*count;
    }
}

void order_cover_take(struct decision *decision, struct order_line *line, const struct order_cover *cover) {
    size_t count = line->covered.count;
    struct covered_range *ranges = decision_alloc(decision, (count + cover->count + 1) * sizeof *ranges);
    if (count) memcpy(ranges, line->covered.items, count * sizeof *ranges);
    for (size_t i = 0; i < cover->count; i++) covered_add(ranges, &count, cover->ranges[i]);
    line->covered.items = ranges;
    line->covered.count = count;
    line->covered_value_e4 += cover->value_e4;           /* parts of received_*: they cannot overflow */
    line->covered_functional_e4 += cover->functional_e4;
}

void order_cover_give_back(struct decision *decision, struct order_line *line, const struct order_cover *cover) {
    size_t count = 0;
    struct covered_range *ranges = decision_alloc(decision, (line->covered.count + cover->count + 1) * sizeof *ranges);
    for (size_t i = 0; i < line->covered.count; i++) {
        struct covered_range rest = line->covered.items[i];
        for (size_t k = 0; k < cover->count; k++) {
            const struct covered_range *gone = &cover->ranges[k];
            if (gone->to_e6 <= rest.from_e6 || gone->from_e6 >= rest.to_e6) continue;
            if (gone->from_e6 > rest.from_e6) ranges[count++] = (struct covered_range){rest.from_e6, gone->from_e6};
            rest.from_e6 = gone->to_e6;
        }
        if (rest.from_e6 < rest.to_e6) ranges[count++] = rest;
    }
    line->covered.items = ranges;
    line->covered.count = count;
    line->covered_value_e4 -= cover->value_e4;
    line->covered_functional_e4 -= cover->functional_e4;
}
