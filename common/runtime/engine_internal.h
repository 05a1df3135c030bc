/* engine_internal: what the files of the engine share: engine.c (taking and sealing), deciding.c (one event), decision.c (what a decide function asks and answers),
 * overlay.c (the batch's state), layouts.c (with which schemas it was written), parking.c (what waits), ticks.c (how long by the broker's time), resolving.c (what people
 * decided of what waits), conclude.c (from verdict to outputs). */
#ifndef KONTOR_RUNTIME_ENGINE_INTERNAL_H
#define KONTOR_RUNTIME_ENGINE_INTERNAL_H
#include <setjmp.h>

#include "common/ledger/date.h"
#include "common/platform/buffer.h"
#include "common/runtime/engine.h"
#include "common/runtime/index.h"
#include "schemas/acknowledgment.h"
#include "schemas/audit_entry.h"
#include "schemas/document_step.h"
#include "schemas/exception.h"
#include "schemas/parked.h"
#include "schemas/resolution.h"
#include "schemas/task_clock.h"

/* Stores of the engine; the processor's first is STORE_FIRST on the wire, 0 in its declaration. */
enum { STORE_ENGINE = 0, STORE_PARKED = 1, STORE_FIRST = 2, STORE_LIMIT = STORE_FIRST + STORES_MAXIMUM };
enum { LAYOUT_KEY_SIZE = 8, LAYOUT_LIMIT = 256 };
/* A record from outside may have so many bytes, and so much of a longer one is kept in its dead letter: what is made of a record must fit into one of ours, of
 * 4 MiB (deploy/topics.tsv, producer.c). The topics take 1 MiB unless somebody has raised that. */
enum { RECORD_SIZE_MAXIMUM = 3 << 20, LETTER_SIZE_MAXIMUM = 1 << 20, KEPT_SIZE_MAXIMUM = (4 << 20) - (64 << 10) };
/* So many lines an event may have: what is made of them fits into a batch's memory, and is decided within a transaction's time (some of it is quadratic). */
enum { LIST_MAXIMUM = 10000 };
enum { REASONS_MAXIMUM = 64, MISSING_MAXIMUM = 64, JOURNALS_MAXIMUM = 128, EVENT_IDS_MAXIMUM = 256, MARKS_MAXIMUM = 64, LINKS_MAXIMUM = 256, STEP_SIZE = 64, SHOWN_SIZE = 17 };

/* The day of a moment, in UTC, since 1970. Times of records may be anything: beyond all dates it is the last or the first. */
static inline int32_t utc_day(int64_t time_ms) {
    const int64_t day_ms = 86400000, day = time_ms >= 0 ? time_ms / day_ms : ~(~time_ms / day_ms);
    return day < DATE_MINIMUM ? DATE_MINIMUM : day > DATE_MAXIMUM ? DATE_MAXIMUM : (int32_t)day;
}

/* ---- overlay: the state as the batch sees it ---- */

/* An event that a document has seen: the fingerprint of its id, and the day of the stream time then. */
struct seen_event { uint64_t hash; int32_t day; };

/* What the state holds under a key: a record, the events that the document has seen, and the day it was last written. */
struct kept {
    const void *object;         /* NULL: no record */
    const struct seen_event *events;
    uint32_t event_count;
    int32_t day;
};

/* ... as the batch has it. */
struct overlay_entry {
    struct overlay_entry *next_dirty;
    struct task *task;
    uint64_t hash;
    struct slice key;           /* store byte and key */
    struct kept kept;
    bool dirty;
    struct slice sealed;        /* made by overlay_seal: empty for a deletion */
};

struct overlay {
    struct overlay_entry **slots;
    size_t slot_count, entry_count;
};

/* ---- parking: what waits, in memory ---- */

struct parked_deadline { int64_t at_ms; uint64_t sequence; };
struct deadlines { struct parked_deadline *items; size_t count, capacity; };    /* a heap, the earliest first; entries of what left are dropped when they come up */
struct unmarked { uint64_t sequence; int64_t limit_ms; };
struct parking {
    struct index by_document, by_missing, by_number;    /* by_number: those whose age counts */
    struct index by_origin;                     /* of those that came from another task (kontor rekey) */
    struct deadlines by_age;                    /* event times of these, and of some that left */
    struct index held;                          /* by number */
    struct deadlines held_by_age;               /* event times of these, and of some that left */
    struct waiting_sums sums;
    struct deadlines by_stream, by_broker;      /* in stream time; in the broker's, of what has a mark */
    struct unmarked *unmarked;                  /* what had no mark when it began to wait; some may have left */
    size_t unmarked_count, unmarked_capacity;
    uint64_t unmarked_waiting;                  /* ... so many have not */
    struct task_waiting counts;
};

