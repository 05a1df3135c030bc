#include "tests/driver/language.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/platform/file.h"

enum { CASE_BYTES_MAXIMUM = 1 << 20, WORDS_MAXIMUM = 400, DEPTH_MAXIMUM = 8 };

void script_free(struct script *script) { free(script->items); }

const char *word_value(const char *word, const char *name) {
    size_t length = strlen(name);
    return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

const char *statement_value(const struct statement *statement, const char *name, const char *otherwise) {
    for (size_t i = 0; i < statement->count; i++) {
        const char *value = word_value(statement->words[i], name);
        if (value) return value;
    }
    return otherwise;
}

size_t statement_arrow(const struct statement *statement) {
    size_t at = 0;
    while (at < statement->count && strcmp(statement->words[at], "->") != 0) at++;
    return at;
}

/* Cuts the comment off; quotes keep a # that belongs to a word. */
static void comment_cut(char *line) {
    bool quoted = false;
    for (char *at = line; *at; at++) {
        if (*at == '"') quoted = !quoted;
        if (*at == '#' && !quoted && (at == line || at[-1] == ' ' || at[-1] == '\t')) { *at = '\0'; break; }
    }
    size_t length = strlen(line);
    while (length && strchr(" \t\r", line[length - 1])) line[--length] = '\0';
}

static bool words_split(struct arena *arena, struct statement *statement, struct error *error) {
    const char *words[WORDS_MAXIMUM], *at = statement->text;
    size_t count = 0;
    while (*(at += strspn(at, " \t"))) {
        if (count == WORDS_MAXIMUM) return error_set(error, "%s:%d: more than %d words", statement->file, statement->line, WORDS_MAXIMUM);
        char *word = arena_alloc(arena, strlen(at) + 1), *to = word;
        bool quoted = false;
        for (; *at && (quoted || !strchr(" \t", *at)); at++) {
            if (*at == '"') quoted = !quoted;
            else *to++ = *at;
        }
        if (quoted) return error_set(error, "%s:%d: a quote is not closed", statement->file, statement->line);
        words[count++] = word;
    }
    statement->words = arena_alloc(arena, (count + 1) * sizeof *words);
    memcpy(statement->words, words, count * sizeof *words);
    statement->count = count;
    return true;
}

static bool script_add(struct script *script, struct statement statement, struct error *error) {
    if (script->count == script->capacity) {
        size_t capacity = script->capacity ? script->capacity * 2 : 128;
        struct statement *items = realloc(script->items, capacity * sizeof *items);
        if (!items) return error_set(error, "out of memory");
        script->items = items;
        script->capacity = capacity;
    }
    script->items[script->count++] = statement;
    return true;
}

/* NAME.case or NAME.include beside the including file, or in the nearest folder above that has one. */
static const char *include_find(struct arena *arena, const char *including, const char *name) {
    char *path = arena_alloc(arena, strlen(including) + strlen(name) + 16);
    size_t folder = strlen(including);
    struct stat status;
    while (folder) {
        while (folder && including[folder - 1] != '/') folder--;
        for (size_t i = 0; i < 2; i++) {
            sprintf(path, "%.*s%s.%s", (int)folder, including, name, i ? "include" : "case");
            if (stat(path, &status) == 0) return path;
        }
        while (folder && including[folder - 1] == '/') folder--;
    }
    return NULL;
}

/* A whole statement: an include is read in its place, anything else is added. */
static bool statement_end(struct arena *arena, struct statement statement, struct script *script, struct error *error) {
    if (!statement.text) return true;
    if (!words_split(arena, &statement, error)) return false;
    if (strcmp(statement.words[0], "include") != 0) return script_add(script, statement, error);
    const char *path = statement.count == 2 ? include_find(arena, statement.file, statement.words[1]) : NULL;
    if (!path) return error_set(error, "%s:%d: %s: there is no such case file here or in the folders above", statement.file, statement.line, statement.text);
    return script_read(arena, path, true, script, error);
}

bool script_read(struct arena *arena, const char *path, bool included, struct script *script, struct error *error) {
    static int depth;
    struct buffer bytes = {0};
    struct statement now = {0};
    if (depth == DEPTH_MAXIMUM) return error_set(error, "%s: case files include each other", path);
    if (!file_read(path, CASE_BYTES_MAXIMUM, &bytes, error)) { buffer_free(&bytes); return false; }
    char *text = arena_copy(arena, bytes.data, bytes.length);
    buffer_free(&bytes);
    const char *file = arena_copy(arena, path, strlen(path));
    bool ok = true;
    depth++;
    int number = 1;
    for (char *line = text, *end; ok && line; line = end ? end + 1 : NULL, number++) {
        if ((end = strchr(line, '\n'))) *end = '\0';
        bool continues = *line == ' ' || *line == '\t';
        comment_cut(line);
        if (!line[strspn(line, " \t")]) continue;
        if (continues && now.text) {
            line += strspn(line, " \t");
            char *joined = arena_alloc(arena, strlen(now.text) + strlen(line) + 2);
            sprintf(joined, "%s %s", now.text, line);
            now.text = joined;
            continue;
        }
        ok = statement_end(arena, now, script, error);
        now = (struct statement){.file = file, .text = line, .line = number, .included = included};
    }
    ok = ok && statement_end(arena, now, script, error);
    depth--;
    return ok;
}
