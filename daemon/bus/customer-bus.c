/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/action/customer-action.h"
#include "daemon/action/dashboard-action.h"
#include "daemon/action/disconnect-action.h"
#include "daemon/bus/dispatch.h"
#include "daemon/task/import.h"

static const char *const none[] = { NULL };
static const char *const dashboard[] = { "sample", NULL };
static const char *const bulk[] = { "selector", NULL };

static const MethodRow rows[] = {
        { "List", FORM_LIST, ROW_READS, "customer.list", .dataset = "customers" },
        { "Query", FORM_QUERY, ROW_READS | ROW_WORKER, "customer.list", .dataset = "customers" },
        { "Count", FORM_COUNT, ROW_READS, "customer.list", .dataset = "customers" },
        { "Get", FORM_GET, ROW_READS, "customer.show", customer_show, .dataset = "customers" },
        { "Describe", FORM_DESCRIBE, ROW_READS, "customer.show", customer_show },
        { "Dashboard", FORM_ACT, ROW_READS, "customer.dashboard", customer_dashboard, .options = dashboard },
        { "GetSymbol", FORM_SAVE, ROW_READS, "customer.show", customer_symbol },
        { "Onboard", FORM_CREATE, ROW_PICTURE, "customer.onboard", customer_onboard, .options = none },
        { "Edit", FORM_CHANGE, ROW_PICTURE | ROW_BULK, "customer.edit", customer_edit, .options = bulk },
        { "Mode", FORM_CHANGE, ROW_BULK, "customer.mode", customer_mode, .options = bulk },
        { "Pin", FORM_CHANGE, ROW_BULK, "customer.pin", customer_pin_action, .options = bulk },
        { "Unpin", FORM_CHANGE, ROW_BULK, "customer.unpin", customer_unpin_action, .options = bulk },
        { "HideExpired", FORM_CHANGE, ROW_BULK, "customer.hide-expired", customer_hide_expired, .options = bulk },
        { "ShowExpired", FORM_CHANGE, ROW_BULK, "customer.show-expired", customer_show_expired, .options = bulk },
        { "Import", FORM_FILE_IN, ROW_IMPORT, "customer.import", customer_import, .options = none },
        { "Disconnect", FORM_ACT, 0, "customer.disconnect", customer_disconnect, .options = disconnect_options },
        { "Reconnect", FORM_ACT, 0, "customer.reconnect", customer_reconnect, .options = none },
        {},
};

const InterfaceRows customers_interface = { "Customers", rows };