/* The time of a tick, and how many events wait whose limit is counted from it. */
struct mark { int64_t time_ms; uint64_t waiting; };

/* What is to be decided anew: the events under a key of an index, from a sequence number on. */
struct trigger { struct trigger *next; bool document; uint64_t from; size_t length; char key[]; };

/* How the values with one version byte are read: a plan for each store, NULL where the layout has none. */
struct layout {
    struct layout *next;
    struct buffer text;
    const struct codec_plan *plans[STORE_LIMIT];
    struct codec_plan *made[STORE_LIMIT];   /* those that are this layout's own */
};

struct task {
    struct task *next;
    struct engine *engine;
    struct state *state;
    int32_t partition;
    int64_t stream_time_ms;
    int32_t swept_day;          /* 0: not yet */
    struct { bool running; size_t length; char from[STATE_KEY_MAXIMUM]; } sweep;
    uint64_t next_sequence;
    int64_t broker_time_ms;     /* of the newest tick; 0: there was none */
    struct mark marks[MARKS_MAXIMUM];   /* ascending */
    size_t mark_count;
    int64_t table_offsets[MASTER_COUNT];
    struct parking parking;
    struct trigger *first_trigger, **last_trigger;
    bool look_all_up;           /* look every missing key up: a table changed or the task was opened */
    bool opened;                /* ... the latter: also what waits for state */
    bool touched;               /* the batch has something of it */
    bool header_missing;        /* the changelog has no header yet */
    struct slice header;        /* ... and this one is on its way */
    const struct layout *layouts[LAYOUT_LIMIT];     /* by version byte */
    uint8_t layout;             /* ours */
    bool layout_missing;        /* the state has no record of it yet */
    struct slice layout_record; /* ... and this one is on its way */
    struct overlay_entry *first_dirty, **last_dirty;    /* what the batch has changed */
    size_t dirty_count;
};

struct output_topic { char *name; const struct codec_type *type; uint32_t schema_id; };

struct engine {
    struct engine_options options;
    const struct processor *processor;
    const struct codec_type *store_types[STORE_LIMIT];
    struct layout *layouts, *own_layout;    /* all that were met, the newest first */
    struct { struct slice *erps; const char **topics; size_t count; } per_erp[OUTPUTS_MAXIMUM];
    struct output_topic outputs[OUTPUTS_MAXIMUM], acknowledgments, rejected, held, parked, steps, audit;
    char *flows[INPUTS_MAXIMUM];
    char *changelog, *timers, *dead_letters[INPUTS_MAXIMUM];
    int table_positions[MASTER_COUNT];      /* master -> position in options.tables, -1: not declared */
    size_t table_count;
    struct task *tasks;
    struct arena arena;
    struct overlay overlay;
    struct buffer scratch;
    uint64_t batch_records;
    struct engine_counts committed, batch;
    struct engine_tally *tallies;           /* what the processor counts itself */
    size_t tally_count, tally_capacity;
    struct shares *shares;
    uint32_t flood_seen, flood_poison;
};

/* ---- decision ---- */

struct reported { enum reason reason; enum reason_class class; const char *field, *text; };
struct effect { struct effect *next; int store; struct slice key; const void *value; };
struct emission { struct emission *next; int output; struct slice erp, key, bytes, corrects; };   /* corrects: origin of the event that it takes the place of; empty: none */
struct deferral { struct deferral *next; struct slice name; int output; struct slice key, bytes; int64_t at_ms; };   /* no bytes: the one of that name is taken back */

struct tally { struct tally *next; int counter; struct slice entity; const char *step; uint64_t count; };   /* so many more to count */

/* Events by source and by entity: shares.c. shares_add counts for the batch; shares_commit adds the batch, or forgets it. */
struct shares *shares_new(void);
void shares_free(struct shares *shares);
void shares_add(struct decision *decision, int outcome);
void shares_commit(struct shares *shares, bool committed);

enum verdict { VERDICT_ACCEPTED, VERDICT_DUPLICATE, VERDICT_REJECTED, VERDICT_HELD, VERDICT_PARKED, VERDICT_POISON };

