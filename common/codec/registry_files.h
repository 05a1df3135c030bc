/* registry_files: what is kept of the registry in its directory. Private to registry.c.
 *
 *     <id>.avsc                     the schema's text as the registry gave it
 *     <subject>-<fingerprint>.id    lines: the id of a schema of ours, the subject, the schema (both are compared)
 *
 * Files are replaced whole (platform/file.h), so several processes may share a directory. */
#ifndef KONTOR_CODEC_REGISTRY_FILES_H
#define KONTOR_CODEC_REGISTRY_FILES_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Makes the directory, and those above it, when missing. */
bool registry_files_open(const char *directory, struct error *error) MUST_CHECK;
/* False: not there, or not readable. */
bool registry_files_read_schema(const char *directory, uint32_t id, struct buffer *out) MUST_CHECK;
bool registry_files_write_schema(const char *directory, uint32_t id, struct slice text, struct error *error) MUST_CHECK;
bool registry_files_read_id(const char *directory, const char *subject, const char *schema, uint32_t *id) MUST_CHECK;
bool registry_files_write_id(const char *directory, const char *subject, const char *schema, uint32_t id, struct error *error) MUST_CHECK;
#endif
