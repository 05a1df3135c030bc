#include "common/platform/timezone.h"

#include <stdio.h>
#include <string.h>

#include "common/platform/file.h"

#define ZONE_FOLDER "/usr/share/zoneinfo/"
enum { ZONE_BYTES_MAXIMUM = 64 * 1024 }; /* the largest of tzdata has under 4 KiB */

/* Letters, digits and - + _ in parts divided by /: no part can be . or .., nothing leaves the folder. */
static bool is_zone_name(const char *name) {
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+_/";
    size_t length = strlen(name);
    return length > 0 && length < 64 && strspn(name, allowed) == length && name[0] != '/' && name[length - 1] != '/' && !strstr(name, "//");
}

bool timezone_read(const char *name, struct buffer *bytes, struct error *error) {
    if (!is_zone_name(name)) return error_set(error, "\"%.64s\" is not the name of a time zone; expected an IANA name such as Europe/Amsterdam", name);
    char path[sizeof ZONE_FOLDER + 64];
    snprintf(path, sizeof path, ZONE_FOLDER "%s", name);
    if (!file_read(path, ZONE_BYTES_MAXIMUM, bytes, error)) {
        error_prefix(error, "time zone %s is not known to this system; check the name, or install the package tzdata", name);
        return false;
    }
    return true;
}
