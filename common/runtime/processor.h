/* processor: what a processor is – a declaration and pure functions – and what those functions may ask and answer.
 *
 * A processor's decide function gets the decoded event, looks things up in master tables and in its own state, reports reasons against it, and fills in
 * effects. No clock, no environment, no random, no I/O: time is the event's, ids derive from the input. Refusals come first, in a documented order;
 * after the last one nothing may fail. Effects of an event that is not accepted are dropped.
 *
 * Memory from decision_alloc and every slice and struct met here lives until the batch has been committed. Allocation does not fail here: when memory
 * runs out the runtime leaves the function and aborts the batch.
 *
 *     const struct processor invoice_processor = {
 *         .name = "invoice",
 *         .inputs = {{"invoice.events", &invoice_event_type, .envelope = ..., .decide = decide_invoice},
 *                    {"procurement.events", &procurement_event_type, .follows = true, .envelope = ..., .decide = follow_order}},
 *         .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_SUPPLIERS, END_OF_TABLES},
 *         .stores = {{"orders", &order_line_type}, {"invoices", &invoice_state_type}},
 *         .outputs = {{"posting.commands", &posting_command_type, .per_erp = true}},
 *     }; */
#ifndef KONTOR_RUNTIME_PROCESSOR_H
#define KONTOR_RUNTIME_PROCESSOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"
#include "common/tables/master.h"
#include "schemas/audit_entry.h"
#include "schemas/reasons.h"

enum { INPUTS_MAXIMUM = 4, STORES_MAXIMUM = 16, OUTPUTS_MAXIMUM = 8, COUNTERS_MAXIMUM = 4 };
#define END_OF_TABLES MASTER_COUNT

/* A document: the unit of order and of the duplicate check. Its seen event ids are kept with its record in that store.
 * store -1: an event that belongs to none and leaves nothing: it never waits and is never remembered. */
struct document { int store; struct slice key; };

/* What the runtime must know of any event. */
struct envelope {
    struct slice event_id, source, entity, partner, correlation_id;
    struct slice key;               /* of the record; empty: entity|partner */
    struct slice number;            /* the document's number as the source and people know it */
    const char *kind;               /* static text */
    /* For people: who is behind it, its date and total. */
    struct slice user, currency;
    int32_t document_date;
    bool has_amount;
    int64_t amount_e4;
    struct document document;       /* later events of it wait while this one waits */
    bool establishes;               /* makes the document what a cancellation would take back */
    bool overtakes;                 /* a cancellation or correction: it does not wait behind `cancels`, and voids what waits to establish it */
    struct document cancels;
    bool passes;                    /* what waits of the document waits for an event like this: it does not queue behind it */
    /* Of a payment, for document.steps. */
    struct slice method, reference;
    bool has_value_date;
    int32_t value_date;
};

struct decision;

struct processor_input {
    const char *topic;              /* <flow>.<what>: the flow is the family of its documents, for people */
    const struct codec_type *type;
    /* Read for the state alone: another processor answers for its outcomes, nothing of it is acknowledged or dead-lettered here. */
    bool follows;
    /* Fills the envelope; slices may point into the record or decision memory. */
    void (*envelope)(struct decision *decision, const void *record, struct envelope *envelope);
    void (*decide)(struct decision *decision, const void *record);
    /* Written by kontor itself, not by a source: no permission is asked for; nothing of it is acknowledged, told or shown as an exception. What is unreadable is
     * dead-lettered all the same. */
    bool internal;
    /* What has waited as long as it may is decided once more (decision_is_late), and held if it still waits. Otherwise it is held without being asked. */
    bool decides_late;
    /* A record that could be read and says what it must, but is dead-lettered and never decided: it may be audited(), as refused. NULL: it is not. */
    void (*dead)(struct decision *decision, const void *record);
};

/* Whose a record of the state is: the key of the events that make it, from which its partition follows. */
struct record_owner {
    enum { OWNER_BY_KEY, OWNER_KEY, OWNER_PARTNER, OWNER_OF_OTHER, OWNER_NOT_TOLD } told;    /* by key: see processor.owner */
    struct slice key;       /* that key, as it is */
    struct slice partner;   /* the entity is the first part of the record's own key, this the partner */
    int store;              /* the owner of what stands in that store under `at` */
    struct slice at;
};

/* A partner that becomes another one of the same entity. */
struct partner_change {
    struct slice partner_from, partner_to;  /* ids */
    struct slice key_from, key_to;          /* entity and partner, as keys begin */
    struct arena *arena;                    /* what a record is changed to must live there */
};

/* Values in the state say with which schema they were written, so a schema may change as Avro allows: fields with defaults come and go, names change by alias.
 * Stores and inputs are known by their position: new ones go behind the others, none is taken out. */
struct processor_store {
    const char *name;
    const struct codec_type *type;
    /* Whether a record is of a document that is not finished: kept whatever its age (state.keep.documents). NULL: none is. */
    bool (*is_open)(const void *record);
};

