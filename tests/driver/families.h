/* families: the processors that the driver runs – those of CMakeLists.txt, and one from outside – each with its events and what the case language says of them when a case does not.
 * Another processor is a word in CMakeLists.txt and, where its events have defaults of their own, an entry of the table in families.c; its topic and schema
 * are those of the input that it answers for. */
#ifndef KONTOR_DRIVER_FAMILIES_H
#define KONTOR_DRIVER_FAMILIES_H
#include "common/platform/error.h"
#include "common/runtime/processor.h"
#include "processors.h"

#define FAMILY_NUMBER(name) FAMILY_##name,
enum { KONTOR_PROCESSORS(FAMILY_NUMBER) FAMILY_OF_TREE, FAMILY_MAXIMUM /* one from outside */ };
#undef FAMILY_NUMBER

/* What a field is when a case does not name it. */
struct word_default {
    const char *kind;           /* of events of this kind; NULL: of all */
    const char *field, *text;   /* text: default_document, default_day, or as it is */
};
extern const char default_document[], default_day[];

enum { DEFAULTS_MAXIMUM = 12 };
struct family_words {
    const char *name;                               /* the processor's, and the word behind `event` */
    const char *partner_field, *partner;            /* second part of the key */
    bool order_named;                               /* a document that is the order itself: kinds that begin with order_ */
    struct word_default head[DEFAULTS_MAXIMUM];
    struct word_default item[DEFAULTS_MAXIMUM];     /* of each line or item */
};

struct family {
    const struct processor *processor;
    const struct processor_input *events;           /* what it answers for: neither its own outputs nor what it follows */
    const struct family_words *words;
};
extern struct family families[FAMILY_MAXIMUM];
extern int family_count;

/* A processor that is not of this tree, before the first case is run. Its partner is its events' supplier (S1), employee (E1) or partner (P1). False: one is there
 * already, or it has the name of another. */
MUST_CHECK bool families_add(const struct processor *processor, struct error *error);
/* Fills families; a processor of the tree without words in the table, or without events, is an error. */
MUST_CHECK bool families_make(struct error *error);
/* By the word behind `event`; -1: none. */
int family_find(const char *name);
/* Who answers for the records of a topic; -1: nobody does. */
int family_answering(const char *topic);
/* What is said of the records of a topic that one processor sends and another reads; the input of one of them. NULL: no such topic. */
const struct family_words *followed_find(const char *topic, const struct processor_input **input);
/* Whether it also reads what others answer for. */
bool family_follows(const struct family *family);
#endif
