#include "common/ledger/fx.h"

bool fx_convert(int64_t amount_e4, int64_t rate_e10, enum fx_quotation quotation, struct currency target, int64_t *converted_e4) {
    struct decimal_exact exact;
    if (rate_e10 <= 0) return false;
    bool ok = quotation == FX_DIRECT ? decimal_product(amount_e4, MONEY_SCALE, rate_e10, FX_RATE_SCALE, &exact)
                                     : decimal_quotient(amount_e4, MONEY_SCALE, rate_e10, FX_RATE_SCALE, &exact);
    return ok && money_round(exact, target, converted_e4);
}

bool fx_cross(int64_t from_per_pivot_e10, int64_t to_per_pivot_e10, int64_t *rate_e10) {
    int64_t rate;
    if (from_per_pivot_e10 <= 0 || to_per_pivot_e10 <= 0) return false;
    if (!decimal_divide(to_per_pivot_e10, FX_RATE_SCALE, from_per_pivot_e10, FX_RATE_SCALE, FX_RATE_SCALE, DECIMAL_HALF_UP, &rate)) return false;
    if (rate == 0) return false;
    *rate_e10 = rate;
    return true;
}
