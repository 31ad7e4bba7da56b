/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenantd-render: everything that makes or takes apart a document, in a process of its own that can do nothing else.
 *
 *   tenantd-render xlsx [SPOOL]     rows on standard input, a workbook on descriptor 3; SPOOL: folder with room
 *   tenantd-render pdf [SPOOL]      the same rows, a pdf on descriptor 3
 *   tenantd-render image            a picture on standard input, a clean one on descriptor 3
 *
 * One line of JSON on standard output tells the outcome; exit 0 done, 1 {"error":{"code","text"}}, 2 wrong usage. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "common/memory.h"
#include "render/book.h"
#include "render/fonts.h"
#include "render/hooks.h"
#include "render/pages.h"
#include "render/picture.h"
#include "render/sandbox.h"
#include "render/streams.h"

enum { DOCUMENT_FD = 3 };

typedef enum Mode { MODE_XLSX, MODE_PDF, MODE_IMAGE, MODE_NONE } Mode;

extern char **environ;

static int answer(Buffer *line, int exit_code) {
        buffer_add_char(line, '\n');
        int r = fd_write_all(STDOUT_FILENO, line->data, line->size);
        buffer_done(line);
        return r < 0 ? 1 : exit_code;
}

static int answer_error(const char *code, const char *text) {
        Buffer b = {};

        json_put_object_begin(&b);
        json_put_key(&b, "error");
        json_put_object_begin(&b);
        json_put_key_string(&b, "code", code);
        json_put_key_string(&b, "text", text);
        json_put_object_end(&b);
        json_put_object_end(&b);
        return answer(&b, 1);
}

/* r < 0: a fault, r > 0: the problem. */
static int answer_failure(int r, const Problem *problem) {
        if (r > 0)
                return answer_error(problem->code, problem->text);
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return answer_error("no-space", "the disk is full");
        return answer_error("fault", strerrordesc_np(-r));
}

static int run_xlsx(void) {
        BookResult result = {};
        Problem problem = {};
        Buffer line = {};
        struct stat st;

        int r = book_write(STDIN_FILENO, &result, &problem);
        if (r == 0 && fstat(DOCUMENT_FD, &st) < 0)
                r = -errno;
        if (r != 0) {
                book_result_done(&result);
                return answer_failure(r, &problem);
        }
        json_put_object_begin(&line);
        json_put_key_int(&line, "rows", result.rows);
        json_put_key_int(&line, "sheets", result.sheets);
        json_put_key_int(&line, "bytes", st.st_size);
        json_put_key_raw(&line, "warnings", result.warnings.data, result.warnings.size);
        json_put_object_end(&line);
        book_result_done(&result);
        return answer(&line, 0);
}

/* The libraries look at language, font and other preferences of whoever calls: documents must not depend on them. */
static void environment_clean(void) {
        static const char *const kept[] = { "FONTCONFIG_FILE=", "FONTCONFIG_PATH=", "TENANTD_CRASH=", "ASAN_OPTIONS=",
                                            "UBSAN_OPTIONS=", "LSAN_OPTIONS=" };
        size_t n = 0;

        for (char **e = environ; e && *e; e++)
                for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                        if (str_starts(*e, kept[i])) {
                                environ[n++] = *e;
                                break;
                        }
        if (environ)
                environ[n] = NULL;
        setenv("LC_ALL", "C", 1);
        setenv("TZ", "UTC0", 1);
}

/* Fonts are found and opened, and an unnamed file for what comes through a pipe. */
static int pdf_prepare(const char *folder, PagesPlace *ret, Problem *problem) {
        *ret = (PagesPlace) { .in_fd = STDIN_FILENO, .out_fd = DOCUMENT_FD };
        environment_clean();
        int r = spool_open(folder, &ret->spool_fd);
        if (r < 0)
                return problem_set(problem, PROBLEM_FAILED, "no-spool", NULL, "%s", strerrordesc_np(-r));
        r = fonts_open(problem);
        if (r == 0)
                ret->ink = ink_new();
        return r;
}

