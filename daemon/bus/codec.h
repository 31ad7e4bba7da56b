/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between messages and plain data. */

#include <systemd/sd-bus.h>

#include "common/value.h"
#include "daemon/model/dataset.h"

enum { ARGUMENTS_MAX = 8 << 20 };            /* bytes of decoded arguments */

/* Reads an a{sv} into an arena. Descriptors are duplicated: the Dict owns them. Refuses doubled keys, very many of them,
 * types no field has, and numbers above 2^63-1. -E2BIG where the arena has grown above ARGUMENTS_MAX. */
int codec_read_dict(sd_bus_message *m, Arena *a, Dict *ret, Problem *problem);
int codec_read_strings(sd_bus_message *m, Arena *a, const char *const **ret, size_t *ret_n);

/* About as many bytes as the arguments of a message have, without decoding them; it stops above max. One that is malformed weighs max. */
size_t codec_weigh(sd_bus_message *m, size_t max);
int codec_refuse_size(Problem *problem);     /* above ARGUMENTS_MAX */

/* A JSON object as a{sv}, typed by the dataset's columns: times t (µs), numbers t, lists as, pairs a{ss}, contacts
 * aa{ss}; null is left out; other JSON is its text. The JSON is our own, with a NUL behind it, and is used up by it. */
int codec_append_object(sd_bus_message *m, const Dataset *d, char *json, size_t n);

/* The error of a refusal: "code: sentence", then lines "field: …" and "candidates: a<TAB>b" if there are any. */
int codec_error(sd_bus_message *call, const Problem *p, sd_bus_message **ret);
