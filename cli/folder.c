#include "cli/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)kind; (void)place;
    return remove(path);
}

bool folder_delete(const char *path) { return nftw(path, delete_entry, 16, FTW_DEPTH | FTW_PHYS) == 0; }

bool folder_make(char folder[FOLDER_SIZE], const char *name, struct error *error) {
    const char *parent = getenv("TMPDIR");
    int length = snprintf(folder, FOLDER_SIZE, "%s/kontor-%s-XXXXXX", parent && *parent ? parent : "/tmp", name);
    if (length >= FOLDER_SIZE) {
        folder[0] = 0;
        return error_set(error, "TMPDIR is too long a path: %s", parent);
    }
    if (mkdtemp(folder)) return true;
    error_set(error, "%s: a temporary folder cannot be made: %m", folder);
    folder[0] = 0;
    return false;
}
