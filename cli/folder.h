/* folder: a temporary folder of a command, under TMPDIR or /tmp. */
#ifndef KONTOR_CLI_FOLDER_H
#define KONTOR_CLI_FOLDER_H
#include "common/platform/error.h"

enum { FOLDER_SIZE = 64 };
/* kontor-<name>-XXXXXX. False: folder is empty. */
MUST_CHECK bool folder_make(char folder[FOLDER_SIZE], const char *name, struct error *error);
/* With all that is in it. False when something of it could not be deleted: errno says why. */
bool folder_delete(const char *path);
#endif
