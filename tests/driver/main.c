/* kontor-cases: the driver on the processors of this tree. */
#include "tests/driver/cases.h"

int main(int count, char **arguments) { return cases_main(count, arguments, NULL); }
