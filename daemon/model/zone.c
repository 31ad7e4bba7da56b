/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "common/nearest.h"
#include "common/text.h"
#include "daemon/model/zone.h"

/* A rule of a footer: when, in a year, an offset begins. */
typedef struct Rule {
        enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;         /* Mm.w.d, Jn, n */
        int month, week, day;
        int32_t seconds;                                         /* after local midnight; -167 h .. 167 h */
} Rule;

struct Zone {
        int64_t *at;                         /* transitions, seconds since 1970 */
        int32_t *offset;                     /* that begins there */
        size_t n;
        int32_t first;                       /* before the first transition */
        bool has_footer, has_rules;
        int32_t standard, daylight;          /* of the footer */
        Rule begin, end;                     /* of the daylight offset */
};

enum { TRANSITIONS_MAX = 100000, TYPES_MAX = 256, ZONE_NAME_MAX = 64 };

#define RULED_MAX (INT64_C(1) << 53)         /* seconds: of these the year is an int */

/* ---- bytes ---- */

static int64_t big_endian(const uint8_t *p, size_t width) {
        uint64_t v = width == 8 ? 0 : p[0] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = 0; i < width; i++)
                v = v << 8 | p[i];
        return (int64_t) v;
}

typedef struct Header {
        char version;
        size_t isutc, isstd, leap, times, types, chars;
} Header;

static int read_header(const uint8_t *p, size_t n, Header *ret) {
        if (n < 44 || memcmp(p, "TZif", 4) != 0)
                return -EBADMSG;
        ret->version = (char) p[4];
        size_t *counts[] = { &ret->isutc, &ret->isstd, &ret->leap, &ret->times, &ret->types, &ret->chars };
        for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                int64_t v = big_endian(p + 20 + 4 * i, 4);
                if (v < 0 || v > TRANSITIONS_MAX)
                        return -EBADMSG;
                *counts[i] = (size_t) v;
        }
        return ret->types < 1 || ret->types > TYPES_MAX || ret->chars < 1 || (ret->isutc && ret->isutc != ret->types) ||
                               (ret->isstd && ret->isstd != ret->types)
                       ? -EBADMSG
                       : 0;
}

static size_t block_size(const Header *h, size_t width) {
        return h->times * (width + 1) + h->types * 6 + h->chars + h->leap * (width + 4) + h->isstd + h->isutc;
}

/* A file with leap seconds counts them; this program's time, like that of all hosts, does not. */
static int take_off_leaps(const uint8_t *leaps, const Header *h, size_t width, Zone *z) {
        size_t n = 0;

        for (size_t i = 1; i < h->leap; i++)
                if (big_endian(leaps + i * (width + 4), width) <= big_endian(leaps + (i - 1) * (width + 4), width))
                        return -EBADMSG;
        for (size_t i = 0; i < z->n; i++) {
                while (n < h->leap && big_endian(leaps + n * (width + 4), width) <= z->at[i])
                        n++;
                if (n > 0 && __builtin_sub_overflow(z->at[i], big_endian(leaps + (n - 1) * (width + 4) + width, 4), &z->at[i]))
                        return -EBADMSG;
        }
        return 0;
}

/* Of the types the offset alone counts, but one that is no offset, or is not what the format says, is no type. */
static int read_types(const uint8_t *types, const Header *h, int32_t *ret_offsets) {
        for (size_t i = 0; i < h->types; i++, types += 6) {
                int64_t v = big_endian(types, 4);
                if (v < -93599 || v > 93599 || types[4] > 1 || types[5] >= h->chars)
                        return -EBADMSG;
                ret_offsets[i] = (int32_t) v;
        }
        return 0;
}

