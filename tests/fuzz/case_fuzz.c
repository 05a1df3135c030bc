/* A case file as any bytes: refused with file and line, or statements whose words are its text. Beside it lies another file that it can include, and that
 * includes it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/driver/language.h"

static char folder[] = "/dev/shm/kontor-fuzz-XXXXXX", path[64];

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void remove_files(void) {
    char other[64];
    snprintf(other, sizeof other, "%s/other.include", folder);
    remove(other);
    remove(path);
    rmdir(folder);
}

static void file_write(const char *to, const void *bytes, size_t size) {
    int file = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
    close(file);
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    static const char text[] = "# an included file\nmaster suppliers S1 name=\"a b\"\n  status=active\ninclude self\n";
    char other[64];
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/self.case", folder);
    snprintf(other, sizeof other, "%s/other.include", folder);
    file_write(other, text, sizeof text - 1);
    atexit(remove_files);
    return 0;
}

static void check(const struct statement *statement) {
    if (!statement->count || statement->words[statement->count] || statement->line < 1 || strchr(statement->text, '\n')) abort();
    size_t length = strlen(statement->text), words = 0;
    for (size_t i = 0; i < statement->count; i++) words += strlen(statement->words[i]);
    if (words > length || statement_arrow(statement) > statement->count) abort();
    const char *value = statement_value(statement, "a", "");
    if (strlen(value) > length) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct script script = {0};
    struct error error = {""};
    file_write(path, data, size);
    arena_init(&arena, 1 << 16, 1 << 26);
    if (script_read(&arena, path, false, &script, &error)) {
        for (size_t i = 0; i < script.count; i++) check(&script.items[i]);
    } else if (!error.text[0]) {
        abort();
    }
    script_free(&script);
    arena_free(&arena);
    return 0;
}
