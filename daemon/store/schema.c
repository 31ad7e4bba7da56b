/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/schema.h"

/* Conventions. n: internal key, never shown. id: 16 random bytes. *_key: search and sort key of the text beside it
 * (model/unicode.h). Times: microseconds since 1970, UTC. Enumerations: the words of the contract. Lists that are
 * only shown: JSON text, as it leaves; lists that are searched: a table as well. Sort columns are NOT NULL or have a
 * *_key that is. Only store/ writes here, each table from one file. A table WITHOUT ROWID names the columns of its
 * primary key first and in its order: the integrity check of SQLite before 3.41 finds "NULL values" in any other. */

const char schema_sql[] =
/* ---- the partner: one row ---- */
"CREATE TABLE partner("
" n INTEGER PRIMARY KEY CHECK(n = 1), revision INTEGER NOT NULL,"
" name TEXT, account TEXT, sender TEXT, language TEXT, time_zone TEXT, currency TEXT,"
" contacts TEXT NOT NULL DEFAULT '[]', logo TEXT, logo_bytes BLOB) STRICT;"

/* ---- customers ---- */
/* What lists show by default comes first: SQLite reads a row's header as far as the last column asked for. */
"CREATE TABLE customer("
" n INTEGER PRIMARY KEY, id BLOB NOT NULL, revision INTEGER NOT NULL,"
" organization TEXT NOT NULL, organization_key TEXT NOT NULL, registered_account TEXT, status TEXT NOT NULL,"
" country TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '[]', services TEXT NOT NULL DEFAULT '[]',"
" open_tickets INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL,"
" account_key TEXT, account_verified INTEGER NOT NULL DEFAULT 0,"
" account_type TEXT NOT NULL, cloud TEXT, first_name TEXT, last_name TEXT, phone TEXT,"
" data_center TEXT, language TEXT, time_zone TEXT,"
" contacts TEXT NOT NULL DEFAULT '[]', custom TEXT NOT NULL DEFAULT '{}',"
" symbol TEXT, state TEXT NOT NULL, management_mode TEXT NOT NULL, status_reason TEXT NOT NULL,"
" expired_hidden INTEGER NOT NULL DEFAULT 0,"
" subscriptions TEXT NOT NULL DEFAULT '[]', tenants INTEGER NOT NULL DEFAULT 0,"
" next_expiration INTEGER, notification TEXT,"
" billing_enabled INTEGER NOT NULL DEFAULT 0, billing_recipients TEXT NOT NULL DEFAULT '[]', billing_profile TEXT,"
" service_reports_enabled INTEGER NOT NULL DEFAULT 0, service_reports_recipients TEXT NOT NULL DEFAULT '[]',"
" before_disconnect TEXT, erase_after INTEGER) STRICT;"
"CREATE UNIQUE INDEX customer_by_id ON customer(id);"
"CREATE UNIQUE INDEX customer_by_account ON customer(account_key) WHERE account_key IS NOT NULL;"
/* The order of lists. The short columns after it spare a filter the look-up of the row: what has no index of its own
 * below, or is not looked for but excluded, is found by walking this one. */
"CREATE INDEX customer_by_organization ON customer(organization_key, organization, id,"
" status, country, management_mode, state, account_type, open_tickets, created);"
/* What a search reads from end to end: as little as can be. */
"CREATE INDEX customer_by_key ON customer(organization_key);"
/* Each filter of the list in the list's order: however rare the value is, a page is the first rows of a range. */
"CREATE INDEX customer_by_status ON customer(status, organization_key, organization, id);"
"CREATE INDEX customer_by_country ON customer(country, organization_key, organization, id);"
"CREATE INDEX customer_by_state ON customer(state, organization_key, organization, id);"
"CREATE INDEX customer_by_mode ON customer(management_mode, organization_key, organization, id);"
"CREATE INDEX customer_by_account_type ON customer(account_type, organization_key, organization, id);"
"CREATE INDEX customer_by_tickets ON customer((open_tickets > 0), organization_key, organization, id);"
"CREATE INDEX customer_by_created ON customer(created, id);"
"CREATE INDEX customer_by_erase_after ON customer(erase_after) WHERE erase_after IS NOT NULL;"
/* The same for what a customer has several of: tags, service keys and subscription states. Tags are distinct by
 * their exact text; tag_key is for searching. */
