/* order_book: order lines as both purchasing processors keep them, and what they are worth (docs/purchase-to-pay.md, "Procurement", "Match").
 *
 * Values: a receipt of quantity q after R received is worth ⌊V·(R+q)/N⌋ − ⌊V·R/N⌋, so that the parts of an order line add up to its value. */
#ifndef KONTOR_SHARED_ORDER_BOOK_H
#define KONTOR_SHARED_ORDER_BOOK_H
#include "common/ledger/money.h"
#include "common/runtime/processor.h"
#include "schemas/order_line.h"

/* A working copy of an order line: changed here, put into the state at the end. An event may touch one line several times. */
struct order_copy { struct order_copy *next; struct slice key; struct order_line line; bool exists, changed; };
struct order_book { struct decision *decision; int store; struct order_copy *first; };

struct slice order_key(struct decision *decision, struct slice entity, struct slice order, struct slice line);
/* The order (1) or line (2) that a key is made of. */
struct slice order_key_part(struct decision *decision, struct slice key, int part);
struct order_copy *order_find(struct order_book *book, struct slice key);
/* Ordered, not only asked for. */
static inline bool order_is_known(const struct order_copy *copy) { return copy->exists && copy->line.status != ORDER_LINE_STATUS_REQUISITION; }
/* Puts every changed copy. */
void order_book_put(struct order_book *book);

/* For the stores' declarations, what is kept whatever its age: a line to be delivered; one to be delivered or invoiced. */
bool order_line_is_undelivered(const void *record), order_line_is_unsettled(const void *record);

/* The order as it stands; the line must be known. */
static inline const struct order_price *order_now(const struct order_line *line) { return &line->prices.items[line->prices.count - 1]; }
/* A new price holds from what is received now on. */
void order_price_set(struct decision *decision, struct order_line *line, int64_t quantity_e6, int64_t net_e4);
/* Whether quantity is more than the ordered one and its tolerance in per cent. */
bool order_exceeded(const struct order_line *line, int64_t quantity_e6, int64_t percent_e4);

/* Value of the units from..to by the prices that held. False: overflow. */
MUST_CHECK bool order_value(const struct order_line *line, struct currency currency, int64_t from_e6, int64_t to_e6, int64_t *value_e4);

/* What an invoice covers: ranges of received units, their value as received. */
struct order_cover { struct covered_range *ranges; size_t count; int64_t value_e4, functional_e4; };

/* Received and not covered; negative when receipts were cancelled behind an invoice. */
int64_t order_uncovered(const struct order_line *line);
/* The lowest uncovered units; quantity is at most order_uncovered. False: overflow. */
MUST_CHECK bool order_cover_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional, int64_t quantity_e6,
                                 struct order_cover *cover);
/* Units that are covered and went back, the highest first; quantity is at most -order_uncovered. False: overflow. */
MUST_CHECK bool order_returned_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional, int64_t quantity_e6,
                                    struct order_cover *cover);
/* All that is received and not covered; or, when more is covered than received, the value that this is too much, without units. */
MUST_CHECK bool order_rest_find(struct decision *decision, const struct order_line *line, struct currency currency, struct currency functional,
    struct order_cover *cover);
void order_cover_take(struct decision *decision, struct order_line *line, const struct order_cover *cover);
void order_cover_give_back(struct decision *decision, struct order_line *line, const struct order_cover *cover);
#endif
