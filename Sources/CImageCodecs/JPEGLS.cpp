// JPEG-LS by CharLS (PS3.5 Annex A.4.3).
#include "Internal.hpp"

#include <charls/charls.h>
#include <vector>

using namespace codec;

namespace {

/// Samples as planes become samples by pixel.
void interleave(const std::vector<uint8_t> &planes, const codec_layout &layout, uint8_t *out) {
    const size_t pixels = static_cast<size_t>(layout.columns) * layout.rows, width = sample_bytes(layout);
    for (uint32_t s = 0; s < layout.samples; s++) {
        for (size_t i = 0; i < pixels; i++) {
            std::memcpy(out + (i * layout.samples + s) * width, planes.data() + (s * pixels + i) * width, width);
        }
    }
}

}  // namespace

int32_t codec_jpegls_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, out_count)) return fail(error, CODEC_UNSUPPORTED, "layout");
        charls::jpegls_decoder decoder;
        decoder.source(bytes, count).read_header();
        const charls::frame_info &info = decoder.frame_info();
        if (info.width != layout->columns || info.height != layout->rows ||
            info.component_count != static_cast<int32_t>(layout->samples) ||
            info.bits_per_sample > static_cast<int32_t>(layout->bits_allocated)) {
            return fail(error, CODEC_DAMAGED, "codestream contradicts the image attributes");
        }
        const size_t size = decoder.destination_size();
        const bool is_planar = layout->samples > 1 && decoder.interleave_mode() == charls::interleave_mode::none;
        if (size == out_count && !is_planar) {
            decoder.decode(out, out_count);
            return CODEC_OK;
        }
        if (size > out_count) return fail(error, CODEC_DAMAGED, "codestream contradicts the image attributes");
        std::vector<uint8_t> decoded(out_count);
        decoder.decode(decoded.data(), size);
        if (size * 2 == out_count) {
            // Samples of at most 8 bits in words of 16.
            for (size_t i = size; i-- > 0;) {
                decoded[2 * i] = decoded[i];
                decoded[2 * i + 1] = 0;
            }
        }
        if (is_planar) {
            interleave(decoded, *layout, out);
        } else {
            std::memcpy(out, decoded.data(), out_count);
        }
        return CODEC_OK;
    });
}

int32_t codec_jpegls_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, codec_output *output, codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, count) || layout->precision < 2 ||
            (layout->precision > 8) != (layout->bits_allocated == 16)) {
            return fail(error, CODEC_UNSUPPORTED, "layout");
        }
        charls::jpegls_encoder encoder;
        encoder.frame_info({layout->columns, layout->rows, static_cast<int32_t>(layout->precision),
                            static_cast<int32_t>(layout->samples)});
        if (layout->samples > 1) encoder.interleave_mode(charls::interleave_mode::sample);
        std::vector<uint8_t> buffer(encoder.estimated_destination_size() + 1024);
        encoder.destination(buffer.data(), buffer.size());
        const size_t written = encoder.encode(samples, count);
        return give(output, buffer.data(), written);
    });
}
