/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenantd-render: everything that makes or takes apart a document, in a process of its own that can do nothing else.
 *
 *   tenantd-render xlsx [SPOOL]     rows on standard input, a workbook on descriptor 3; SPOOL: folder with room
 *   tenantd-render pdf [SPOOL]      the same rows, a pdf on descriptor 3
 *   tenantd-render image            a picture on standard input, a clean one on descriptor 3
 *
 * A pdf is made by tenantd-render-pdf, which lies beside this program and takes its place: the twenty libraries that cairo
 * and pango bring along would nearly double the time that the other modes take to start, and have no business where a
 * stranger's picture is decoded.
 *
 * One line of JSON on standard output tells the outcome; exit 0 done, 1 {"error":{"code","text"}}, 2 wrong usage. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "render/answer.h"
#include "render/book.h"
#include "render/hooks.h"
#include "render/picture.h"
#include "render/sandbox.h"
#include "render/streams.h"

typedef enum Mode { MODE_XLSX, MODE_PDF, MODE_IMAGE, MODE_NONE } Mode;

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

static int usage(void) {
        static const char text[] = "usage: tenantd-render xlsx [SPOOL] | pdf [SPOOL] | image\n"
                                   "Started by tenantd. The document goes to descriptor 3, a file open for reading and writing.\n";
        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
        return 2;
}

static Mode mode_of(int argc, char **argv) {
        if (argc >= 2 && argc <= 3 && str_equal(argv[1], "xlsx"))
                return MODE_XLSX;
        if (argc >= 2 && argc <= 3 && str_equal(argv[1], "pdf"))
                return MODE_PDF;
        return argc == 2 && str_equal(argv[1], "image") ? MODE_IMAGE : MODE_NONE;
}

/* Comes back only if the other program is not there. */
static int pdf_exec(char **argv) {
        static const char suffix[] = "-pdf";
        char path[PATH_MAX];

        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(suffix));
        if (n < 0)
                return answer_error("fault", strerrordesc_np(errno));
        memcpy(path + n, suffix, sizeof(suffix));
        execv(path, argv);
        return answer_error("fault", "tenantd-render-pdf is not there");
}

int main(int argc, char **argv) {
        const char *folder = argc == 3 ? argv[2] : "/var/tmp";
        Mode mode = mode_of(argc, argv);
        int r;

        /* Nobody waits for a document whose daemon is gone. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (hooks_wanted(argc, argv))
                return hooks_run(argv[1], argv[2]);
        if (mode == MODE_NONE)
                return usage();
        if (mode == MODE_PDF)
                return pdf_exec(argv);
        r = document_prepare();
        if (r < 0)
                return answer_error("fault", "descriptor 3 is no file open for reading and writing");
        if (mode == MODE_XLSX) {
                r = streams_open(folder, DOCUMENT_FD);
                if (r < 0)
                        return answer_error("no-spool", strerrordesc_np(-r));
        }
        r = sandbox_enter(mode == MODE_XLSX ? SANDBOX_TABLE : SANDBOX_IMAGE);
        if (r < 0)
                return answer_error("no-sandbox", strerrordesc_np(-r));
        return mode == MODE_XLSX ? run_xlsx() : run_image();
}
