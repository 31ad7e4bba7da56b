/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "common/text.h"
#include "common/time.h"

/* Days from civil, after the well-known shift of the year's begin to March. */
int64_t civil_days(int year, int month, int day) {
        int64_t y = year - (month <= 2);
        int64_t era = (y >= 0 ? y : y - 399) / 400;
        int64_t of_era = y - era * 400;
        int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
        days += 719468;
        int64_t era = (days >= 0 ? days : days - 146096) / 146097;
        int64_t of_era = days - era * 146097;
        int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        int64_t shifted = (5 * of_year + 2) / 153;
        int month = (int) (shifted < 10 ? shifted + 3 : shifted - 9);

        *ret_day = (int) (of_year - (153 * shifted + 2) / 5 + 1);
        *ret_month = month;
        *ret_year = (int) (year_of_era + era * 400 + (month <= 2));
}

int civil_month_days(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return month == 2 && leap ? 29 : days[month - 1];
}

Usec civil_usec(const CivilTime *c) {
        int64_t seconds = civil_days(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
        return seconds * USEC_SEC + c->usec;
}

CivilTime civil_from_usec(Usec t) {
        CivilTime c = {};
        int64_t days = t / USEC_DAY, rest = t % USEC_DAY;
        if (rest < 0) {
                rest += USEC_DAY;
                days--;
        }
        civil_from_days(days, &c.year, &c.month, &c.day);
        c.usec = (int) (rest % USEC_SEC);
        rest /= USEC_SEC;
        c.hour = (int) (rest / 3600);
        c.minute = (int) (rest / 60 % 60);
        c.second = (int) (rest % 60);
        return c;
}

/* Written by hand: it stands in every row of every list, and snprintf costs five times as much. */
static char *digits(char *p, int value, int n) {
        for (int i = n - 1; i >= 0; i--, value /= 10)
                p[i] = (char) ('0' + value % 10);
        return p + n;
}

static char *put_date(char *p, const CivilTime *c) {
        p = digits(p, c->year, 4);
        *p++ = '-';
        p = digits(p, c->month, 2);
        *p++ = '-';
        return digits(p, c->day, 2);
}

char *date_text(Usec t, char ret[TIME_TEXT_SIZE]) {
        CivilTime c = civil_from_usec(t);
        *put_date(ret, &c) = 0;
        return ret;
}

char *time_text(Usec t, char ret[TIME_TEXT_SIZE]) {
        CivilTime c = civil_from_usec(t);
        char *p = put_date(ret, &c);

        *p++ = 'T';
        p = digits(p, c.hour, 2);
        *p++ = ':';
        p = digits(p, c.minute, 2);
        *p++ = ':';
        p = digits(p, c.second, 2);
        *p++ = 'Z';
        *p = 0;
        return ret;
}

/* n digits at s, or -1. */
static int take_digits(const char *s, int n) {
        int v = 0;
        for (int i = 0; i < n; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return -1;
                v = v * 10 + (s[i] - '0');
        }
        return v;
}

static bool date_take(const char *s, int *ret_year, int *ret_month, int *ret_day) {
        int year = take_digits(s, 4);
        if (year < 1 || s[4] != '-')
                return false;
        int month = take_digits(s + 5, 2);
        if (month < 1 || month > 12 || s[7] != '-')
                return false;
        int day = take_digits(s + 8, 2);
        if (day < 1 || day > civil_month_days(year, month))
                return false;
        *ret_year = year;
        *ret_month = month;
        *ret_day = day;
        return true;
}

bool date_parse(const char *s, int *ret_year, int *ret_month, int *ret_day) {
        return date_take(s, ret_year, ret_month, ret_day) && s[10] == 0;
}

bool time_of_day_parse(const char *s, int *ret_minutes) {
        int hour = take_digits(s, 2);
        if (hour < 0 || hour > 23 || s[2] != ':')
                return false;
        int minute = take_digits(s + 3, 2);
        if (minute < 0 || minute > 59 || s[5])
                return false;
        *ret_minutes = hour * 60 + minute;
        return true;
}

/* "Z" or "+HH:MM" to the end of s. */
static bool offset_parse(const char *s, Usec *ret) {
        int minutes;

        if (str_equal(s, "Z") || str_equal(s, "z")) {
                *ret = 0;
                return true;
        }
        if ((*s != '+' && *s != '-') || !time_of_day_parse(s + 1, &minutes))
                return false;
        *ret = (*s == '-' ? -1 : 1) * minutes * USEC_MINUTE;
        return true;
}

bool time_parse(const char *s, Usec *ret) {
        CivilTime c = {};
        Usec offset;

        if (!date_take(s, &c.year, &c.month, &c.day))
                return false;
        if (s[10] == 0) {
                *ret = civil_usec(&c);
                return true;
        }
        if (s[10] != 'T' && s[10] != 't')
                return false;
        s += 11;
        if ((c.hour = take_digits(s, 2)) < 0 || c.hour > 23 || s[2] != ':' ||
            (c.minute = take_digits(s + 3, 2)) < 0 || c.minute > 59 || s[5] != ':' ||
            (c.second = take_digits(s + 6, 2)) < 0 || c.second > 59)
                return false;
        s += 8;
        if (*s == '.') {
                int n = 0;
                for (s++; *s >= '0' && *s <= '9'; s++, n++)
                        if (n < 6)
                                c.usec = c.usec * 10 + (*s - '0');
                if (n == 0)
                        return false;
                for (; n < 6; n++)
                        c.usec *= 10;
        }
        if (!offset_parse(s, &offset))
                return false;
        *ret = civil_usec(&c) - offset;
        return true;
}

bool duration_parse(const char *s, Usec *ret) {
        static const struct {
                char letter;
                Usec unit;
        } units[] = { { 'm', USEC_MINUTE }, { 'h', USEC_HOUR }, { 'd', USEC_DAY }, { 'w', 7 * USEC_DAY } };
        size_t n = strlen(s);
        char number[24];
        uint64_t v;

        if (n < 2 || n > sizeof(number))
                return false;
        memcpy(number, s, n - 1);
        number[n - 1] = 0;
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (units[i].letter == s[n - 1]) {
                        if (!number_parse(number, (uint64_t) (INT64_MAX / units[i].unit), &v))
                                return false;
                        *ret = (Usec) v * units[i].unit;
                        return true;
                }
        return false;
}
