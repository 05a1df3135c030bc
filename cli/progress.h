/* progress: one line on standard error that says how far a command is, when that is a terminal and the command takes over a second. */
#ifndef KONTOR_CLI_PROGRESS_H
#define KONTOR_CLI_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct progress { const char *what; int64_t total, started_ms, shown_ms; bool terminal, visible; };

/* what: a static text, for example "reading"; total: records, bytes or whatever the way is measured in, 0 when it is not known. */
void progress_start(struct progress *progress, const char *what, int64_t total);
/* done: of the total; records: how many so far. Cheap enough to be called for every few hundred records. */
void progress_at(struct progress *progress, int64_t done, int64_t records);
/* Takes the line away. */
void progress_end(struct progress *progress);
#endif
