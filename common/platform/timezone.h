/* timezone: the rules of a time zone as the system keeps them. Reading them from disk is here; what they say is ledger/time_zone.h, which is pure. */
#ifndef KONTOR_PLATFORM_TIMEZONE_H
#define KONTOR_PLATFORM_TIMEZONE_H
#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Appends the TZif file (RFC 8536) of an IANA zone, for example Europe/Amsterdam, from /usr/share/zoneinfo, for time_zone_parse. */
MUST_CHECK bool timezone_read(const char *name, struct buffer *bytes, struct error *error);
#endif
