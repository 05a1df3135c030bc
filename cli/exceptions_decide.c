/* What people decide about exceptions: approve, refuse, retry, ask, reassign, one or many. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exceptions.h"
#include "cli/feed.h"
#include "cli/trial.h"
#include "common/platform/clock.h"
#include "common/platform/hash.h"
#include "common/tables/tables.h"
#include "schemas/reasons.h"

enum { ATTEMPTS = 3, NOTE_SIZE = 160, TRIAL_MEMORY = 1 << 30, BULK_SHOWN = 20 };

/* ---- a decision ---- */

bool decider_read(struct decider *decider, const struct invocation *invocation, enum review_action action, struct error *error) {
    *decider = (struct decider){option_text(invocation, "user", ""), option_text(invocation, "role", ""), option_text(invocation, "reason", ""),
                                option_text(invocation, "on-behalf-of", ""), option_text(invocation, "decided-in", "kontor-cli"), option_text(invocation, "to", "")};
    const bool dry = option_given(invocation, "dry-run");
    if (!*decider->user && !dry) return error_set(error, "--user is missing: who decides");
    if (!*decider->role && !dry) return error_set(error, "--role is missing: in which role %s decides", decider->user);
    if (!*decider->reason && !dry) return error_set(error, "--reason is missing: why, in your words");
    if (!*decider->assignee && (action == REVIEW_ACTION_ASK || action == REVIEW_ACTION_REASSIGN)) return error_set(error, "--to is missing: whom to %s", review_action_name(action));
    if (*decider->assignee && action != REVIEW_ACTION_ASK && action != REVIEW_ACTION_REASSIGN) return error_set(error, "--to is for ask and reassign");
    return true;
}

/* The same for the same decision about the same as it was seen; another once a retry of it was made. */
static void decision_id(const struct exception_item *item, enum review_action action, const struct decider *decider, const char *extra, char id[64]) {
    char text[4096];
    const struct exception_record *record = &item->record;
    int length = snprintf(text, sizeof text, SLICE_FORMAT "\n" SLICE_FORMAT "\n%lld\n" SLICE_FORMAT "\n%s\n%s\n%s\n%s\n%s\n%u\n", SLICE_ARGUMENT(record->processor),
                          SLICE_ARGUMENT(record->origin), (long long)record->item, SLICE_ARGUMENT(record->shown), review_action_name(action), decider->user, decider->assignee,
                          action == REVIEW_ACTION_ASK ? decider->reason : "", extra, action == REVIEW_ACTION_RETRY ? item->retries : 0);
    if (length >= (int)sizeof text) length = sizeof text - 1;
    uint64_t first = hash_bytes(text, (size_t)length);
    text[0] ^= 0x55;
    snprintf(id, 64, "cli-%016" PRIx64 "%016" PRIx64, first, hash_bytes(text, (size_t)length));
}

json_t *decision_json(const struct exception_item *item, enum review_action action, const struct decider *decider, int64_t now_ms, const char *extra) {
    const struct exception_record *record = &item->record;
    char id[64], time[TIME_TEXT_SIZE];
    decision_id(item, action, decider, extra, id);
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "event_id", id, "source", decider->source, "action", review_action_name(action), "item",
                             (json_int_t)record->item, "shown_at", time_text(now_ms, time), "user", decider->user, "role", decider->role, "on_behalf_of", decider->on_behalf_of,
                             "reason", decider->reason, "assignee", decider->assignee);
    const struct { const char *name; struct slice text; } texts[] = {{"entity", record->entity}, {"partner", record->partner}, {"processor", record->processor},
                                                                     {"origin", record->origin}, {"shown", record->shown}, {"document", record->document}};
    for (size_t i = 0; json && i < sizeof texts / sizeof *texts; i++)
        if (json_object_set_new(json, texts[i].name, json_stringn(texts[i].text.length ? texts[i].text.data : "", texts[i].text.length))) {
            json_decref(json);
            json = NULL;
        }
    return json;
}

