/* A list of topics of another project as any bytes, read behind ours: refused with the line, or a list whose rows have what the rest relies on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/topic_list.h"

static char path[] = "/dev/shm/kontor-fuzz-XXXXXX";
static int file;

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void remove_file(void) { remove(path); }

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    if ((file = mkstemp(path)) < 0) abort();
    atexit(remove_file);
    return 0;
}

static void check(const struct topic_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        const struct topic *topic = &list->topics[i];
        if (!topic->name[0] || topic->partitions < 1 || topic->setting_count > TOPIC_SETTINGS_MAXIMUM || !topic->writes || !topic->reads) abort();
        if (topic_list_find(list, topic->name) != topic || (topic->schema && !topic->type)) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct topic_list list;
    struct error error = {""};
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) abort();
    memset(&list, 0, sizeof list);
    for (int alone = 0; alone < 2; alone++) {
        bool ok = topic_list_read(&list, alone ? path : NULL, 0, &error) && (alone || topic_list_add(&list, path, 0, &error));
        if (ok) check(&list);
        else if (!error.text[0] || list.count) abort();
        topic_list_free(&list);
    }
    return 0;
}
