/* seal: what stands before every value in local state and tables: version byte and CRC-32C (big endian) over key, version byte and body (state.h). */
#ifndef KONTOR_STATE_SEAL_H
#define KONTOR_STATE_SEAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

enum { STATE_SEAL_SIZE = 5 };

/* Seals: `value` holds STATE_SEAL_SIZE spare bytes and the body behind them; writes version byte and checksum into the spare bytes. */
void state_seal(char *value, size_t length, struct slice key, uint8_t version);
/* Checks the seal and gives the body and the version byte. */
bool state_unseal(struct slice key, struct slice value, struct slice *body, uint8_t *version);
bool state_is_genuine(struct slice key, struct slice value);
#endif