struct processor_output {
    const char *topic;              /* per_erp: the ERP's name from its route is added behind a dot */
    const struct codec_type *type;
    bool per_erp;
    bool event_time;                /* its records carry the event's time as theirs: for another processor, which decides in the order of times */
};

/* Something that the processor counts for its operator, besides what every processor does: a counter by entity and step. */
struct processor_counter { const char *name, *help; };

/* What the processor cannot be without, in one of its tables. Asked when the tables have been read, before the first record, and whenever they have changed. Where the
 * table has no record at all, or something has gone missing since, nothing is taken and /readyz says why; where it has records at the start and they do not do,
 * the process ends (EXIT_CONFIGURATION). */
struct processor_need {
    enum master table;
    /* position: of that table in tables; today: in UTC. False: why names what is missing and what to load. NULL: it needs nothing. */
    bool (*is_met)(struct tables *tables, size_t position, int32_t today, struct error *why);
};

struct processor {
    const char *name;               /* kontor-<name>, group kontor.<name>, kontor.<name>.changelog */
    struct processor_input inputs[INPUTS_MAXIMUM];
    enum master tables[MASTER_COUNT + 1];
    struct processor_store stores[STORES_MAXIMUM];
    struct processor_output outputs[OUTPUTS_MAXIMUM];
    struct processor_counter counters[COUNTERS_MAXIMUM];
    struct processor_need need;
    /* For `kontor rekey`, where it is otherwise than in a record that is told as nothing: there the first two parts of the record's key are the key of its events.
     * record NULL: nothing but seen events is kept under the key. NULL: it is so in all stores. */
    void (*owner)(int store, struct slice key, const void *record, struct record_owner *owner);
    /* For `kontor rekey --becomes`: what changes in a record, or an event of an input, of the partner besides its key. NULL: the processor's partners do not become others.
     * False: memory is out. */
    bool (*change_record)(int store, void *record, const struct partner_change *change);
    void (*change_event)(int input, void *event, const struct partner_change *change);
    /* Two records that are under one key then: `into` becomes both. False: they cannot be one. NULL: none can. */
    bool (*join)(int store, void *into, const void *other, const struct partner_change *change);
};

/* ---- what a decision may ask ---- */

int64_t decision_time_ms(const struct decision *decision);      /* the event's time */
const struct envelope *decision_envelope(const struct decision *decision);
struct slice decision_origin(struct decision *decision);        /* <topic>/<partition>/<offset> */
struct slice decision_topic(const struct decision *decision);   /* the event's */
struct slice decision_flow(const struct decision *decision);    /* the family of its documents: the topic's first word */
void *decision_alloc(struct decision *decision, size_t size);   /* zeroed; never NULL */
struct slice decision_format(struct decision *decision, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Parts joined with |, ids percent-encoded: keys of tables, stores and documents. */
struct slice decision_key(struct decision *decision, size_t count, const struct slice *parts);
#define KEY(decision, ...) \
    decision_key((decision), sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice), (struct slice[]){__VA_ARGS__})

/* For envelope functions: another document that the event refers to, of the same entity and partner, and what it is to it (order, receipt, original ...). Told on
 * document.steps; of more than 256 the first. relation and flow are static texts. */
void linked(struct decision *decision, const char *relation, const char *flow, struct slice document);
/* The same of a payment's invoice, with what is paid on it. */
void linked_amounts(struct decision *decision, const char *relation, const char *flow, struct slice document, int64_t amount_e4, int64_t discount_e4, int64_t withheld_e4);

/* The record as of the date, or NULL with `missing` reported and the key waited for (MASTER_STALE instead when it cannot be trusted).
 * field: path of the event's field that names the key; a static text or decision_format's. */
const void *require(struct decision *decision, enum master table, struct slice key, int32_t date, enum reason missing, const char *field);
/* The same with the whole row: its offset, and what the table's compile hook made. */
bool require_row(struct decision *decision, enum master table, struct slice key, int32_t date, enum reason missing, const char *field, struct table_row *row);
/* The same without reporting: for what may be absent. row may be NULL. */
const void *look_up(struct decision *decision, enum master table, struct slice key, int32_t date, struct table_row *row);
/* The same for what may be absent but must be trusted where it is there: MASTER_STALE is reported and waited for. False: there is none, or that. */
bool look_up_trusted(struct decision *decision, enum master table, struct slice key, int32_t date, const char *field, struct table_row *row);
/* Our own record under a key, or NULL. What was put before in the same batch is seen. */
const void *state_find(struct decision *decision, int store, struct slice key);

/* A record that emit() returned, from this or an earlier version of ours. Never NULL: what cannot be read stops the processor. */
const void *emitted(struct decision *decision, int output, struct slice bytes);
/* Bytes of anybody's as a record of the output's; NULL: they are none. */
const void *read_as(struct decision *decision, int output, struct slice bytes);
/* What differs between two records of the output's type, as JSON: {"lines[0].net":["1.0000","2.0000"]}, before and after; null for what only the other has. */
struct slice difference(struct decision *decision, int output, const void *before, const void *after);

