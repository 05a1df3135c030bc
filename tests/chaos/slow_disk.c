/* slow_disk: preloaded into a processor, makes what goes to files below SLOW_DISK_UNDER slow: each opening, growth, sync and renaming takes SLOW_DISK_MS more.
 * (LMDB's pages are written by the kernel, at its leisure: no program waits for them.) */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void rest(void) {
    const char *text = getenv("SLOW_DISK_MS");
    long ms = text ? strtol(text, NULL, 10) : 0;
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static int below(const char *path) {
    const char *under = getenv("SLOW_DISK_UNDER");
    return under && strncmp(path, under, strlen(under)) == 0;
}

static void rest_for(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (below(path)) rest();
}

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

#define OPENING(name)                                                                  \
    int name(const char *path, int flags, ...) {                                       \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;        \
        va_end(more);                                                                  \
        if (below(path)) rest();                                                       \
        return ((int (*)(const char *, int, ...))next(#name))(path, flags, mode);      \
    }
OPENING(open)
OPENING(open64)

int fsync(int descriptor) { rest_for(descriptor); return ((int (*)(int))next("fsync"))(descriptor); }
int fdatasync(int descriptor) { rest_for(descriptor); return ((int (*)(int))next("fdatasync"))(descriptor); }
int posix_fallocate(int descriptor, off_t at, off_t length) { rest_for(descriptor); return ((int (*)(int, off_t, off_t))next("posix_fallocate"))(descriptor, at, length); }
int posix_fallocate64(int descriptor, off64_t at, off64_t length) { rest_for(descriptor); return ((int (*)(int, off64_t, off64_t))next("posix_fallocate64"))(descriptor, at, length); }
int msync(void *at, size_t length, int flags) { rest(); return ((int (*)(void *, size_t, int))next("msync"))(at, length, flags); }
int rename(const char *from, const char *to) { if (below(from)) rest(); return ((int (*)(const char *, const char *))next("rename"))(from, to); }
int unlink(const char *path) { if (below(path)) rest(); return ((int (*)(const char *))next("unlink"))(path); }