struct decision {
    struct engine *engine;
    struct task *task;
    const struct processor_input *input;
    const struct engine_message *message;
    const void *record;
    int64_t time_ms;
    struct envelope envelope;
    struct slice origin;
    uint64_t event_hash;
    struct reported reasons[REASONS_MAXIMUM];
    size_t reason_count;
    struct parked_missing missing[MISSING_MAXIMUM];
    size_t missing_count;
    struct step_link *links;
    size_t link_count, link_capacity;
    struct slice step_key;              /* of document.steps */
    uint64_t item;                      /* its number among what waits; 0: it does not */
    const struct parked_event *waited;  /* with what people have approved of it; NULL: it did not wait */
    struct slice journals[JOURNALS_MAXIMUM];
    size_t journal_count;
    struct effect *first_effect, **last_effect;
    struct emission *first_emission, **last_emission;
    struct deferral *first_deferral, **last_deferral;
    struct tally *first_tally;
    int64_t table_limit_ms, state_limit_ms, table_offsets[MASTER_COUNT];
    enum reason_class heaviest;
    bool held_until;                    /* a reason holds it until something changes: the keys are kept with what is held */
    bool late;                          /* it has waited as long as it may */
    bool synthetic;                     /* nothing comes of it but its acknowledgment */
    const struct audit_entry *audited;  /* NULL: none */
    bool payment_blocked;               /* what it posts */
    bool voided;                        /* the event cancelled what waited to establish its document */
    enum engine_result failure;
    struct decision *part_of;   /* the decision that this one is made for; NULL: it stands by itself */
    struct error *error;
    jmp_buf *escape;
};

/* Nobody is told what became of it. */
static inline bool decision_is_silent(const struct decision *decision) { return decision->input->follows || decision->input->internal; }

/* By its code; REASON_COUNT: there is none. */
enum reason reason_of(struct slice code);

/* Leaves the decide function: the batch or the process cannot go on. */
_Noreturn void decision_fail(struct decision *decision, enum engine_result failure, const char *format, ...) __attribute__((format(printf, 3, 4)));
void decision_begin(struct decision *decision, struct engine *engine, struct task *task, const struct engine_message *message, struct error *error);
enum verdict decision_verdict(const struct decision *decision);
void decision_report_missing(struct decision *decision, struct parked_missing missing);

/* ---- overlay.c; find and saw leave by decision_fail when they cannot ---- */
struct overlay_entry *overlay_find(struct decision *decision, int wire_store, struct slice key);
void overlay_put(struct overlay_entry *entry, const void *object);
void overlay_saw(struct decision *decision, struct overlay_entry *entry, uint64_t event_hash);
/* As of the stream time: what is older than it is to be kept is not there, whether it was taken out yet or not. */
bool overlay_has_seen(const struct overlay_entry *entry, uint64_t event_hash);
const void *overlay_object(const struct overlay_entry *entry);
/* Takes out a bounded piece of what is kept no longer. */
void overlay_sweep(struct decision *decision);
MUST_CHECK enum engine_result overlay_seal(struct engine *engine, struct error *error);
void overlay_reset(struct engine *engine);
/* A value of the task's state. ENGINE_REBUILD: it cannot be read; ENGINE_ABORT: memory is out. */
MUST_CHECK enum engine_result overlay_decode(const struct task *task, int wire_store, struct state_value value, struct kept *kept);

/* ---- layouts.c ---- */
MUST_CHECK bool layouts_open(struct engine *engine, struct error *error);
void layouts_free(struct engine *engine);
/* The layouts that the task's state was written with, and the number of ours. ENGINE_FATAL: values of one cannot be read by this program; ENGINE_REBUILD: damage. */
MUST_CHECK enum engine_result layouts_load(struct task *task, struct error *error);
/* Key and body of the record of ours. */
struct slice layouts_key(const struct task *task, char bytes[LAYOUT_KEY_SIZE]);
struct slice layouts_text(const struct task *task);

