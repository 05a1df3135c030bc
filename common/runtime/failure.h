/* failure: the technical failures of the runtime, as two types that cannot be mixed up. The third class of error, a refusal, is a business fact: an
 * `enum reason` that goes on the record, and never comes here.
 *
 *   abort_cause   the environment (broker, network, registry) or the outcome of a commit is in the way: the batch is void, the producer is renewed, the
 *                 consumer goes back to the committed offsets, the state forward from the changelog, and the same records are taken again.
 *   fatal_cause   this process must not go on: it stops with the exit code, and its supervisor starts it again or calls somebody.
 *
 * A function that can only do one of them takes only that one. One that can do both answers an enum step. */
#ifndef KONTOR_RUNTIME_FAILURE_H
#define KONTOR_RUNTIME_FAILURE_H
#include "common/platform/error.h"

enum exit_code {
    EXIT_STOPPED = 0,       /* as asked */
    EXIT_CONFIGURATION = 1, /* the configuration or the environment cannot work: found before the first record */
    EXIT_USAGE = 2,
    EXIT_RUN = 3,           /* at run time */
    EXIT_TWIN = 4           /* another instance has this name */
};

struct abort_cause { struct error error; };
struct fatal_cause { struct error error; enum exit_code exit_code; };

enum step { STEP_DONE, STEP_ABORT, STEP_FATAL };

/* They return what the caller is to return. */
enum step abort_because(struct abort_cause *cause, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum step fatal_because(struct fatal_cause *cause, enum exit_code exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
