/* registry_tls: certificates between the registry and us. Private to registry_http.c. Messages name the settings that the options come from
 * (common/runtime/settings.c): registry.ca.file, registry.certificate.file, registry.key.file. */
#ifndef KONTOR_CODEC_REGISTRY_TLS_H
#define KONTOR_CODEC_REGISTRY_TLS_H
#include <curl/curl.h>

#include "common/codec/registry.h"

/* Looks into the files, so that a wrong one is told before the first request, and gives them to the client. curl reads them again for every connection:
 * renewed files need no restart. */
bool registry_tls_open(CURL *curl, const struct registry_options *options, struct error *error) MUST_CHECK;

/* Whether a request failed because one side does not accept the other's certificate, or ours cannot be used; *error then says what to do. problem: what
 * curl wrote into its error buffer. */
bool registry_tls_refused(CURLcode code, const char *problem, const char *url, struct error *error);
#endif
