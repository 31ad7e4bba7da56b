/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon on the bus. It knows no loop: it exports a descriptor, the events it wants and a timeout, and is told
 * when to drain. Everything here runs on the loop thread. */

#include "daemon/task/runner.h"

typedef struct Bus Bus;

typedef struct BusConfig {
        Db *db;
        Runner *runner;
        const Settings *settings;
        const CustomerRules *rules;
        const char *host;
        const Reloader *reloader;
        const ClockGuard *clock;
} BusConfig;

/* address: "system", "session" or a D-Bus address. Owns the name when it returns. */
int bus_open(const BusConfig *config, const char *address, Bus **ret);
void bus_flush(Bus *b);                       /* what was sent leaves now, if it can */
void bus_free(Bus *b);                       /* flushes what is queued */

int bus_fd(const Bus *b);
int bus_events(const Bus *b);                /* POLLIN, POLLOUT; < 0: the connection is gone */
Usec bus_timeout(const Bus *b);              /* absolute, monotonic; USEC_NONE: none; past: at once */

/* In a turn: handles at most so many messages in at most so much time. < 0: the connection is gone. 1: there are more. */
int bus_drain(Bus *b, int messages, Usec time);
/* In a turn: calls that waited for a task which has ended. */
bool bus_has_ready(const Bus *b);
void bus_run_ready(Bus *b);
/* After the turn: the held replies leave, or the error if it was not done; then the signals of its effects. */
void bus_turn_ended(Bus *b, bool done, const Problem *failure);
bool bus_is_lost(const Bus *b);              /* Disconnected was seen */
bool bus_is_idle(const Bus *b);              /* no call is on its way */
/* The change that a verb is, made as a call would make it; NULL: it is none. Needs no bus. */
const ChangeRow *bus_find_change(const char *verb);
void bus_use_settings(Bus *b, const Settings *settings);         /* for calls from here on; the former ones stay in place */
void bus_refuse_new(Bus *b);                 /* stopping: new calls are told Unavailable */
