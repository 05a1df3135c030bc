/* world: what the case files know, for targets that need processors which have something to decide with: all master data of tests/cases, every processor of the tree
 * over real tables and states, topics in memory. */
#ifndef KONTOR_FUZZ_WORLD_H
#define KONTOR_FUZZ_WORLD_H
#include "tests/driver/run.h"

/* Opens all of it in a new folder; ends the process where that cannot be. `instances`: also the processors. */
void world_open(struct run *run, bool instances);
void world_close(struct run *run);
/* Gives the events of a case file to the processors, each a batch of its own; or, with `each`, to that function alone. */
void world_give(struct run *run, const char *path, void (*each)(const struct given *given));
#endif