/* Whether this event, a cancellation, has just voided what waited to establish the document: it is to be accepted (NO_EFFECT), and nothing of what the document
 * never became is to be checked. */
bool decision_voided(const struct decision *decision);

/* ---- what it may answer: first the reasons ---- */

/* Reports a reason with its usual class. text: what was found and what was expected, for people; "" when the reason says it all. */
void report(struct decision *decision, enum reason reason, const char *field, const char *text, ...) __attribute__((format(printf, 4, 5)));
/* With the class that a policy gives it. */
void report_as(struct decision *decision, enum reason_class class, enum reason reason, const char *field, const char *text, ...)
    __attribute__((format(printf, 5, 6)));
/* Reports and waits: for a key of our own state to be put (any put under it decides anew) ... */
void wait_for_state(struct decision *decision, enum reason reason, const char *field, int store, struct slice key);
/* ... or for any change of a table, where the key is there but not as needed (a closed period, a rule set without the rule). */
void wait_for_table(struct decision *decision, enum reason reason, const char *field, enum master table, struct slice key, int32_t date);
/* Reports and holds: a person must decide, unless what was found is put right meanwhile – then the event is decided anew at a put under the key of the state ... */
void hold_until_state(struct decision *decision, enum reason reason, const char *field, int store, struct slice key);
/* ... or at any change of the table. */
void hold_until_table(struct decision *decision, enum reason reason, const char *field, enum master table, struct slice key, int32_t date);
/* What is held for the reasons reported so far is decided anew at a put under the key, or any change of the table; where nothing holds it, these do nothing. */
void retry_held_at_state(struct decision *decision, int store, struct slice key);
void retry_held_at_table(struct decision *decision, enum master table, struct slice key, int32_t date);
/* How long it may wait, in milliseconds of stream time or of the broker's, whichever are over first: for master data, and for our own state; where both are missing the shorter counts. */
void wait_limits(struct decision *decision, int64_t for_tables_ms, int64_t for_state_ms);
/* Whether it has waited as long as it may: what it still lacks will not be waited for. */
bool decision_is_late(const struct decision *decision);
/* Whether anything heavier than a note was reported. */
bool refused(const struct decision *decision);

/* ---- then the effects ---- */

/* The value is copied shallowly; what it points to must be decision memory, the event's or a found record's. */
void state_put(struct decision *decision, int store, struct slice key, const void *value);
void state_remove(struct decision *decision, int store, struct slice key);
/* A record for an output, key as the event's. erp: for an output per ERP. Returns its bytes as they go out, to be kept in the state. */
struct slice emit(struct decision *decision, int output, struct slice erp, const void *record);
/* The same under a key of its own: what belongs to another entity or partner than the event. */
struct slice emit_keyed(struct decision *decision, int output, struct slice erp, const void *record, struct slice key);
/* Bytes that are a record of that output's topic already, passed on as they are, under the event's key. */
void emit_bytes(struct decision *decision, int output, struct slice bytes);
/* The same for an event that takes the place of another: a header, kontor-corrects, names its origin. */
void emit_correction(struct decision *decision, int output, struct slice bytes, struct slice origin);
/* An entry for the topic audit, sent when the event is accepted, rejected or held: also when it is refused, then with that outcome and the reason that weighs most. One
 * that waits or was received before leaves none. The processor's name is filled in; what the entry points to must live as long as the decision. */
void audited(struct decision *decision, const struct audit_entry *entry);
/* A record for an output that is an input of this processor's own, sent when its time has come: by the stream time of the task or, where nothing comes, by the broker's
 * clock, as far away as it is now from the stream time. It is an ordinary event then, with that time as its own. The key must be of this task. One of a name is there
 * at most: a later one takes its place. */
void defer(struct decision *decision, struct slice name, int output, const void *record, struct slice key, int64_t at_ms);
/* Takes it back; there may be none. */
void defer_cancel(struct decision *decision, struct slice name);
/* The processor's output of that topic, -1: it declares none. */
int output_find(const struct decision *decision, const char *topic);
/* Whether the ERP is one of those configured (erps=...): a route to another has no topic. */
bool erp_known(const struct decision *decision, struct slice erp);
/* A journal of this decision, named in the acknowledgment. */
void posted(struct decision *decision, struct slice idempotency_key);
/* What is posted by this decision is blocked for payment: told on document.steps. */
void payment_blocked(struct decision *decision);
/* One more of the processor's counter, when the batch is committed. step: a static text. */
void tallied(struct decision *decision, int counter, struct slice entity, const char *step);
/* ... so many more, at least 0. */
void tallied_more(struct decision *decision, int counter, struct slice entity, const char *step, int64_t count);
/* The Kafka offset of the newest record of each table looked up so far: for PostingCommand.master_offsets. */
size_t decision_master_offsets(struct decision *decision, enum master *tables, int64_t *offsets, size_t capacity);
const char *master_name(enum master table);
#endif
