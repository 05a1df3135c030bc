/* Schemas: what is read, what is refused and with which words, and how they are laid out in C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/codec/layout.h"
#include "schemas/invoice_event.h"

static void accepts(const char *text) {
    struct error error;
    struct codec_schema *schema = codec_schema_parse(slice_of(text), &error);
    if (!schema) fail_msg("%s: %s", text, error.text);
    codec_schema_free(schema);
}

static void refuse(const char *text, const char *words) {
    struct error error;
    struct codec_schema *schema = codec_schema_parse(slice_of(text), &error);
    if (schema) fail_msg("accepted: %s", text);
    if (!strstr(error.text, words)) fail_msg("%s: says \"%s\", not \"%s\"", text, error.text, words);
}

static void test_accepted(void **state) {
    (void)state;
    accepts("\"string\"");
    accepts("{\"type\":\"int\"}");
    accepts("{\"type\":{\"type\":\"int\"}}");
    accepts("[\"null\",\"int\",{\"type\":\"array\",\"items\":\"string\"}]");
    accepts("{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}");
    accepts("{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
           "{\"name\":\"y\",\"type\":\"a.b.E\"},{\"name\":\"z\",\"type\":\"E\"}]}");
    accepts("{\"type\":\"record\",\"name\":\"Node\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}");
}

static void test_refused(void **state) {
    (void)state;
    refuse("", "not JSON");
    refuse("{", "not JSON, line 1");
    refuse("17", "a type must be");
    refuse("\"strin\"", "no such type: strin");
    refuse("{\"type\":\"record\",\"fields\":[]}", "name is missing");
    refuse("{\"type\":\"record\",\"name\":\"R\"}", "list of fields is missing for R");
    refuse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}]}", "there twice: a");
    refuse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a b\",\"type\":\"int\"}]}", "name is missing or wrong");
    refuse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"nope\"}]}", "at R.a: no such type: nope");
    refuse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\"}]}", "at R.a: the field has no type");
    refuse("{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}", "primitive type's name");
    refuse("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "symbols is missing");
    refuse("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", "symbol is there twice: A");
    refuse("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", "default is none of the symbols");
    refuse("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "size is missing or out of range");
    refuse("{\"type\":\"array\"}", "missing: items");
    refuse("[\"null\",[\"int\"]]", "union directly in a union");
    refuse("[\"int\",\"int\"]", "union has a type twice: int");
    refuse("[{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"long\"]", "twice: long");
    refuse("[]", "1 to 256 branches");
    refuse("[{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}]", "defined twice: F");
}

static void test_depth_is_bounded(void **state) {
    (void)state;
    char text[8192] = "";
    for (int i = 0; i < 200; i++) strcat(text, "{\"type\":\"array\",\"items\":");
    strcat(text, "\"int\"");
    for (int i = 0; i < 200; i++) strcat(text, "}");
    refuse(text, "nested too deeply");
    /* A long row of records, each holding the one before: shallow as JSON, deep as a type. */
    char *row = calloc(1, 20000);
    strcat(row, "[{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}");
    for (int i = 1; i < 100; i++)
        sprintf(row + strlen(row), ",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"f\",\"type\":\"R%d\"}]}", i, i - 1);
    strcat(row, "]");
    refuse(row, "nested too deeply");
    free(row);
}

static void test_logical_types(void **state) {
    (void)state;
    struct error error;
    static const struct { const char *text; enum codec_kind kind; bool ignored; } rows[] = {
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}", CODEC_DECIMAL, false},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":10}", CODEC_BYTES, true},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"scale\":2}", CODEC_BYTES, true},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":9}", CODEC_DECIMAL, false},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":10}", CODEC_FIXED, true}, /* 2^31 - 1: nine whole digits */
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", CODEC_DATE, false},
        {"{\"type\":\"long\",\"logicalType\":\"date\"}", CODEC_LONG, true},
        {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", CODEC_UUID, false},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}", CODEC_LONG, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct codec_schema *schema = codec_schema_parse(slice_of(rows[i].text), &error);
        assert_non_null(schema);
        assert_int_equal(schema->root->kind, rows[i].kind);
        assert_int_equal(schema->root->ignored_logical != NULL, rows[i].ignored);
        codec_schema_free(schema);
    }
}

static void test_layout_refuses(void **state) {
    (void)state;
    struct error error;
    assert_null(codec_type_parse("{\"type\":\"record\",\"name\":\"Node\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}", &error));
    assert_non_null(strstr(error.text, "Node contains itself"));
    assert_null(codec_type_parse("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":19}", &error));
    assert_non_null(strstr(error.text, "a decimal of scale 19"));
}

/* The layout of a schema met at run time is the generated one's, field by field (and the generated file asserts the compiler's). */
static void same_layout(const struct codec_type *a, const struct codec_type *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->field_count, b->field_count);
    assert_int_equal(a->element_size, b->element_size);
    for (uint32_t i = 0; i < a->field_count; i++) {
        assert_string_equal(a->fields[i].name, b->fields[i].name);
        assert_int_equal(a->fields[i].slot.offset, b->fields[i].slot.offset);
        assert_int_equal(a->fields[i].slot.flag_offset, b->fields[i].slot.flag_offset);
        same_layout(a->fields[i].slot.type, b->fields[i].slot.type);
    }
    if (a->element.type) same_layout(a->element.type, b->element.type);
}

static void test_generated_is_the_same(void **state) {
    (void)state;
    struct error error;
    const struct codec_type *type = codec_type_parse(invoice_event_type.schema, &error);
    assert_non_null(type);
    same_layout(type, &invoice_event_type);
    assert_int_equal(type->size, sizeof(struct invoice_event));
    assert_string_equal(invoice_kind_name(INVOICE_KIND_RECEIVED), "received");
    assert_string_equal(invoice_kind_name((enum invoice_kind)12345), "?");
    codec_type_free(type);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused), cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_logical_types), cmocka_unit_test(test_layout_refuses), cmocka_unit_test(test_generated_is_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
