/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/memory.h"
#include "render/picture.h"

enum { SIGNATURE_SIZE = 8, CHUNK_EXTRA = 12, HEADER_SIZE = 13 };

struct PicturePng {
        int color_type, depth;
        png_color palette[PNG_MAX_PALETTE_LENGTH];
        int n_palette;
        png_byte alpha[PNG_MAX_PALETTE_LENGTH];
        int n_alpha;
        png_color_16 clear;                  /* the one transparent colour of a picture without alpha */
        bool has_clear;
};

/* One decoding or encoding. What longjmp() must not lose lives here, not in locals. */
typedef struct Job {
        const uint8_t *data;
        size_t size, at;
        Buffer *out;
        char message[120];
} Job;

static _noreturn_ void on_error(png_structp png, png_const_charp text) {
        Job *job = png_get_error_ptr(png);
        snprintf(job->message, sizeof(job->message), "%s", text);
        png_longjmp(png, 1);
}

/* libpng only warns of some damage; for us a picture is whole or it is not. */
static void on_warning(png_structp png, png_const_charp text) {
        on_error(png, text);
}

static void on_read(png_structp png, png_bytep to, png_size_t n) {
        Job *job = png_get_io_ptr(png);
        if (n > job->size - job->at)
                png_error(png, "it ends too early");
        memcpy(to, job->data + job->at, n);
        job->at += n;
}

static void on_write(png_structp png, png_bytep from, png_size_t n) {
        Job *job = png_get_io_ptr(png);
        buffer_add(job->out, from, n);
}

static void on_flush(png_structp png) {
}

static int bad(Problem *problem, const char *what) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-image", "symbol", "the PNG is damaged: %s", what);
}

static uint32_t get32(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static bool is_chunk(const uint8_t *chunk, const char *name) {
        return memcmp(chunk + 4, name, 4) == 0;
}

/* Copies what makes up the picture and leaves everything else behind, before libpng sees a byte: compressed text,
 * profiles, further frames and whatever stands behind the end are never unpacked. Checks every chunk's length and
 * checksum, and the size in the header. */
static int chunks_pick(const uint8_t *data, size_t n, Buffer *ret, unsigned *ret_orientation, Problem *problem) {
        static const char *const kept[] = { "IHDR", "PLTE", "tRNS", "IDAT", "IEND" };

        buffer_add(ret, data, SIGNATURE_SIZE);
        for (size_t at = SIGNATURE_SIZE;;) {
                const uint8_t *chunk = data + at;
                if (n - at < CHUNK_EXTRA)
                        return bad(problem, "it ends too early");
                size_t length = get32(chunk), whole = length + CHUNK_EXTRA;
                if (whole > n - at)
                        return bad(problem, "it ends too early");
                if (crc32(crc32(0, NULL, 0), chunk + 4, (uInt) length + 4) != get32(chunk + 8 + length))
                        return bad(problem, "a checksum is wrong");
                if ((at == SIGNATURE_SIZE) != is_chunk(chunk, "IHDR"))
                        return bad(problem, "its header is not where it must be");
                if (is_chunk(chunk, "IHDR")) {
                        if (length != HEADER_SIZE)
                                return bad(problem, "its header has a wrong length");
                        int r = picture_check_size(get32(chunk + 8), get32(chunk + 12), problem);
                        if (r != 0)
                                return r;
                }
                if (is_chunk(chunk, "eXIf"))
                        *ret_orientation = exif_orientation(chunk + 8, length);
                bool keep = false;
                for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                        keep = keep || is_chunk(chunk, kept[i]);
                if (keep)
                        buffer_add(ret, chunk, whole);
                else if (!(chunk[4] & 0x20))
                        return bad(problem, "it needs an extension that is not known here");
                if (is_chunk(chunk, "IEND"))
                        return 0;
                at += whole;
        }
}

static void info_take(png_structp png, png_infop info, Picture *p) {
        struct PicturePng *x = p->png;
        png_colorp palette;
        png_bytep alpha;
        png_color_16p clear;
        png_uint_32 width, height;

        png_get_IHDR(png, info, &width, &height, &x->depth, &x->color_type, NULL, NULL, NULL);
        p->width = width;
        p->height = height;
        if (png_get_PLTE(png, info, &palette, &x->n_palette) && x->color_type == PNG_COLOR_TYPE_PALETTE)
                memcpy(x->palette, palette, (size_t) x->n_palette * sizeof(png_color));
        else
                x->n_palette = 0;
        if (!png_get_tRNS(png, info, &alpha, &x->n_alpha, &clear))
                return;
        if (x->color_type == PNG_COLOR_TYPE_PALETTE)
                memcpy(x->alpha, alpha, (size_t) x->n_alpha);
        else if (x->depth <= 8) {
                x->clear = *clear;
                x->has_clear = true;
        }
}

static void pixels_read(png_structp png, png_infop info, Picture *p) {
        png_read_info(png, info);
        info_take(png, info, p);
        /* Sixteen bits become eight; a transparent colour of sixteen would then fit more pixels than it should. */
        if (p->png->depth == 16) {
                if (png_get_valid(png, info, PNG_INFO_tRNS))
                        png_set_tRNS_to_alpha(png);
                png_set_scale_16(png);
                p->png->depth = 8;
        }
        png_set_packing(png);
        int passes = png_set_interlace_handling(png);
        png_read_update_info(png, info);
        p->png->color_type = png_get_color_type(png, info);
        p->samples = png_get_channels(png, info);
        size_t stride = png_get_rowbytes(png, info);
        if (stride != (size_t) p->width * p->samples)
                png_error(png, "its rows have a strange length");
        p->pixels = memory_new(stride * p->height);
        for (int pass = 0; pass < passes; pass++)
                for (unsigned y = 0; y < p->height; y++)
                        png_read_row(png, p->pixels + y * stride, NULL);
        png_read_end(png, NULL);
}

/* An index beyond the palette would be another colour in every program that shows it. */
static bool indexes_fit(const Picture *p) {
        if (p->png->color_type != PNG_COLOR_TYPE_PALETTE)
                return true;
        for (size_t i = 0; i < (size_t) p->width * p->height; i++)
                if (p->pixels[i] >= p->png->n_palette)
                        return false;
        return true;
}

static int picked_decode(Job *job, Picture *ret, Problem *problem) {
        png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
        png_infop info = png ? png_create_info_struct(png) : NULL;
        volatile int r = 0;

        if (!info)
                r = -ENOMEM;
        else if (setjmp(png_jmpbuf(png)) != 0)
                r = bad(problem, job->message);
        else {
                png_set_user_limits(png, PICTURE_SIDE_MAX, PICTURE_SIDE_MAX);
                png_set_benign_errors(png, 0);
                png_set_read_fn(png, job, on_read);
                pixels_read(png, info, ret);
        }
        png_destroy_read_struct(&png, &info, NULL);
        return r;
}

int png_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem) {
        Buffer picked = {};

        *ret = (Picture) { .type = PICTURE_PNG, .orientation = 1, .png = memory_new(sizeof(struct PicturePng)) };
        int r = chunks_pick(data, n, &picked, &ret->orientation, problem);
        if (r == 0) {
                Job job = { .data = (const uint8_t *) picked.data, .size = picked.size };
                r = picked_decode(&job, ret, problem);
        }
        buffer_done(&picked);
        if (r == 0 && !indexes_fit(ret))
                r = bad(problem, "a pixel is outside its palette");
        return r;
}

