/* main: the body of every processor's program: reads the configuration, checks the environment, runs the loop, and turns what came of it into an exit code
 * (failure.h names them). A program is
 *
 *     int main(int argc, char **argv) { return processor_main(argc, argv, &invoice_processor); } */
#ifndef KONTOR_RUNTIME_MAIN_H
#define KONTOR_RUNTIME_MAIN_H
#include "common/runtime/processor.h"

int processor_main(int argc, char **argv, const struct processor *processor);
#endif
