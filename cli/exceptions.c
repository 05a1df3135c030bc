/* kontor exceptions: what is held, waits or was rejected, and what people decide about it. */
#include "cli/exceptions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/platform/nearest.h"

/* ---- cells ---- */

static void cell_add(char cell[CELL_SIZE], size_t from, struct slice text, struct slice more) {
    size_t used = strlen(cell);
    for (size_t i = from; i < used; i++)    /* once */
        if (used - i >= text.length && text.length && memcmp(cell + i, text.data, text.length) == 0 && !more.length && (i == 0 || cell[i - 1] == ' ') &&
            (i + text.length == used || cell[i + text.length] == ',')) return;
    snprintf(cell + used, CELL_SIZE - used, "%s" SLICE_FORMAT "%s" SLICE_FORMAT, used ? ", " : "", SLICE_ARGUMENT(text), more.length ? " " : "", SLICE_ARGUMENT(more));
}

const char *reasons_cell(const struct exception_record *record, char cell[CELL_SIZE]) {
    cell[0] = 0;
    for (size_t i = 0; i < record->reasons.count; i++) cell_add(cell, 0, record->reasons.items[i].code, (struct slice){0});
    return cell;
}

const char *missing_cell(const struct exception_record *record, char cell[CELL_SIZE]) {
    cell[0] = 0;
    for (size_t i = 0; i < record->missing.count; i++) cell_add(cell, 0, record->missing.items[i].table, record->missing.items[i].key);
    return cell;
}

/* ---- list ---- */

