/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The schema as one SQL text, and its numbers. Until 0.1 it is edited in place; from then on by migrations. */

enum {
        SCHEMA_VERSION = 1,                  /* PRAGMA user_version */
        SCHEMA_APPLICATION_ID = 0x744e6431,  /* "tNd1", PRAGMA application_id */
};

extern const char schema_sql[];