bool decisions_send(const struct connection *connection, struct slice lines, int64_t rate, struct error *error) {
    struct topic_list list = {.count = 0};
    struct feed_result result = {0};
    if (!topic_list_read(&list, NULL, 0, error)) return false;
    const struct feed_options options = {.topic = "review.decisions", .path = "the decisions", .text = lines, .declared = topic_list_find(&list, "review.decisions"),
                                         .partition = RD_KAFKA_PARTITION_UA, .rate = rate};
    bool ok = feed_run(connection, &options, &result, error);
    topic_list_free(&list);
    if (!ok && result.sent) return error_prefix(error, "%lld decisions were sent, the same command sends the rest", (long long)result.sent);
    return ok;
}

/* ---- which of them ---- */

struct choice { const struct exception_item *item; bool decides; char note[NOTE_SIZE], id[64]; struct slice outcome, reasons; size_t journals; };

struct deciding {
    const struct invocation *invocation;
    enum review_action action;
    struct decider decider;
    struct connection connection;
    struct exception_set set;
    struct choice *choices;
    size_t count, decided, already;
    struct arena arena;
};

static bool can_be_approved(const struct exception_record *record) {
    for (size_t i = 0; i < record->reasons.count; i++)
        for (int k = 0; k < REASON_COUNT; k++)
            if (reasons[k].approvable && slice_equal(record->reasons.items[i].code, slice_of(reasons[k].code))) return true;
    return false;
}

static bool waits_behind(const struct exception_record *record) {
    for (size_t i = 0; i < record->reasons.count; i++)
        if (slice_equal(record->reasons.items[i].code, SLICE("OUT_OF_ORDER"))) return true;
    return false;
}

static const char *why_not(const struct deciding *deciding, const struct exception_item *item) {
    const int64_t attempts = option_number(deciding->invocation, "attempts", ATTEMPTS);
    switch (deciding->action) {
    case REVIEW_ACTION_APPROVE:
        if (item->state != EXCEPTION_HELD) return item->state == EXCEPTION_WAITING ? "it waits for data: nothing to approve of" : "it was rejected: correct it";
        return can_be_approved(&item->record) ? NULL : "nobody can approve of its reasons: correct it, or put right what they name";
    case REVIEW_ACTION_REFUSE: return item->state == EXCEPTION_REJECTED ? "it was rejected already" : NULL;
    case REVIEW_ACTION_RETRY:
        if (waits_behind(&item->record)) return "an earlier event of its document waits: decide about that";
        return item->failures >= attempts ? "REPLAY_LOOP: it failed the same way as often as --attempts allows" : NULL;
    default: return item->state == EXCEPTION_REJECTED ? "it was rejected already" : NULL;
    }
}

static bool choose(struct deciding *deciding, struct error *error) {
    const int64_t limit = option_number(deciding->invocation, "limit", INT64_MAX);
    deciding->choices = calloc((size_t)deciding->set.count + 1, sizeof *deciding->choices);
    if (!deciding->choices) return error_set(error, "out of memory");
    for (uint32_t i = 0; i < deciding->set.count && (int64_t)deciding->decided < limit; i++) {
        struct choice *choice = &deciding->choices[deciding->count++];
        choice->item = &deciding->set.items[i];
        const char *not = why_not(deciding, choice->item);
        decision_id(choice->item, deciding->action, &deciding->decider, "", choice->id);
        const bool there = !not && !option_given(deciding->invocation, "dry-run") && intern_has(&deciding->set.decisions, slice_of(choice->id));
        choice->decides = !not && !there;
        deciding->decided += choice->decides;
        deciding->already += there;
        snprintf(choice->note, sizeof choice->note, "%s", not ? not : there ? "decided already: the same decision is on review.decisions" : "");
    }
    return true;
}

/* ---- what would become of them ---- */

