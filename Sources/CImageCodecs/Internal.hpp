// What the files of this room share: filling an error and an output, and keeping every C++ exception inside.
#pragma once

#include "CImageCodecs.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

namespace codec {

inline int32_t fail(codec_error *error, int32_t code, const char *text) {
    if (error) {
        std::strncpy(error->text, text ? text : "", sizeof(error->text) - 1);
        error->text[sizeof(error->text) - 1] = 0;
    }
    return code;
}

/// Runs `body`; whatever it throws becomes CODEC_DAMAGED.
template <typename Body>
int32_t guarded(codec_error *error, Body body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return fail(error, CODEC_DAMAGED, "out of memory");
    } catch (const std::exception &e) {
        return fail(error, CODEC_DAMAGED, e.what());
    } catch (...) {
        return fail(error, CODEC_DAMAGED, "unknown C++ exception");
    }
}

inline size_t sample_bytes(const codec_layout &layout) { return layout.bits_allocated / 8; }

inline size_t frame_bytes(const codec_layout &layout) {
    return static_cast<size_t>(layout.columns) * layout.rows * layout.samples * sample_bytes(layout);
}

/// Whether a buffer of `count` bytes holds exactly the frame that the layout describes.
inline bool holds(const codec_layout &layout, size_t count) {
    return layout.columns > 0 && layout.rows > 0 && (layout.samples == 1 || layout.samples == 3) &&
           (layout.bits_allocated == 8 || layout.bits_allocated == 16) && layout.precision >= 1 &&
           layout.precision <= layout.bits_allocated && count == frame_bytes(layout);
}

inline int32_t give(codec_output *output, const uint8_t *bytes, size_t count) {
    output->bytes = static_cast<uint8_t *>(std::malloc(count ? count : 1));
    if (!output->bytes) throw std::bad_alloc();
    std::memcpy(output->bytes, bytes, count);
    output->count = count;
    return CODEC_OK;
}

/// One sample of an interleaved frame.
inline int32_t sample_at(const uint8_t *samples, size_t index, const codec_layout &layout) {
    if (layout.bits_allocated == 8) {
        return layout.is_signed ? static_cast<int8_t>(samples[index]) : samples[index];
    }
    const uint16_t value = static_cast<uint16_t>(samples[2 * index] | samples[2 * index + 1] << 8);
    return layout.is_signed ? static_cast<int16_t>(value) : value;
}

inline void put_sample(uint8_t *out, size_t index, int32_t value, const codec_layout &layout) {
    if (layout.bits_allocated == 8) {
        out[index] = static_cast<uint8_t>(value);
    } else {
        out[2 * index] = static_cast<uint8_t>(value);
        out[2 * index + 1] = static_cast<uint8_t>(static_cast<uint32_t>(value) >> 8);
    }
}

/// Levels of a wavelet transform that the smaller side of an image bears, at most five.
inline uint32_t decompositions(const codec_layout &layout) {
    const uint32_t side = layout.columns < layout.rows ? layout.columns : layout.rows;
    uint32_t levels = 0;
    while (levels < 5 && side >> (levels + 1) >= 1) levels++;
    return levels;
}

}  // namespace codec
