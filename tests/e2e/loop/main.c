#include "common/runtime/main.h"
#include "tests/e2e/loop/counter.h"

int main(int argc, char **argv) { return processor_main(argc, argv, &counter_processor); }