static enum resolution_action resolution_of(enum review_action action) {
    return action == REVIEW_ACTION_APPROVE ? RESOLUTION_ACTION_APPROVE : action == REVIEW_ACTION_REFUSE ? RESOLUTION_ACTION_REFUSE : RESOLUTION_ACTION_RETRY;
}

static bool key_of(struct arena *arena, const struct exception_record *record, struct slice *key) {
    char text[1024];
    const struct slice parts[] = {record->entity, record->partner};
    *key = tables_key(text, sizeof text, parts, 2);
    key->data = arena_copy(arena, key->data, key->length);
    return key->data;
}

static bool try_all(struct deciding *deciding, struct error *error) {
    struct trial_case *cases = calloc(deciding->count + 1, sizeof *cases);
    size_t count = 0;
    bool ok = cases || error_set(error, "out of memory");
    for (size_t i = 0; ok && i < deciding->count; i++) {
        const struct exception_record *record = &deciding->choices[i].item->record;
        if (!deciding->choices[i].decides) continue;
        struct trial_case *this = &cases[count++];
        *this = (struct trial_case){.record = record, .action = resolution_of(deciding->action), .by = slice_of(*deciding->decider.user ? deciding->decider.user : "you")};
        ok = key_of(&deciding->arena, record, &this->key) || error_set(error, "out of memory");
        if (record->item) continue;
        this->event = record->value;    /* a rejected one comes again */
        this->event_id = record->event_id;
        this->topic = (struct slice){record->origin.data, (size_t)((const char *)memchr(record->origin.data, '/', record->origin.length) - record->origin.data)};
    }
    ok = ok && (!count || trial_run(&deciding->connection, cases, count, &deciding->arena, error));
    for (size_t i = 0, at = 0; ok && i < deciding->count; i++) {
        struct choice *choice = &deciding->choices[i];
        if (!choice->decides) continue;
        choice->outcome = cases[at].outcome.length ? cases[at].outcome : cases[at].why;
        choice->reasons = cases[at].reasons;
        choice->journals = cases[at++].journals;
    }
    free(cases);
    return ok;
}

/* ---- telling and asking ---- */

static bool print(const struct deciding *deciding, bool sent, FILE *out, enum output_format format, size_t limit, struct error *error) {
    const bool dry = option_given(deciding->invocation, "dry-run");
    const struct table_column plain[] = {{"id", false}, {"state", false}, {"document", false}, {"amount", true}, {"currency", false}, {"reasons", false}, {"decision", false},
                                         {"event id", false}, {"note", false}};
    const struct table_column tried[] = {{"id", false}, {"state", false}, {"document", false}, {"amount", true}, {"currency", false}, {"reasons", false}, {"decision", false},
                                         {"would be", false}, {"journals", true}, {"reasons then", false}, {"note", false}};
    struct text_table *table = dry ? table_new(tried, sizeof tried / sizeof *tried) : table_new(plain, sizeof plain / sizeof *plain);
    for (size_t i = 0; i < deciding->count && i < limit; i++) {
        char id[EXCEPTION_ID_SIZE], cell[CELL_SIZE];
        const struct choice *choice = &deciding->choices[i];
        const struct exception_record *record = &choice->item->record;
        table_text(table, exception_id(record, id));
        table_text(table, exception_state_name(choice->item));
        table_slice(table, record->document);
        if (record->has_amount) table_amount(table, record->amount_e4);
        else table_text(table, NULL);
        table_slice(table, record->currency);
        table_text(table, reasons_cell(record, cell));
        table_text(table, choice->decides ? review_action_name(deciding->action) : "none");
        if (dry) {
            table_slice(table, choice->outcome);
            table_number(table, (int64_t)choice->journals);
            table_slice(table, choice->reasons);
        } else table_text(table, choice->decides ? choice->id : NULL);
        table_text(table, *choice->note ? choice->note : dry || !choice->decides ? "" : sent ? "sent" : "");
    }
    bool ok = table_print(table, format, out) || error_set(error, "out of memory");
    table_free(table);
    fflush(out);
    return ok;
}

