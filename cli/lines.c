#include "cli/lines.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { READ_BYTES = 1 << 20, LINE_BYTES_MAXIMUM = 64 << 20 };

bool lines_open(struct lines *lines, const char *path, struct error *error) {
    bool standard = !path || strcmp(path, "-") == 0;
    *lines = (struct lines){.name = standard ? "standard input" : path};
    struct stat status;
    if (!standard && stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) return error_set(error, "%s is a folder; give a file of JSON lines", path);
        if (S_ISREG(status.st_mode)) lines->size = status.st_size;
    }
    int input = standard ? dup(STDIN_FILENO) : -1;
    lines->file = standard ? gzdopen(input, "rb") : gzopen(path, "rb");
    if (!lines->file) return error_set(error, "%s cannot be read: %s", lines->name, strerror(errno));
    gzbuffer(lines->file, 1 << 17);
    return true;
}

bool lines_open_text(struct lines *lines, struct slice text, const char *name, struct error *error) {
    *lines = (struct lines){.name = name, .ended = true, .size = (int64_t)text.length};
    return buffer_append(&lines->bytes, text.data, text.length) || error_set(error, "out of memory");
}

void lines_close(struct lines *lines) {
    if (lines->file) gzclose(lines->file);
    buffer_free(&lines->bytes);
    lines->file = NULL;
}

/* Reads more behind what is left of the current line. */
static bool fill(struct lines *lines, struct error *error) {
    struct buffer *bytes = &lines->bytes;
    if (lines->at) {
        memmove(bytes->data, bytes->data + lines->at, bytes->length - lines->at);
        bytes->length -= lines->at;
        lines->at = 0;
    }
    if (bytes->length > LINE_BYTES_MAXIMUM) return error_set(error, "%s: line %lld is longer than %d bytes", lines->name, (long long)lines->number + 1, LINE_BYTES_MAXIMUM);
    if (!buffer_reserve(bytes, READ_BYTES)) return error_set(error, "out of memory");
    int count = gzread(lines->file, bytes->data + bytes->length, READ_BYTES), code;
    const char *why = gzerror(lines->file, &code);
    if (count < 0 || (code != Z_OK && code != Z_STREAM_END))
        return error_set(error, "%s cannot be read behind line %lld: %s", lines->name, (long long)lines->number, code == Z_ERRNO ? strerror(errno) : why);
    bytes->length += (size_t)count;
    lines->ended = count == 0;
    lines->read = gzoffset(lines->file);
    return true;
}

static bool only_blanks(struct slice line) {
    for (size_t i = 0; i < line.length; i++)
        if (!strchr(" \t\r", line.data[i]) || !line.data[i]) return false;
    return true;
}

enum lines_result lines_next(struct lines *lines, struct slice *line, struct error *error) {
    size_t searched = 0;
    for (;;) {
        size_t left = lines->bytes.length - lines->at;
        const char *start = left ? lines->bytes.data + lines->at : "";
        const char *end = left > searched ? memchr(start + searched, '\n', left - searched) : NULL;
        if (!end && !lines->ended) {
            searched = left;
            if (!fill(lines, error)) return LINES_FAILED;
            continue;
        }
        if (!end && !left) return LINES_END;
        *line = (struct slice){start, end ? (size_t)(end - start) : left};
        lines->at += line->length + (end ? 1 : 0);
        lines->number++;
        searched = 0;
        if (!only_blanks(*line)) return LINES_GIVEN;
    }
}