"CREATE TABLE customer_tag(tag TEXT NOT NULL, organization_key TEXT NOT NULL, organization TEXT NOT NULL,"
" id BLOB NOT NULL, tag_key TEXT NOT NULL, customer INTEGER NOT NULL,"
" PRIMARY KEY(tag, organization_key, organization, id)) STRICT, WITHOUT ROWID;"
"CREATE INDEX customer_tag_by_customer ON customer_tag(customer);"
"CREATE TABLE customer_service(service TEXT NOT NULL, organization_key TEXT NOT NULL, organization TEXT NOT NULL,"
" id BLOB NOT NULL, customer INTEGER NOT NULL,"
" PRIMARY KEY(service, organization_key, organization, id)) STRICT, WITHOUT ROWID;"
"CREATE INDEX customer_service_by_customer ON customer_service(customer);"
"CREATE TABLE customer_subscription(state TEXT NOT NULL, organization_key TEXT NOT NULL, organization TEXT NOT NULL,"
" id BLOB NOT NULL, customer INTEGER NOT NULL,"
" PRIMARY KEY(state, organization_key, organization, id)) STRICT, WITHOUT ROWID;"
"CREATE INDEX customer_subscription_by_customer ON customer_subscription(customer);"
"CREATE TABLE customer_custom(customer INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, value_key TEXT NOT NULL,"
" PRIMARY KEY(customer, name)) STRICT, WITHOUT ROWID;"
"CREATE TABLE customer_symbol(customer INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
"CREATE TABLE pin(uid INTEGER NOT NULL, customer INTEGER NOT NULL, pinned INTEGER NOT NULL,"
" PRIMARY KEY(uid, customer)) STRICT, WITHOUT ROWID;"
"CREATE INDEX pin_by_customer ON pin(customer);"
"CREATE TABLE erasure(n INTEGER PRIMARY KEY, id BLOB NOT NULL, customer INTEGER NOT NULL, erased INTEGER NOT NULL, completed INTEGER,"
" deletion_requested INTEGER NOT NULL DEFAULT 0, backups_until INTEGER) STRICT;"
"CREATE INDEX erasure_by_customer ON erasure(customer);"

/* ---- views ---- */
"CREATE TABLE view(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,"
" name_key TEXT NOT NULL, selector TEXT NOT NULL, columns TEXT NOT NULL, sort TEXT, owner INTEGER NOT NULL,"
" created INTEGER NOT NULL) STRICT;"
"CREATE INDEX view_by_name ON view(name_key, name, id);"

/* ---- who may do what ---- */
"CREATE TABLE role(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,"
" name_key TEXT NOT NULL, verbs TEXT NOT NULL, selector TEXT, exclude TEXT, created INTEGER NOT NULL) STRICT;"
"CREATE INDEX role_by_name ON role(name_key, name, id);"
/* kind, number: u and a uid, or g and a gid, as the host had them for the name when it was granted. */
"CREATE TABLE role_grant(role INTEGER NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL,"
" end TEXT, ends INTEGER, PRIMARY KEY(role, who)) STRICT, WITHOUT ROWID;"
"CREATE INDEX role_grant_by_number ON role_grant(kind, number, role);"
"CREATE TABLE customer_group(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL, name TEXT NOT NULL,"
" name_key TEXT NOT NULL UNIQUE, selector TEXT NOT NULL, created INTEGER NOT NULL) STRICT;"
"CREATE INDEX customer_group_by_name ON customer_group(name_key, name, id);"

/* ---- queue ---- */
/* granted: what it does was let through by polkit, so its owner needs no role for it. */
"CREATE TABLE task(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, state TEXT NOT NULL, lane TEXT NOT NULL,"
" attempt INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, created INTEGER NOT NULL,"
" started INTEGER, finished INTEGER, operation INTEGER, owner INTEGER NOT NULL, granted INTEGER NOT NULL DEFAULT 0,"
" cancel INTEGER NOT NULL DEFAULT 0, format INTEGER NOT NULL, arguments TEXT NOT NULL, saved TEXT, error TEXT) STRICT;"
"CREATE INDEX task_ready ON task(lane, due, n) WHERE state IN ('queued', 'waiting');"
"CREATE INDEX task_deadly ON task(lane, due, n) WHERE deaths >= 3 AND state IN ('queued', 'waiting');"
"CREATE INDEX task_running ON task(n) WHERE state = 'running';"
"CREATE INDEX task_couriers ON task(state) WHERE kind = 'mail' AND state IN ('queued', 'running');"
"CREATE INDEX task_by_state ON task(state, due, n);"
"CREATE INDEX task_by_operation ON task(operation) WHERE operation IS NOT NULL;"
"CREATE INDEX task_finished ON task(finished) WHERE finished IS NOT NULL;"
"CREATE TABLE operation(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, state TEXT NOT NULL,"
" done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, ok INTEGER NOT NULL DEFAULT 0,"
" refused INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, canceled INTEGER NOT NULL DEFAULT 0,"
" uid INTEGER NOT NULL, user TEXT NOT NULL, behalf TEXT, created INTEGER NOT NULL, finished INTEGER,"
" cancel INTEGER NOT NULL DEFAULT 0, format INTEGER NOT NULL, arguments TEXT NOT NULL, cursor TEXT, retry_of INTEGER) STRICT;"
"CREATE INDEX operation_by_created ON operation(created, n);"
"CREATE INDEX operation_by_state ON operation(state, created, n);"
"CREATE TABLE operation_item(operation INTEGER NOT NULL, n INTEGER NOT NULL, line INTEGER, customer INTEGER, customer_id BLOB,"
" organization TEXT, before TEXT, after TEXT, outcome TEXT NOT NULL, reason TEXT, message TEXT, finished INTEGER,"
" PRIMARY KEY(operation, n)) STRICT, WITHOUT ROWID;"
"CREATE INDEX operation_item_by_customer ON operation_item(customer, operation) WHERE customer IS NOT NULL;"

