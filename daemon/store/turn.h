/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A turn: the one transaction of everything that is drained from one source. Each action has its savepoint in it.
 * What happened is told to others (replies, signals, workers) only after turn_end() said TURN_DONE. */

#include "common/buffer.h"
#include "common/id.h"
#include "daemon/store/db.h"

typedef enum TurnEnd {
        TURN_DONE,           /* on disk */
        TURN_NOT_DONE,       /* nothing of it happened; see turn_failure() */
        TURN_UNKNOWN,        /* the disk failed at commit: no reply may leave, the process must end (exit 74) */
} TurnEnd;

typedef enum EffectType {
        EFFECT_CHANGED,              /* kind, id: tell subscribers */
        EFFECT_TASK_READY,           /* a task may be claimed */
        EFFECT_TASK_FINISHED,        /* n: whoever waits for this task */
        EFFECT_TASK_CANCELED,        /* n: stop its worker */
        EFFECT_OPERATION_PROGRESS,   /* id, done, total */
        EFFECT_OPERATION_FINISHED,   /* id, word: its state */
        EFFECT_ACCEPT_CLOCK,         /* the clock is believed from here on */
        EFFECT_QUIET_HOUR,           /* a test does not wait for the night */
        EFFECT_SCHEDULES,            /* when the next schedule is due may have changed */
        EFFECT_UNLINK,               /* path: a file nobody needs any more */
        EFFECT_LOG_LEVEL,            /* n: how much is logged from now on */
        EFFECT_RESTORE,              /* path: the database that takes this one's place; before the commit */
        EFFECT_SETTINGS,             /* the configuration that was read again holds from here on */
        EFFECT_KEY,                  /* everything sealed was sealed anew: see key_changed() */
} EffectType;

typedef struct Effect {
        EffectType type;
        const char *kind;            /* static string, as in Changed's kind: "customer" */
        Id id;
        int64_t n, done, total;
        const char *word;            /* static string */
        char *path;                  /* owned by the turn */
} Effect;

void turn_begin(Db *db);
TurnEnd turn_end(Db *db);            /* effects stay readable until the next turn_begin */
bool turn_is_open(const Db *db);
/* The transaction is lost (full disk, I/O error, …): nothing more may run in this turn, everything in it failed. */
bool turn_is_broken(const Db *db);
/* Something that belongs to it failed: nothing of it shall be kept. */
void turn_give_up(Db *db);
Usec turn_commit_takes(const Db *db);                            /* about, of late */
/* Why a turn was not done: Unavailable disk-full, ReadOnly read-only, else Failed. */
void turn_failure(const Db *db, Problem *ret);

/* Savepoints nest (an operation's slice holds its items'). Effects made since are dropped by a rollback. */
int savepoint_begin(Db *db);
int savepoint_release(Db *db);
void savepoint_rollback(Db *db);

void turn_effect(Db *db, Effect effect);                         /* path is taken over */
const Effect *turn_effects(const Db *db, size_t *ret_n);
bool turn_has_effect(const Db *db, EffectType type);

/* Between turns: gives the WAL's file room ahead, and writes its pages back if there are enough of them (from 1,000 if idle,
 * from 4,000 always), or if the last commit found the disk full.
 * < 0: the disk failed, the process must end. */
int turn_checkpoint(Db *db, bool idle);
