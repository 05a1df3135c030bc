#include "common/platform/hash.h"

#include <pthread.h>
#include <string.h>

/* Little-endian reads of any alignment: as both algorithms define them. */
static uint64_t read_64(const unsigned char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? value : __builtin_bswap64(value);
}

static uint32_t read_32(const unsigned char *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? value : __builtin_bswap32(value);
}

/* ---- XXH64 ---- */

static const uint64_t prime_1 = 0x9E3779B185EBCA87u, prime_2 = 0xC2B2AE3D27D4EB4Fu, prime_3 = 0x165667B19E3779F9u,
                      prime_4 = 0x85EBCA77C2B2AE63u, prime_5 = 0x27D4EB2F165667C5u;

static uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }
static uint64_t xx_round(uint64_t lane, uint64_t input) { return rotate(lane + input * prime_2, 31) * prime_1; }
static uint64_t xx_merge(uint64_t hash, uint64_t lane) { return (hash ^ xx_round(0, lane)) * prime_1 + prime_4; }

static uint64_t xx_tail(uint64_t hash, const unsigned char *at, const unsigned char *end) {
    for (; end - at >= 8; at += 8) hash = rotate(hash ^ xx_round(0, read_64(at)), 27) * prime_1 + prime_4;
    if (end - at >= 4) {
        hash = rotate(hash ^ read_32(at) * prime_1, 23) * prime_2 + prime_3;
        at += 4;
    }
    for (; at < end; at++) hash = rotate(hash ^ *at * prime_5, 11) * prime_1;
    hash = (hash ^ hash >> 33) * prime_2;
    hash = (hash ^ hash >> 29) * prime_3;
    return hash ^ hash >> 32;
}

uint64_t hash_bytes(const void *bytes, size_t length) {
    if (length == 0) return xx_tail(prime_5, NULL, NULL);
    const unsigned char *at = bytes, *end = at + length;
    if (length < 32) return xx_tail(prime_5 + length, at, end);
    uint64_t lane_1 = prime_1 + prime_2, lane_2 = prime_2, lane_3 = 0, lane_4 = 0 - prime_1;
    for (; end - at >= 32; at += 32) {
        lane_1 = xx_round(lane_1, read_64(at));
        lane_2 = xx_round(lane_2, read_64(at + 8));
        lane_3 = xx_round(lane_3, read_64(at + 16));
        lane_4 = xx_round(lane_4, read_64(at + 24));
    }
    uint64_t hash = rotate(lane_1, 1) + rotate(lane_2, 7) + rotate(lane_3, 12) + rotate(lane_4, 18);
    hash = xx_merge(xx_merge(xx_merge(xx_merge(hash, lane_1), lane_2), lane_3), lane_4);
    return xx_tail(hash + length, at, end);
}

/* ---- CRC-32C ---- */

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_fill(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
        crc_table[i] = crc;
    }
}

uint32_t hash_crc32c_by_table(uint32_t before, const void *bytes, size_t length) {
    pthread_once(&crc_once, crc_fill);
    const unsigned char *at = bytes;
    uint32_t crc = ~before;
    for (size_t i = 0; i < length; i++) crc = crc >> 8 ^ crc_table[(crc ^ at[i]) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t before, const unsigned char *at, size_t length) {
    uint64_t crc = ~before;
    for (; length >= 8; at += 8, length -= 8) crc = __builtin_ia32_crc32di(crc, read_64(at));
    for (; length > 0; at++, length--) crc = __builtin_ia32_crc32qi((uint32_t)crc, *at);
    return ~(uint32_t)crc;
}

uint32_t hash_crc32c(uint32_t before, const void *bytes, size_t length) {
    return __builtin_cpu_supports("sse4.2") ? crc_by_instruction(before, bytes, length) : hash_crc32c_by_table(before, bytes, length);
}
#else
uint32_t hash_crc32c(uint32_t before, const void *bytes, size_t length) { return hash_crc32c_by_table(before, bytes, length); }
#endif

/* ---- MurmurHash2, Kafka's ---- */

int32_t hash_murmur2(const void *bytes, size_t length) {
    const uint32_t multiplier = 0x5bd1e995u, seed = 0x9747b28cu;
    const unsigned char *at = bytes;
    uint32_t hash = seed ^ (uint32_t)length;
    size_t whole = length / 4 * 4;
    for (size_t i = 0; i < whole; i += 4) {
        uint32_t word = read_32(at + i) * multiplier;
        word = (word ^ word >> 24) * multiplier;
        hash = hash * multiplier ^ word;
    }
    switch (length - whole) {
    case 3: hash ^= (uint32_t)at[whole + 2] << 16; /* fall through */
    case 2: hash ^= (uint32_t)at[whole + 1] << 8;  /* fall through */
    case 1: hash = (hash ^ at[whole]) * multiplier; break;
    default: break;
    }
    hash = (hash ^ hash >> 13) * multiplier;
    return (int32_t)(hash ^ hash >> 15);
}
