/* topic_list: deploy/topics.tsv, the one declaration of every topic, read. A copy is compiled in; --topics FILE takes another. Lists of processors of other
 * projects are read behind it (--also FILE, topics.also): of the same form, with schemas of their own beside them. */
#ifndef KONTOR_CLI_TOPIC_LIST_H
#define KONTOR_CLI_TOPIC_LIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/codec/type.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"

enum { TOPICS_MAXIMUM = 256, TOPIC_SETTINGS_MAXIMUM = 12, TOPIC_KEY_FIELDS_MAXIMUM = 6, TASKS_IN_LIST = 32, TOPIC_FILES_MAXIMUM = 33 };

struct topic_setting { const char *name, *value; };

struct topic {
    const char *name;
    const char *key[TOPIC_KEY_FIELDS_MAXIMUM + 1];      /* fields of the value, NULL behind the last; none: the key is not made of the value */
    int partitions;
    const char *schema;                                 /* schemas/<schema>.avsc; NULL: the value is not ours to describe */
    const struct codec_type *type;                      /* what we compiled of it, or read beside the list; NULL with schema */
    struct topic_setting settings[TOPIC_SETTINGS_MAXIMUM];  /* cleanup.policy and retention.ms among them */
    size_t setting_count;
    const char *writes, *reads;                         /* comma separated */
};

struct topic_list {
    struct topic topics[TOPICS_MAXIMUM];
    size_t count;
    struct { dev_t device; ino_t number; } files[TOPIC_FILES_MAXIMUM];     /* of texts; the compiled-in one is none */
    struct buffer texts[TOPIC_FILES_MAXIMUM];
    size_t text_count;
    const struct codec_type *read[TOPICS_MAXIMUM];      /* schemas that are not compiled in */
    size_t read_count;
};

/* path: a file of the same form, NULL: the copy that is compiled in. tasks: what stands for 32 partitions; 0: 32. On error, which names the line, the
 * list is empty. Freed by topic_list_free. */
MUST_CHECK bool topic_list_read(struct topic_list *list, const char *path, int tasks, struct error *error);
/* Adds the lists of processors of other projects, files with commas between them; NULL or "": none. A schema that is not ours is <schema>.avsc in the folder of
 * the list. A file that was read already is not read again; a topic that another one lists is an error. On error the list is empty. */
MUST_CHECK bool topic_list_add(struct topic_list *list, const char *paths, int tasks, struct error *error);
void topic_list_free(struct topic_list *list);

/* NULL: no such topic. A posting.commands.<erp> that is not listed is found under the listed one with the same beginning. */
const struct topic *topic_list_find(const struct topic_list *list, const char *name);
/* Inputs that sources write, and the entries of batches: those with a topic dlq.<name>. */
bool topic_is_input(const struct topic_list *list, const struct topic *topic);
/* The schema of our own with that name ("invoice-event", "master/supplier"); NULL: none. */
const struct codec_type *topic_schema_type(const char *schema);
#endif
