#include "common/state/inspect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/state/seal.h"

enum { BRANCH = 0x01, LEAF = 0x02, OVERFLOW = 0x04, ELSEWHERE = 0x01 /* the value has pages of its own */, TREE = 0x02 /* the value is one */ };
enum { HEAD_SIZE = 16, NODE_SIZE = 8, DEPTH_MAXIMUM = 32, META_PAGES = 2 };
enum { KEYS_ARE_NUMBERS = 0x08 /* of the free pages' tree, which has no other flag; the names' has none */ };

struct head { size_t number; uint16_t unused, flags, lower, upper; };
struct node { uint16_t low, high, flags, key_size; };

static const char pages_wrong[] = "its pages are damaged", keys_wrong[] = "its keys are out of order", value_wrong[] = "a value fails its checksum",
                  counts_wrong[] = "it has not as many records or pages as it says", free_wrong[] = "its list of free pages is wrong", names_wrong[] = "its databases have other names";

struct inspection {
    const char *map;
    size_t page_size, page_count;
    unsigned char *seen;                    /* a bit for each page */
    size_t pages_seen;
    const char *const *databases;           /* the names, up to NULL */
};

/* A tree, and what to make of a record of it: NULL, or what is wrong with it. */
struct walk {
    struct inspection *inspection;
    const struct meta_tree *tree;
    const char *(*visit)(struct walk *walk, struct slice key, struct slice value, uint16_t flags);
    bool keys_are_numbers;
    size_t branches, leaves, overflow, entries;
};

static bool see(struct inspection *inspection, size_t page) {
    if (page < META_PAGES || page >= inspection->page_count || (inspection->seen[page / 8] >> (page & 7) & 1)) return false;
    inspection->seen[page / 8] |= (unsigned char)(1 << (page & 7));
    inspection->pages_seen++;
    return true;
}

static struct head head_of(const struct inspection *inspection, size_t page) {
    struct head head;
    memcpy(&head, inspection->map + page * inspection->page_size, sizeof head);
    return head;
}

static int compare(const struct walk *walk, struct slice a, struct slice b) {
    size_t one = 0, other = 0;
    if (!walk->keys_are_numbers || a.length != sizeof one || b.length != sizeof other) return slice_compare(a, b);
    memcpy(&one, a.data, sizeof one);
    memcpy(&other, b.data, sizeof other);
    return one < other ? -1 : one > other;
}

/* The value of a leaf's node. False: it does not lie where it can. */
static bool value_of(struct walk *walk, const struct node *node, const char *behind_key, const char *end, struct slice *value) {
    struct inspection *inspection = walk->inspection;
    size_t page, size = node->low | (size_t)node->high << 16;
    if (!(node->flags & ELSEWHERE)) {
        *value = (struct slice){behind_key, size};
        return size <= (size_t)(end - behind_key);
    }
    if ((size_t)(end - behind_key) < sizeof page) return false;
    memcpy(&page, behind_key, sizeof page);
    if (page >= inspection->page_count) return false;
    struct head head = head_of(inspection, page);
    size_t needed = (HEAD_SIZE - 1 + size) / inspection->page_size + 1, count = head.lower | (size_t)head.upper << 16; /* more, when the value was longer once */
    if (head.number != page || head.flags != OVERFLOW || count < needed || count > inspection->page_count - page) return false;
    for (size_t i = 0; i < count; i++)
        if (!see(inspection, page + i)) return false;
    walk->overflow += count;
    *value = (struct slice){inspection->map + page * inspection->page_size + HEAD_SIZE, size};
    return true;
}

struct bounds { struct slice from, below; };       /* keys of a page; data NULL: without end */

static const char *walk_page(struct walk *walk, size_t page, unsigned depth, struct bounds bounds);

/* Node i of a page. *used: the bytes it takes there. */
static const char *walk_node(struct walk *walk, const char *start, const struct head *head, size_t i, bool leaf, unsigned depth, struct bounds *bounds, struct slice *before, size_t *used) {
    size_t page_size = walk->inspection->page_size, count = (size_t)(head->lower - HEAD_SIZE) / 2;
    uint16_t at;
    struct node node;
    memcpy(&at, start + HEAD_SIZE + 2 * i, sizeof at);
    if (at < head->upper || at % 2 || at + (size_t)NODE_SIZE > page_size) return pages_wrong;
    memcpy(&node, start + at, sizeof node);
    const char *name = start + at + NODE_SIZE, *end = start + page_size;
    if (node.key_size > (size_t)(end - name)) return pages_wrong;
    struct slice key = {name, node.key_size}, value;
    bool unbounded = !leaf && i == 0;       /* a branch's first key is not looked at */
    if (!unbounded && ((before->data && compare(walk, *before, key) >= 0) || (bounds->from.data && compare(walk, bounds->from, key) > 0) ||
                       (bounds->below.data && compare(walk, bounds->below, key) <= 0))) return keys_wrong;
    if (!unbounded) *before = key;
    size_t stored = 0;
    const char *problem = NULL;
    if (leaf) {
        if (!value_of(walk, &node, name + node.key_size, end, &value)) return pages_wrong;
        stored = node.flags & ELSEWHERE ? sizeof(size_t) : value.length;
        walk->entries++;
        problem = walk->visit(walk, key, value, node.flags);
    } else {
        struct bounds inner = {unbounded ? bounds->from : key, bounds->below};
        if (i + 1 < count) {
            uint16_t next;
            struct node following;
            memcpy(&next, start + HEAD_SIZE + 2 * (i + 1), sizeof next);
            if (next < head->upper || next + (size_t)NODE_SIZE > page_size) return pages_wrong;
            memcpy(&following, start + next, sizeof following);
            if (following.key_size > page_size - next - NODE_SIZE) return pages_wrong;
            inner.below = (struct slice){start + next + NODE_SIZE, following.key_size};
        }
        problem = walk_page(walk, node.low | (size_t)node.high << 16 | (size_t)node.flags << 32, depth + 1, inner);
    }
    *used += (NODE_SIZE + node.key_size + stored + 1) & ~(size_t)1;
    return problem;
}

