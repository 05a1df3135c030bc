/* run: one case file, from an empty world to its last expectation. */
#ifndef KONTOR_DRIVER_RUN_H
#define KONTOR_DRIVER_RUN_H
#include <jansson.h>

#include "schemas/acknowledgment.h"
#include "schemas/posting_command.h"
#include "tests/driver/families.h"
#include "tests/driver/instance.h"
#include "tests/driver/language.h"

enum mode {
    MODE_PLAIN,         /* each event a batch */
    MODE_PACKED,        /* as few batches as can be */
    MODE_RESTART,       /* closed and opened again after each event, and again after what it released */
    MODE_REBUILD,       /* the same, with nothing but the topics */
    MODE_TRUNCATE,      /* each event is first given cut at every length */
    MODE_EXTREMES,      /* each event is first given with each of its numbers and texts at the ends of what can be */
    MODE_LISTS,         /* each sort of event is first given with lists as long as can be, and longer */
    MODE_MASTERS,       /* some master records have a number or text at the ends of what can be: no expectation is looked at */
    MODE_ALLOCATION,    /* each event is first given with every allocation failing in its turn */
    MODE_COUNT
};

/* An event, or raw bytes, that the case gave; a record of one processor that another reads, or a tick for the tasks of a partition. */
struct given {
    const struct statement *statement;
    int family;                     /* whose event; -1: a processor's record, or a tick */
    const char *topic;              /* TICKS_INPUT: a tick */
    const char *id, *document, *origin;
    int32_t partition;
    int64_t offset, time_ms, received_ms;
    struct slice key, value;
    bool synthetic;                 /* carries the mark of docs/probe.md */
    bool untaken;                   /* the registry was down */
};

struct run {
    enum mode mode;
    const char *path;
    struct arena arena;
    struct script script;
    struct broker broker;
    struct surroundings surroundings;
    struct instance instances[FAMILY_MAXIMUM];    /* processor NULL: the case says nothing of its events, and it does not run */
    struct given *given;
    size_t given_count, given_capacity;
    int64_t clock_ms;
    json_t *rules;                  /* sets in the making */
    size_t flowed;                  /* records of the broker up to here were given to the processors that read them */
    struct given answer;            /* the ERP's newest */
    bool journals_not_listed, opened;
    uint64_t tried;                 /* truncations, extremes, failed allocations */
    uint64_t chance;                /* of MODE_MASTERS: the next */
    char spoiled[300];              /* ... which records were, as many as there is room for */
    int failures;
    char folder[128];
};

/* Runs a file; the number of failures, each printed. *outputs, if wanted, is a hash over all bytes that left the processors, *tried how many faults were tried. */
int run_file(const char *path, enum mode mode, uint64_t seed, uint64_t *outputs, uint64_t *tried);

/* Prints file:line, the statement, and both texts, line under line. run_stop: of a processor that does not go on, whatever the mode. */
void run_stop(struct run *run, const struct statement *statement, const char *expected, const char *got);
void run_fail(struct run *run, const struct statement *statement, const char *expected, const char *got);

/* ---- events.c ---- */
MUST_CHECK bool event_build(struct run *run, const struct statement *statement, struct given *given, struct error *error);
/* A record of a topic that processors only follow: nobody answers for it. */
bool followed_is(const struct statement *statement);
MUST_CHECK bool followed_build(struct run *run, const struct statement *statement, struct given *given, struct error *error);
MUST_CHECK bool raw_build(struct run *run, const struct statement *statement, struct given *given, struct error *error);

/* ---- masters.c: master, master-remove, rule, rules ---- */
MUST_CHECK bool master_put(struct run *run, const struct statement *statement, bool removed, struct error *error);
MUST_CHECK bool rule_add(struct run *run, const struct statement *statement, struct error *error);
MUST_CHECK bool rules_put(struct run *run, const struct statement *statement, struct error *error);

/* ---- batches.c: the modes ---- */
void batch_give(struct run *run, struct given *given);
/* Event id and document of a record as its acknowledgment has them. */
void batch_name(struct run *run, struct given *given);
void batch_follow_tables(struct run *run, const struct statement *statement);
/* A tick with that broker time in every task. */
void batch_tick(struct run *run, const struct statement *statement, int64_t time_ms);
/* Nothing comes until then: every task may write a tick and takes it. The number of ticks. */
int batch_quiet(struct run *run, const struct statement *statement, int64_t now_ms);
void batch_flush(struct run *run, const struct statement *statement);
/* What the modes share: words on a result that is none, the record as the engine takes it, and the batch forgotten with what it sent. */
void result_fail(struct run *run, const struct statement *statement, const struct instance *instance, const char *expected, enum engine_result result, const struct error *error);
struct engine_message message_of(const struct given *given, struct slice value);
bool undo(struct run *run, struct instance *instance, size_t mark, const struct statement *statement);

/* ---- extremes.c ---- */
void extremes_try(struct run *run, struct instance *instance, const struct given *given);
/* One value of the record, as chance has it, at one of its extremes; the bytes live in the arena. False: it has none. */
bool extreme_put(const struct codec_type *type, struct slice *value, uint64_t chance, struct arena *keeps);

/* ---- outcome.c ---- */
/* Compares the newest outcome of an event with the words from `from` on; no words: accepted without a reason. */
void outcome_expect(struct run *run, const struct statement *statement, const struct given *given, size_t from);
/* The newest acknowledgment of the event, or its dead letter; NULL: nothing was said. */
const struct stored *outcome_newest(const struct run *run, const struct given *given);
/* By event id, else the one of the document that was told something last; NULL: none. */
const struct given *given_find(const struct run *run, const char *name);

/* ---- resolve.c ---- */
void run_resolve(struct run *run, const struct statement *statement);

/* ---- review.c: people's decisions ---- */
bool review_is(const struct statement *statement);
MUST_CHECK bool review_build(struct run *run, const struct statement *statement, struct given *given, struct error *error);
/* A corrected event that a processor has sent to a topic of events, as one that was given; NULL: the record is no event. */
void expect_audit(struct run *run, const struct statement *statement);

/* ---- expect.c ---- */
void expect(struct run *run, const struct statement *statement);

/* ---- expect_records.c: records compared field by field, whatever their schema ---- */
/* The words from `from` to `to` are name=value, the name a field's or a path like items.0.amount. */
void fields_expect(struct run *run, const struct statement *statement, size_t from, size_t to, const struct codec_type *type, const void *record);
void expect_payable(struct run *run, const struct statement *statement, bool none);
void expect_state(struct run *run, const struct statement *statement, bool none);

/* ---- invariants.c: what holds after every case ---- */
void invariants_check(struct run *run);
/* Debits less credits. */
struct command_difference { __int128 amount_e4, functional_e4; };
struct command_difference command_difference(const struct posting_command *command);

/* ---- life.c: erp, and what a document's life came to ---- */
void run_erp(struct run *run, const struct statement *statement);
void expect_document(struct run *run, const struct statement *statement, bool none);
void expect_told(struct run *run, const struct statement *statement, bool none);
void expect_breaches(struct run *run, const struct statement *statement);
#endif
