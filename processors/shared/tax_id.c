#include "processors/shared/tax_id.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 20 };

static bool digits(const char *text, size_t from, size_t count) {
    for (size_t i = from; i < from + count; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return true;
}

static bool all_digits(const char *text, size_t count) { return strlen(text) == count && digits(text, 0, count); }

static int at(const char *text, size_t i) { return text[i] - '0'; }

static long long number(const char *text, size_t count) {
    long long value = 0;
    for (size_t i = 0; i < count; i++) value = value * 10 + at(text, i);
    return value;
}

static int weighted(const char *text, const int weights[], size_t count) {
    int sum = 0;
    for (size_t i = 0; i < count; i++) sum += weights[i] * at(text, i);
    return sum;
}

/* Sum of the digits, every second doubled and its own digits added; doubled_last: the last one is. */
static int luhn_sum(const char *text, size_t count, bool doubled_last) {
    int sum = 0;
    for (size_t i = 0; i < count; i++) {
        bool doubled = ((count - 1 - i) % 2 == 0) == doubled_last;
        int value = at(text, i) * (doubled ? 2 : 1);
        sum += value > 9 ? value - 9 : value;
    }
    return sum;
}

static bool luhn(const char *text, size_t count) { return luhn_sum(text, count, false) % 10 == 0; }

/* ---- by country: the number without the country's letters ---- */

static bool austria(const char *text) {
    return text[0] == 'U' && all_digits(text + 1, 8) && (16 - luhn_sum(text + 1, 7, false) % 10) % 10 == at(text, 8);
}

static bool belgium(const char *text) {
    char ten[LONGEST + 2] = "0";
    if (strlen(text) == 9) text = strcat(ten, text);   /* before 2005 the leading 0 was not written */
    return all_digits(text, 10) && text[0] <= '1' && 97 - number(text, 8) % 97 == number(text + 8, 2);
}

static bool germany(const char *text) {   /* ISO 7064, MOD 11,10 */
    if (!all_digits(text, 9) || text[0] == '0') return false;
    int product = 10;
    for (size_t i = 0; i < 8; i++) {
        int sum = (at(text, i) + product) % 10;
        product = 2 * (sum ? sum : 10) % 11;
    }
    return (11 - product) % 10 == at(text, 8);
}

static bool denmark(const char *text) {
    static const int weights[] = {2, 7, 6, 5, 4, 3, 2, 1};
    return all_digits(text, 8) && text[0] != '0' && weighted(text, weights, 8) % 11 == 0;
}

static bool spain(const char *text) {
    static const char personal[] = "TRWAGMYFPDXBNJZSQVHLCKE", company[] = "JABCDEFGHI";
    if (strlen(text) != 9) return false;
    if (digits(text, 0, 8)) return text[8] == personal[number(text, 8) % 23];
    if (!digits(text, 1, 7)) return false;
    if (strchr("KLM", text[0])) return text[8] == personal[number(text + 1, 7) % 23];
    if (text[0] >= 'X' && text[0] <= 'Z') return text[8] == personal[((text[0] - 'X') * 10000000LL + number(text + 1, 7)) % 23];
    int check = (10 - luhn_sum(text + 1, 7, true) % 10) % 10;
    return strchr("ABCDEFGHJNPQRSUVW", text[0]) && (text[8] == '0' + check || text[8] == company[check]);
}

static bool finland(const char *text) {
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1};
    return all_digits(text, 8) && weighted(text, weights, 8) % 11 == 0;
}

