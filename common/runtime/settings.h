/* settings: the configuration keys of a processor, declared once for --help, --print-config and the checks. */
#ifndef KONTOR_RUNTIME_SETTINGS_H
#define KONTOR_RUNTIME_SETTINGS_H
#include "common/platform/config.h"
#include "common/runtime/client.h"
#include "common/runtime/processor.h"

/* The keys of a processor: those of every one and tables.<name>.source for each table that it declares. They live as long as the program. */
const struct config_key *settings_keys(const struct processor *processor, size_t *count);

/* What goes to librdkafka. */
MUST_CHECK bool settings_kafka(const struct config *config, struct client_settings *settings, struct error *error);

/* The authoritative sources of each declared table, in the order of the declaration; capacity MASTER_COUNT. */
void settings_table_sources(const struct config *config, const struct processor *processor, const char **sources);
#endif
