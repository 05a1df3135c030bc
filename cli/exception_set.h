/* exception_set: what is held, waits or was rejected, read from the topics of exceptions: of each event its newest record, and whether that still holds.
 *
 * What a filter leaves out is not kept. Decisions that are on the way (review.decisions) and what was done about earlier ones (audit) are read on demand. */
#ifndef KONTOR_CLI_EXCEPTION_SET_H
#define KONTOR_CLI_EXCEPTION_SET_H
#include "cli/connection.h"
#include "cli/intern.h"
#include "cli/values.h"
#include "schemas/exception.h"

enum exception_state { EXCEPTION_HELD, EXCEPTION_WAITING, EXCEPTION_REJECTED, EXCEPTION_STATES };
extern const char *const exception_state_names[EXCEPTION_STATES];
extern const char *const exception_topics[EXCEPTION_STATES];

/* What was rejected and then corrected has found its way: another event stands in its place. */
enum exception_corrected { CORRECTED_LEFT_OUT, CORRECTED_TOO, CORRECTED_ALONE };

/* Empty texts and zeros: whatever. */
struct exception_filter {
    bool states[EXCEPTION_STATES];
    enum exception_corrected corrected; /* heeded by exception_set_decisions */
    struct slice processor, entity, partner, document, kind, reason, source, correlation_id, batch, period, user;
    bool has_minimum, has_maximum;
    int64_t minimum_e4, maximum_e4;     /* of the amount, whatever its sign */
    int64_t older_ms, newer_ms;         /* the age */
    const char *const *ids;             /* what people typed: see exception_is */
    size_t id_count;
    bool values;                        /* keep the events' bytes */
    bool closed;                        /* also what was released since: its record says so */
};

struct exception_item {
    enum exception_state state;
    bool open;                          /* false: it was released since */
    int64_t since_ms, told_ms;          /* when its first and its newest record came */
    struct exception_record record;
    struct slice assignee;              /* who was asked to decide last; empty: nobody */
    uint32_t retries, failures;         /* retries that were made, and those of them after which its reasons were the same */
    uint32_t corrections;               /* that people have asked for */
    bool corrected;                     /* rejected, and one of them went out */
};

struct exception_set {
    const struct connection *connection;
    struct exception_filter filter;
    struct values *values;
    struct codec_plan *plan;
    enum exception_state states[EXCEPTION_STATES];  /* by topic of the scan */
    struct arena arena, kept;
    struct buffer scratch;
    struct intern origins;              /* state and origin: the number of the item */
    struct exception_item *items;       /* by number; after exception_set_read those that are asked for alone */
    uint32_t count, capacity;
    struct intern decisions;            /* ids of the decisions about them, after exception_set_decisions */
    int64_t now_ms;
};

/* Options of the filter, for the command's table, and what they say. */
#define EXCEPTION_FILTER_OPTIONS \
    {"entity", OPTION_TEXT, "ENTITY", "of this legal entity"}, \
    {"partner", OPTION_TEXT, "PARTNER", "of this supplier or employee"}, \
    {"supplier", OPTION_TEXT, "SUPPLIER", "the same"}, \
    {"document", OPTION_TEXT, "NUMBER", "of this document"}, \
    {"kind", OPTION_TEXT, "KIND", "of this kind, for example received"}, \
    {"processor", OPTION_TEXT, "NAME", "of this processor, for example invoice"}, \
    {"code", OPTION_TEXT, "CODE", "with this reason code"}, \
    {"amount-from", OPTION_AMOUNT, "AMOUNT", "of this amount or more, whatever the currency"}, \
    {"amount-to", OPTION_AMOUNT, "AMOUNT", "of this amount or less"}, \
    {"older", OPTION_AGE, "AGE", "for this long or longer: 90s, 30m, 12h, 3d or 2w"}, \
    {"newer", OPTION_AGE, "AGE", "for less than that"}, \
    {"batch", OPTION_TEXT, "BATCH", "whose correlation id is this, or begins with it and / : or -"}, \
    {"period", OPTION_TEXT, "PERIOD", "with a document date in this year, month or day: 2018, 2018-01, 2018-01-31"}, \
    {"source", OPTION_TEXT, "SOURCE", "of this source"}, \
    {"correlation-id", OPTION_TEXT, "ID", "with this correlation id"}
MUST_CHECK bool exception_filter_read(struct exception_filter *filter, const struct invocation *invocation, struct error *error);
/* Whether anything but the state is asked for. */
bool exception_filter_asks(const struct exception_filter *filter);

/* Whether the word names it: <processor>/<partition>/<offset>, its origin (<topic>/<partition>/<offset>), its document or its event id. */
bool exception_is(const struct exception_record *record, const char *word);
/* <processor>/<partition>/<offset>: what is printed, and can be typed. */
enum { EXCEPTION_ID_SIZE = 256 };
const char *exception_id(const struct exception_record *record, char id[EXCEPTION_ID_SIZE]);

/* Reads the topics; in the order in which the events stand on their topics. Freed by exception_set_close, also when it failed. */
MUST_CHECK bool exception_set_read(struct exception_set *set, const struct connection *connection, const struct exception_filter *filter, struct error *error);
void exception_set_close(struct exception_set *set);
/* held, waiting, rejected, or corrected. */
const char *exception_state_name(const struct exception_item *item);
/* Reads review.decisions and audit: assignees, retries, what was corrected, the decisions' ids. What the filter says of what was corrected is left out. */
MUST_CHECK bool exception_set_decisions(struct exception_set *set, struct error *error);
#endif
