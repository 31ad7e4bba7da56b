/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/picture.h"

int picture_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem) {
        static const uint8_t png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' }, jpeg[] = { 0xff, 0xd8, 0xff };
        int r;

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

        if (n > PICTURE_BYTES_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", "symbol",
                                   "the picture has more than %d bytes", PICTURE_BYTES_MAX);
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
