/* language: case files as statements. A statement is a line of words; a line that begins with a blank continues the statement above it; # begins a comment;
 * "quotes" keep blanks together. `include world` puts the statements of world.case (or world.include, which is no case by itself) in its
 * place, looked for beside the file and in the folders above. */
#ifndef KONTOR_DRIVER_LANGUAGE_H
#define KONTOR_DRIVER_LANGUAGE_H
#include <stdbool.h>
#include <stddef.h>

#include "common/platform/arena.h"
#include "common/platform/error.h"

struct statement {
    const char *file, *text;    /* text: as written, one line, without comments */
    int line;
    bool included;
    const char **words;         /* NULL behind the last */
    size_t count;
};

struct script { struct statement *items; size_t count, capacity; };

/* Everything lives in the arena but items: script_free. */
MUST_CHECK bool script_read(struct arena *arena, const char *path, bool included, struct script *script, struct error *error);
void script_free(struct script *script);

/* The value of `name=value`, or NULL when the word is something else. */
const char *word_value(const char *word, const char *name);
/* The value of the first such word of a statement, or `otherwise`. */
const char *statement_value(const struct statement *statement, const char *name, const char *otherwise);
/* Position of `->`, or count. */
size_t statement_arrow(const struct statement *statement);
#endif
