/* kontor new processor: a folder with a processor that builds and passes its case at once. Its files are cli/templates/processor, compiled in, with @NAME@ and
 * the like replaced. Nothing that is there is ever touched: the folder is made, or it is an error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/table.h"
#include "cli/topic_list.h"
#include "common/platform/file.h"
#include "processors.h"
#include "schema_names.h"

enum { NAME_MAXIMUM = 40, PATH_SIZE = 4096 };

#define TEMPLATE(symbol, file) \
    extern const char template_##symbol[]; \
    __asm__(".section .rodata\n.global template_" #symbol "\ntemplate_" #symbol ":\n.incbin \"" TEMPLATES "/" file "\"\n.byte 0\n.previous\n");
TEMPLATE(cmake, "CMakeLists.txt")
TEMPLATE(processor, "processor.c")
TEMPLATE(event, "event.avsc")
TEMPLATE(state, "state.avsc")
TEMPLATE(world, "world.include")
TEMPLATE(first, "first.case")
TEMPLATE(topics, "topics.tsv")
TEMPLATE(properties, "processor.properties")
TEMPLATE(readme, "README.md")
TEMPLATE(ignore, "gitignore")

static const struct { const char *path, *text; } files[] = {   /* path: with placeholders too */
    {"CMakeLists.txt", template_cmake}, {"@NAME@.c", template_processor}, {"schemas/@NAME@-event.avsc", template_event}, {"schemas/@NAME@-state.avsc", template_state},
    {"cases/first.case", template_first}, {"cases/world.include", template_world}, {"topics.tsv", template_topics}, {"@NAME@.properties", template_properties},
    {"README.md", template_readme}, {".gitignore", template_ignore},
};
static const char *const folders[] = {"", "/schemas", "/cases"};

enum { FILE_COUNT = sizeof files / sizeof *files, FOLDER_COUNT = sizeof folders / sizeof *folders };

/* ---- names ---- */

/* What the placeholders stand for: supplier-portal, supplier_portal, SUPPLIER_PORTAL, SupplierPortal. */
struct names { const char *name; char symbol[NAME_MAXIMUM + 1], upper[NAME_MAXIMUM + 1], type[2 * NAME_MAXIMUM + 1]; };

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_among(const char *name, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, words[i]) == 0) return true;
    return false;
}

static bool check_letters(const char *name, struct error *error) {
    const size_t length = strlen(name);
    bool ok = length >= 2 && length <= NAME_MAXIMUM && is_lower(name[0]) && name[length - 1] != '-' && !strstr(name, "--");
    for (size_t i = 0; ok && i < length; i++) ok = is_lower(name[i]) || is_digit(name[i]) || name[i] == '-';
    return ok || error_set(error, "%s: a processor's name has 2 to %d lower case letters, digits and single hyphens, and begins with a letter, for example supplier-portal",
                           name, NAME_MAXIMUM);
}

/* Topics of kontor that begin as the processor's would: master.suppliers, exceptions.held. */
static bool check_topics(const char *name, struct error *error) {
    struct topic_list list;
    bool ok = topic_list_read(&list, NULL, 0, error);
    for (size_t i = 0; ok && i < list.count; i++)
        if (strncmp(list.topics[i].name, name, strlen(name)) == 0 && list.topics[i].name[strlen(name)] == '.')
            ok = error_set(error, "%s: kontor has the topic %s itself; choose another name", name, list.topics[i].name);
    topic_list_free(&list);
    return ok;
}

static bool check_name(const char *name, struct error *error) {
#define QUOTE(processor) #processor,
    static const char *const programs[] = {KONTOR_PROCESSORS(QUOTE) "poster", "budget", "reconciler", "steward", "console", "cases", "schemac"};
    static const char *const schemas[] = {KONTOR_SCHEMA_NAMES};
    char event[NAME_MAXIMUM + 16], state[NAME_MAXIMUM + 16];
    if (!check_letters(name, error)) return false;
    if (is_among(name, programs, sizeof programs / sizeof *programs)) return error_set(error, "%s: kontor-%s is a program of kontor itself; choose another name", name, name);
    snprintf(event, sizeof event, "%s-event", name);
    snprintf(state, sizeof state, "%s-state", name);
    const size_t count = sizeof schemas / sizeof *schemas;
    if (is_among(name, schemas, count) || is_among(event, schemas, count) || is_among(state, schemas, count))
        return error_set(error, "%s: kontor has a schema of that name itself; choose another name", name);
    return check_topics(name, error);
}

/* SupplierPortal, which the schema compiler makes supplier_portal of again: where that needs it, an underscore is kept (A_BEvent, X_2Event). */
static void names_make(struct names *names, const char *name) {
    size_t at = 0, part = 0;
    names->name = name;
    for (size_t i = 0; i <= strlen(name); i++) {
        names->symbol[i] = name[i] == '-' ? '_' : name[i];
        names->upper[i] = is_lower(name[i]) ? (char)(name[i] - 'a' + 'A') : names->symbol[i];
        const bool begins = !i || name[i - 1] == '-';
        if (name[i] == '-') continue;
        if (begins && i && (is_digit(name[i]) || i - part == 2)) names->type[at++] = '_';
        if (begins) part = i;
        names->type[at++] = begins ? names->upper[i] : name[i];
    }
}

