/* Hashes against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/platform/hash.h"
#include "tests/unit/random_numbers.h"

/* Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2; librdkafka, src/rdmurmur2.c, has them too. */
static void murmur2_is_kafkas(void **state) {
    (void)state;
    static const struct { const char *key; int32_t hash; } cases[] = {
        {"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536}, {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}, {"abc", 479470107}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(hash_murmur2(cases[i].key, strlen(cases[i].key)), cases[i].hash);
        assert_int_equal(hash_partition(slice_of(cases[i].key), 32), (cases[i].hash & 0x7fffffff) % 32);
        char shifted[64]; /* an odd address */
        memcpy(shifted + 1, cases[i].key, strlen(cases[i].key));
        assert_int_equal(hash_murmur2(shifted + 1, strlen(cases[i].key)), cases[i].hash);
    }
    assert_int_equal((uint32_t)hash_murmur2("", 0), 0x106e08d9); /* librdkafka, src/rdmurmur2.c, unittest_murmur2 */
    assert_int_equal((uint32_t)hash_murmur2(NULL, 0), 0x106e08d9);
    for (int partitions = 1; partitions < 100; partitions++) assert_in_range(hash_partition(SLICE("E1|S1"), partitions), 0, partitions - 1);
}

/* RFC 3720, B.4, and the check value of the CRC catalogue. */
static void crc32c_is_the_rfcs(void **state) {
    (void)state;
    unsigned char bytes[32];
    uint32_t (*const ways[])(uint32_t, const void *, size_t) = {hash_crc32c, hash_crc32c_by_table};
    for (int way = 0; way < 2; way++) {
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(ways[way](0, bytes, 32), 0x8a9136aa);
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(ways[way](0, bytes, 32), 0x62a8ab43);
        for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
        assert_int_equal(ways[way](0, bytes, 32), 0x46dd794e);
        for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)(31 - i);
        assert_int_equal(ways[way](0, bytes, 32), 0x113fdb5c);
        assert_int_equal(ways[way](0, "123456789", 9), 0xe3069283);
        assert_int_equal(ways[way](0, NULL, 0), 0);
    }
    random_seed("crc32c_is_the_rfcs");
    for (int n = 0; n < 20000; n++) {
        unsigned char random_bytes[200];
        for (size_t i = 0; i < sizeof random_bytes; i++) random_bytes[i] = (unsigned char)random_bits();
        size_t start = (size_t)random_below(16), length = (size_t)random_below(180), cut = (size_t)random_below((int64_t)length + 1);
        uint32_t whole = hash_crc32c(0, random_bytes + start, length);
        assert_int_equal(whole, hash_crc32c_by_table(0, random_bytes + start, length));
        assert_int_equal(whole, hash_crc32c(hash_crc32c(0, random_bytes + start, cut), random_bytes + start + cut, length - cut));
    }
}

/* Made with xxhsum 0.8.1 (printf ... | xxhsum -H1), the reference implementation. */
static void bytes_is_xxh64(void **state) {
    (void)state;
    static const struct { const char *text; uint64_t hash; } cases[] = {
        {"", 0xef46db3751d8e999u},
        {"a", 0xd24ec4f1a98c6e5bu},
        {"abc", 0x44bc2cf5ad770999u},
        {"abcd", 0xde0327b0d25d92ccu},
        {"abcdefgh", 0x3ad351775b4634b7u},
        {"1234567890123", 0x81f613829897771fu},
        {"E1|S1", 0xa0a4765f2e06b113u},
        {"0123456789abcdef0123456789abcde", 0x1fdfc63febacfde7u},
        {"0123456789abcdef0123456789abcdef", 0x642a94958e71e6c5u},
        {"0123456789abcdef0123456789abcdef0", 0xe87684f08d6d0816u},
        {"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. 123", 0xf3d29b9eb7012e4cu}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_true(hash_bytes(cases[i].text, strlen(cases[i].text)) == cases[i].hash);
    assert_true(hash_bytes(NULL, 0) == 0xef46db3751d8e999u);
    assert_true(hash_slice(SLICE("abc")) == 0x44bc2cf5ad770999u);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(murmur2_is_kafkas), cmocka_unit_test(crc32c_is_the_rfcs), cmocka_unit_test(bytes_is_xxh64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
