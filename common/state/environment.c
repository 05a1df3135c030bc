#include "common/state/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform/file.h"
#include "common/state/inspect.h"
#include "common/state/preallocate.h"

_Static_assert(MDB_VERSION_MAJOR == 0 && MDB_VERSION_MINOR == 9, "header_problem knows the file format of LMDB 0.9");

#define DATA_FILE "data.mdb"
#define LOCK_FILE "lock.mdb"
#define MARK_FILE "mark"

enum {
    FIRST_SIZE = 1 << 20,       /* bytes; doubles up to ... */
    STEP_MAXIMUM = 256 << 20,
    PAGE_SIZE_MAXIMUM = 65536,
    LOCK_SIZE = 16384           /* more than LMDB needs for its 126 readers */
};

static const char *const databases[] = {"about", "records", NULL};

const char *environment_boot_id_path = "/proc/sys/kernel/random/boot_id";

/* ---- the mark ---- */

/* Empty when the system has none: then only what was closed in order is believed. */
static void read_boot_id(char boot_id[64]) {
    boot_id[0] = '\0';
    FILE *file = fopen(environment_boot_id_path, "re");
    if (!file) return;
    if (!fgets(boot_id, 64, file)) boot_id[0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
    fclose(file);
}

static bool mark(const struct environment *environment, const char *what, const char *boot_id, struct error *error) {
    char path[ENVIRONMENT_PATH_MAXIMUM + 16], text[128];
    snprintf(path, sizeof path, "%s/" MARK_FILE, environment->path);
    snprintf(text, sizeof text, "%s%s%s\n", what, *boot_id ? " " : "", boot_id);
    return file_write(path, slice_of(text), 0640, error);
}

/* Why the mark says that the data is not to be looked at, or NULL. */
static const char *mark_problem(const struct environment *environment, const char *boot_id) {
    char text[128] = "", here[128];
    int file = openat(environment->folder, MARK_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length < 0) return "nothing tells how it was closed";
    text[length] = '\0';
    snprintf(here, sizeof here, "open %s\n", boot_id);
    if (strcmp(text, "closed\n") == 0 || (*boot_id && strcmp(text, here) == 0)) return NULL;
    if (strcmp(text, "damaged\n") == 0) return "it was found damaged";
    return "the machine stopped before it was closed";
}

void environment_damaged(struct environment *environment) {
    struct error ignored; /* without the mark it is found damaged once more */
    if (environment->damaged) return;
    environment->damaged = mark(environment, "damaged", "", &ignored);
}

/* LMDB aborts the process when it meets a page that cannot be: leave word for the next start. */
static void note_assertion(MDB_env *lmdb, const char *text) {
    (void)text;
    environment_damaged(mdb_env_get_userctx(lmdb));
}

/* ---- the file before LMDB maps it ---- */

static bool read_meta(int file, off_t at, struct meta_page *meta) {
    return pread(file, meta, sizeof *meta, at) == (ssize_t)sizeof *meta && (meta->flags & 0x08) && meta->magic == 0xBEEFC0DE && meta->version == 1;
}

static bool has_root(const struct meta_page *meta, int tree) {
    return meta->trees[tree].root == SIZE_MAX || meta->trees[tree].root <= meta->last_page;
}

/* Why the file cannot be used, or NULL. Reading a mapped page behind the file's end would kill the process: that it is long enough comes first. */
static const char *data_problem(int file, uint64_t size) {
    static const char not_lmdb[] = "its data file has no valid beginning", truncated[] = "its data file is cut off";
    struct meta_page first, second;
    if (size == 0) return NULL;
    if (!read_meta(file, 0, &first)) return size < sizeof first ? truncated : not_lmdb;
    uint32_t page_size = first.trees[0].page_size;
    if (page_size < 512 || page_size > PAGE_SIZE_MAXIMUM || (page_size & (page_size - 1))) return not_lmdb;
    if (size < 2 * (uint64_t)page_size) return truncated;
    if (!read_meta(file, page_size, &second) || second.trees[0].page_size != page_size) return not_lmdb;
    const struct meta_page *newer = first.transaction < second.transaction ? &second : &first;
    if (newer->last_page >= size / page_size) return truncated;
    return has_root(newer, 0) && has_root(newer, 1) ? inspect(file, newer, databases) : not_lmdb;
}

/* Looks at what is in the folder; *size becomes the data file's. */
static const char *folder_problem(const struct environment *environment, const char *boot_id, uint64_t *size) {
    struct stat status;
    *size = 0;
    int file = openat(environment->folder, DATA_FILE, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? NULL : "its data file cannot be opened";
    const char *problem = mark_problem(environment, boot_id);
    if (!problem && fstat(file, &status) != 0) problem = "its data file cannot be read";
    if (!problem) problem = data_problem(file, *size = (uint64_t)status.st_size);
    close(file);
    return problem;
}

static bool delete_data(const struct environment *environment, struct error *error) {
    if ((unlinkat(environment->folder, DATA_FILE, 0) != 0 && errno != ENOENT) || (unlinkat(environment->folder, LOCK_FILE, 0) != 0 && errno != ENOENT))
        return error_set(error, "%s: the old data cannot be deleted: %s", environment->path, strerror(errno));
    return true;
}

/* LMDB maps its lock file too, and would leave it sparse. */
static bool prepare_lock_file(const struct environment *environment, struct error *error) {
    int file = openat(environment->folder, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0) return error_set(error, "%s/%s cannot be opened: %s", environment->path, LOCK_FILE, strerror(errno));
    bool ok = preallocate(file, environment->path, 0, LOCK_SIZE, error);
    close(file);
    return ok;
}

/* ---- LMDB ---- */

bool environment_is_damage(int code) {
    return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_PANIC || code == MDB_INVALID || code == MDB_VERSION_MISMATCH ||
           code == MDB_INCOMPATIBLE || code == MDB_CURSOR_FULL || code == MDB_PAGE_FULL;
}

bool environment_failed(struct environment *environment, int code, const char *doing, struct error *error) {
    if (!environment_is_damage(code)) return error_set(error, "%s: %s: %s", environment->path, doing, mdb_strerror(code));
    environment_damaged(environment);
    return error_set(error, "%s: %s: the data is damaged (%s); start again, it is rebuilt from Kafka then", environment->path, doing, mdb_strerror(code));
}

static int open_databases(struct environment *environment) {
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment->lmdb, NULL, 0, &transaction);
    if (code) return code;
    code = mdb_dbi_open(transaction, databases[0], MDB_CREATE, &environment->about);
    if (!code) code = mdb_dbi_open(transaction, databases[1], MDB_CREATE, &environment->records);
    if (!code) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return code;
}

static void stop(struct environment *environment) {
    if (environment->reader) mdb_txn_abort(environment->reader);
    if (environment->lmdb) mdb_env_close(environment->lmdb);
    environment->reader = NULL;
    environment->lmdb = NULL;
}

/* Maps the file of so many bytes, or a new one. *code: LMDB's, when that is the reason. */
static bool start(struct environment *environment, uint64_t file_size, int *code, struct error *error) {
    uint64_t size = file_size < FIRST_SIZE ? FIRST_SIZE : (file_size + PAGE_SIZE_MAXIMUM - 1) / PAGE_SIZE_MAXIMUM * PAGE_SIZE_MAXIMUM;
    int file;
    *code = 0;
    if (!preallocate_allows(environment->path, size, error)) return false;
    if ((*code = mdb_env_create(&environment->lmdb))) return error_set(error, "%s: %s", environment->path, mdb_strerror(*code));
    mdb_env_set_userctx(environment->lmdb, environment);
    mdb_env_set_assert(environment->lmdb, note_assertion);
    mdb_env_set_maxdbs(environment->lmdb, 2);
    *code = mdb_env_set_mapsize(environment->lmdb, size);
    if (!*code) *code = mdb_env_open(environment->lmdb, environment->path, MDB_WRITEMAP | MDB_NOSYNC | MDB_NOTLS, 0640);
    if (*code) goto failed;
    /* LMDB has made the file that long, but nothing is behind its pages until here; none has been touched. */
    mdb_env_get_fd(environment->lmdb, &file);
    if (!preallocate(file, environment->path, file_size, size, error)) { stop(environment); return false; }
    environment->size = size;
    *code = open_databases(environment);
    if (!*code) *code = mdb_txn_begin(environment->lmdb, NULL, MDB_RDONLY, &environment->reader);
    if (!*code) return true;
failed:
    stop(environment);
    return error_set(error, "%s: cannot be opened: %s", environment->path, mdb_strerror(*code));
}

static bool take_folder(struct environment *environment, struct error *error) {
    if (mkdir(environment->path, 0750) != 0 && errno != EEXIST)
        return error_set(error, "%s cannot be made: %s; its parent folder must exist and be writable", environment->path, strerror(errno));
    environment->folder = open(environment->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (environment->folder < 0) return error_set(error, "%s cannot be opened: %s", environment->path, strerror(errno));
    if (flock(environment->folder, LOCK_EX | LOCK_NB) == 0) return true;
    error_set(error, errno == EWOULDBLOCK ? "%s is in use: give each instance a folder of its own" : "%s cannot be locked", environment->path);
    close(environment->folder);
    return false;
}

bool environment_open(struct environment *environment, const char *path, const char **emptied_because,
                      struct error *error) {
    char boot_id[64];
    uint64_t size;
    int code;
    *environment = (struct environment){.folder = -1};
    *emptied_because = NULL;
    if ((size_t)snprintf(environment->path, sizeof environment->path, "%s", path) >= sizeof environment->path)
        return error_set(error, "the path of the folder %.100s... is too long", path);
    if (!take_folder(environment, error)) return false;
    read_boot_id(boot_id);
    *emptied_because = folder_problem(environment, boot_id, &size);
    if (*emptied_because) size = 0;
    bool ok = (!*emptied_because || delete_data(environment, error)) && prepare_lock_file(environment, error) && mark(environment, "open", boot_id, error);
    if (ok && !start(environment, size, &code, error)) {
        ok = false;
        if (environment_is_damage(code) && size) {
            *emptied_because = "LMDB finds it damaged";
            ok = delete_data(environment, error) && prepare_lock_file(environment, error) && start(environment, 0, &code, error);
        }
    }
    if (!ok) close(environment->folder);
    return ok;
}

void environment_close(struct environment *environment) {
    struct error ignored; /* without the mark it is emptied after the next boot, no more */
    bool synced = environment->lmdb && mdb_env_sync(environment->lmdb, 1) == 0;
    stop(environment);
    if (synced && !environment->damaged && !mark(environment, "closed", "", &ignored)) synced = false;
    close(environment->folder);
    environment->folder = -1;
}

bool environment_empty(struct environment *environment, struct error *error) {
    char boot_id[64];
    int code;
    stop(environment);
    read_boot_id(boot_id);
    if (!delete_data(environment, error) || !prepare_lock_file(environment, error) || !mark(environment, "open", boot_id, error)) return false;
    environment->damaged = false;
    return start(environment, 0, &code, error);
}

/* ---- reading, writing, growing ---- */

static MDB_val value_of(struct slice slice) { return (MDB_val){slice.length, (void *)(uintptr_t)slice.data}; }

int environment_read(const struct environment *environment, MDB_dbi database, struct slice key, struct slice *value) {
    MDB_val name = value_of(key), found;
    if (!environment->reader) return MDB_BAD_TXN;
    int code = mdb_get(environment->reader, database, &name, &found);
    if (!code) *value = (struct slice){found.mv_data, found.mv_size};
    return code;
}

uint64_t environment_entries(const struct environment *environment) {
    MDB_stat status;
    return environment->reader && mdb_stat(environment->reader, environment->records, &status) == 0 ? status.ms_entries : 0;
}

/* No transaction is active. */
static bool grow(struct environment *environment, uint64_t wanted, struct error *error) {
    uint64_t size = environment->size;
    int file;
    while (size < wanted) size += size < STEP_MAXIMUM ? size : STEP_MAXIMUM;
    mdb_env_get_fd(environment->lmdb, &file);
    if (!preallocate(file, environment->path, environment->size, size, error)) return false;
    int code = mdb_env_set_mapsize(environment->lmdb, size);
    if (code) { /* it is unmapped now */
        stop(environment);
        return error_set(error, "%s: %" PRIu64 " bytes cannot be mapped: %s; raise the limit of virtual memory (ulimit -v)", environment->path, size,
                         mdb_strerror(code));
    }
    environment->size = size;
    return true;
}

/* The bytes behind the last page that was ever used. Pages freed before it may do as well: that turns out while writing. */
static uint64_t unused_end(const struct environment *environment) {
    MDB_envinfo information;
    MDB_stat status;
    mdb_env_info(environment->lmdb, &information);
    mdb_env_stat(environment->lmdb, &status);
    return environment->size - ((uint64_t)information.me_last_pgno + 1) * status.ms_psize;
}

static int attempt(struct environment *environment, environment_work *work, void *context) {
    MDB_txn *transaction;
    int code = mdb_txn_begin(environment->lmdb, NULL, 0, &transaction);
    if (code) return code;
    code = work(context, transaction, environment);
    if (!code) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return code;
}

/* Without room at the end, freed pages may still do: only MDB_MAP_FULL proves that they do not. False when the file is not mapped any more. */
static bool make_room(struct environment *environment, uint64_t bytes, struct error *error) {
    uint64_t unused = unused_end(environment);
    return unused >= bytes || grow(environment, environment->size + bytes - unused, error) || environment->lmdb;
}

static bool renew(struct environment *environment, struct error *error) {
    int code = mdb_txn_renew(environment->reader);
    if (!code) return true;
    mdb_txn_abort(environment->reader);
    environment->reader = NULL;
    return environment_failed(environment, code, "reading what was written", error);
}

bool environment_write(struct environment *environment, size_t bytes, environment_work *work, void *context, struct error *error) {
    if (!environment->reader) return error_set(error, "%s: not usable after an earlier error; start again", environment->path);
    mdb_txn_reset(environment->reader);
    int code = 0;
    bool ok = make_room(environment, bytes, error);
    if (ok) {
        do code = attempt(environment, work, context);
        while (code == MDB_MAP_FULL && (ok = grow(environment, environment->size + 1, error)));
    }
    if (!environment->lmdb) return false;
    if (ok && code) ok = environment_failed(environment, code, "writing", error);
    return renew(environment, error) && ok;
}

/* ---- folders that nobody needs any more ---- */

static bool is_ours(const char *name) {
    return strcmp(name, DATA_FILE) == 0 || strcmp(name, LOCK_FILE) == 0 || strncmp(name, MARK_FILE, sizeof MARK_FILE - 1) == 0;
}

/* Seconds since 1970 of the last sign of use; INT64_MAX when it is no such folder. */
static int64_t last_used(int folder) {
    static const char *const names[] = {MARK_FILE, DATA_FILE};
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < 2; i++) {
        struct stat status;
        if (fstatat(folder, names[i], &status, AT_SYMLINK_NOFOLLOW) != 0) return INT64_MAX;
        if (status.st_mtim.tv_sec > last) last = status.st_mtim.tv_sec;
    }
    return last;
}

void environment_delete_unused(const char *path, int64_t before_s) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    DIR *entries = flock(folder, LOCK_EX | LOCK_NB) == 0 && last_used(folder) < before_s ? fdopendir(folder) : NULL;
    if (!entries) { close(folder); return; }
    for (struct dirent *entry; (entry = readdir(entries));)
        if (is_ours(entry->d_name)) unlinkat(folder, entry->d_name, 0);
    rmdir(path); /* fails when somebody keeps something of his own there */
    closedir(entries);
}
