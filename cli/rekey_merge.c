/* A partner that becomes another one: what waits is written anew, each event read by the schema that wrote it and written with ours, with the other partner in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rekey.h"
#include "common/codec/encode.h"
#include "common/codec/wire.h"

static bool rewrite(void *context, int input, const struct partner_change *change, struct slice value, struct buffer *out, struct error *error) {
    struct rekey_rewriting *rewriting = context;
    const struct processor_input *of = &rewriting->of->inputs[input];
    struct error why = {{0}};
    char subject[SUBJECT_SIZE];
    void *event = arena_alloc(change->arena, of->type->size);
    if (!event) return error_set(error, "out of memory");
    if (values_decode(rewriting->values, value, of->type, change->arena, event, &why) != VALUES_OK) return error_set(error, "an event of %s that waits cannot be read: %s", of->topic, why.text);
    if (!rewriting->ids[input] && registry_lookup_id(values_registry(rewriting->values), subject_of(of->topic, subject), of->type->schema, &rewriting->ids[input], &why) != REGISTRY_FOUND)
        return error_set(error, "the schema of %s is not known to the registry: %s; see `kontor schemas register`", of->topic, why.text);
    rewriting->of->change_event(input, event, change);
    return (codec_wire_append(out, rewriting->ids[input]) && codec_encode(of->type, event, out)) || error_set(error, "an event of %s that waits cannot be written anew", of->topic);
}

bool rekey_merge_read(struct rekey *rekey, struct error *error) {
    const struct invocation *invocation = rekey->invocation;
    const char *const names[] = {"entity", "partner", "becomes"};
    for (size_t i = 0; i < 3; i++)
        if (!*option_text(invocation, names[i], "")) return error_set(error, "--%s is missing: --entity E --partner A --becomes B", names[i]);
    rekey->merge = (struct rekeying_merge){slice_of(option_text(invocation, "entity", "")), slice_of(option_text(invocation, "partner", "")), slice_of(option_text(invocation, "becomes", "")), rewrite, NULL};
    if (slice_equal(rekey->merge.from, rekey->merge.to)) return error_set(error, "--partner and --becomes are the same");
    rekey->merge_key = tables_key(rekey->merge_key_text, sizeof rekey->merge_key_text, (const struct slice[]){rekey->merge.entity, rekey->merge.from}, 2);
    rekey->merges = rekey->merge_key.length > 0;
    return rekey->merges || error_set(error, "entity and partner are too long");
}

bool rekey_merge_found(const struct rekey *rekey) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        const struct rekeying_counts *counts = rekeying_counts(rekey->processors[i].rekeying);
        if (counts->merged || counts->waits_merged || counts->conflicts) return true;
    }
    return false;
}
