/* intern: texts as small numbers, each text once: the n-th new text is n, from 0. For counting and for telling doubles. */
#ifndef KONTOR_CLI_INTERN_H
#define KONTOR_CLI_INTERN_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/arena.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

struct interned { struct slice text; uint64_t hash; };
struct intern {
    struct arena arena;
    struct interned *texts;     /* by number */
    uint32_t count, capacity;
    uint32_t *slots;            /* number + 1, 0: empty; a power of two of them, twice the capacity */
};

void intern_init(struct intern *intern);
void intern_free(struct intern *intern);

/* The text's number; *added (may be NULL): it is new. False when memory is out. The text is copied. */
MUST_CHECK bool intern_add(struct intern *intern, struct slice text, uint32_t *number, bool *added);
/* Whether the text has a number. */
bool intern_has(const struct intern *intern, struct slice text);
/* The same, and which. */
bool intern_find(const struct intern *intern, struct slice text, uint32_t *number);
static inline struct slice intern_text(const struct intern *intern, uint32_t number) { return intern->texts[number].text; }
#endif