/* ---- reports ---- */
"CREATE TABLE report(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, format TEXT NOT NULL,"
" file_name TEXT NOT NULL, path TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,"
" data_date TEXT NOT NULL, created INTEGER NOT NULL, customer INTEGER, task INTEGER, warnings TEXT NOT NULL DEFAULT '[]',"
" owner INTEGER NOT NULL, template TEXT, run INTEGER, schedule BLOB) STRICT;"
"CREATE INDEX report_by_created ON report(created, n);"
"CREATE INDEX report_by_path ON report(path);"
"CREATE INDEX report_by_task ON report(task) WHERE task IS NOT NULL;"
"CREATE INDEX report_by_run ON report(run) WHERE run IS NOT NULL;"
"CREATE INDEX report_by_customer ON report(customer) WHERE customer IS NOT NULL;"
/* Who gets it. customer: the one whose rules decide (the address is that customer's); NULL: anybody. */
"CREATE TABLE report_recipient(report INTEGER NOT NULL, n INTEGER NOT NULL, address TEXT NOT NULL, address_key TEXT NOT NULL,"
" customer INTEGER, state TEXT NOT NULL, reason TEXT, message INTEGER, changed INTEGER NOT NULL,"
" PRIMARY KEY(report, n)) STRICT, WITHOUT ROWID;"
"CREATE INDEX report_recipient_waiting ON report_recipient(customer, address_key) WHERE state = 'waiting-verification';"
"CREATE INDEX report_recipient_by_customer ON report_recipient(customer) WHERE customer IS NOT NULL;"
"CREATE INDEX report_recipient_by_message ON report_recipient(message) WHERE message IS NOT NULL;"
"CREATE TABLE report_template(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,"
" name_key TEXT NOT NULL, sections TEXT NOT NULL, customers TEXT NOT NULL DEFAULT '[]', selector TEXT, language TEXT,"
" format TEXT NOT NULL, owner INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"
"CREATE INDEX report_template_by_name ON report_template(name_key, name, id);"

/* ---- schedules ---- */
/* settled_local, settled_due: the newest occurrence that was dealt with; what is due next comes after it. */
"CREATE TABLE schedule(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, revision INTEGER NOT NULL, export TEXT, template INTEGER,"
" customer INTEGER, frequency TEXT NOT NULL, on_text TEXT, on_shown TEXT, at TEXT NOT NULL, zone TEXT NOT NULL, start TEXT NOT NULL, end TEXT,"
" missed TEXT NOT NULL, recipients TEXT NOT NULL, format TEXT NOT NULL, columns TEXT, selector TEXT, file_name TEXT,"
" state TEXT NOT NULL, reason TEXT, next_due INTEGER, settled_due INTEGER NOT NULL, settled_local TEXT,"
" owner INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"
"CREATE INDEX schedule_due ON schedule(next_due, n) WHERE next_due IS NOT NULL;"
"CREATE INDEX schedule_by_created ON schedule(created, n);"
"CREATE INDEX schedule_by_template ON schedule(template) WHERE template IS NOT NULL;"
"CREATE INDEX schedule_by_customer ON schedule(customer) WHERE customer IS NOT NULL;"
/* Whose addresses are among the recipients; kept beside the lists in schedule. */
"CREATE TABLE schedule_recipient(address_key TEXT NOT NULL, schedule INTEGER NOT NULL, PRIMARY KEY(address_key, schedule))"
" STRICT, WITHOUT ROWID;"
"CREATE INDEX schedule_recipient_by_schedule ON schedule_recipient(schedule);"
/* local: the civil time of the occurrence; NULL of a run by hand and of many missed ones in one row. */
"CREATE TABLE run(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, schedule INTEGER NOT NULL, local TEXT, due INTEGER NOT NULL,"
" state TEXT NOT NULL, started INTEGER, finished INTEGER, task INTEGER, report INTEGER, error TEXT, count INTEGER NOT NULL DEFAULT 1,"
" created INTEGER NOT NULL) STRICT;"
"CREATE UNIQUE INDEX run_once ON run(schedule, local) WHERE local IS NOT NULL;"
"CREATE INDEX run_by_due ON run(schedule, due, n);"
"CREATE INDEX run_by_task ON run(task) WHERE task IS NOT NULL;"
"CREATE INDEX run_by_created ON run(created);"

