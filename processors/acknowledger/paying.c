/* paying: what the movements of payments come to for the invoice that they pay, told in the order in which they happened. */
#include "processors/acknowledger/acknowledger.h"

/* What counts of one payment after its newest movement so far. */
struct share { struct slice document; int64_t paid_e4; bool settled; };

/* So many payments of so much are nobody's; but the sum must be one that can be written. */
static int64_t sum_bounded(int64_t a, int64_t b) {
    int64_t sum;
    return decimal_add(a, b, &sum) ? sum : a < 0 ? -DECIMAL_MAXIMUM : DECIMAL_MAXIMUM;
}

static int64_t magnitude(int64_t amount_e4) { return amount_e4 < 0 ? -amount_e4 : amount_e4; }

static void movement_take(struct share *share, const struct document_payment *movement) {
    const enum effect effect = kind_effect(SLICE("payment"), movement->kind);
    const bool back = effect == EFFECT_CAME_BACK || effect == EFFECT_PARTLY_BACK;
    const int64_t part_e4 = sum_bounded(sum_bounded(movement->amount_e4, movement->discount_e4), movement->withheld_e4);
    share->paid_e4 = back ? 0 : effect == EFFECT_APPLIED ? sum_bounded(share->paid_e4, part_e4) : part_e4;
    share->settled = !back && effect != EFFECT_SENT;
}

/* What is paid after the movement, and whether all of it is settled. came_back: the movement took something back. */
static enum standing standing_of(const struct life *life, const struct share *shares, size_t count, bool came_back, int64_t *paid_e4) {
    bool settled = true;
    *paid_e4 = 0;
    for (size_t i = 0; i < count; i++) {
        *paid_e4 = sum_bounded(*paid_e4, shares[i].paid_e4);
        settled &= shares[i].settled || !shares[i].paid_e4;
    }
    if (!*paid_e4) return came_back ? STANDING_RETURNED : STANDING_NAMED;
    if (!life->state.has_amount || magnitude(*paid_e4) < magnitude(life->state.amount_e4)) return STANDING_PART_PAID;
    return settled ? STANDING_SETTLED : STANDING_PAID;
}

static void stands(struct paying *paying, enum standing standing, int64_t at_ms) {
    if (standing == paying->standing) return;
    paying->standing = standing;
    paying->since_ms = at_ms;
    if (standing != STANDING_NAMED && !paying->first_ms[standing]) paying->first_ms[standing] = at_ms;
}

struct paying paying_find(const struct life *life) {
    struct paying paying = {.standing = STANDING_NAMED};
    struct share shares[PAYMENTS_KEPT + 1];
    size_t count = 0;
    for (size_t i = 0; i < life->state.payments.count; i++) {
        const struct document_payment *movement = &life->state.payments.items[i];
        size_t k = 0;
        while (k < count && !slice_equal(shares[k].document, movement->document)) k++;
        if (k == count) shares[count++] = (struct share){.document = movement->document};
        const int64_t before_e4 = shares[k].paid_e4;
        movement_take(&shares[k], movement);
        stands(&paying, standing_of(life, shares, count, before_e4 && !shares[k].paid_e4, &paying.paid_e4), movement->at_ms);
    }
    return paying;
}
