/* number: a supplier's invoice number as the duplicate check compares it: upper case, letters and digits only, without leading zeros. `INV-2026/0042`,
 * `inv 2026 0042` and `INV20260042` are the same. A number with nothing of that kind in it stays as it is. */
#ifndef KONTOR_SHARED_NUMBER_H
#define KONTOR_SHARED_NUMBER_H
#include "common/runtime/processor.h"

struct slice number_normalise(struct decision *decision, struct slice number);
#endif