/* ---- messages ---- */
/* Everything of a mail is fixed when its row is made. customer: whom it tells of, and who sees it. addressee: another customer, whose
 * the address is and with whom it goes. sealed: the body where it tells a code, wiped with the delivery. */
"CREATE TABLE message(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, target TEXT NOT NULL, event TEXT NOT NULL,"
" address TEXT NOT NULL, address_key TEXT NOT NULL, sender TEXT NOT NULL, sender_name TEXT, message_id TEXT NOT NULL UNIQUE,"
" language TEXT NOT NULL, subject TEXT NOT NULL, body TEXT, sealed BLOB, report INTEGER, customer INTEGER, addressee INTEGER,"
" state TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, next_attempt INTEGER, created INTEGER NOT NULL, delivered INTEGER,"
" finished INTEGER, error TEXT, begun INTEGER NOT NULL) STRICT;"
"CREATE INDEX message_due ON message(next_attempt, n) WHERE state = 'queued';"
"CREATE INDEX message_dead ON message(n) WHERE state = 'dead';"
"CREATE INDEX message_sending ON message(n) WHERE state = 'sending';"
"CREATE INDEX message_sealed ON message(n) WHERE sealed IS NOT NULL;"
"CREATE INDEX message_by_created ON message(created, n);"
"CREATE INDEX message_by_report ON message(report) WHERE report IS NOT NULL;"
"CREATE INDEX message_by_customer ON message(customer) WHERE customer IS NOT NULL;"
"CREATE INDEX message_by_addressee ON message(addressee) WHERE addressee IS NOT NULL;"
"CREATE INDEX message_finished ON message(finished) WHERE finished IS NOT NULL;"
"CREATE TABLE mail_template(n INTEGER PRIMARY KEY, event TEXT NOT NULL, language TEXT NOT NULL, subject TEXT NOT NULL,"
" body TEXT NOT NULL, shipped INTEGER NOT NULL) STRICT;"
"CREATE UNIQUE INDEX mail_template_by_event ON mail_template(event, language);"
/* Who proved that an address is theirs, for one customer. Codes and links: keyed hashes. */
"CREATE TABLE verification(customer INTEGER NOT NULL, address_key TEXT NOT NULL, address TEXT NOT NULL, code BLOB, link BLOB,"
" expires INTEGER, tries INTEGER NOT NULL DEFAULT 0, sent TEXT NOT NULL DEFAULT '[]', verified INTEGER,"
" PRIMARY KEY(customer, address_key)) STRICT, WITHOUT ROWID;"
"CREATE UNIQUE INDEX verification_by_link ON verification(link) WHERE link IS NOT NULL;"
/* Addresses that no mail goes to any more. */
"CREATE TABLE suppression(address_key TEXT PRIMARY KEY, address TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL)"
" STRICT, WITHOUT ROWID;"
/* Whose addresses the recipients of deliveries are; kept beside the lists in customer. */
"CREATE TABLE customer_recipient(address_key TEXT NOT NULL, customer INTEGER NOT NULL, PRIMARY KEY(address_key, customer))"
" STRICT, WITHOUT ROWID;"
"CREATE INDEX customer_recipient_by_customer ON customer_recipient(customer);"

