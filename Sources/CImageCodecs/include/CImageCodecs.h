// Image codecs behind plain C: one frame at a time, (pointer, count) signatures; no exception leaves it.
#ifndef CIMAGECODECS_H
#define CIMAGECODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How a call ended.
enum {
    CODEC_OK = 0,
    CODEC_UNSUPPORTED = 1,  // this codec cannot do that
    CODEC_DAMAGED = 2       // the bytes do not decode, or contradict the layout
};

/// What a frame is: interleaved samples of 8 or 16 bits, little endian.
typedef struct {
    uint32_t columns, rows;
    uint32_t samples;         // 1 or 3
    uint32_t bits_allocated;  // 8 or 16
    uint32_t precision;       // bits that the codestream is to have (encoding), at most bits_allocated
    uint32_t is_signed;
} codec_layout;

/// Why a call failed. Never holds anything of the image.
typedef struct {
    char text[128];
} codec_error;

/// What an encoder wrote; `codec_free` returns the memory.
typedef struct {
    uint8_t *bytes;
    size_t count;
} codec_output;

void codec_free(codec_output *output);

/// JPEG with 8 bits a sample, sequential or progressive (libjpeg-turbo). `is_ycc`: three components are YCbCr, and come
/// out as RGB; else they come out as they are.
int32_t codec_jpeg_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, int32_t is_ycc, uint8_t *out, size_t out_count,
    codec_error *error);
/// Baseline JPEG from 8-bit grey, or from RGB, which becomes YCbCr. `is_subsampled`: colour at half the width (4:2:2).
int32_t codec_jpeg_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t quality, int32_t is_subsampled,
    codec_output *output, codec_error *error);

/// JPEG 2000 Part 1, a codestream or a JP2 file (OpenJPEG). A component transformation is undone.
int32_t codec_jpeg2000_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error);
/// Lossless; three samples get the reversible component transformation when `transforms_colour`.
int32_t codec_jpeg2000_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t transforms_colour, codec_output *output,
    codec_error *error);

/// High-Throughput JPEG 2000 (OpenJPH).
int32_t codec_htj2k_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error);
/// Lossless, in RPCL order.
int32_t codec_htj2k_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t transforms_colour, codec_output *output,
    codec_error *error);

/// JPEG-LS, lossless or not (CharLS).
int32_t codec_jpegls_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error);
/// Lossless.
int32_t codec_jpegls_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, codec_output *output, codec_error *error);

/// PNG of 8 or 16 bits, grey or RGB (libpng).
int32_t codec_png_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, codec_output *output, codec_error *error);

/// Animated GIF of `frames` frames of 8 bits, grey or RGB, one after the other; `delay` in hundredths of a second.
int32_t codec_gif_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, uint32_t frames, uint32_t delay,
    codec_output *output, codec_error *error);

/// One line of UTF-8 text as coverage, a byte a point, rows of `*columns` (FreeType).
int32_t codec_text_mask(
    const char *font_path, const uint8_t *text, size_t count, uint32_t height, codec_output *output, uint32_t *columns,
    uint32_t *rows, codec_error *error);

#ifdef __cplusplus
}
#endif
#endif
