/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/memory.h"
#include "render/picture.h"

/* What pictures of every type have: a size, an orientation, pixels. */

void picture_done(Picture *p) {
        free(p->pixels);
        free(p->png);
        *p = (Picture) {};
}

const char *picture_type_name(PictureType type) {
        return type == PICTURE_PNG ? "png" : "jpeg";
}

int picture_check_size(uint64_t width, uint64_t height, Problem *problem) {
        if (width == 0 || height == 0)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-image", "symbol",
                                   "the picture has no pixels (%llu × %llu)", (unsigned long long) width,
                                   (unsigned long long) height);
        if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", "symbol",
                                   "the picture is %llu × %llu pixels, at most %d × %d are allowed",
                                   (unsigned long long) width, (unsigned long long) height, PICTURE_SIDE_MAX,
                                   PICTURE_SIDE_MAX);
        return 0;
}

void picture_turn(Picture *p) {
        unsigned w = p->width, h = p->height, o = p->orientation;
        bool swap = o >= 5;

        p->orientation = 1;
        if (o < 2 || o > 8)
                return;
        uint8_t *turned = memory_new((size_t) w * h * p->samples);
        for (unsigned y = 0; y < h; y++)
                for (unsigned x = 0; x < w; x++) {
                        /* Where the stored pixel (x, y) is to be seen. */
                        unsigned a = swap ? y : x, b = swap ? x : y;
                        unsigned width = swap ? h : w, height = swap ? w : h;
                        if (o == 2 || o == 3 || o == 6 || o == 7)
                                a = width - 1 - a;
                        if (o == 3 || o == 4 || o == 7 || o == 8)
                                b = height - 1 - b;
                        memcpy(turned + ((size_t) b * width + a) * p->samples,
                               p->pixels + ((size_t) y * w + x) * p->samples, p->samples);
                }
        free(p->pixels);
        p->pixels = turned;
        p->width = swap ? h : w;
        p->height = swap ? w : h;
}

static unsigned get(const uint8_t *p, int n, bool little) {
        unsigned v = 0;
        for (int i = 0; i < n; i++)
                v = v << 8 | p[little ? n - 1 - i : i];
        return v;
}

unsigned exif_orientation(const uint8_t *tiff, size_t n) {
        enum { TAG = 0x0112, SHORT = 3 };

        if (n < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
                return 1;
        bool little = tiff[0] == 'I';
        size_t at = get(tiff + 4, 4, little);
        if (at > n - 2)
                return 1;
        unsigned entries = get(tiff + at, 2, little);
        at += 2;
        for (unsigned i = 0; i < entries && n - at >= 12; i++, at += 12)
                if (get(tiff + at, 2, little) == TAG && get(tiff + at + 2, 2, little) == SHORT) {
                        unsigned v = get(tiff + at + 8, 2, little);
                        return v >= 1 && v <= 8 ? v : 1;
                }
        return 1;
}