/* usual: where nothing is asked for; now: all but what was corrected. */
static bool states_read(struct exception_filter *filter, const struct invocation *invocation, const char *usual, struct error *error) {
    static const char *const known[] = {"held", "waiting", "rejected", "corrected", "all", "open", "now", NULL};
    const char *wanted = option_text(invocation, "state", usual);
    const bool all = strcmp(wanted, "all") == 0 || strcmp(wanted, "now") == 0, corrected = strcmp(wanted, "corrected") == 0;
    filter->corrected = strcmp(wanted, "all") == 0 ? CORRECTED_TOO : corrected ? CORRECTED_ALONE : CORRECTED_LEFT_OUT;
    for (int state = 0; state < EXCEPTION_STATES; state++)
        filter->states[state] = all || strcmp(wanted, exception_state_names[state]) == 0 || (strcmp(wanted, "open") == 0 && state != EXCEPTION_REJECTED) ||
                                (corrected && state == EXCEPTION_REJECTED);
    for (int state = 0; state < EXCEPTION_STATES; state++)
        if (filter->states[state]) return true;
    const char *nearest = nearest_word(wanted, known);
    return error_set(error, "--state %s: expected held, waiting, rejected, corrected, open (held and waiting), now (those and what is rejected) or all%s%s", wanted, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static int by_age(const void *a, const void *b) {
    const struct exception_item *x = a, *y = b;
    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

static int64_t magnitude(const struct exception_item *item) {
    const int64_t amount = item->record.has_amount ? item->record.amount_e4 : 0;
    return amount < 0 ? -amount : amount;
}

static int by_amount(const void *a, const void *b) {
    const int64_t x = magnitude(a), y = magnitude(b);
    return x == y ? by_age(a, b) : (x < y) - (x > y);
}

static void add_row(struct text_table *table, const struct exception_item *item, int64_t now_ms, enum output_format format) {
    char id[EXCEPTION_ID_SIZE], cell[CELL_SIZE], age[TIME_TEXT_SIZE];
    const struct exception_record *record = &item->record;
    table_text(table, exception_id(record, id));
    table_text(table, format == FORMAT_JSON ? time_text(item->since_ms, age) : age_text(now_ms - item->since_ms, age));
    table_text(table, exception_state_name(item));
    table_slice(table, record->entity);
    table_slice(table, record->partner);
    table_slice(table, record->document);
    table_slice(table, record->kind);
    if (record->has_amount) table_amount(table, record->amount_e4);
    else table_text(table, NULL);
    table_slice(table, record->currency);
    table_text(table, reasons_cell(record, cell));
    table_text(table, item->state == EXCEPTION_REJECTED ? "" : missing_cell(record, cell));
    table_slice(table, item->assignee);
}

static bool print_list(const struct exception_set *set, const struct invocation *invocation, struct error *error) {
    static const struct table_column columns[] = {{"id", false}, {"age", false}, {"state", false}, {"entity", false}, {"partner", false}, {"document", false}, {"kind", false},
                                                  {"amount", true}, {"currency", false}, {"reasons", false}, {"waits for", false}, {"to decide", false}};
    static const struct table_column of_json[] = {{"id", false}, {"since", false}, {"state", false}, {"entity", false}, {"partner", false}, {"document", false}, {"kind", false},
                                                  {"amount", true}, {"currency", false}, {"reasons", false}, {"waits for", false}, {"to decide", false}};
    const char *sort = option_text(invocation, "sort", "age");
    if (set->count) qsort(set->items, set->count, sizeof *set->items, strcmp(sort, "amount") == 0 ? by_amount : by_age);
    const uint32_t limit = (uint32_t)option_number(invocation, "limit", invocation->format == FORMAT_JSON ? UINT32_MAX : 100);
    struct text_table *table = table_new(invocation->format == FORMAT_JSON ? of_json : columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < set->count && i < limit; i++) add_row(table, &set->items[i], set->now_ms, invocation->format);
    bool ok = table_print(table, invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    fflush(stdout);
    char count[AMOUNT_TEXT_SIZE];
    if (ok && set->count > limit) fprintf(stderr, "kontor: %s are there; --limit shows more, --entity, --code and the like fewer\n", count_text(set->count, count));
    return ok;
}

static enum exit_status list_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct exception_set set = {.count = 0};
    struct exception_filter filter;
    struct error error;
    const char *sort = option_text(invocation, "sort", "age");
    if (!exception_filter_read(&filter, invocation, &error) || !states_read(&filter, invocation, "now", &error) ||
        (strcmp(sort, "age") != 0 && strcmp(sort, "amount") != 0 && !error_set(&error, "--sort %s: expected age or amount", sort))) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    filter.ids = invocation->words + 1;
    filter.id_count = invocation->word_count - 1;
    bool ok = connection_open(&connection, invocation, &error) && exception_set_read(&set, &connection, &filter, &error) && exception_set_decisions(&set, &error) &&
              print_list(&set, invocation, &error);
    exception_set_close(&set);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}

/* ---- finding what words and filter name ---- */

static bool word_names_one(const struct exception_set *set, const char *word) {
    for (uint32_t i = 0; i < set->count; i++)
        if (exception_is(&set->items[i].record, word)) return true;
    return false;
}

bool exceptions_find(struct exception_set *set, const struct connection *connection, const struct invocation *invocation, struct exception_filter *filter, struct error *error) {
    if (!states_read(filter, invocation, filter->id_count ? "all" : "open", error)) return false;
    if (!exception_set_read(set, connection, filter, error) || !exception_set_decisions(set, error)) return false;
    for (size_t i = 0; i < filter->id_count; i++)
        if (!word_names_one(set, filter->ids[i]))
            return error_set(error, "nothing that is held, waits or was rejected is named %s; kontor exceptions list shows what is, kontor trace %s what became of it", filter->ids[i],
                             filter->ids[i]);
    return true;
}

/* ---- the command ---- */

static const struct { const char *word; enum review_action action; } actions[] = {
    {"approve", REVIEW_ACTION_APPROVE}, {"refuse", REVIEW_ACTION_REFUSE}, {"ask", REVIEW_ACTION_ASK}, {"reassign", REVIEW_ACTION_REASSIGN}, {"retry", REVIEW_ACTION_RETRY}};

static enum exit_status exceptions_run(const struct invocation *invocation) {
    if (strcmp(invocation->words[0], "list") == 0) return list_run(invocation);
    if (strcmp(invocation->words[0], "show") == 0) return exceptions_show(invocation);
    if (strcmp(invocation->words[0], "correct") == 0) return exceptions_correct(invocation);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(invocation->words[0], actions[i].word) == 0) return exceptions_decide(invocation, actions[i].action);
    return EXIT_USAGE;
}

static const char *const words[] = {"list", "show", "approve", "refuse", "retry", "ask", "reassign", "correct", NULL};
static const struct option options[] = {
    EXCEPTION_FILTER_OPTIONS,
    {"state", OPTION_TEXT, "STATE", "held, waiting, rejected, corrected, open (held and waiting), now (those and what is rejected; list without --state) or all"},
    {"sort", OPTION_TEXT, "BY", "list: age (the oldest first) or amount (the largest first)"},
    {"limit", OPTION_NUMBER, "N", "the first N alone"},
    {"all", OPTION_FLAG, NULL, "decide about all that are open, without a filter"},
    {"user", OPTION_TEXT, "NAME", "who decides"},
    {"role", OPTION_TEXT, "ROLE", "in which role"},
    {"on-behalf-of", OPTION_TEXT, "NAME", "whose delegate the user is"},
    {"reason", OPTION_TEXT, "TEXT", "why, in your words; the question of ask; list: the same as --code"},
    {"to", OPTION_TEXT, "NAME", "ask, reassign: whom"},
    {"decided-in", OPTION_TEXT, "SOURCE", "where the decision is taken, for its permission; kontor-cli"},
    {"dry-run", OPTION_FLAG, NULL, "shows what would become of it by today's master data, and sends nothing"},
    {"yes", OPTION_FLAG, NULL, "decide about more than one without asking"},
    {"rate", OPTION_NUMBER, "N", "at most N decisions a second"},
    {"attempts", OPTION_NUMBER, "N", "retry: leave alone what has failed the same way N times; 3"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command exceptions_command = {
    .name = "exceptions",
    .summary = "what is held, waits or was rejected: shows it, and takes people's decisions",
    .usage = "list | show ID | approve|refuse|retry|ask|reassign ID... | correct ID FIELD=VALUE...",
    .description = "An ID is what list prints (<processor>/<partition>/<offset>), where the event lies (<topic>/<partition>/<offset>), its document\n"
                   "or its event id. Without an ID, approve, refuse, retry, ask and reassign are about all that the filter names.\n\n"
                   "A decision is a record on review.decisions. kontor-reviewer checks it (who may decide, not one's own, not too late) and the\n"
                   "processor acts on it; both say on the topic audit what they did, and show tells it. The same command again is the same\n"
                   "decision: nothing happens twice, and a run that was interrupted goes on where it was. retry decides anew as it is;\n"
                   "approve makes of what it is held for a note; refuse makes it rejected; ask and reassign give it to somebody else.\n\n"
                   "correct sets fields of the event and sends it as a new one that takes its place; the old one stays as it came.\n"
                   "lines[0].net=10.00 sets a field of the first line, lines[2]={...} adds a third, lines[1]= takes the second out.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = WORDS_MAXIMUM,
    .default_format = "table",
    .options = options,
    .example = "  kontor exceptions list --state held --code PRICE_TOLERANCE --amount-from 1000 --older 3d\n"
               "  kontor exceptions show invoice/3/17\n"
               "  kontor exceptions retry --supplier V21 --dry-run\n"
               "  kontor exceptions approve invoice/3/17 --user carol --role ap-lead --reason 'price agreed by phone'\n"
               "  kontor exceptions correct I1 'lines[0].tax_code=V19' total=119.00 --user carol --role ap-clerk --reason 'typed wrongly'",
    .run = exceptions_run,
};
