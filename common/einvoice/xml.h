/* xml: what the two readers share over libxml2: parsing that outside bytes cannot turn against us, and walking by names.
 *
 * Elements are named as in the standard's tables, prefix:Name; a prefix stands for its namespace whatever the file calls it. */
#ifndef KONTOR_EINVOICE_XML_H
#define KONTOR_EINVOICE_XML_H
#include <libxml/tree.h>

#include "common/einvoice/einvoice.h"

/* Parses without network, DTD or entities, bounded. NULL with the line and the reason. Freed by xmlFreeDoc. */
xmlDoc *xml_parse(struct slice bytes, struct error *error);

bool xml_is(const xmlNode *node, const char *name);
/* The namespace of a prefix of ours; for messages. */
const char *xml_namespace(const char *prefix);
/* The first child of that name, and the next sibling of that name; NULL: none. */
const xmlNode *xml_child(const xmlNode *node, const char *name);
const xmlNode *xml_next(const xmlNode *node, const char *name);
/* The first node, in the document's order, that the path of children leads to: "cac:Party/cac:PostalAddress". node may be NULL. */
const xmlNode *xml_find(const xmlNode *node, const char *path);
/* Whether a sibling of the same name follows: what stands once must not stand twice, or two readers read two invoices. */
bool xml_repeats(const xmlNode *node);
size_t xml_count(const xmlNode *node, const char *name);
int xml_line(const xmlNode *node);

/* What is being filled. failed: memory was out (or the document is larger than the arena allows). */
struct reading { struct einvoice *invoice; struct arena *arena; bool failed; };

/* The element's text; of NULL: not given. */
struct einvoice_text read_text(struct reading *reading, const xmlNode *node);
/* An attribute without namespace; not given when the node is NULL. */
struct einvoice_text read_attribute(struct reading *reading, const xmlNode *node, const char *name);
/* attribute: "currencyID" or "unitCode". loose: more digits than the scale are no fault. A number that is there twice is one. */
struct einvoice_number read_number(struct reading *reading, const xmlNode *node, const char *term, int scale, const char *attribute, bool loose);
struct einvoice_number read_amount(struct reading *reading, const xmlNode *node, const char *term);
/* YYYY-MM-DD, or with compact YYYYMMDD; a time zone behind it is passed over: the date is the one that is written. */
struct einvoice_date read_date(struct reading *reading, const xmlNode *node, const char *term, bool compact);
void read_fault(struct reading *reading, const char *term, int line, struct slice found, const char *why);
/* The first child of that name; a second one is a fault. */
const xmlNode *read_only(struct reading *reading, const xmlNode *node, const char *name, const char *term);
/* Zeroed items; NULL when memory is out or count is 0. */
void *read_items(struct reading *reading, size_t count, size_t size);

/* true and false, as XML Schema writes them; found: it is one of them. */
bool read_boolean(struct reading *reading, const xmlNode *node, const char *term, bool *found);
bool text_is(const struct einvoice_text *text, const char *expected);

void read_ubl(struct reading *reading, const xmlNode *root);
void read_cii(struct reading *reading, const xmlNode *root);
#endif
