/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A customer's symbol: decoded and written anew, so that what is kept is pixels and nothing else. */

#include "common/buffer.h"
#include "common/problem.h"

enum {
        PICTURE_BYTES_MAX = 256 * 1024,      /* of what comes from outside; written anew it may be larger */
        PICTURE_SIDE_MAX = 1024,             /* pixels, each way */
};

typedef enum PictureType { PICTURE_PNG, PICTURE_JPEG } PictureType;

/* Decoded. Rows without padding, one byte a sample (a PNG's indexed or 1-bit pixel is one byte too). */
typedef struct Picture {
        PictureType type;
        unsigned width, height;
        unsigned samples;                    /* bytes of a pixel: 1..4 */
        uint8_t *pixels;                     /* owned */
        unsigned orientation;                /* as EXIF counts, 1..8 */
        struct PicturePng *png;              /* owned, what a PNG needs besides; NULL for a JPEG */
} Picture;

void picture_done(Picture *p);
const char *picture_type_name(PictureType type);                 /* "png", "jpeg" */

/* Refusals: too-big, wrong-type, bad-image. The same bytes give the same bytes. */
int picture_convert(const uint8_t *data, size_t n, Buffer *ret, Picture *ret_shape, Problem *problem);

/* Parts of the above. Both decoders refuse what is truncated or damaged, and look at the size before any pixel. */
int png_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem);
int png_encode(const Picture *p, Buffer *ret);
int jpeg_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem);
int jpeg_encode(const Picture *p, Buffer *ret);

/* Decoded, turned upright: as picture_convert(), before anything is written anew, and however many bytes it has. */
int picture_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem);
uint32_t picture_argb(const Picture *p, size_t i);               /* the i-th pixel, 0xAARRGGBB, multiplied by its alpha */
uint32_t png_argb(const Picture *p, const uint8_t *pixel);       /* not multiplied */

int picture_check_size(uint64_t width, uint64_t height, Problem *problem);
void picture_turn(Picture *p);                                   /* makes orientation 1 */
unsigned exif_orientation(const uint8_t *tiff, size_t n);        /* 1 if it tells none */
