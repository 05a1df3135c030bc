#include "common/state/preallocate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool preallocate_allows(const char *folder, uint64_t size, struct error *error) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur) return true;
    return error_set(error, "%s: a file of %" PRIu64 " bytes is wanted, the limit is %" PRIu64 "; raise it (ulimit -f, LimitFSIZE)", folder, size,
                     (uint64_t)limit.rlim_cur);
}

static bool no_room(const char *folder, uint64_t more, uint64_t size, int problem, struct error *error) {
    return error_set(error, "%s: no room on the disk for %" PRIu64 " bytes more, %" PRIu64 " in all: %s; free some or move the folder to a larger disk",
                     folder, more, size, strerror(problem));
}

bool preallocate(int file, const char *folder, uint64_t from, uint64_t size, struct error *error) {
    struct statvfs disk;
    int problem;
    if (!preallocate_allows(folder, size, error)) return false;
    /* Asked first, so that an attempt which cannot succeed does not fill the disk for a moment. */
    if (size > from && fstatvfs(file, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < size - from)
        return no_room(folder, size - from, size, ENOSPC, error);
    do problem = posix_fallocate(file, 0, (off_t)size); while (problem == EINTR);
    if (problem == 0) return true;
    if (ftruncate(file, (off_t)from) != 0) return no_room(folder, size - from, size, errno, error);
    return no_room(folder, size > from ? size - from : 0, size, problem, error);
}
