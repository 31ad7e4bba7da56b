/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenantd-render-pdf: started by tenantd-render (see there) with the same words and descriptors. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "render/answer.h"
#include "render/fonts.h"
#include "render/pages.h"
#include "render/sandbox.h"

extern char **environ;

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

int main(int argc, char **argv) {
        PagesPlace place = {};
        Problem problem = {};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (argc < 2 || argc > 3 || !str_equal(argv[1], "pdf"))
                return 2;
        int r = document_prepare();
        if (r < 0)
                return answer_error("fault", "descriptor 3 is no file open for reading and writing");
        r = pdf_prepare(argc == 3 ? argv[2] : "/var/tmp", &place, &problem);
        if (r != 0)
                return answer_failure(r, &problem);
        r = sandbox_enter(SANDBOX_PAGES);
        if (r < 0)
                return answer_error("no-sandbox", strerrordesc_np(-r));
        return run_pdf(&place);
}