/* ---- files ---- */

/* Appends the template with its placeholders replaced. */
static bool fill(struct buffer *out, const char *text, const struct names *names) {
    const struct { const char *placeholder, *value; } values[] = {{"@NAME@", names->name}, {"@SYMBOL@", names->symbol}, {"@UPPER@", names->upper}, {"@TYPE@", names->type}};
    while (*text) {
        size_t plain = strcspn(text, "@"), i = 0;
        if (!buffer_append(out, text, plain)) return false;
        text += plain;
        while (i < sizeof values / sizeof *values && strncmp(text, values[i].placeholder, strlen(values[i].placeholder)) != 0) i++;
        const bool known = i < sizeof values / sizeof *values;
        if (*text && !buffer_append(out, known ? values[i].value : text, known ? strlen(values[i].value) : 1)) return false;
        text += known ? strlen(values[i].placeholder) : *text != 0;
    }
    return true;
}

/* FOLDER/PATH, placeholders replaced. */
static bool path_make(char path[PATH_SIZE], const char *folder, const char *within, const struct names *names) {
    struct buffer text = {0};
    bool ok = fill(&text, within, names) && buffer_append(&text, "", 1) && (size_t)snprintf(path, PATH_SIZE, "%s/%s", folder, text.data) < PATH_SIZE;
    buffer_free(&text);
    return ok;
}

static bool write_one(const char *folder, size_t i, const struct names *names, struct error *error) {
    char path[PATH_SIZE];
    struct buffer text = {0};
    bool ok = (path_make(path, folder, files[i].path, names) && fill(&text, files[i].text, names)) || error_set(error, "%s: the path is too long, or memory is out", folder);
    if (ok) ok = file_write(path, buffer_slice(&text), 0644, error);
    buffer_free(&text);
    return ok;
}

/* What was made of a folder that could not be finished. */
static void take_back(const char *folder, const struct names *names, size_t made) {
    char path[PATH_SIZE];
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (path_make(path, folder, files[i].path, names)) (void)unlink(path);
    for (size_t i = made; i-- > 0;)
        if ((size_t)snprintf(path, sizeof path, "%s%s", folder, folders[i]) < sizeof path) (void)rmdir(path);
}

static bool make(const char *folder, const struct names *names, struct error *error) {
    char path[PATH_SIZE];
    size_t made = 0;
    bool ok = true;
    for (; ok && made < FOLDER_COUNT; made += ok) {
        if ((size_t)snprintf(path, sizeof path, "%s%s", folder, folders[made]) >= sizeof path) ok = error_set(error, "%s: the path is too long", folder);
        else if (mkdir(path, 0777) == 0) continue;
        else if (errno == EEXIST) ok = error_set(error, "%s is there already and was left as it is; choose another name, or another folder with --dir", path);
        else if (errno == ENOENT) ok = error_set(error, "%s cannot be made: the folder it is to be in is not there; make it, or name another with --dir", path);
        else ok = error_set(error, "%s cannot be made: %s", path, strerror(errno));
    }
    for (size_t i = 0; ok && i < FILE_COUNT; i++) ok = write_one(folder, i, names, error);
    if (!ok && made) take_back(folder, names, made);
    return ok;
}

static bool print_files(const struct invocation *invocation, const char *folder, const struct names *names, struct error *error) {
    static const struct table_column columns[] = {{"file", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    char path[PATH_SIZE];
    for (size_t i = 0; i < FILE_COUNT; i++) table_text(table, path_make(path, folder, files[i].path, names) ? path : NULL);
    bool ok = table_print(table, invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    if (ok && invocation->format == FORMAT_TABLE) printf("\nNext:  cd %s && cmake -S . -B build && cmake --build build && ctest --test-dir build\n", folder);
    return ok;
}

static enum exit_status new_run(const struct invocation *invocation) {
    struct error error;
    struct names names = {.name = NULL};
    char folder[PATH_SIZE];
    if (invocation->word_count < 2) error_set(&error, "the processor's name is missing: kontor new processor NAME");
    if (invocation->word_count < 2 || !check_name(invocation->words[1], &error)) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    names_make(&names, invocation->words[1]);
    bool ok = (size_t)snprintf(folder, sizeof folder, "%s/%s", option_text(invocation, "dir", "."), names.name) < sizeof folder || error_set(&error, "--dir is too long");
    ok = ok && make(folder, &names, &error) && print_files(invocation, folder, &names, &error);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const char *const words[] = {"processor", NULL};
static const struct option options[] = {
    {"dir", OPTION_TEXT, "DIR", "the folder that NAME is made in; without it the one you are in"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command new_command = {
    .name = "new",
    .summary = "writes a processor of your own to begin with",
    .usage = "processor NAME",
    .description = "Makes the folder NAME with a processor that reads NAME.events and posts journals by rules: a declaration and one pure\n"
                   "function in C, schemas, a case, its topics, and a CMakeLists.txt that finds the kontor that is installed\n"
                   "(cmake --install). It builds and passes its case as it is; what to change is marked CHANGE. Nothing is overwritten.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 2,
    .default_format = "table",
    .options = options,
    .example = "  kontor new processor payroll\n  kontor new processor supplier-portal --dir ~/processors",
    .run = new_run,
};