static bool france(const char *text) {
    static const char letters[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    const char *first = strchr(letters, text[0]), *second = text[0] ? strchr(letters, text[1]) : NULL;
    if (strlen(text) != 11 || !first || !second || !digits(text, 2, 9)) return false;
    if (memcmp(text + 2, "000", 3) != 0 && !luhn(text + 2, 9)) return false;   /* 000: Monaco, which has no SIREN */
    if (digits(text, 0, 2)) return number(text, 2) == (number(text + 2, 9) * 100 + 12) % 97;
    long long key = digits(text, 0, 1) ? (first - letters) * 24 + (second - letters) - 10 : (first - letters) * 34 + (second - letters) - 100;
    return (number(text + 2, 9) + 1 + key / 11) % 11 == key % 11;
}

static bool ireland(const char *text) {
    static const char letters[] = "WABCDEFGHIJKLMNOPQRSTUV";
    static const int weights[] = {8, 7, 6, 5, 4, 3, 2};
    size_t length = strlen(text);
    if ((length != 8 && length != 9) || !digits(text, 0, 1) || !digits(text, 2, 5) || !strchr(letters, text[7])) return false;
    const char *last = length == 9 ? strchr(letters, text[8]) : letters;
    if (!last) return false;
    if (digits(text, 1, 1)) return text[7] == letters[(weighted(text, weights, 7) + 9 * (last - letters)) % 23];
    if (length == 9 || !((text[1] >= 'A' && text[1] <= 'Z') || text[1] == '+' || text[1] == '*')) return false;
    const char old[] = {'0', text[2], text[3], text[4], text[5], text[6], text[0]};   /* the style before 1991 */
    return text[7] == letters[weighted(old, weights, 7) % 23];
}

static bool italy(const char *text) {
    if (!all_digits(text, 11) || !number(text, 7) || !luhn(text, 11)) return false;
    long long province = number(text + 7, 3);
    return (province >= 1 && province <= 100) || province == 120 || province == 121 || province == 888 || province == 999;
}

static bool luxembourg(const char *text) { return all_digits(text, 8) && number(text, 6) % 89 == number(text + 6, 2); }

static bool netherlands(const char *text) {
    char twelve[LONGEST + 2] = "0";
    if (strlen(text) == 11) text = strcat(twelve, text);
    if (strlen(text) != 12 || !digits(text, 0, 9) || text[9] != 'B' || !digits(text, 10, 2) || !number(text + 10, 2)) return false;
    static const int weights[] = {9, 8, 7, 6, 5, 4, 3, 2, -1};
    if (number(text, 9) && weighted(text, weights, 9) % 11 == 0) return true;   /* a company's, or a person's before 2020 */
    int rest = 2321;   /* NL; ISO 7064, MOD 97-10 */
    for (size_t i = 0; i < 12; i++) rest = text[i] == 'B' ? (rest % 97 * 100 + 11) : (rest % 97 * 10 + at(text, i));
    return rest % 97 == 1;
}

static bool poland(const char *text) {
    static const int weights[] = {6, 5, 7, 2, 3, 4, 5, 6, 7, -1};
    return all_digits(text, 10) && weighted(text, weights, 10) % 11 == 0;
}

static bool portugal(const char *text) {
    static const int weights[] = {9, 8, 7, 6, 5, 4, 3, 2};
    return all_digits(text, 9) && text[0] != '0' && (11 - weighted(text, weights, 8) % 11) % 11 % 10 == at(text, 8);
}

static bool sweden(const char *text) { return all_digits(text, 12) && strcmp(text + 10, "01") == 0 && luhn(text, 10); }

/* Of the others only what the numbers look like: how many digits, and what may follow. */
static bool cyprus(const char *text) { return strlen(text) == 9 && digits(text, 0, 8) && text[8] >= 'A' && text[8] <= 'Z'; }
static bool digits_8(const char *text) { return all_digits(text, 8); }
static bool digits_8_or_9(const char *text) { return all_digits(text, 8) || all_digits(text, 9); }   /* a leading 0 was once left out */
static bool digits_9(const char *text) { return all_digits(text, 9); }
static bool digits_10(const char *text) { return all_digits(text, 10); }
static bool digits_11(const char *text) { return all_digits(text, 11); }
static bool digits_8_to_10(const char *text) { return all_digits(text, 8) || all_digits(text, 9) || all_digits(text, 10); }
static bool digits_9_or_10(const char *text) { return all_digits(text, 9) || all_digits(text, 10); }
static bool digits_9_or_12(const char *text) { return all_digits(text, 9) || all_digits(text, 12); }
static bool digits_2_to_10(const char *text) { return strlen(text) >= 2 && strlen(text) <= 10 && all_digits(text, strlen(text)); }

static const struct { const char *letters, *country; bool (*check)(const char *text); } states[] = {
    {"AT", "AT", austria}, {"BE", "BE", belgium}, {"BG", "BG", digits_9_or_10}, {"CY", "CY", cyprus}, {"CZ", "CZ", digits_8_to_10}, {"DE", "DE", germany},
    {"DK", "DK", denmark}, {"EE", "EE", digits_9}, {"EL", "GR", digits_8_or_9}, {"ES", "ES", spain}, {"FI", "FI", finland}, {"FR", "FR", france},
    {"HR", "HR", digits_11}, {"HU", "HU", digits_8}, {"IE", "IE", ireland}, {"IT", "IT", italy}, {"LT", "LT", digits_9_or_12}, {"LU", "LU", luxembourg},
    {"LV", "LV", digits_11}, {"MT", "MT", digits_8}, {"NL", "NL", netherlands}, {"PL", "PL", poland}, {"PT", "PT", portugal}, {"RO", "RO", digits_2_to_10},
    {"SE", "SE", sweden}, {"SI", "SI", digits_8}, {"SK", "SK", digits_10},
};

enum tax_id_result tax_id_check(struct slice tax_id, struct slice country) {
    char text[LONGEST + 1];
    size_t length = 0;
    bool fits = true;
    for (size_t i = 0; i < tax_id.length; i++) {
        char c = tax_id.data[i];
        if (strchr(" .-/:", c) && c) continue;
        if (length == LONGEST) { fits = false; break; }
        text[length++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    text[length] = '\0';
    bool european = false;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        bool by_letters = strncmp(text, states[i].letters, 2) == 0, by_country = slice_equal(country, slice_of(states[i].country));
        european |= by_letters || by_country;
        if (fits && ((by_letters && states[i].check(text + 2)) || (by_country && states[i].check(text)))) return TAX_ID_POSSIBLE;
    }
    return european ? TAX_ID_IMPOSSIBLE : TAX_ID_NOT_EUROPEAN;
}
