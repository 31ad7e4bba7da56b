/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time zones, read from TZif bytes (RFC 8536, all of it: version 2+ blocks, slim files, footers with their extended
 * hours). Pure over bytes; only the UTC offset counts. A broken file is refused, never guessed at. */

#include "common/problem.h"
#include "common/time.h"

typedef struct Zone Zone;

int zone_parse(Arena *a, const void *bytes, size_t n, Zone **ret);       /* -EBADMSG if broken */
int32_t zone_offset(const Zone *z, Usec t);                              /* seconds east of UTC at t */
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
