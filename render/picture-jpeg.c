/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>
#include <jerror.h>

#include "common/memory.h"
#include "render/picture.h"

enum { SCANS_MAX = 64, QUALITY = 90, MEMORY_MAX = 64 * 1024 * 1024 };

typedef struct Job {
        struct jpeg_error_mgr errors;        /* first: libjpeg's pointer to it is the pointer to the job */
        struct jpeg_progress_mgr progress;
        jmp_buf back;
        char message[JMSG_LENGTH_MAX];
} Job;

static _noreturn_ void on_error(j_common_ptr jpeg) {
        Job *job = (Job *) jpeg->err;
        job->errors.format_message(jpeg, job->message);
        longjmp(job->back, 1);
}

/* libjpeg calls damage a warning and goes on with grey; for us a picture is whole or it is not. */
static void on_message(j_common_ptr jpeg, int level) {
        if (level < 0)
                on_error(jpeg);
}

static void on_output(j_common_ptr jpeg) {
}

/* Each scan of a progressive picture costs as much as the whole: a few bytes could cost hours. */
static void on_progress(j_common_ptr jpeg) {
        if (jpeg->is_decompressor && ((j_decompress_ptr) jpeg)->input_scan_number > SCANS_MAX) {
                Job *job = (Job *) jpeg->err;
                snprintf(job->message, sizeof(job->message), "it has more than %d scans", SCANS_MAX);
                longjmp(job->back, 1);
        }
}

static struct jpeg_error_mgr *job_errors(Job *job) {
        jpeg_std_error(&job->errors);
        job->errors.error_exit = on_error;
        job->errors.emit_message = on_message;
        job->errors.output_message = on_output;
        job->progress.progress_monitor = on_progress;
        return &job->errors;
}

static int bad(Problem *problem, const char *what) {
        return problem_set(problem, PROBLEM_INVALID_ARGUMENT, "bad-image", "symbol", "the JPEG is damaged: %s",
                           what);
}

static unsigned orientation_find(j_decompress_ptr jpeg) {
        static const char exif[] = "Exif\0";         /* six bytes with its own end */

        for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
                if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof(exif) &&
                    memcmp(m->data, exif, sizeof(exif)) == 0)
                        return exif_orientation(m->data + sizeof(exif), m->data_length - sizeof(exif));
        return 1;
}

/* Four inks to three lights, in place. Adobe's programs store inks inverted, and say so by their marker. */
static void row_from_cmyk(uint8_t *row, unsigned width, bool inverted) {
        for (unsigned x = 0; x < width; x++) {
                const uint8_t *ink = row + (size_t) x * 4;
                unsigned k = inverted ? ink[3] : 255U - ink[3];
                for (int i = 0; i < 3; i++) {
                        unsigned light = inverted ? ink[i] : 255U - ink[i];
                        row[(size_t) x * 3 + (size_t) i] = (uint8_t) ((light * k + 127) / 255);
                }
        }
}

static void pixels_read(j_decompress_ptr jpeg, Picture *p) {
        bool inks = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
        bool inverted = jpeg->saw_Adobe_marker;
        uint8_t *row;

        jpeg->out_color_space = inks ? JCS_CMYK : jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg->dct_method = JDCT_ISLOW;
        p->orientation = orientation_find(jpeg);
        jpeg_start_decompress(jpeg);
        p->width = jpeg->output_width;
        p->height = jpeg->output_height;
        p->samples = inks ? 3 : (unsigned) jpeg->output_components;
        /* The last row of inks is wider than its place. */
        p->pixels = memory_new((size_t) p->width * p->samples * p->height + p->width);
        while (jpeg->output_scanline < jpeg->output_height) {
                row = p->pixels + (size_t) jpeg->output_scanline * p->width * p->samples;
                jpeg_read_scanlines(jpeg, &row, 1);
                if (inks)
                        row_from_cmyk(row, p->width, inverted);
        }
        jpeg_finish_decompress(jpeg);
}

int jpeg_decode(const uint8_t *data, size_t n, Picture *ret, Problem *problem) {
        Job job = {};
        struct jpeg_decompress_struct jpeg = { .err = job_errors(&job) };
        volatile int r = 0;

        *ret = (Picture) { .type = PICTURE_JPEG, .orientation = 1 };
        if (setjmp(job.back) != 0)
                r = bad(problem, job.message);
        else {
                jpeg_create_decompress(&jpeg);
                jpeg.progress = &job.progress;
                jpeg.mem->max_memory_to_use = MEMORY_MAX;
                jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xffff);
                jpeg_mem_src(&jpeg, data, (unsigned long) n);
                jpeg_read_header(&jpeg, TRUE);
                r = picture_check_size(jpeg.image_width, jpeg.image_height, problem);
                if (r == 0)
                        pixels_read(&jpeg, ret);
        }
        jpeg_destroy_decompress(&jpeg);
        return r;
}

/* A destination of our own: jpeg_mem_dest() leaks its memory when an error jumps out. */
typedef struct Sink {
        struct jpeg_destination_mgr manager; /* first, as above */
        Buffer *out;
        JOCTET block[4096];
} Sink;

static void sink_begin(j_compress_ptr jpeg) {
        Sink *s = (Sink *) jpeg->dest;
        s->manager.next_output_byte = s->block;
        s->manager.free_in_buffer = sizeof(s->block);
}

static boolean sink_full(j_compress_ptr jpeg) {
        Sink *s = (Sink *) jpeg->dest;
        buffer_add(s->out, s->block, sizeof(s->block));
        sink_begin(jpeg);
        return TRUE;
}

static void sink_end(j_compress_ptr jpeg) {
        Sink *s = (Sink *) jpeg->dest;
        buffer_add(s->out, s->block, sizeof(s->block) - s->manager.free_in_buffer);
}

int jpeg_encode(const Picture *p, Buffer *ret) {
        Job job = {};
        Sink sink = { .manager = { .init_destination = sink_begin, .empty_output_buffer = sink_full,
                                   .term_destination = sink_end },
                      .out = ret };
        struct jpeg_compress_struct jpeg = { .err = job_errors(&job) };
        volatile int r = 0;

        if (setjmp(job.back) != 0)
                r = -EIO;
        else {
                jpeg_create_compress(&jpeg);
                jpeg.dest = &sink.manager;
                jpeg.image_width = p->width;
                jpeg.image_height = p->height;
                jpeg.input_components = (int) p->samples;
                jpeg.in_color_space = p->samples == 1 ? JCS_GRAYSCALE : JCS_RGB;
                jpeg_set_defaults(&jpeg);
                jpeg_set_quality(&jpeg, QUALITY, TRUE);
                /* Symbols have sharp coloured edges: colour is not thinned out. */
                jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
                jpeg.dct_method = JDCT_ISLOW;
                jpeg.optimize_coding = TRUE;
                jpeg_start_compress(&jpeg, TRUE);
                while (jpeg.next_scanline < jpeg.image_height) {
                        JSAMPROW row = p->pixels + (size_t) jpeg.next_scanline * p->width * p->samples;
                        jpeg_write_scanlines(&jpeg, &row, 1);
                }
                jpeg_finish_compress(&jpeg);
        }
        jpeg_destroy_compress(&jpeg);
        return r;
}
