/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/memory.h"
#include "render/picture.h"

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

int picture_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem) {
        static const uint8_t png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' }, jpeg[] = { 0xff, 0xd8, 0xff };
        int r;

        if (n > PICTURE_BYTES_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", "symbol",
                                   "the picture has more than %d bytes", PICTURE_BYTES_MAX);
        if (n >= sizeof(png) && memcmp(data, png, sizeof(png)) == 0)
                r = png_decode(data, n, ret, problem);
        else if (n >= sizeof(jpeg) && memcmp(data, jpeg, sizeof(jpeg)) == 0)
                r = jpeg_decode(data, n, ret, problem);
        else
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", "symbol",
                                   "the picture is neither PNG nor JPEG");
        if (r == 0)
                picture_turn(ret);
        return r;
}

int picture_convert(const uint8_t *data, size_t n, Buffer *ret, Picture *ret_shape, Problem *problem) {
        Picture p = {};

        int r = picture_decode(data, n, &p, problem);
        if (r == 0)
                r = p.type == PICTURE_PNG ? png_encode(&p, ret) : jpeg_encode(&p, ret);
        *ret_shape = (Picture) { .type = p.type, .width = p.width, .height = p.height, .samples = p.samples };
        picture_done(&p);
        return r;
}

uint32_t picture_argb(const Picture *p, size_t i) {
        const uint8_t *x = p->pixels + i * p->samples;

        if (p->type == PICTURE_JPEG)
                return 0xff000000u | (uint32_t) x[0] << 16 | (uint32_t) x[p->samples >= 3 ? 1 : 0] << 8 |
                       x[p->samples >= 3 ? 2 : 0];
        uint32_t c = png_argb(p, x), alpha = c >> 24, out = alpha << 24;
        for (int shift = 0; shift <= 16; shift += 8)
                out |= ((c >> shift & 0xff) * alpha + 127) / 255 << shift;
        return out;
}
