/* file: whole files, read bounded and written so that a reader sees the old content or the new, never a part. */
#ifndef KONTOR_PLATFORM_FILE_H
#define KONTOR_PLATFORM_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Appends the content to bytes. An error when the path is no regular file or holds more than `limit` bytes; bytes are then as they were. */
MUST_CHECK bool file_read(const char *path, size_t limit, struct buffer *bytes, struct error *error);

/* Puts the content in place of the file's, durably: a temporary file beside it, fsync, rename, fsync of the folder. When it fails the old
 * file is as it was. mode: permissions, for example 0644. */
MUST_CHECK bool file_write(const char *path, struct slice content, mode_t mode, struct error *error);
#endif
