/* hash: a hash for tables in memory, a checksum for values on disk, and Kafka's partitioner. */
#ifndef KONTOR_PLATFORM_HASH_H
#define KONTOR_PLATFORM_HASH_H
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

/* XXH64 with seed 0. For tables in memory, and as the fingerprint of an event id in the state: it must never change.
 * Source: xxHash, doc/xxhash_spec.md (Yann Collet), "XXH64 algorithm description". */
uint64_t hash_bytes(const void *bytes, size_t length);
static inline uint64_t hash_slice(struct slice slice) { return hash_bytes(slice.data, slice.length); }

/* CRC-32C (Castagnoli), stored beside values to see damage. Source: RFC 3720, 12.1 and B.4. `before` is 0 at the start, or the checksum of
 * the bytes before these. */
uint32_t hash_crc32c(uint32_t before, const void *bytes, size_t length);
/* The same by table, for processors without the instruction; here so that tests can compare. */
uint32_t hash_crc32c_by_table(uint32_t before, const void *bytes, size_t length);

/* MurmurHash2 as org.apache.kafka.common.utils.Utils.murmur2 has it, signed as in Java. */
int32_t hash_murmur2(const void *bytes, size_t length);

/* The partition of a key: Java's default and librdkafka's `partitioner=murmur2`. partitions is at least 1. */
static inline int32_t hash_partition(struct slice key, int32_t partitions) {
    return (hash_murmur2(key.data, key.length) & 0x7fffffff) % partitions;
}
#endif