/* Many at once are shown first. Yes without asking: --yes; who is no terminal cannot be asked. */
static bool agreed(const struct deciding *deciding, struct error *error) {
    char answer[8] = "", count[AMOUNT_TEXT_SIZE];
    if (deciding->set.filter.id_count || deciding->decided <= 1 || option_given(deciding->invocation, "yes")) return true;
    if (!print(deciding, false, stderr, FORMAT_TABLE, BULK_SHOWN, error)) return false;
    if (deciding->count > BULK_SHOWN) fprintf(stderr, "... and %zu more\n", deciding->count - BULK_SHOWN);
    if (!isatty(STDIN_FILENO))
        return error_set(error, "%s decisions would be sent and nothing was: say --yes to send them, --dry-run to see what would become of each", count_text((int64_t)deciding->decided, count));
    fprintf(stderr, "Send %s decisions (%s)? [y/N] ", count_text((int64_t)deciding->decided, count), review_action_name(deciding->action));
    return (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) || error_set(error, "nothing was sent");
}

static bool send_all(struct deciding *deciding, struct error *error) {
    struct buffer lines = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < deciding->count; i++) {
        if (!deciding->choices[i].decides) continue;
        json_t *json = decision_json(deciding->choices[i].item, deciding->action, &deciding->decider, deciding->set.now_ms, "");
        char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
        ok = (text && buffer_append(&lines, text, strlen(text)) && buffer_append(&lines, "\n", 1)) || error_set(error, "out of memory");
        free(text);
        json_decref(json);
    }
    ok = ok && (!lines.length || decisions_send(&deciding->connection, buffer_slice(&lines), option_number(deciding->invocation, "rate", 0), error));
    buffer_free(&lines);
    return ok;
}

static bool decide_all(struct deciding *deciding, struct exception_filter *filter, struct error *error) {
    const struct invocation *invocation = deciding->invocation;
    const bool dry = option_given(invocation, "dry-run");
    if (!connection_open(&deciding->connection, invocation, error) || !exceptions_find(&deciding->set, &deciding->connection, invocation, filter, error) || !choose(deciding, error)) return false;
    if (!deciding->count) return error_set(error, "nothing is there to %s with this filter; kontor exceptions list shows what is", review_action_name(deciding->action));
    if (dry ? !try_all(deciding, error) : !agreed(deciding, error) || !send_all(deciding, error)) return false;
    if (!print(deciding, true, stdout, invocation->format, SIZE_MAX, error)) return false;
    return deciding->decided || deciding->already || error_set(error, "nothing was decided; the notes say why");
}

enum exit_status exceptions_decide(const struct invocation *invocation, enum review_action action) {
    struct error error;
    struct exception_filter filter;
    struct deciding deciding = {.invocation = invocation, .action = action};
    bool ok = decider_read(&deciding.decider, invocation, action, &error) && exception_filter_read(&filter, invocation, &error);
    if (ok) {
        filter.ids = invocation->words + 1;
        filter.id_count = invocation->word_count - 1;
        filter.values = option_given(invocation, "dry-run");
        if (!filter.id_count && !exception_filter_asks(&filter) && !option_given(invocation, "all"))
            ok = error_set(&error, "which? Give IDs as kontor exceptions list prints them, a filter such as --supplier, or --all");
        if (ok && (action == REVIEW_ACTION_ASK || action == REVIEW_ACTION_REASSIGN) && filter.values)
            ok = error_set(&error, "--dry-run is for approve, refuse, retry and correct: %s changes nothing of the document", review_action_name(action));
    }
    if (!ok) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    arena_init(&deciding.arena, 1 << 16, TRIAL_MEMORY);
    ok = decide_all(&deciding, &filter, &error);
    exception_set_close(&deciding.set);
    connection_close(&deciding.connection);
    arena_free(&deciding.arena);
    free(deciding.choices);
    return ok ? EXIT_DONE : command_failed(&error);
}
