/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/picture.h"

int picture_convert(const uint8_t *data, size_t n, Buffer *ret, Picture *ret_shape, Problem *problem) {
        static const uint8_t png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' }, jpeg[] = { 0xff, 0xd8, 0xff };
        Picture p = {};
        int r;

        if (n > PICTURE_BYTES_MAX)
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "too-big", "symbol",
                                   "the picture has more than %d bytes", PICTURE_BYTES_MAX);
        if (n >= sizeof(png) && memcmp(data, png, sizeof(png)) == 0)
                r = png_decode(data, n, &p, problem);
        else if (n >= sizeof(jpeg) && memcmp(data, jpeg, sizeof(jpeg)) == 0)
                r = jpeg_decode(data, n, &p, problem);
        else
                return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "wrong-type", "symbol",
                                   "the picture is neither PNG nor JPEG");
        if (r == 0) {
                picture_turn(&p);
                r = p.type == PICTURE_PNG ? png_encode(&p, ret) : jpeg_encode(&p, ret);
        }
        *ret_shape = (Picture) { .type = p.type, .width = p.width, .height = p.height, .samples = p.samples };
        picture_done(&p);
        return r;
}
