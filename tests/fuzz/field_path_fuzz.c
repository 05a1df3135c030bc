/* Any assignment on an event: taken or refused with a reason; what was taken can be compared with what was there. */
#include <stdint.h>
#include <stdlib.h>

#include "cli/field_path.c"   /* not by the library: here the fuzzer sees its branches */
#include "schemas/invoice_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *before = json_pack("{s:s, s:s, s:n, s:[{s:s, s:s}], s:[]}", "event_id", "e1", "total", "119.00", "tax", "lines", "line", "1", "net", "100.00", "taxes"), *after = json_deep_copy(before);
    struct error error = {""};
    if (!before || !after) abort();
    bool taken = field_path_set(&invoice_event_type, after, (struct slice){(const char *)data, size}, &error);
    if (taken == (error.text[0] != 0)) abort();
    json_t *difference = field_difference(before, after), *none = field_difference(after, after);
    if (!difference || !none || json_object_size(none)) abort();
    json_decref(before);
    json_decref(after);
    json_decref(difference);
    json_decref(none);
    return 0;
}
