/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The configuration after it was read: values, units, defaults. Who reads the file is daemon/config.c. */

#include "common/clock.h"

typedef struct Settings {
        const char *config;                  /* the file that was read; NULL: none */
        const char **given;                  /* keys that a file or drop-in set, NULL-terminated; NULL: none */
        Usec started;                        /* when the daemon started */
        const char *state;                   /* the state directory */
        const char *render_program;          /* tenantd-render */
        const char *zoneinfo;                /* where tzdata is */
        int64_t workers;                     /* queue.workers: threads, 2..64 */
        int64_t grace_days;                  /* customer.grace_days */
        int64_t keep_jobs_days, keep_reports_days, keep_outbox_days, keep_audit_days;
        int64_t render_limit_minutes;        /* render.limit_minutes */
        int64_t quiet_minutes;               /* admin.quiet_hour, minutes after midnight in the partner's zone */
        const char *backup_directory;        /* admin.backup_directory */
        const char *portal_url;              /* portal.url, without a slash at its end */
        const char *mail_relay;              /* mail.relay: HOST[:PORT]; NULL: mail is written as files */
        const char *mail_starttls;           /* mail.starttls: required tls off */
        const char *mail_user, *mail_ca_file, *mail_ehlo, *mail_token_command;      /* NULL: none */
        const char *const *two_person;       /* admin.two_person: verbs that a second person approves, NULL-terminated; NULL: none */
        int64_t admin_gid;                   /* of the group whose members may do everything; -1: there is none */
        const char *credentials;             /* the credentials directory; NULL: none */
} Settings;
