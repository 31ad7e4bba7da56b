/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"
#include "daemon/model/plan.h"

enum { DAY_SECONDS = 86400 };

const char *const plan_frequency_names[] = { "daily", "weekly", "monthly", "quarterly", "yearly", NULL };

static const char *const weekday_names[] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", NULL };

/* ---- words ---- */

int plan_frequency_parse(const char *text, PlanFrequency *ret, Problem *problem) {
        int i = names_find(plan_frequency_names, text);
        if (i < 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "unknown-word", "frequency",
                                   "frequency is \"%.60s\", but must be daily, weekly, monthly, quarterly or yearly", text);
        *ret = (PlanFrequency) i;
        return 0;
}

static bool parse_two(const char *s, int min, int max, int *ret) {
        if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
                return false;
        *ret = (s[0] - '0') * 10 + s[1] - '0';
        return *ret >= min && *ret <= max;
}

static bool parse_weekday(const char *text, PlanOn *ret) {
        *ret = (PlanOn) { .kind = PLAN_ON_WEEKDAY, .weekday = names_find(weekday_names, text) };
        return ret->weekday >= 0;
}

static bool parse_day(const char *text, PlanOn *ret) {
        uint64_t day;

        if (!str_starts(text, "day:") || text[4] == '0' || !number_parse(text + 4, 31, &day) || day < 1)
                return false;
        *ret = (PlanOn) { .kind = PLAN_ON_DAY, .day = (int) day };
        return true;
}

static bool parse_month_day(const char *text, PlanOn *ret) {
        *ret = (PlanOn) { .kind = PLAN_ON_DATE };
        /* Of a leap year: 02-29 is a date. */
        return strlen(text) == 5 && text[2] == '-' && parse_two(text, 1, 12, &ret->month) &&
               parse_two(text + 3, 1, civil_month_days(2000, ret->month), &ret->day);
}

static const char *const on_wanted[] = {
        [PLAN_DAILY] = "daily needs none: leave it out",
        [PLAN_WEEKLY] = "weekly takes a weekday: monday, tuesday, wednesday, thursday, friday, saturday or sunday",
        [PLAN_MONTHLY] = "monthly takes day:1 to day:31",
        [PLAN_QUARTERLY] = "quarterly takes day:1 to day:31",
        [PLAN_YEARLY] = "yearly takes a date MM-DD, such as 03-31",
};

int plan_on_parse(PlanFrequency frequency, const char *text, PlanOn *ret, Problem *problem) {
        static bool (*const parsers[])(const char *text, PlanOn *ret) = {
                [PLAN_WEEKLY] = parse_weekday,
                [PLAN_MONTHLY] = parse_day,
                [PLAN_QUARTERLY] = parse_day,
                [PLAN_YEARLY] = parse_month_day,
        };
        PlanOn on = { .kind = PLAN_ON_START };

        if (text && (frequency == PLAN_DAILY || !parsers[frequency](text, &on)))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-on", "on", "on is \"%.60s\", but %s", text, on_wanted[frequency]);
        *ret = on;
        return 0;
}

int plan_at_parse(const char *text, int *ret, Problem *problem) {
        if (!time_of_day_parse(text, ret))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-time", "at", "at is \"%.60s\", but must be HH:MM, 00:00 to 23:59", text);
        return 0;
}

int plan_date_parse(const char *field, const char *text, CivilDate *ret, Problem *problem) {
        CivilDate d;

        if (!date_parse(text, &d.year, &d.month, &d.day))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-date", field, "%s is \"%.60s\", but must be a date YYYY-MM-DD", field, text);
        *ret = d;
        return 0;
}

/* Digits by hand, as in time.c: these stand in every row of a list. */
static char *put(char *p, int value, int n) {
        for (int i = n - 1; i >= 0; i--, value /= 10)
                p[i] = (char) ('0' + value % 10);
        return p + n;
}

static char *put_month_day(char *p, int month, int day) {
        p = put(p, month, 2);
        *p++ = '-';
        return put(p, day, 2);
}

static PlanOn on_of(const Plan *p) {
        if (p->on.kind != PLAN_ON_START)
                return p->on;
        int64_t days = civil_days(p->start.year, p->start.month, p->start.day);
        /* 1970-01-01 was a Thursday. */
        return (PlanOn) { .weekday = (int) (((days + 3) % 7 + 7) % 7), .month = p->start.month, .day = p->start.day };
}