static int read_block(Arena *a, const uint8_t *p, const Header *h, size_t width, Zone *z) {
        const uint8_t *kinds = p + h->times * width, *types = kinds + h->times;
        int32_t offsets[TYPES_MAX];

        int r = read_types(types, h, offsets);
        if (r < 0)
                return r;
        z->at = arena_alloc(a, (h->times + 1) * sizeof(*z->at));
        z->offset = arena_alloc(a, (h->times + 1) * sizeof(*z->offset));
        z->first = offsets[0];
        for (size_t i = 0; i < h->times; i++) {
                z->at[i] = big_endian(p + i * width, width);
                if (kinds[i] >= h->types || (i > 0 && z->at[i] <= z->at[i - 1]))
                        return -EBADMSG;
                z->offset[i] = offsets[kinds[i]];
        }
        z->n = h->times;
        return take_off_leaps(types + h->types * 6 + h->chars, h, width, z);
}

/* ---- the footer: a POSIX TZ string ---- */

static bool parse_name(const char **s) {
        const char *p = *s;
        size_t n = 0;
        if (*p == '<') {
                for (p++; (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '+' || *p == '-'; p++)
                        n++;
                if (*p++ != '>')
                        return false;
        } else {
                for (; (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'); p++)
                        n++;
        }
        *s = p;
        return n >= 3;
}

static bool parse_number(const char **s, int max, int *ret) {
        int v = 0;
        const char *p = *s;
        for (; *p >= '0' && *p <= '9'; p++)
                if ((v = v * 10 + (*p - '0')) > max)
                        return false;
        bool ok = p > *s;
        *s = p;
        *ret = v;
        return ok;
}

/* hh[:mm[:ss]] with a sign; hours up to max. */
static bool parse_seconds(const char **s, int max, int32_t *ret) {
        int sign = 1, hours, minutes = 0, seconds = 0;
        if (**s == '-' || **s == '+')
                sign = *(*s)++ == '-' ? -1 : 1;
        if (!parse_number(s, max, &hours))
                return false;
        if (**s == ':') {
                (*s)++;
                if (!parse_number(s, 59, &minutes))
                        return false;
                if (**s == ':') {
                        (*s)++;
                        if (!parse_number(s, 59, &seconds))
                                return false;
                }
        }
        *ret = sign * (hours * 3600 + minutes * 60 + seconds);
        return true;
}

static bool parse_rule(const char **s, Rule *ret) {
        *ret = (Rule) { .seconds = 7200 };
        if (*(*s)++ != ',')
                return false;
        if (**s == 'M') {
                (*s)++;
                ret->kind = RULE_MONTH;
                if (!parse_number(s, 12, &ret->month) || ret->month < 1 || *(*s)++ != '.' || !parse_number(s, 5, &ret->week) || ret->week < 1 ||
                    *(*s)++ != '.' || !parse_number(s, 6, &ret->day))
                        return false;
        } else if (**s == 'J') {
                (*s)++;
                ret->kind = RULE_JULIAN;
                if (!parse_number(s, 365, &ret->day) || ret->day < 1)
                        return false;
        } else {
                ret->kind = RULE_DAY;
                if (!parse_number(s, 365, &ret->day))
                        return false;
        }
        if (**s == '/') {
                (*s)++;
                return parse_seconds(s, 167, &ret->seconds);
        }
        return true;
}

static int parse_footer(const char *s, Zone *z) {
        int32_t west;

        if (*s == 0)
                return 0;
        if (!parse_name(&s) || !parse_seconds(&s, 24, &west))
                return -EBADMSG;
        z->has_footer = true;
        z->standard = -west;
        if (*s == 0)
                return 0;
        z->daylight = z->standard + 3600;
        if (!parse_name(&s))
                return -EBADMSG;
        if (*s && *s != ',') {
                if (!parse_seconds(&s, 24, &west))
                        return -EBADMSG;
                z->daylight = -west;
        }
        if (!parse_rule(&s, &z->begin) || !parse_rule(&s, &z->end) || *s)
                return -EBADMSG;
        z->has_rules = true;
        return 0;
}

/* ---- what time it is ---- */

static int64_t rule_day(const Rule *r, int year) {
        int64_t january = civil_days(year, 1, 1);
        if (r->kind == RULE_DAY)
                return january + r->day;
        if (r->kind == RULE_JULIAN)
                return january + r->day - 1 + (civil_month_days(year, 2) == 29 && r->day >= 60);
        int64_t first = civil_days(year, r->month, 1);
        int64_t weekday = (first + 4) % 7;   /* 1970-01-01 was a Thursday; 0 is Sunday */
        if (weekday < 0)
                weekday += 7;
        int64_t day = (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        if (day >= civil_month_days(year, r->month))
                day -= 7;
        return first + day;
}

static int64_t floor_seconds(Usec t) {
        return t / USEC_SEC - (t % USEC_SEC < 0);
}

static int32_t footer_offset(const Zone *z, int64_t t) {
        int year, month, day;

        if (!z->has_rules)
                return z->standard;
        int64_t local = t + z->standard, days = local / 86400 - (local % 86400 < 0);
        civil_from_days(days, &year, &month, &day);
        /* The daylight time may reach over a year's end on either side. */
        for (int y = year - 1; y <= year + 1; y++) {
                int64_t begin = rule_day(&z->begin, y) * 86400 + z->begin.seconds - z->standard;
                int64_t end = rule_day(&z->end, y) * 86400 + z->end.seconds - z->daylight;
                if (end <= begin)
                        end = rule_day(&z->end, y + 1) * 86400 + z->end.seconds - z->daylight;
                if (t >= begin && t < end)
                        return z->daylight;
        }
        return z->standard;
}

static int32_t offset_at(const Zone *z, int64_t t) {
        size_t low = 0, high = z->n;

        if (z->n == 0 || t < z->at[0])
                return z->n == 0 && z->has_footer ? footer_offset(z, t) : z->first;
        if (t >= z->at[z->n - 1] && z->has_footer)
                return footer_offset(z, t);
        while (high - low > 1) {
                size_t middle = (low + high) / 2;
                if (z->at[middle] <= t)
                        low = middle;
                else
                        high = middle;
        }
        return z->offset[low];
}

/* ---- the file ---- */

static int read_footer(Arena *a, const uint8_t *p, size_t n, Zone *z) {
        const uint8_t *end = n >= 2 && *p == '\n' ? memchr(p + 1, '\n', n - 1) : NULL;
        if (!end || memchr(p, 0, (size_t) (end - p)))
                return -EBADMSG;
        int r = parse_footer(arena_strndup(a, (const char *) p + 1, (size_t) (end - p - 1)), z);
        if (r < 0)
                return r;
        if (!z->has_footer || z->n == 0)
                return 0;
        /* Where table and rule meet they must agree, or one of them is wrong. Before all years that can be told, where some tables begin,
         * there is nothing to compare. */
        int64_t last = z->at[z->n - 1];
        return last > RULED_MAX || (last >= -RULED_MAX && footer_offset(z, last) != z->offset[z->n - 1]) ? -EBADMSG : 0;
}

int zone_parse(Arena *a, const void *bytes, size_t n, Zone **ret) {
        Zone *z = arena_alloc(a, sizeof(*z));
        const uint8_t *p = bytes;
        size_t width = 4, size;
        Header h;

        int r = read_header(p, n, &h);
        if (r < 0)
                return r;
        p += 44, n -= 44;
        if ((size = block_size(&h, width)) > n)
                return -EBADMSG;
        if (h.version != 0) {
                /* The first block is for readers of long ago. */
                p += size, n -= size;
                char version = h.version;
                if (version < '2' || (r = read_header(p, n, &h)) < 0 || h.version != version)
                        return -EBADMSG;
                p += 44, n -= 44, width = 8;
                if ((size = block_size(&h, width)) > n)
                        return -EBADMSG;
        }
        r = read_block(a, p, &h, width, z);
        if (r == 0 && width == 8)
                r = read_footer(a, p + size, n - size, z);
        if (r == 0)
                *ret = z;
        return r;
}

int32_t zone_offset(const Zone *z, Usec t) {
        return offset_at(z, floor_seconds(t));
}

/* Cut at every date of the footer's rules around t, whether or not the offset changes there. */
static void footer_span(const Zone *z, int64_t t, ZoneSpan *span) {
        int year, month, day;

        span->offset = footer_offset(z, t);
        if (!z->has_rules)
                return;
        civil_from_days(t / 86400, &year, &month, &day);
        for (int y = year - 2; y <= year + 2; y++) {
                int64_t cuts[] = { rule_day(&z->begin, y) * 86400 + z->begin.seconds - z->standard,
                                   rule_day(&z->end, y) * 86400 + z->end.seconds - z->daylight };
                for (size_t i = 0; i < ELEMENTSOF(cuts); i++)
                        if (cuts[i] <= t)
                                span->from = MAX(span->from, cuts[i]);
                        else
                                span->to = MIN(span->to, cuts[i]);
        }
}

ZoneSpan zone_span(const Zone *z, int64_t t) {
        size_t low = 0, high = z->n;

        if (z->n > 0 && t < z->at[0])
                return (ZoneSpan) { -ZONE_FOREVER, z->at[0], z->first };
        if (z->n == 0 || t >= z->at[z->n - 1]) {
                ZoneSpan last = { -ZONE_FOREVER, ZONE_FOREVER, z->first };
                if (z->n > 0)
                        last.from = z->at[z->n - 1], last.offset = z->offset[z->n - 1];
                if (z->has_footer)
                        footer_span(z, t, &last);
                return last;
        }
        while (high - low > 1) {
                size_t middle = (low + high) / 2;
                if (z->at[middle] <= t)
                        low = middle;
                else
                        high = middle;
        }
        return (ZoneSpan) { z->at[low], z->at[low + 1], z->offset[low] };
}

CivilTime zone_civil(const Zone *z, Usec t) {
        return civil_from_usec(t + (Usec) zone_offset(z, t) * USEC_SEC);
}

/* The first change of the offset in (from, to], or to + 1: of the table, else of the footer's rules, of which one falls
 * due within two years. */
static int64_t next_change(const Zone *z, int64_t from, int64_t to) {
        size_t low = 0, high = z->n;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (z->at[middle] <= from)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < z->n && z->at[low] <= to; low++)
                if (offset_at(z, z->at[low]) != offset_at(z, z->at[low] - 1))
                        return z->at[low];
        if (!z->has_rules)
                return to + 1;
        int64_t start = z->n && from < z->at[z->n - 1] ? z->at[z->n - 1] : from;
        int year, month, day;
        civil_from_days(start / 86400, &year, &month, &day);
        int64_t best = to + 1;
        for (int y = year - 1; y <= year + 2; y++) {
                int64_t candidates[] = { rule_day(&z->begin, y) * 86400 + z->begin.seconds - z->standard,
                                         rule_day(&z->end, y) * 86400 + z->end.seconds - z->daylight };
                for (size_t i = 0; i < ELEMENTSOF(candidates); i++)
                        if (candidates[i] > start && candidates[i] < best && offset_at(z, candidates[i]) != offset_at(z, candidates[i] - 1))
                                best = candidates[i];
        }
        return best;
}

size_t zone_transitions(const Zone *z, Usec from, Usec to, Usec *ret_at, int32_t *ret_offset, size_t max) {
        int64_t t = floor_seconds(from), end = floor_seconds(to);
        size_t n = 0;

        while (n < max && (t = next_change(z, t, end)) <= end) {
                ret_at[n] = t * USEC_SEC;
                ret_offset[n++] = offset_at(z, t);
        }
        return n;
}

Usec zone_instant(const Zone *z, const CivilTime *local, bool *ret_in_gap, bool *ret_in_overlap) {
        Usec wall = civil_usec(local);
        int64_t seconds = floor_seconds(wall);
        int64_t best = INT64_MAX, found = 0;

        *ret_in_gap = *ret_in_overlap = false;
        /* Every offset in force within two days of it is tried; the earliest instant that reads as this time is its first pass. */
        int64_t from = seconds - 2 * 86400, to = seconds + 2 * 86400;
        int32_t offset = offset_at(z, from);
        for (int64_t t = from; t <= to; t = next_change(z, t, to)) {
                offset = offset_at(z, t);
                int64_t candidate = seconds - offset;
                if (offset_at(z, candidate) != offset)
                        continue;
                if (candidate != best)
                        found++;
                best = MIN(best, candidate);
        }
        if (found > 0) {
                *ret_in_overlap = found > 1;
                return best * USEC_SEC + (wall - seconds * USEC_SEC);
        }
        /* In a gap: the change that jumps over it. */
        *ret_in_gap = true;
        for (int64_t t = next_change(z, from, to); t <= to; t = next_change(z, t, to))
                if (t + offset_at(z, t) > seconds && t + offset_at(z, t - 1) <= seconds)
                        return t * USEC_SEC;
        return (seconds - offset) * USEC_SEC;
}

/* ---- names ---- */

struct ZoneNames {
        const char **names;                  /* sorted, NULL-terminated */
        size_t n;
};

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

ZoneNames *zone_names_parse(Arena *a, const char *text, size_t n) {
        ZoneNames *z = arena_alloc(a, sizeof(*z));
        const char *end = text + n;
        size_t lines = 1;

        for (const char *p = text; p < end; p++)
                lines += *p == '\n';
        z->names = arena_alloc(a, (lines + 2) * sizeof(*z->names));
        z->names[z->n++] = "UTC";
        for (const char *p = text; p < end;) {
                const char *stop = memchr(p, '\n', (size_t) (end - p)) ?: end;
                char *line = arena_strndup(a, p, (size_t) (stop - p)), *rest = NULL;
                char *kind = strtok_r(line, " \t", &rest), *first = strtok_r(NULL, " \t", &rest), *second = strtok_r(NULL, " \t", &rest);
                const char *name = kind && *kind == 'Z' ? first : kind && *kind == 'L' ? second : NULL;
                if (name && strcmp(name, "Factory") != 0 && strcmp(name, "UTC") != 0)
                        z->names[z->n++] = name;
                p = stop + 1;
        }
        qsort(z->names, z->n, sizeof(*z->names), by_name);
        return z;
}

bool zone_names_has(const ZoneNames *z, const char *name) {
        return bsearch(&name, z->names, z->n, sizeof(*z->names), by_name) != NULL;
}

/* The same letters in other case, or a city alone; a blank is as good as the underscore. */
static bool is_meant(const char *name, const char *text) {
        const char *city = strrchr(name, '/');
        char word[ZONE_NAME_MAX + 1];
        size_t n = strlen(text);

        if (n > ZONE_NAME_MAX)
                return false;
        for (size_t i = 0; i <= n; i++)
                word[i] = (char) (text[i] == ' ' ? '_' : text[i]);
        return strcasecmp(name, word) == 0 || (city && strcasecmp(city + 1, word) == 0);
}

int zone_check(const ZoneNames *z, const char *field, const char *text, Problem *ret) {
        if (zone_names_has(z, text))
                return 0;
        problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-zone", field,
                    "there is no time zone %.60s: use a name such as Europe/Berlin, spelled exactly", text);
        for (size_t i = 0; i < z->n; i++)
                if (is_meant(z->names[i], text))
                        problem_add_candidate(ret, z->names[i]);
        const char *near = ret->n_candidates ? NULL : nearest_name(z->names, text);
        if (near)
                problem_add_candidate(ret, near);
        return 1;
}
