#include "common/state/seal.h"

#include "common/platform/hash.h"

static uint32_t checksum(struct slice key, uint8_t version, const char *body, size_t length) {
    uint32_t sum = hash_crc32c(0, key.data, key.length);
    sum = hash_crc32c(sum, &version, 1);
    return hash_crc32c(sum, body, length);
}

void state_seal(char *value, size_t length, struct slice key, uint8_t version) {
    uint32_t sum = checksum(key, version, value + STATE_SEAL_SIZE, length - STATE_SEAL_SIZE);
    value[0] = (char)version;
    for (int i = 0; i < 4; i++) value[1 + i] = (char)(sum >> (24 - 8 * i));
}

bool state_unseal(struct slice key, struct slice value, struct slice *body, uint8_t *version) {
    if (value.length < STATE_SEAL_SIZE) return false;
    const unsigned char *bytes = (const unsigned char *)value.data;
    uint32_t sum = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    *version = bytes[0];
    *body = (struct slice){value.data + STATE_SEAL_SIZE, value.length - STATE_SEAL_SIZE};
    return checksum(key, bytes[0], body->data, body->length) == sum;
}

bool state_is_genuine(struct slice key, struct slice value) {
    struct slice body;
    uint8_t version;
    return state_unseal(key, value, &body, &version);
}
