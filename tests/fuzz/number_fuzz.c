/* Numbers from any text: what is read prints and reads as the same; long division by hand agrees with the arithmetic. */
#include <stdint.h>
#include <stdlib.h>

#include "common/ledger/fx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_text(struct slice text, int scale) {
    int64_t value = 0, again = 0;
    if (decimal_parse(text, scale, &value) != DECIMAL_READ) return;
    require(decimal_is_number(value));
    char printed[DECIMAL_TEXT_SIZE];
    size_t length = decimal_print(value, scale, scale / 2, printed);
    require(length < sizeof printed && printed[length] == 0);
    require(decimal_parse((struct slice){printed, length}, scale, &again) == DECIMAL_READ && again == value);
}

/* a / b half up, digit by digit, on magnitudes. */
static bool divide_by_hand(int64_t a, int64_t b, int digits, int64_t *quotient) {
    unsigned __int128 rest = (unsigned __int128)(a < 0 ? -a : a), divisor = (unsigned __int128)(b < 0 ? -b : b), result = rest / divisor;
    rest %= divisor;
    for (int i = 0; i < digits; i++) {
        result = result * 10 + rest * 10 / divisor;
        rest = rest * 10 % divisor;
    }
    if (2 * rest >= divisor) result++;
    if (result > (unsigned __int128)DECIMAL_MAXIMUM) return false;
    *quotient = (a < 0) != (b < 0) ? -(int64_t)result : (int64_t)result;
    return true;
}

static void check_arithmetic(int64_t a, int64_t b, int scale) {
    int64_t quotient = 0, by_hand = 0, sum = 0, back = 0;
    bool numbers = decimal_is_number(a) && decimal_is_number(b), fits = decimal_divide(a, 0, b, 0, scale, DECIMAL_HALF_UP, &quotient);
    if (!numbers || b == 0) require(!fits);
    else require(fits == divide_by_hand(a, b, scale, &by_hand) && (!fits || quotient == by_hand));
    if (decimal_add(a, b, &sum)) require(numbers && decimal_subtract(sum, b, &back) && back == a);
    int64_t converted_e4;
    if (fx_convert(a, b, FX_DIRECT, CURRENCY("EUR"), &converted_e4)) require(b > 0 && money_precise(converted_e4, CURRENCY("EUR")));
    if (fx_convert(a, b, FX_INVERSE, CURRENCY("KWD"), &converted_e4)) require(b > 0 && money_precise(converted_e4, CURRENCY("KWD")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 17) return 0;
    int64_t a, b;
    int scale = data[0] % (DECIMAL_SCALE_MAXIMUM + 1);
    memcpy(&a, data + 1, sizeof a);
    memcpy(&b, data + 9, sizeof b);
    check_arithmetic(a, b, scale);
    check_text((struct slice){(const char *)data + 1, size - 1}, scale);
    return 0;
}
