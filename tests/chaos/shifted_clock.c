/* shifted_clock: preloaded into a processor, moves its wall clock by as many seconds as the first 8 bytes of the file SHIFTED_CLOCK say, which may change at any
 * time, as when somebody sets the machine's clock. The monotonic clock goes on, as it does then.
 *
 * A wait until a moment of the wall clock (librdkafka's all are) ends when the shifted clock is there: sooner after a step ahead, later after one back. libfaketime
 * does not do that: the wait's moment would be the kernel's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_NS = 50 * 1000 * 1000 };

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static int64_t shift_s(void) {
    static const volatile int64_t *seconds;
    if (!seconds) {
        const char *path = getenv("SHIFTED_CLOCK");
        int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
        if (map == MAP_FAILED) abort();
        seconds = map;
    }
    return *seconds;
}

static int real_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))next("clock_gettime");
    return real(clock, time);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = real_gettime(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += shift_s();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *out, int base) { return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0; }

static struct timespec later(struct timespec time, int64_t ns) {
    ns += time.tv_nsec;
    return (struct timespec){time.tv_sec + ns / 1000000000, ns % 1000000000};
}

/* For condition variables of the wall clock, which is what librdkafka and libcurl make. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))next("pthread_cond_timedwait");
    for (;;) {
        struct timespec shifted, now;
        clock_gettime(CLOCK_REALTIME, &shifted);
        int64_t left = (until->tv_sec - shifted.tv_sec) > 3600 ? PIECE_NS : (until->tv_sec - shifted.tv_sec) * 1000000000LL + until->tv_nsec - shifted.tv_nsec;
        real_gettime(CLOCK_REALTIME, &now);
        struct timespec piece = later(now, left <= 0 ? 0 : left < PIECE_NS ? left : PIECE_NS);
        int result = real(condition, mutex, &piece);
        if (result != ETIMEDOUT || left <= PIECE_NS) return result;
    }
}
