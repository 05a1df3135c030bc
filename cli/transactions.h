/* transactions: the processors' producer (common/runtime/producer.h), which is safe against requests of an earlier transaction that come late, for commands that write
 * in transactions. (A header of its own: exit codes of commands and of processes have the same names.)
 *
 * After a failure nothing more is to be sent: what was committed is said by the topics. Values must live until transactions_commit. */
#ifndef KONTOR_CLI_TRANSACTIONS_H
#define KONTOR_CLI_TRANSACTIONS_H
#include "common/runtime/client.h"
#include "common/runtime/engine.h"

struct transactions;

/* Settings and id must outlive it. */
MUST_CHECK bool transactions_open(struct transactions **transactions, const struct client_settings *settings, const char *transactional_id, struct error *error);
void transactions_close(struct transactions *transactions);
/* Waits until one can be begun. From then on another process with the same id is fenced, and whatever it had begun is aborted or committed. */
MUST_CHECK bool transactions_ready(struct transactions *transactions, struct error *error);
MUST_CHECK bool transactions_begin(struct transactions *transactions, struct error *error);
MUST_CHECK bool transactions_send(struct transactions *transactions, const struct engine_output *output, struct error *error);
MUST_CHECK bool transactions_commit(struct transactions *transactions, struct error *error);
#endif
