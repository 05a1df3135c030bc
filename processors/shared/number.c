#include "processors/shared/number.h"

struct slice number_normalise(struct decision *decision, struct slice number) {
    char *text = decision_alloc(decision, number.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < number.length; i++) {
        char c = number.data[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if ((c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9') || (c == '0' && length) || (unsigned char)c >= 0x80) text[length++] = c;
    }
    return length ? (struct slice){text, length} : number;
}