static void pixels_write(png_structp png, png_infop info, const Picture *p) {
        const struct PicturePng *x = p->png;
        size_t stride = (size_t) p->width * p->samples;

        png_set_IHDR(png, info, p->width, p->height, x->depth, x->color_type, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        if (x->n_palette > 0)
                png_set_PLTE(png, info, x->palette, x->n_palette);
        if (x->n_alpha > 0 && x->color_type == PNG_COLOR_TYPE_PALETTE)
                png_set_tRNS(png, info, x->alpha, x->n_alpha, NULL);
        if (x->has_clear)
                png_set_tRNS(png, info, NULL, 0, &x->clear);
        png_set_compression_level(png, 9);
        png_write_info(png, info);
        png_set_packing(png);
        for (unsigned y = 0; y < p->height; y++)
                png_write_row(png, p->pixels + y * stride);
        png_write_end(png, NULL);
}

int png_encode(const Picture *p, Buffer *ret) {
        Job job = { .out = ret };
        png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
        png_infop info = png ? png_create_info_struct(png) : NULL;
        volatile int r = 0;

        if (!info)
                r = -ENOMEM;
        else if (setjmp(png_jmpbuf(png)) != 0)
                r = -EIO;
        else {
                png_set_write_fn(png, &job, on_write, on_flush);
                pixels_write(png, info, p);
        }
        png_destroy_write_struct(&png, &info);
        return r;
}

static uint32_t argb(unsigned a, unsigned r, unsigned g, unsigned b) {
        return (uint32_t) a << 24 | (uint32_t) r << 16 | (uint32_t) g << 8 | b;
}

uint32_t png_argb(const Picture *p, const uint8_t *v) {
        const struct PicturePng *x = p->png;
        unsigned grey;

        switch (x->color_type) {
        case PNG_COLOR_TYPE_PALETTE:
                return argb(v[0] < x->n_alpha ? x->alpha[v[0]] : 255, x->palette[v[0]].red, x->palette[v[0]].green,
                            x->palette[v[0]].blue);
        case PNG_COLOR_TYPE_GRAY:
                grey = v[0] * 255u / ((1u << x->depth) - 1);
                return argb(x->has_clear && v[0] == x->clear.gray ? 0 : 255, grey, grey, grey);
        case PNG_COLOR_TYPE_GRAY_ALPHA:
                return argb(v[1], v[0], v[0], v[0]);
        case PNG_COLOR_TYPE_RGB:
                return argb(x->has_clear && v[0] == x->clear.red && v[1] == x->clear.green && v[2] == x->clear.blue
                                    ? 0 : 255, v[0], v[1], v[2]);
        default:
                return argb(v[3], v[0], v[1], v[2]);
        }
}
