/* cases: the body of kontor-cases: runs case files on the production processors, without a broker. One line per file: `ok NAME` or `not ok NAME: why`;
 * 0 when all hold, 1 when one does not, 2 when it was asked wrongly (--help says how). The language of cases is described in tests/cases/README.md
 * (installed as share/kontor/cases/README.md).
 *
 * A processor of another project has a program of its own, which runs it beside those of kontor (kontor_add_processor writes it):
 *
 *     int main(int argc, char **argv) { return cases_main(argc, argv, &payroll_processor); } */
#ifndef KONTOR_DRIVER_CASES_H
#define KONTOR_DRIVER_CASES_H
#include "common/runtime/processor.h"

/* outside: a processor that is not one of kontor's; NULL: none. */
int cases_main(int count, char **arguments, const struct processor *outside);
#endif
