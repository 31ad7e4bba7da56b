/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names by which daemon and clients find each other. */

#define BUS_NAME "org.tenantd.Tenant1"
#define BUS_PATH "/org/tenantd/Tenant1"
#define BUS_INTERFACE_PREFIX "org.tenantd.Tenant1."
#define BUS_ERROR_PREFIX "org.tenantd.Tenant1.Error."

/* What whoever begins something in a paused queue is told, by the daemon or by a client that waits for it. */
#define QUEUE_PAUSED "the queue is paused: this begins when it is told to go on (task resume)"

#define ADMIN_GROUP "tenantd-admin"          /* its members may do everything */
#define STATE_DIRECTORY "/var/lib/tenantd"
#define CONFIG_FILE "/etc/tenantd/tenantd.conf"

enum {
        PAGE_DEFAULT = 100,                  /* rows of a List without limit */
        PAGE_MAX = 500,
        CALLS_PER_CONNECTION_MAX = 128,      /* in flight; the stock bus stops there too */
        CALLS_PER_UID_MAX = 256,
};