const char *plan_on_text(const Plan *p, char ret[PLAN_TEXT_SIZE]) {
        PlanOn on = on_of(p);
        char *end;

        switch (p->frequency) {
        case PLAN_DAILY:
                return NULL;
        case PLAN_WEEKLY:
                text_copy_cut(ret, PLAN_TEXT_SIZE, weekday_names[on.weekday]);
                return ret;
        case PLAN_MONTHLY:
        case PLAN_QUARTERLY:
                memcpy(ret, "day:", 4);
                end = put(ret + 4, on.day, on.day < 10 ? 1 : 2);
                break;
        case PLAN_YEARLY:
        default:
                end = put_month_day(ret, on.month, on.day);
        }
        *end = 0;
        return ret;
}

char *plan_at_text(int at, char ret[PLAN_TEXT_SIZE]) {
        char *p = put(ret, at / 60, 2);
        *p++ = ':';
        *put(p, at % 60, 2) = 0;
        return ret;
}

char *plan_date_text(const CivilDate *d, char ret[PLAN_TEXT_SIZE]) {
        char *p = put(ret, d->year, 4);
        *p++ = '-';
        *put_month_day(p, d->month, d->day) = 0;
        return ret;
}

char *local_text(const CivilTime *local, char ret[TIME_TEXT_SIZE]) {
        char *p = put(ret, local->year, 4);
        *p++ = '-';
        p = put_month_day(p, local->month, local->day);
        *p++ = 'T';
        plan_at_text(local->hour * 60 + local->minute, p);
        return ret;
}

bool local_parse(const char *text, CivilTime *ret) {
        char date[PLAN_TEXT_SIZE] = {};
        CivilTime c = {};
        int minutes;

        if (strlen(text) != 16 || text[10] != 'T')
                return false;
        memcpy(date, text, 10);
        if (!date_parse(date, &c.year, &c.month, &c.day) || !time_of_day_parse(text + 11, &minutes))
                return false;
        c.hour = minutes / 60;
        c.minute = minutes % 60;
        *ret = c;
        return true;
}

static int64_t days_of(const CivilDate *d) {
        return civil_days(d->year, d->month, d->day);
}

int plan_check(const Plan *p, Problem *problem) {
        static const int kinds[] = {
                [PLAN_DAILY] = PLAN_ON_START,
                [PLAN_WEEKLY] = PLAN_ON_WEEKDAY,
                [PLAN_MONTHLY] = PLAN_ON_DAY,
                [PLAN_QUARTERLY] = PLAN_ON_DAY,
                [PLAN_YEARLY] = PLAN_ON_DATE,
        };
        char start[PLAN_TEXT_SIZE], end[PLAN_TEXT_SIZE];

        /* An edit of the frequency alone comes here with the old one's day. */
        if (p->on.kind != PLAN_ON_START && (int) p->on.kind != kinds[p->frequency])
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-on", "on", "on does not fit: %s", on_wanted[p->frequency]);
        if (p->has_end && days_of(&p->end) < days_of(&p->start))
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "end-before-start", "end", "the end %s is before the start %s",
                                   plan_date_text(&p->end, end), plan_date_text(&p->start, start));
        return 0;
}

/* ---- civil dates by number: arithmetic without a zone ---- */

static int64_t floor_div(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}

/* What of a plan does not change from number to number. */
typedef struct Grid {
        int64_t start;                           /* days */
        int64_t step;                            /* days, or months */
        int64_t base;                            /* number 0: in days, or months since year 0 */
        bool by_months;
        int day;                                 /* of the month, to be clamped */
} Grid;

static Grid grid_of(const Plan *p) {
        PlanOn on = on_of(p);
        Grid g = { .start = days_of(&p->start), .step = 1, .day = on.day };

        switch (p->frequency) {
        case PLAN_DAILY:
                g.base = g.start;
                return g;
        case PLAN_WEEKLY:
                g.step = 7;
                g.base = g.start + ((on.weekday - (g.start + 3)) % 7 + 7) % 7;
                return g;
        case PLAN_QUARTERLY:
                g.step = 3;
                break;
        case PLAN_YEARLY:
                g.step = 12;
                break;
        case PLAN_MONTHLY:
        default:
                break;
        }
        g.by_months = true;
        g.base = p->start.year * 12 + (p->frequency == PLAN_YEARLY ? on.month : p->start.month) - 1;
        return g;
}

