/* preallocate: a file whose every byte has room on the disk before it is mapped for writing, so that a full disk or a limit is an error with words and
 * not a signal later. */
#ifndef KONTOR_STATE_PREALLOCATE_H
#define KONTOR_STATE_PREALLOCATE_H
#include <stdint.h>

#include "common/platform/error.h"

/* Makes the file, now `from` bytes long, `size` bytes long, with room for each. On an error it is as long as before. The error names the folder, the
 * bytes wanted and what to do. */
MUST_CHECK bool preallocate(int file, const char *folder, uint64_t from, uint64_t size, struct error *error);

/* Whether the process may have files of the size at all: past RLIMIT_FSIZE the system would send SIGXFSZ. */
MUST_CHECK bool preallocate_allows(const char *folder, uint64_t size, struct error *error);
#endif
