/* The C11 threads that librdkafka uses, by way of POSIX threads. Linked into builds with the thread sanitizer alone: its run-time library watches pthread_create and
 * pthread_mutex_lock, but glibc's thrd_create and mtx_lock go past it – a thread that it does not know of crashes in it at the first malloc, and what a lock
 * orders would look like a race. glibc's types of both have the same size and are the same inside. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(thrd_t) == sizeof(pthread_t), "as glibc has them");

struct start { thrd_start_t function; void *argument; };

static pthread_mutex_t *mutex_of(mtx_t *mutex) { return (pthread_mutex_t *)(void *)mutex; }
static pthread_cond_t *condition_of(cnd_t *condition) { return (pthread_cond_t *)(void *)condition; }

static int result_of(int err) { return err == 0 ? thrd_success : err == EBUSY ? thrd_busy : err == ETIMEDOUT ? thrd_timedout : err == ENOMEM ? thrd_nomem : thrd_error; }

static void *begin(void *context) {
    struct start start = *(struct start *)context;
    free(context);
    return (void *)(long)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    struct start *start = malloc(sizeof *start);
    if (!start) return thrd_nomem;
    *start = (struct start){function, argument};
    int err = pthread_create(thread, NULL, begin, start);
    if (err) free(start);
    return err == EAGAIN ? thrd_nomem : result_of(err);
}

int thrd_join(thrd_t thread, int *result) {
    void *value;
    int err = pthread_join(thread, &value);
    if (!err && result) *result = (int)(long)value;
    return result_of(err);
}

int thrd_detach(thrd_t thread) { return result_of(pthread_detach(thread)); }
_Noreturn void thrd_exit(int result) { pthread_exit((void *)(long)result); }

int mtx_init(mtx_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int err = pthread_mutex_init(mutex_of(mutex), &attributes);
    pthread_mutexattr_destroy(&attributes);
    return result_of(err);
}

void mtx_destroy(mtx_t *mutex) { pthread_mutex_destroy(mutex_of(mutex)); }
int mtx_lock(mtx_t *mutex) { return result_of(pthread_mutex_lock(mutex_of(mutex))); }
int mtx_trylock(mtx_t *mutex) { return result_of(pthread_mutex_trylock(mutex_of(mutex))); }
int mtx_unlock(mtx_t *mutex) { return result_of(pthread_mutex_unlock(mutex_of(mutex))); }

int cnd_init(cnd_t *condition) { return result_of(pthread_cond_init(condition_of(condition), NULL)); }
void cnd_destroy(cnd_t *condition) { pthread_cond_destroy(condition_of(condition)); }
int cnd_signal(cnd_t *condition) { return result_of(pthread_cond_signal(condition_of(condition))); }
int cnd_broadcast(cnd_t *condition) { return result_of(pthread_cond_broadcast(condition_of(condition))); }
int cnd_wait(cnd_t *condition, mtx_t *mutex) { return result_of(pthread_cond_wait(condition_of(condition), mutex_of(mutex))); }

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    return result_of(pthread_cond_timedwait(condition_of(condition), mutex_of(mutex), until));
}
