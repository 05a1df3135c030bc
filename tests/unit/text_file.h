/* Whole text files for tests of documents. */
#ifndef KONTOR_TESTS_TEXT_FILE_H
#define KONTOR_TESTS_TEXT_FILE_H

#include <stdio.h>
#include <stdlib.h>

/* The text of a file of less than a megabyte; the caller frees it. */
static inline char *read_whole(const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}
#endif
