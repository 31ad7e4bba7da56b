/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <fontconfig/fontconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/memory.h"
#include "render/fonts.h"

enum {
        FONTS_MAX = 16384,
        SPARE = 128,                         /* descriptors for everything else */
};

typedef struct Font {
        const char *path;                    /* fontconfig's */
        int fd;
} Font;

static Font *fonts;                          /* by path */
static size_t n_fonts;

static int font_compare(const void *a, const void *b) {
        return strcmp(((const Font *) a)->path, ((const Font *) b)->path);
}

/* The same function under both of its names. */
int font_open(const char *path, int flags, ...) __asm__("open");
int font_open_large(const char *path, int flags, ...) __asm__("open64");

static int open_any(const char *path, int flags, mode_t mode) {
        const Font wanted = { path, -1 };
        Font *found = path && n_fonts > 0 ? bsearch(&wanted, fonts, n_fonts, sizeof(Font), font_compare) : NULL;

        if (found)
                return dup(found->fd);
        return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static mode_t mode_of(int flags, va_list ap) {
        return flags & (O_CREAT | O_TMPFILE) ? (mode_t) va_arg(ap, unsigned) : 0;
}

int font_open(const char *path, int flags, ...) {
        va_list ap;
        va_start(ap, flags);
        mode_t mode = mode_of(flags, ap);
        va_end(ap);
        return open_any(path, flags, mode);
}

int font_open_large(const char *path, int flags, ...) {
        va_list ap;
        va_start(ap, flags);
        mode_t mode = mode_of(flags, ap);
        va_end(ap);
        return open_any(path, flags, mode);
}

/* As many descriptors as there are files, if that may be. */
static int room_make(size_t n) {
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0)
                return -errno;
        if (l.rlim_cur >= n + SPARE)
                return 0;
        l.rlim_cur = MIN(l.rlim_max, (rlim_t) n + SPARE);
        return setrlimit(RLIMIT_NOFILE, &l) < 0 ? -errno : 0;
}

/* Files by their names, each once: a collection holds several fonts. */
static void paths_gather(const FcFontSet *set) {
        size_t kept = 0;

        fonts = memory_new(((size_t) set->nfont + 1) * sizeof(Font));
        for (int i = 0; i < set->nfont && n_fonts < FONTS_MAX; i++) {
                FcChar8 *path;
                if (FcPatternGetString(set->fonts[i], FC_FILE, 0, &path) == FcResultMatch)
                        fonts[n_fonts++] = (Font) { (const char *) path, -1 };
        }
        qsort(fonts, n_fonts, sizeof(Font), font_compare);
        for (size_t i = 0; i < n_fonts; i++)
                if (kept == 0 || !str_equal(fonts[i].path, fonts[kept - 1].path))
                        fonts[kept++] = fonts[i];
        n_fonts = kept;
}

int fonts_open(Problem *problem) {
        FcConfig *config = FcInit() ? FcConfigGetCurrent() : NULL;
        FcFontSet *set = config ? FcConfigGetFonts(config, FcSetSystem) : NULL;
        size_t n_open = 0, n;

        if (set)
                paths_gather(set);
        n = n_fonts;
        int r = room_make(n);
        if (r < 0)
                return r;
        n_fonts = 0;                         /* open_any() looks into them */
        for (size_t i = 0; i < n; i++) {
                fonts[i].fd = open_any(fonts[i].path, O_RDONLY | O_CLOEXEC, 0);
                if (fonts[i].fd < 0 && (errno == EMFILE || errno == ENFILE))
                        return problem_set(problem, PROBLEM_FAILED, "no-fonts", NULL,
                                           "there are %zu font files, more than may be open at once; raise LimitNOFILE", n);
                if (fonts[i].fd >= 0)
                        fonts[n_open++] = fonts[i];
        }
        n_fonts = n_open;
        if (n_fonts == 0)
                return problem_set(problem, PROBLEM_FAILED, "no-fonts", NULL,
                                   "no font is installed (Debian: fonts-dejavu-core)");
        /* Never again: what is installed meanwhile could not be opened. */
        FcConfigSetRescanInterval(config, 0);
        return 0;
}