/* ---- what services report (written by a later part; read by reports) ---- */
"CREATE TABLE job(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, customer INTEGER NOT NULL, tenant TEXT, service TEXT NOT NULL,"
" module TEXT, type TEXT, status TEXT NOT NULL, total INTEGER, successful INTEGER, failed INTEGER, skipped INTEGER,"
" warning INTEGER, bytes INTEGER, start INTEGER, end INTEGER, external_id TEXT, message TEXT, moment INTEGER NOT NULL) STRICT;"
"CREATE INDEX job_by_moment ON job(moment, n);"
"CREATE INDEX job_by_customer ON job(customer, moment, n);"
"CREATE TABLE storage_sample(n INTEGER PRIMARY KEY, customer INTEGER NOT NULL, service TEXT NOT NULL, module TEXT, date TEXT NOT NULL,"
" bytes_stored INTEGER, bytes_byos INTEGER, objects_scanned INTEGER, objects_protected INTEGER) STRICT;"
"CREATE INDEX storage_sample_by_date ON storage_sample(date, n);"
"CREATE INDEX storage_sample_by_customer ON storage_sample(customer, date, n);"
"CREATE TABLE subscription(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, customer INTEGER NOT NULL, service TEXT NOT NULL,"
" type TEXT NOT NULL, source TEXT NOT NULL, seats INTEGER, state TEXT NOT NULL, expires INTEGER) STRICT;"
"CREATE INDEX subscription_by_customer ON subscription(customer, n);"

/* ---- who did what ---- */
"CREATE TABLE audit(n INTEGER PRIMARY KEY, format INTEGER NOT NULL, time INTEGER NOT NULL, uid INTEGER NOT NULL,"
" user TEXT NOT NULL, behalf TEXT, verb TEXT NOT NULL, object TEXT, outcome TEXT NOT NULL, code TEXT, request_id TEXT,"
" operation BLOB, digest BLOB NOT NULL, chain BLOB NOT NULL) STRICT;"
"CREATE INDEX audit_by_object ON audit(object, n) WHERE object IS NOT NULL;"
"CREATE TABLE audit_value(audit INTEGER PRIMARY KEY, customer INTEGER, salt BLOB NOT NULL, before TEXT, after TEXT) STRICT;"
"CREATE INDEX audit_value_by_customer ON audit_value(customer) WHERE customer IS NOT NULL;"
"CREATE INDEX audit_value_erased ON audit_value(audit) WHERE before IS NULL AND after IS NULL;"
/* Records are added, never changed; what goes is covered by a checkpoint first. Values go with their records; where they are
 * erased, a seal takes their place, so that values that are missing without one are seen. */
"CREATE TABLE audit_checkpoint(n INTEGER PRIMARY KEY, time INTEGER NOT NULL, chain BLOB NOT NULL, count INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;"
"CREATE TABLE audit_head(one INTEGER PRIMARY KEY CHECK(one = 1), n INTEGER NOT NULL, chain BLOB NOT NULL, seal BLOB NOT NULL) STRICT;"
"CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are not changed'); END;"
"CREATE TRIGGER audit_kept BEFORE DELETE ON audit WHEN old.n > coalesce((SELECT max(n) FROM audit_checkpoint), 0)"
" BEGIN SELECT RAISE(ABORT, 'audit records are kept'); END;"
"CREATE TRIGGER audit_value_unchanged BEFORE UPDATE ON audit_value WHEN new.audit <> old.audit OR new.customer IS NOT NULL"
" OR new.before IS NOT NULL OR new.after IS NOT NULL OR length(new.salt) <> 32 BEGIN SELECT RAISE(ABORT, 'audit records are not changed'); END;"
"CREATE TRIGGER audit_value_kept BEFORE DELETE ON audit_value WHEN old.audit > coalesce((SELECT max(n) FROM audit_checkpoint), 0)"
" BEGIN SELECT RAISE(ABORT, 'audit records are kept'); END;"
"CREATE TRIGGER audit_checkpoint_unchanged BEFORE UPDATE OF n, time, chain, count ON audit_checkpoint"
" BEGIN SELECT RAISE(ABORT, 'audit checkpoints are not changed'); END;"
"CREATE TRIGGER audit_checkpoint_kept BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'audit checkpoints are kept'); END;"
"CREATE TRIGGER audit_head_kept BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the head of the audit is kept'); END;"
"CREATE TABLE request(uid INTEGER NOT NULL, behalf TEXT NOT NULL, method TEXT NOT NULL, id TEXT NOT NULL,"
" format INTEGER NOT NULL, digest BLOB NOT NULL, created INTEGER NOT NULL, kind TEXT, code TEXT, field TEXT, answer TEXT,"
" PRIMARY KEY(uid, behalf, method, id)) STRICT, WITHOUT ROWID;"
"CREATE INDEX request_by_created ON request(created);"
"CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
;
