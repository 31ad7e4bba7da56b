/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/files.h"
#include "common/json.h"
#include "render/answer.h"

int answer(Buffer *line, int exit_code) {
        buffer_add_char(line, '\n');
        int r = fd_write_all(STDOUT_FILENO, line->data, line->size);
        buffer_done(line);
        return r < 0 ? 1 : exit_code;
}

int answer_error(const char *code, const char *text) {
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

int answer_failure(int r, const Problem *problem) {
        if (r > 0)
                return answer_error(problem->code, problem->text);
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return answer_error("no-space", "the disk is full");
        return answer_error("fault", strerrordesc_np(-r));
}

int document_prepare(void) {
        struct stat st;

        if (fstat(DOCUMENT_FD, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (fcntl(DOCUMENT_FD, F_GETFL) & O_ACCMODE) != O_RDWR)
                return -EINVAL;
        return ftruncate(DOCUMENT_FD, 0) < 0 || lseek(DOCUMENT_FD, 0, SEEK_SET) < 0 ? -errno : 0;
}

#ifdef SANITIZERS
/* Looking for leaks at the end starts a thread, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}
#endif
