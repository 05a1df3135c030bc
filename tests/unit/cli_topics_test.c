/* The list of topics: what deploy/topics.tsv must say, and what is refused in another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/topic_list.h"
#include "common/tables/master.h"

static const char *setting(const struct topic *topic, const char *name) {
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, name) == 0) return topic->settings[i].value;
    return NULL;
}

static void read_own(struct topic_list *list, int tasks) {
    struct error error = {""};
    bool ok = topic_list_read(list, NULL, tasks, &error);
    assert_string_equal(error.text, "");
    assert_true(ok);
}

/* Every master table has its topic: one partition, compacted, keyed by the table's key fields and valid_from. */
static void test_master_topics(void **state) {
    (void)state;
    struct topic_list list;
    read_own(&list, 0);
    for (size_t i = 0; i < MASTER_COUNT; i++) {
        char name[128];
        snprintf(name, sizeof name, "master.%s", master_tables[i].name);
        const struct topic *topic = topic_list_find(&list, name);
        assert_non_null(topic);
        assert_ptr_equal(topic->type, master_tables[i].type);
        assert_int_equal(topic->partitions, 1);
        assert_string_equal(setting(topic, "cleanup.policy"), "compact");
        size_t fields = 0;
        for (; master_tables[i].keys[fields]; fields++) assert_string_equal(topic->key[fields], master_tables[i].keys[fields]);
        assert_string_equal(topic->key[fields], "valid_from");
        assert_null(topic->key[fields + 1]);
    }
    topic_list_free(&list);
}

/* Inputs and changelogs have as many partitions as there are tasks; the sample's old records must stay. */
static void test_tasks(void **state) {
    (void)state;
    static const char *const of_tasks[] = {"procurement.events", "invoice.events", "kontor.procurement.changelog", "kontor.invoice.changelog",
                                            "kontor.procurement.timers", "kontor.invoice.timers"};
    struct topic_list list;
    for (int tasks = 0; tasks <= 6; tasks += 6) {
        read_own(&list, tasks);
        for (size_t i = 0; i < sizeof of_tasks / sizeof *of_tasks; i++) assert_int_equal(topic_list_find(&list, of_tasks[i])->partitions, tasks ? tasks : 32);
        assert_int_equal(topic_list_find(&list, "acknowledgments")->partitions, 8);
        assert_string_equal(setting(topic_list_find(&list, "invoice.events"), "retention.ms"), "-1");
        const struct topic *changelog = topic_list_find(&list, "kontor.invoice.changelog");
        assert_string_equal(setting(changelog, "delete.retention.ms"), "604800000");
        assert_string_equal(setting(changelog, "message.timestamp.type"), "LogAppendTime");
        const struct topic *timers = topic_list_find(&list, "kontor.invoice.timers");
        assert_string_equal(setting(timers, "cleanup.policy"), "delete");
        assert_string_equal(setting(timers, "retention.ms"), "-1");
        assert_string_equal(setting(timers, "message.timestamp.type"), "LogAppendTime");
        topic_list_free(&list);
    }
}

static void test_inputs_and_names(void **state) {
    (void)state;
    struct topic_list list;
    read_own(&list, 0);
    assert_true(topic_is_input(&list, topic_list_find(&list, "invoice.events")));
    assert_false(topic_is_input(&list, topic_list_find(&list, "acknowledgments")));
    assert_false(topic_is_input(&list, topic_list_find(&list, "document.steps")));     /* has dead letters, but sources do not write it */
    assert_null(topic_list_find(&list, "invoices.event"));
    assert_ptr_equal(topic_list_find(&list, "posting.commands.other"), topic_list_find(&list, "posting.commands.tryton"));
    topic_list_free(&list);
}

static void refuse_bytes(const char *text, size_t length, const char *part) {
    char path[] = "/tmp/kontor-topics-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, length) == (ssize_t)length && close(file) == 0);
    struct topic_list list;
    struct error error = {""};
    bool ok = topic_list_read(&list, path, 0, &error);
    unlink(path);
    assert_false(ok);
    if (!strstr(error.text, part)) fail_msg("expected \"%s\" in: %s", part, error.text);
}

static void refuse(const char *text, const char *part) { refuse_bytes(text, strlen(text), part); }

