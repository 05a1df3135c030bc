/* story: the events of a few documents that belong together, all under one key, what became of them, and the journals. Stories have nothing to do with each
 * other: their events are mixed at random. A generator makes stories and afterwards checks what it expects of them; what every story must fulfil is checked
 * by story_check. Everything lies in the block's arena and is forgotten with it.
 *
 * A generator for another family is one file and one line in main.c: it makes events with story_add, names the document that each is of and the one it takes
 * back, and may look at the outcomes afterwards. */
#ifndef KONTOR_PROPERTY_STORY_H
#define KONTOR_PROPERTY_STORY_H
#include "common/platform/arena.h"
#include "tests/property/records.h"
#include "tests/property/world.h"

enum property { PROPERTY_BALANCED, PROPERTY_AMOUNTS, PROPERTY_REVERSAL, PROPERTY_SPLITTING, PROPERTY_ORDER, PROPERTY_OVERFLOW, PROPERTY_OUTCOMES, PROPERTY_GRNI,
    PROPERTY_COUNT };
extern const char *const property_names[PROPERTY_COUNT];
/* How often each was checked and did not hold, over all stories. */
struct property_count { uint64_t checks, failures; };
extern struct property_count property_counts[PROPERTY_COUNT];

enum outcome { OUTCOME_NONE = -1, OUTCOME_ACCEPTED_, OUTCOME_DUPLICATE_, OUTCOME_REJECTED_, OUTCOME_HELD_, OUTCOME_PARKED_, OUTCOMES };

enum { HAPPENINGS_MAXIMUM = 64, DOCUMENTS_MAXIMUM = 48, NOTHING = -1 };

/* An event, and what became of it. */
struct happening {
    const char *topic, *kind;           /* kind: for messages */
    struct slice key, value;
    int64_t time_ms;
    const void *event;                  /* our struct */
    int document, takes_back;           /* positions in the story's documents; NOTHING */
    bool repeated;                      /* the same event once more */
    enum outcome outcome;               /* the newest */
    bool final;                         /* accepted, duplicate or rejected: nothing may follow */
    bool no_effect, overflow, zero_value;   /* reasons of the newest outcome */
    struct slice reasons;               /* for messages */
    int answers;
    wide journals_named;
    int journals;
};

struct story_journal {
    struct story_journal *next;
    struct seen_journal seen;
    struct slice topic, key;            /* of the record */
    int happening, document;            /* NOTHING: of a document that the story does not know */
    uint32_t sequence;                  /* among journals and decisions of the story */
};

/* An event that was accepted, rejected or known already, in the order in which that was decided. */
struct decided { int happening; uint32_t sequence; };

struct generator;
struct story {
    const struct generator *generator;
    const struct world *world;
    struct arena *arena;
    uint64_t number, seed, wanted;      /* wanted: documents of the whole run */
    int entity, currency;
    struct slice partner, key;
    int64_t clock_ms;                   /* time of the next event */
    struct happening happenings[HAPPENINGS_MAXIMUM];
    int count, taken;
    struct slice documents[DOCUMENTS_MAXIMUM];
    int document_count;
    struct story_journal *journals, **journals_end;
    int journal_count;
    struct decided decisions[HAPPENINGS_MAXIMUM];
    int decision_count;
    uint32_t sequence;
    void *plan;                         /* the generator's */
    bool failed;
};

struct generator {
    const char *name, *topic;           /* topic: without a processor for it there are no such stories */
    int weight;
    void (*make)(struct story *story);
    void (*check)(struct story *story);
};

/* ---- making ---- */

/* Entity and currency are set; for the story's own documents. */
void story_begin(struct story *story, int entity, int currency);
/* The partner of the key, instead of a supplier: the letters and a number below count. */
void story_partner(struct story *story, const char *letters, int count);
void *story_alloc(struct story *story, size_t size);
__attribute__((format(printf, 2, 3))) struct slice story_text(struct story *story, const char *format, ...);
/* A new document: its number begins with the letters and is of this story alone. */
int story_document(struct story *story, const char *letters);
/* Encodes and appends; the story's clock goes on by up to a few hours. */
struct happening *story_add(struct story *story, const char *topic, const char *kind, const void *event, int document, int takes_back);
/* The same event once more. */
void story_repeat(struct story *story, int happening);
int32_t story_day(const struct story *story);       /* UTC day of the clock, in days since 1970 */
void story_wait_days(struct story *story, int days);
struct slice story_currency(const struct story *story);
int64_t story_unit(const struct story *story);      /* of the currency, at scale 4 */
/* A positive amount of so many bits of minor units at most. */
int64_t story_amount(const struct story *story, int bits);

/* ---- what became of it ---- */

struct seen_answer;
void story_answered(struct story *story, int happening, const struct seen_answer *answer);
void story_posted(struct story *story, int happening, struct slice topic, struct slice key, const struct seen_journal *journal);

/* ---- checking ---- */

#define story_check(story, property, document, holds, ...) \
    do { property_counts[property].checks++; if (!(holds)) story_fail((story), (property), (document), __VA_ARGS__); } while (0)
/* Once per story: property, seed, document, its events and journals. document: NOTHING: all of the story. */
__attribute__((format(printf, 4, 5))) void story_fail(struct story *story, enum property property, int document, const char *format, ...);
/* Its events with their outcomes, and the journals of the document. */
void story_print(const struct story *story, int document);
/* What holds of every story: its journals, its reversals, its outcomes. */
void story_check_all(struct story *story);
/* Whether it counts: accepted and not without effect. */
bool happening_took_effect(const struct happening *happening);
int64_t story_rate(const struct story *story, wide posting_date);
/* An order-independent hash over journals and outcomes, without what an order may change: origin, offsets. */
uint64_t story_fingerprint(const struct story *story);

/* ---- sums by account ---- */

enum { BALANCES_MAXIMUM = 64 };
struct balance { struct slice account; wide amount_e4, functional_e4; };
struct balances { struct balance items[BALANCES_MAXIMUM]; size_t count; };
struct balance *balances_of(struct balances *balances, struct slice account);
static inline void balances_add(struct balances *balances, struct slice account, wide amount_e4, wide functional_e4) {
    struct balance *balance = balances_of(balances, account);
    balance->amount_e4 += amount_e4;
    balance->functional_e4 += functional_e4;
}
/* Debits less credits. */
void balances_add_journal(struct balances *balances, const struct seen_journal *journal);

/* Adds an amount to what the happening should have posted, converted at the rate of its journal's day. */
void story_expect(struct story *story, int happening, struct balances *expected, struct slice account, wide amount_e4);
/* What it has posted is that: no other account, no other amount. Functional amounts of exchange and rounding accounts are not compared, nor those of accounts for
 * which is_carried (NULL: none) says that what was booked before counts; they are in balance with the others. */
void story_check_posted(struct story *story, int happening, struct balances *expected, bool (*is_carried)(struct slice account));

/* ---- seed ---- */
uint64_t story_seed(uint64_t seed, uint64_t number);
#endif