/* ---- parking.c ---- */
MUST_CHECK bool parking_load(struct task *task, struct error *error);
void parking_free(struct task *task);
/* Puts the event of the decision among what waits, or back with another status. sequence 0: a new one, which becomes the decision's item. */
void parking_store(struct decision *decision, uint64_t sequence, const struct parked_event *before, enum parked_status status);
void parking_remove(struct decision *decision, uint64_t sequence, const struct parked_event *parked);
/* The same event with something else kept about it; what it waits for stays. */
void parking_replace(struct decision *decision, uint64_t sequence, const struct parked_event *parked);
const struct parked_event *parking_find(struct decision *decision, uint64_t sequence);
/* Keeps a record until its time has come, in the place of an earlier one of its name; one without bytes only takes that out. */
void parking_defer(struct decision *decision, const struct deferral *deferral);
uint64_t parking_first_of(const struct task *task, int wire_store, struct slice document, uint64_t from);
/* The event of that origin that `kontor rekey` has brought here, where it has another number; INDEX_NONE: none waits. */
uint64_t parking_of_origin(const struct task *task, struct slice origin);
/* Decides anew what waits behind a document, or for a key of the state. */
void parking_trigger_document(struct decision *decision, int wire_store, struct slice document);
void parking_trigger_state(struct decision *decision, int wire_store, struct slice key);
MUST_CHECK bool parking_look_up(struct task *task, struct error *error);
/* The next event to decide anew, or INDEX_NONE. */
uint64_t parking_next(struct task *task);
/* The next event whose deadline is at or before the time, or INDEX_NONE. */
uint64_t parking_expired(struct task *task, int64_t time_ms);
MUST_CHECK bool deadlines_push(struct deadlines *deadlines, struct parked_deadline deadline);
/* Takes the earliest out if it is at or before the time; its event may have left or be held meanwhile. INDEX_NONE: none is. */
uint64_t deadlines_pop_until(struct deadlines *deadlines, int64_t time_ms);

/* ---- ticks.c ---- */
/* An event waits, or no longer does: as its record has it. */
MUST_CHECK bool ticks_wait(struct task *task, uint64_t sequence, const struct parked_event *parked);
void ticks_leave(struct task *task, const struct parked_event *parked);
/* A tick: the broker's clock moves, never back, and what had no mark gets one. False: memory is out, the batch is to be aborted. */
MUST_CHECK bool ticks_move(struct task *task, int64_t broker_time_ms);
/* The next event whose limit may have ended by the broker's clock, or INDEX_NONE; ticks_is_over says whether it has. */
uint64_t ticks_expired(struct task *task);
enum ticks_end { TICKS_OVER, TICKS_NOT_OVER, TICKS_NO_MEMORY };
enum ticks_end ticks_is_over(struct task *task, uint64_t sequence, const struct parked_event *parked);
void ticks_drop_marks(struct task *task);

/* ---- deciding.c ---- */
/* Bytes to record and envelope, and whether they are to be trusted; what is not is reported as poison. */
void deciding_read(struct decision *decision, bool from_parking);
void deciding_poison(struct decision *decision);
void deciding_new(struct decision *decision);
/* The same of a synthetic one: decided, and forgotten but for its acknowledgment. */
void deciding_synthetic(struct decision *decision);
/* An event that waited: its turn has come, or a key that it waits for. */
void deciding_again(struct decision *decision, uint64_t sequence, const struct parked_event *parked);
void deciding_expire(struct decision *decision, uint64_t sequence, const struct parked_event *parked);
void deciding_message(const struct parked_event *parked, const struct decision *now, struct engine_message *message);
void deciding_count(struct decision *decision, int outcome);
/* What waited becomes rejected, for a reason from outside. */
void deciding_void(struct decision *decision, uint64_t sequence, const struct parked_event *parked, enum reason reason, const char *text);

/* ---- resolving.c ---- */
/* A record of resolutions.<processor>. */
void resolving_take(struct decision *decision);

/* ---- conclude.c: outputs ---- */
void conclude_send(struct decision *decision, const char *topic, int32_t partition, struct slice value, const struct record_header *headers, size_t count);
/* A record as it goes out to a topic, in the batch's memory. */
struct slice conclude_bytes(struct decision *decision, const struct output_topic *topic, const void *record);
/* The acknowledgment to the source, and the step in the document's life. */
void conclude_acknowledge(struct decision *decision, enum acknowledged_outcome outcome, const char *step);
/* The entry that the decide function asked for, if it did, with what became of it. */
void conclude_audited(struct decision *decision);
void conclude_exception(struct decision *decision, const struct output_topic *topic, const char *outcome);
/* Stands for the reasons of what waits, so that a decision can say which it saw: of a decision now, and of what waits, the same text. */
void conclude_shown(const struct decision *decision, char text[SHOWN_SIZE]);
void conclude_shown_of(const struct parked_event *parked, char text[SHOWN_SIZE]);
void conclude_audit(struct decision *decision, const struct audit_entry *entry);
/* With its bytes as they came; of more than RECORD_SIZE_MAXIMUM the first LETTER_SIZE_MAXIMUM, and the header kontor-cut-from says of how many. */
void conclude_dead_letter(struct decision *decision, enum reason reason, const char *text);
void conclude_emissions(struct decision *decision);
/* A record whose time has come. */
void conclude_deferred(struct decision *decision, const struct parked_event *deferred);
#endif
