/* An e-invoice as any bytes: refused with a reason, or checked by every rule; then made an event, with findings or without, that can be written. */
#include <stdint.h>

#include "common/codec/encode.h"
#include "common/einvoice/event.h"
#include "common/einvoice/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct slice no_code(void *context, struct slice category, const int64_t *rate_e4, int32_t date) {
    (void)context, (void)rate_e4, (void)date;
    return category.length > 1 ? category : SLICE("");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct arena arena;
    static struct einvoice invoice;
    static struct einvoice_findings findings;
    static struct buffer out;
    struct error error;
    if (!arena.limit) arena_init(&arena, 1 << 16, 1 << 24);
    arena_reset(&arena);
    buffer_reset(&out);
    struct slice content = {(const char *)bytes, length};
    if (!einvoice_read(&invoice, content, &arena, &error)) return 0;
    einvoice_check(&invoice, &findings);
    if (findings.count > EINVOICE_FINDINGS_MAXIMUM || (invoice.fault_count && !findings.fatal)) __builtin_trap();
    const struct einvoice_target target = {SLICE("source"), SLICE("entity"), SLICE("supplier"), SLICE(""), content, no_code, NULL};
    struct invoice_event event;
    if (einvoice_to_event(&invoice, &target, &arena, &event, &error) && !codec_encode(&invoice_event_type, &event, &out) && !findings.fatal) __builtin_trap();
    return 0;
}