static const char *walk_page(struct walk *walk, size_t page, unsigned depth, struct bounds bounds) {
    if (depth > walk->tree->depth || depth > DEPTH_MAXIMUM || !see(walk->inspection, page)) return pages_wrong;
    struct head head = head_of(walk->inspection, page);
    bool leaf = depth == walk->tree->depth;
    if (head.number != page || head.flags != (leaf ? LEAF : BRANCH) || head.lower < HEAD_SIZE || head.lower % 2 || head.lower > head.upper || head.upper > walk->inspection->page_size)
        return pages_wrong;
    size_t count = (size_t)(head.lower - HEAD_SIZE) / 2, used = 0;
    if (count < (leaf ? 1 : 2)) return pages_wrong;
    *(leaf ? &walk->leaves : &walk->branches) += 1;
    struct slice before = {NULL, 0};
    const char *problem = NULL;
    for (size_t i = 0; !problem && i < count; i++)
        problem = walk_node(walk, walk->inspection->map + page * walk->inspection->page_size, &head, i, leaf, depth, &bounds, &before, &used);
    return problem ? problem : used == walk->inspection->page_size - head.upper ? NULL : pages_wrong;
}

static const char *walk_tree(struct walk *walk) {
    const struct meta_tree *tree = walk->tree;
    /* A flag that is none of ours tells LMDB another order of the keys: what is there would not be found. */
    if (tree->flags != (walk->keys_are_numbers ? KEYS_ARE_NUMBERS : 0)) return pages_wrong;
    bool empty = tree->root == SIZE_MAX;
    if (empty && tree->depth) return counts_wrong;
    const char *problem = empty ? NULL : walk_page(walk, tree->root, 1, (struct bounds){{NULL, 0}, {NULL, 0}});
    if (problem) return problem;
    bool right = walk->branches == tree->branch_pages && walk->leaves == tree->leaf_pages && walk->overflow == tree->overflow_pages && walk->entries == tree->entries;
    return right ? NULL : counts_wrong;
}

/* ---- the trees ---- */

static const char *visit_record(struct walk *walk, struct slice key, struct slice value, uint16_t flags) {
    (void)walk;
    if (flags & ~ELSEWHERE) return pages_wrong;
    return state_is_genuine(key, value) ? NULL : value_wrong;
}

static bool is_known(const char *const *names, struct slice name) {
    while (*names && !slice_equal(name, slice_of(*names))) names++;
    return *names;
}

/* A database of its own: its root and numbers are the value. Under a name that is none of ours it would be passed over, and ours be made anew, empty. */
static const char *visit_database(struct walk *walk, struct slice key, struct slice value, uint16_t flags) {
    struct meta_tree tree;
    if (flags != TREE || value.length != sizeof tree) return pages_wrong;
    if (!is_known(walk->inspection->databases, key)) return names_wrong;
    memcpy(&tree, value.data, sizeof tree);
    struct walk inner = {.inspection = walk->inspection, .tree = &tree, .visit = visit_record};
    return walk_tree(&inner);
}

/* Pages that a transaction has freed: how many, then their numbers. */
static const char *visit_free_pages(struct walk *walk, struct slice key, struct slice value, uint16_t flags) {
    size_t count, page;
    if (flags & ~ELSEWHERE) return pages_wrong;
    if (key.length != sizeof(size_t) || value.length < sizeof count) return free_wrong;
    memcpy(&count, value.data, sizeof count);
    if (count > value.length / sizeof page - 1) return free_wrong;
    for (size_t i = 1; i <= count; i++) {
        memcpy(&page, value.data + i * sizeof page, sizeof page);
        if (!see(walk->inspection, page)) return free_wrong;
    }
    return NULL;
}

const char *inspect(int file, const struct meta_page *meta, const char *const *databases) {
    struct inspection inspection = {.page_size = meta->trees[0].page_size, .page_count = meta->last_page + 1, .databases = databases};
    size_t size = inspection.page_size * inspection.page_count;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) return "it cannot be mapped to be looked through";
    inspection.map = map;
    inspection.seen = calloc(1, inspection.page_count / 8 + 1);
    struct walk names = {.inspection = &inspection, .tree = &meta->trees[1], .visit = visit_database},
                free_pages = {.inspection = &inspection, .tree = &meta->trees[0], .visit = visit_free_pages, .keys_are_numbers = true};
    const char *problem = inspection.seen ? walk_tree(&names) : "there is no memory to look it through";
    size_t wanted = 0;
    while (databases[wanted]) wanted++;
    if (!problem && names.entries && names.entries != wanted) problem = names_wrong; /* they are made together */
    if (!problem) problem = walk_tree(&free_pages);
    if (!problem && inspection.pages_seen + META_PAGES != inspection.page_count) problem = free_wrong;
    free(inspection.seen);
    munmap(map, size);
    return problem;
}
