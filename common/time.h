/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Civil time in UTC, RFC 3339, dates and durations. Pure arithmetic, years 1..9999, proleptic Gregorian. */

#include "common/clock.h"

typedef struct CivilTime {
        int year;                                                /* 1..9999 */
        int month, day;                                          /* 1..12, 1..31 */
        int hour, minute, second;
        int usec;
} CivilTime;

enum { TIME_TEXT_SIZE = 32 };

int64_t civil_days(int year, int month, int day);                /* days since 1970-01-01 */
void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);
int civil_month_days(int year, int month);
Usec civil_usec(const CivilTime *c);                             /* read as UTC */
CivilTime civil_from_usec(Usec t);                               /* in UTC */

char *time_text(Usec t, char ret[TIME_TEXT_SIZE]);               /* 2026-12-01T12:00:00Z; whole seconds; returns ret */
char *date_text(Usec t, char ret[TIME_TEXT_SIZE]);               /* 2026-12-01, of the UTC day */
bool date_parse(const char *s, int *ret_year, int *ret_month, int *ret_day);   /* YYYY-MM-DD, strict */
bool time_of_day_parse(const char *s, int *ret_minutes);         /* HH:MM, 00:00..23:59, strict */
bool time_parse(const char *s, Usec *ret);                       /* RFC 3339 with Z or offset; or a date: its first instant in UTC */
bool duration_parse(const char *s, Usec *ret);                   /* Nm Nh Nd Nw, N >= 0, no overflow */
