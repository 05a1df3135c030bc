/* lines: the lines of a file or of standard input, plain or gzip, one after the other, however long the file is. */
#ifndef KONTOR_CLI_LINES_H
#define KONTOR_CLI_LINES_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"

struct gzFile_s;
struct lines {
    struct gzFile_s *file;
    const char *name;       /* for messages */
    struct buffer bytes;
    size_t at;              /* of the next line in bytes */
    bool ended;
    int64_t number;         /* of the line last given, from 1 */
    int64_t size, read;     /* of the file as it lies there, and how far it is read; size 0: not known */
};

/* path NULL or "-": standard input. */
MUST_CHECK bool lines_open(struct lines *lines, const char *path, struct error *error);
/* Lines that are in memory, which are copied. name: for messages. */
MUST_CHECK bool lines_open_text(struct lines *lines, struct slice text, const char *name, struct error *error);
void lines_close(struct lines *lines);

enum lines_result { LINES_GIVEN, LINES_END, LINES_FAILED };
/* The next line without its end, valid until the next call. Lines of blanks alone are passed over, but counted. */
MUST_CHECK enum lines_result lines_next(struct lines *lines, struct slice *line, struct error *error);
#endif