static int run_pdf(const PagesPlace *place) {
        PagesResult result = {};
        Problem problem = {};
        Buffer line = {};
        struct stat st;

        int r = pages_write(place, &result, &problem);
        if (r == 0 && fstat(DOCUMENT_FD, &st) < 0)
                r = -errno;
        if (r != 0) {
                pages_result_done(&result);
                return answer_failure(r, &problem);
        }
        json_put_object_begin(&line);
        json_put_key_int(&line, "rows", result.rows);
        json_put_key_int(&line, "pages", result.pages);
        json_put_key_int(&line, "bytes", st.st_size);
        json_put_key_raw(&line, "warnings", result.warnings.data, result.warnings.size);
        json_put_object_end(&line);
        pages_result_done(&result);
        return answer(&line, 0);
}

static int run_image(void) {
        Buffer in = {}, out = {}, line = {};
        Problem problem = {};
        Picture shape = {};

        int r = fd_read_all(STDIN_FILENO, PICTURE_BYTES_MAX, INT64_MAX, &in);
        if (r == -EFBIG)
                r = problem_set(&problem, PROBLEM_INVALID_ARGUMENT, "too-big", "symbol",
                                "the picture has more than %d bytes", PICTURE_BYTES_MAX);
        if (r == 0)
                r = picture_convert((const uint8_t *) in.data, in.size, &out, &shape, &problem);
        if (r == 0)
                r = fd_write_all(DOCUMENT_FD, out.data, out.size);
        if (r == 0) {
                json_put_object_begin(&line);
                json_put_key_string(&line, "type", picture_type_name(shape.type));
                json_put_key_int(&line, "width", shape.width);
                json_put_key_int(&line, "height", shape.height);
                json_put_key_int(&line, "bytes", (int64_t) out.size);
                json_put_object_end(&line);
        }
        buffer_done(&in);
        buffer_done(&out);
        return r == 0 ? answer(&line, 0) : answer_failure(r, &problem);
}

/* An earlier attempt may have left something in it. */
static int document_prepare(void) {
        struct stat st;

        if (fstat(DOCUMENT_FD, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (fcntl(DOCUMENT_FD, F_GETFL) & O_ACCMODE) != O_RDWR)
                return -EINVAL;
        return ftruncate(DOCUMENT_FD, 0) < 0 || lseek(DOCUMENT_FD, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int usage(void) {
        static const char text[] = "usage: tenantd-render xlsx [SPOOL] | pdf [SPOOL] | image\n"
                                   "Started by tenantd. The document goes to descriptor 3, a file open for reading and writing.\n";
        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
        return 2;
}

#ifdef SANITIZERS
/* Looking for leaks at the end starts a thread, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}
#endif

static Mode mode_of(int argc, char **argv) {
        if (argc >= 2 && argc <= 3 && str_equal(argv[1], "xlsx"))
                return MODE_XLSX;
        if (argc >= 2 && argc <= 3 && str_equal(argv[1], "pdf"))
                return MODE_PDF;
        return argc == 2 && str_equal(argv[1], "image") ? MODE_IMAGE : MODE_NONE;
}

int main(int argc, char **argv) {
        static const SandboxMode walls[] = { SANDBOX_TABLE, SANDBOX_PAGES, SANDBOX_IMAGE };
        const char *folder = argc == 3 ? argv[2] : "/var/tmp";
        Mode mode = mode_of(argc, argv);
        PagesPlace place = {};
        Problem problem = {};
        int r;

        /* Nobody waits for a document whose daemon is gone. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (hooks_wanted(argc, argv))
                return hooks_run(argv[1], argv[2]);
        if (mode == MODE_NONE)
                return usage();
        r = document_prepare();
        if (r < 0)
                return answer_error("fault", "descriptor 3 is no file open for reading and writing");
        if (mode == MODE_XLSX) {
                r = streams_open(folder, DOCUMENT_FD);
                if (r < 0)
                        return answer_error("no-spool", strerrordesc_np(-r));
        }
        if (mode == MODE_PDF) {
                r = pdf_prepare(folder, &place, &problem);
                if (r != 0)
                        return answer_failure(r, &problem);
        }
        r = sandbox_enter(walls[mode]);
        if (r < 0)
                return answer_error("no-sandbox", strerrordesc_np(-r));
        return mode == MODE_XLSX ? run_xlsx() : mode == MODE_PDF ? run_pdf(&place) : run_image();
}
