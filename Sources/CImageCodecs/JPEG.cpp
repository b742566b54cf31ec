// JPEG with 8 bits a sample by libjpeg-turbo (PS3.5 Annex A.4.1).
#include "Internal.hpp"

#include <csetjmp>
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>

using namespace codec;

namespace {

struct ErrorManager {
    jpeg_error_mgr base;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
    bool is_cut;  // entropy-coded data ended early; libjpeg fills up with grey and only warns
};

[[noreturn]] void leave(j_common_ptr info) {
    auto *manager = reinterpret_cast<ErrorManager *>(info->err);
    info->err->format_message(info, manager->text);
    longjmp(manager->escape, 1);
}

void say_nothing(j_common_ptr) {}

void note(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_JPEG_EOF)) {
        reinterpret_cast<ErrorManager *>(info->err)->is_cut = true;
    }
}

void prepare(ErrorManager &manager) {
    jpeg_std_error(&manager.base);
    manager.base.error_exit = leave;
    manager.base.output_message = say_nothing;
    manager.base.emit_message = note;
    manager.text[0] = 0;
    manager.is_cut = false;
}

/// Progressive scans without number are a known way to keep a decoder busy for hours.
constexpr int most_scans = 200;

void count_scans(j_common_ptr info) {
    auto *decoder = reinterpret_cast<j_decompress_ptr>(info);
    if (info->is_decompressor && decoder->input_scan_number > most_scans) {
        auto *manager = reinterpret_cast<ErrorManager *>(info->err);
        std::strcpy(manager->text, "too many scans");
        longjmp(manager->escape, 1);
    }
}

}  // namespace

void codec_free(codec_output *output) {
    std::free(output->bytes);
    output->bytes = nullptr;
    output->count = 0;
}

// No object with a destructor may live across setjmp: libjpeg leaves by longjmp.
int32_t codec_jpeg_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, int32_t is_ycc, uint8_t *out, size_t out_count,
    codec_error *error) {
    if (!holds(*layout, out_count)) return fail(error, CODEC_UNSUPPORTED, "layout");
    ErrorManager manager;
    jpeg_progress_mgr progress{};
    jpeg_decompress_struct info;
    prepare(manager);
    info.err = &manager.base;
    if (setjmp(manager.escape)) {
        jpeg_destroy_decompress(&info);
        return fail(error, CODEC_DAMAGED, manager.text);
    }
    jpeg_create_decompress(&info);
    progress.progress_monitor = count_scans;
    info.progress = &progress;
    info.mem->max_memory_to_use = 512L << 20;
    jpeg_mem_src(&info, bytes, count);
    (void)jpeg_read_header(&info, TRUE);
    if (info.image_width != layout->columns || info.image_height != layout->rows ||
        info.num_components != static_cast<int>(layout->samples)) {
        jpeg_destroy_decompress(&info);
        return fail(error, CODEC_DAMAGED, "codestream contradicts the image attributes");
    }
    if (layout->samples == 1) {
        info.out_color_space = JCS_GRAYSCALE;
    } else {
        info.jpeg_color_space = is_ycc ? JCS_YCbCr : JCS_RGB;
        info.out_color_space = JCS_RGB;
    }
    (void)jpeg_start_decompress(&info);
    const size_t stride = static_cast<size_t>(layout->columns) * layout->samples;
    const size_t width = sample_bytes(*layout);
    while (info.output_scanline < info.output_height) {
        // Rows of wider samples are read into their own upper half and spread out from the front.
        uint8_t *row = out + info.output_scanline * stride * width;
        uint8_t *landing = row + stride * (width - 1);
        JSAMPROW rows[1] = {landing};
        (void)jpeg_read_scanlines(&info, rows, 1);
        if (width == 2) {
            for (size_t i = 0; i < stride; i++) {
                const uint8_t value = landing[i];
                row[2 * i] = value;
                row[2 * i + 1] = 0;
            }
        }
    }
    (void)jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return manager.is_cut ? fail(error, CODEC_DAMAGED, "codestream ends early") : CODEC_OK;
}

int32_t codec_jpeg_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t quality, int32_t is_subsampled,
    codec_output *output, codec_error *error) {
    if (!holds(*layout, count) || layout->bits_allocated != 8) {
        return fail(error, CODEC_UNSUPPORTED, "baseline JPEG takes 8 bits a sample");
    }
    if (layout->columns > JPEG_MAX_DIMENSION || layout->rows > JPEG_MAX_DIMENSION) {
        return fail(error, CODEC_UNSUPPORTED, "image is too large for JPEG");
    }
    ErrorManager manager;
    jpeg_compress_struct info;
    unsigned char *buffer = nullptr;
    unsigned long length = 0;
    prepare(manager);
    info.err = &manager.base;
    if (setjmp(manager.escape)) {
        jpeg_destroy_compress(&info);
        std::free(buffer);
        return fail(error, CODEC_UNSUPPORTED, manager.text);
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &buffer, &length);
    info.image_width = layout->columns;
    info.image_height = layout->rows;
    info.input_components = static_cast<int>(layout->samples);
    info.in_color_space = layout->samples == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    if (layout->samples == 3) {
        info.comp_info[0].h_samp_factor = is_subsampled ? 2 : 1;
        info.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&info, TRUE);
    const size_t stride = static_cast<size_t>(layout->columns) * layout->samples;
    while (info.next_scanline < info.image_height) {
        JSAMPROW rows[1] = {const_cast<JSAMPROW>(samples + info.next_scanline * stride)};
        (void)jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    output->bytes = buffer;  // malloc'ed by libjpeg
    output->count = length;
    return CODEC_OK;
}