static void test_refused_lists(void **state) {
    (void)state;
    refuse("# nothing\n", "no topic");
    refuse("a\tb\n", "line 1");
    refuse("\tentity\t1\tdelete\t-\t-\t-\tw\tr\n", "line 1: \"\" is no name of a topic");
    static const char cut[] = "x\t-\t1\tdelete\t-\t-\t-\tw\tr\n\0y\t-\t1\tdelete\t-\t-\t-\tw\tr\n";
    refuse_bytes(cut, sizeof cut - 1, "zero byte");     /* nothing behind it would be read */
    refuse("a b\tentity\t1\tdelete\t-\t-\t-\tw\tr\n", "is no name of a topic");
    refuse("#\n\nx\t-\t0\tdelete\t-\t-\t-\tw\tr\n", "line 3");
    refuse("x\t-\tmany\tdelete\t-\t-\t-\tw\tr\n", "many");
    refuse("x\t-\t1\tdelete\t-\tsegment.bytes\t-\tw\tr\n", "no value");
    refuse("x\t-\t1\tdelete\t-\t-\tno-such-schema\tw\tr\n", "no-such-schema");
    refuse("x\t-\t1\tdelete\t-\t-\t-\tw\tr\nx\t-\t1\tdelete\t-\t-\t-\tw\tr\n", "twice");
    struct topic_list list;
    struct error error;
    assert_false(topic_list_read(&list, "/nonexistent/topics.tsv", 0, &error));
}

/* ---- lists of other projects ---- */

static void write_file(const char *folder, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_file(const char *folder, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

#define PAYROLL "payroll.events\tentity|group\t32\tdelete\t-1\t-\tpayroll-event\tsources\tpayroll\ndlq.payroll.events\t-\t8\tdelete\t-1\t-\t-\tpayroll\toperators\n"

static void test_lists_of_other_projects(void **state) {
    (void)state;
    char folder[] = "/tmp/kontor-also-XXXXXX", paths[256];
    assert_non_null(mkdtemp(folder));
    write_file(folder, "one.tsv", "# a comment\n" PAYROLL);
    write_file(folder, "two.tsv", "resolutions.payroll\t-\t32\tdelete\t-1\t-\tresolution\treviewer\tpayroll\n");
    write_file(folder, "payroll-event.avsc", "{\"type\":\"record\",\"name\":\"PayrollEvent\",\"fields\":[{\"name\":\"entity\",\"type\":\"string\"},{\"name\":\"group\",\"type\":\"string\"}]}");
    snprintf(paths, sizeof paths, "%s/one.tsv,%s/two.tsv", folder, folder);
    struct topic_list list;
    struct error error = {""};
    read_own(&list, 6);
    const size_t own = list.count;
    assert_true(topic_list_add(&list, NULL, 6, &error) && topic_list_add(&list, "", 6, &error));
    assert_int_equal(list.count, own);
    assert_true(topic_list_add(&list, paths, 6, &error));
    assert_int_equal(list.count, own + 3);
    const struct topic *events = topic_list_find(&list, "payroll.events");
    assert_int_equal(events->partitions, 6);
    assert_string_equal(events->key[1], "group");
    assert_string_equal(events->type->name, "PayrollEvent");
    assert_int_equal(events->type->field_count, 2);
    assert_non_null(strstr(events->type->schema, "PayrollEvent"));      /* what is registered */
    assert_true(topic_is_input(&list, events));
    assert_ptr_equal(topic_list_find(&list, "resolutions.payroll")->type, topic_schema_type("resolution"));
    assert_non_null(topic_list_find(&list, "invoice.events"));
    assert_true(topic_list_add(&list, paths, 6, &error));               /* the same files */
    assert_int_equal(list.count, own + 3);
    write_file(folder, "three.tsv", PAYROLL);
    snprintf(paths, sizeof paths, "%s/three.tsv", folder);
    assert_false(topic_list_add(&list, paths, 6, &error));              /* and the list is empty */
    assert_non_null(strstr(error.text, "three.tsv: line 1: the topic payroll.events is listed twice"));
    assert_int_equal(list.count, 0);
    remove_file(folder, "three.tsv");
    snprintf(paths, sizeof paths, "%s/one.tsv,%s/two.tsv", folder, folder);
    remove_file(folder, "payroll-event.avsc");
    read_own(&list, 0);
    assert_false(topic_list_add(&list, paths, 0, &error));
    assert_non_null(strstr(error.text, "kontor has no schema payroll-event"));
    write_file(folder, "payroll-event.avsc", "{\"type\":\"rekord\"}");
    read_own(&list, 0);
    assert_false(topic_list_add(&list, paths, 0, &error));
    assert_non_null(strstr(error.text, "payroll-event.avsc"));
    write_file(folder, "two.tsv", "invoice.events\t-\t32\tdelete\t-1\t-\t-\tw\tr\n");     /* kontor's own are not declared otherwise */
    snprintf(paths, sizeof paths, "%s/two.tsv", folder);
    read_own(&list, 0);
    assert_false(topic_list_add(&list, paths, 0, &error));
    assert_non_null(strstr(error.text, "invoice.events is listed twice"));
    remove_file(folder, "payroll-event.avsc");
    remove_file(folder, "one.tsv");
    remove_file(folder, "two.tsv");
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_master_topics), cmocka_unit_test(test_tasks), cmocka_unit_test(test_inputs_and_names), cmocka_unit_test(test_refused_lists),
        cmocka_unit_test(test_lists_of_other_projects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
