/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The schema of version 1 as one SQL text. Until 0.1 it is edited in place; from then on by migrations (migrate.h). */

enum {
        SCHEMA_FIRST = 1,                    /* PRAGMA user_version of this text */
        SCHEMA_APPLICATION_ID = 0x744e6431,  /* "tNd1", PRAGMA application_id */
};

extern const char schema_sql[];
