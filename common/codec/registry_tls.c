#include "common/codec/registry_tls.h"

#include <string.h>

#include "common/platform/buffer.h"
#include "common/platform/file.h"

enum { FILE_BYTES_MAXIMUM = 4 << 20 };

static bool holds(const struct buffer *bytes, const char *words) { return bytes->length && memmem(bytes->data, bytes->length, words, strlen(words)); }

/* Whether a PEM file holds what it is for: certificates, a key, or both. */
static bool check_file(const char *setting, const char *path, bool certificate, bool key, struct error *error) {
    struct buffer bytes = {0};
    bool ok = file_read(path, FILE_BYTES_MAXIMUM, &bytes, error);
    if (!ok) error_prefix(error, "%s", setting);
    else if (certificate && !holds(&bytes, "CERTIFICATE-----")) ok = error_set(error, "%s: %s holds no certificate in PEM", setting, path);
    else if (key && !holds(&bytes, "PRIVATE KEY-----")) ok = error_set(error, "%s: %s holds no private key in PEM", setting, path);
    else if (key && (holds(&bytes, "ENCRYPTED PRIVATE") || holds(&bytes, "4,ENCRYPTED")))
        ok = error_set(error, "%s: the key in %s needs a pass phrase; use one without", setting, path);
    if (bytes.data) explicit_bzero(bytes.data, bytes.capacity);
    buffer_free(&bytes);
    return ok;
}

bool registry_tls_open(CURL *curl, const struct registry_options *options, struct error *error) {
    const char *authority = options->ca_file, *certificate = options->certificate_file, *key = options->key_file;
    if (key && !certificate) return error_set(error, "registry.key.file is set, but not registry.certificate.file, the certificate that it belongs to");
    if (authority && !check_file("registry.ca.file", authority, true, false, error)) return false;
    if (certificate && !check_file("registry.certificate.file", certificate, true, false, error)) return false;
    /* Without a file of its own the key is expected behind the certificate. */
    if (certificate && !check_file("registry.key.file", key ? key : certificate, false, true, error)) return false;
    const struct { CURLoption option; const char *value; } files[] = {
        {CURLOPT_CAINFO, authority}, {CURLOPT_SSLCERT, certificate}, {CURLOPT_SSLKEY, key}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].value && curl_easy_setopt(curl, files[i].option, files[i].value) != CURLE_OK) return error_set(error, "out of memory");
    return true;
}

/* OpenSSL's words for the alert by which a server ends the connection. */
static bool is_alert(const char *problem, const char *const *alerts) {
    if (!strstr(problem, " alert ")) return false;
    for (; *alerts; alerts++)
        if (strstr(problem, *alerts)) return true;
    return false;
}

bool registry_tls_refused(CURLcode code, const char *problem, const char *url, struct error *error) {
    /* Up to TLS 1.2 a server that misses a certificate says only that the handshake failed. */
    static const char *const wanted[] = {"certificate required", "handshake failure", NULL};
    static const char *const unaccepted[] = {"certificate", "unknown ca", "access denied", NULL};
    if (code == CURLE_PEER_FAILED_VERIFICATION && strstr(problem, "subject name")) /* curl has one code for both */
        error_set(error, "registry %.200s: its certificate is for another host: %.200s; registry.url must have a name that the certificate has", url, problem);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        error_set(error, "registry %.200s: its certificate is not trusted: %.200s; registry.ca.file must hold the authority that signed it", url, problem);
    else if (code == CURLE_SSL_CACERT_BADFILE) error_set(error, "registry %.200s: registry.ca.file cannot be used: %.250s", url, problem);
    else if (code == CURLE_SSL_CERTPROBLEM)
        error_set(error, "registry %.200s: registry.certificate.file and registry.key.file cannot be used together: %.200s", url, problem);
    else if (is_alert(problem, wanted))
        error_set(error, "registry %.200s wants a certificate of its clients: set registry.certificate.file and registry.key.file (%.150s)", url, problem);
    else if (is_alert(problem, unaccepted))
        error_set(error, "registry %.200s does not accept the certificate of registry.certificate.file: %.200s", url, problem);
    else return false;
    return true;
}