static int64_t grid_date(const Grid *g, int64_t number) {
        int64_t at = g->base + number * g->step;
        if (!g->by_months)
                return at;
        int year = (int) (at / 12), month = (int) (at % 12) + 1;
        return civil_days(year, month, MIN(g->day, civil_month_days(year, month)));
}

/* The first number whose date is this day or later. None is before the start, so number 0 may be none. */
static int64_t grid_number(const Grid *g, int64_t day) {
        int year, month, unused;

        day = MAX(day, g->start);
        if (!g->by_months)
                return MAX(0, floor_div(day - g->base + g->step - 1, g->step));
        civil_from_days(day, &year, &month, &unused);
        int64_t number = floor_div((int64_t) year * 12 + month - 1 - g->base, g->step);
        return grid_date(g, number) < day ? number + 1 : number;
}

/* The first number whose local time is later than this one, in seconds as if it were UTC. */
static int64_t number_after(const Plan *p, const Grid *g, int64_t local) {
        int64_t day = floor_div(local, DAY_SECONDS);
        return grid_number(g, p->at * 60 > local - day * DAY_SECONDS ? day : day + 1);
}

static int64_t number_end(const Plan *p, const Grid *g) {
        /* The calendar's own end, where none is given. */
        return grid_number(g, (p->has_end ? days_of(&p->end) : civil_days(9999, 12, 31)) + 1);
}

/* ---- from civil time to instants and back ---- */

static int64_t seconds_of(Usec t) {
        return floor_div(t, USEC_SEC);
}

/* The latest civil time that the zone's clock has shown up to t, as seconds: in the second pass of an overlap that is
 * the end of the first. What is due by t is exactly what is not later than this. */
static int64_t reached(const Zone *z, int64_t t) {
        ZoneSpan s = zone_span(z, t);
        int64_t best = t + s.offset;

        while (s.from > t - 2 * ZONE_OFFSET_MAX) {
                s = zone_span(z, s.from - 1);
                best = MAX(best, s.to + s.offset - 1);
        }
        return best;
}

void occurrence_set(Occurrence *o, const Zone *z, const CivilTime *local) {
        int64_t w = seconds_of(civil_usec(local));
        ZoneSpan s = zone_span(z, w - ZONE_OFFSET_MAX);

        *o = (Occurrence) { .local = *local };
        while (s.to + s.offset <= w)
                s = zone_span(z, s.to);
        o->after_gap = w - s.offset < s.from;
        o->due = MAX(w - s.offset, s.from) * USEC_SEC;
        while (!o->after_gap && s.to <= w + ZONE_OFFSET_MAX) {
                s = zone_span(z, s.to);
                if (s.from + s.offset <= w && w < s.to + s.offset)
                        o->first_pass = true;
        }
}

static void occurrence_number(const Plan *p, const Grid *g, const Zone *z, int64_t number, Occurrence *ret) {
        CivilTime local = { .hour = p->at / 60, .minute = p->at % 60 };
        civil_from_days(grid_date(g, number), &local.year, &local.month, &local.day);
        occurrence_set(ret, z, &local);
}

static int64_t number_after_point(const Plan *p, const Grid *g, const Zone *z, const PlanPoint *after) {
        int64_t local = reached(z, seconds_of(after->instant));
        if (after->has_local)
                local = MAX(local, seconds_of(civil_usec(&after->local)));
        return number_after(p, g, local);
}

bool plan_next(const Plan *p, const Zone *z, const PlanPoint *after, Occurrence *ret) {
        Grid g = grid_of(p);
        int64_t number = number_after_point(p, &g, z, after);

        if (number >= number_end(p, &g))
                return false;
        occurrence_number(p, &g, z, number, ret);
        return true;
}

PlanRange plan_range(const Plan *p, const Zone *z, const PlanPoint *after, Usec until) {
        Grid g = grid_of(p);
        PlanRange r = { .begin = number_after_point(p, &g, z, after) };
        r.end = MIN(number_after(p, &g, reached(z, seconds_of(until))), number_end(p, &g));
        r.end = MAX(r.begin, r.end);
        return r;
}

int64_t plan_count(const Plan *p, const Zone *z, const PlanPoint *after, Usec until) {
        PlanRange r = plan_range(p, z, after, until);
        return r.end - r.begin;
}

void plan_occurrence(const Plan *p, const Zone *z, int64_t number, Occurrence *ret) {
        Grid g = grid_of(p);
        occurrence_number(p, &g, z, number, ret);
}
