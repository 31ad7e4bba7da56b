/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time zones, read from TZif bytes (RFC 8536, all of it: version 2+ blocks, slim files, footers with their extended
 * hours). Pure over bytes; only the UTC offset counts. A broken file is refused, never guessed at. */

#include "common/problem.h"
#include "common/time.h"

typedef struct Zone Zone;

int zone_parse(Arena *a, const void *bytes, size_t n, Zone **ret);       /* -EBADMSG if broken */
int32_t zone_offset(const Zone *z, Usec t);                              /* seconds east of UTC at t */
/* The stretch of time around t with one offset: [from, to) in seconds since 1970, to be walked by zone_span(z, to) and
 * zone_span(z, from - 1). Neighbours may have the same offset. Ends without limit are -ZONE_FOREVER and ZONE_FOREVER, to
 * which an offset can be added. No offset is more than ZONE_OFFSET_MAX from UTC. */
typedef struct ZoneSpan {
        int64_t from, to;
        int32_t offset;                                                  /* seconds east of UTC */
} ZoneSpan;

#define ZONE_FOREVER (INT64_MAX / 2)
enum { ZONE_OFFSET_MAX = 26 * 3600 };

ZoneSpan zone_span(const Zone *z, int64_t t);

/* Every change of the offset in (from, to]: when, and the offset from there on. Returns how many, at most max. */
size_t zone_transitions(const Zone *z, Usec from, Usec to, Usec *ret_at, int32_t *ret_offset, size_t max);
CivilTime zone_civil(const Zone *z, Usec t);                             /* local civil time at t */
/* The instant of a local civil time: in a gap the first instant after it, in an overlap the first pass. */
Usec zone_instant(const Zone *z, const CivilTime *local, bool *ret_in_gap, bool *ret_in_overlap);

/* The names of the installed tzdata (its tzdata.zi: Zone and Link lines), exact spelling. zones_read parses the text. */
typedef struct ZoneNames ZoneNames;
ZoneNames *zone_names_parse(Arena *a, const char *tzdata_zi, size_t n);
bool zone_names_has(const ZoneNames *names, const char *name);
/* InvalidArgument unknown-zone, with near names as candidates. */
int zone_check(const ZoneNames *names, const char *field, const char *text, Problem *ret);
