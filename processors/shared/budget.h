/* budget: what a processor tells kontor-budget of the events that take of a budget (docs/budget.md, "What counts"). A processor takes part when it declares the output
 * BUDGET_MOVEMENTS, with the event's time; an entity when its record says budget_control. Otherwise these do nothing. */
#ifndef KONTOR_SHARED_BUDGET_H
#define KONTOR_SHARED_BUDGET_H
#include "processors/shared/facts.h"
#include "processors/shared/order_book.h"
#include "schemas/budget_movement.h"
#include "schemas/posting_command.h"

#define BUDGET_MOVEMENTS "budget.movements"

/* What an order line has come to take, where this event has changed it. The book's store still has the line as it was before. */
void budget_order_line(struct decision *decision, const struct facts *facts, const struct order_copy *copy, int store);
/* What a journal adds, a movement for each cost centre that it posts on; nothing where the cost is its order line's (facts.of_order_lines). */
void budget_journal(struct decision *decision, const struct facts *facts, const struct posting_command *command);
/* As an identifier of an envelope: what is too long for one has a hash in the place of its end. */
struct slice budget_identifier(struct decision *decision, struct slice text);
#endif
