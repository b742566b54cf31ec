// Animated GIF by giflib: rendered multi-frame images (PS3.18 Table 8.7.4-1).
#include "Internal.hpp"

#include <gif_lib.h>
#include <memory>
#include <vector>

using namespace codec;

namespace {

int append(GifFileType *file, const GifByteType *bytes, int count) {
    auto *sink = static_cast<std::vector<uint8_t> *>(file->UserData);
    sink->insert(sink->end(), bytes, bytes + count);
    return count;
}

struct FreeMap {
    void operator()(ColorMapObject *map) const { GifFreeMapObject(map); }
};

constexpr int reds = 6, greens = 7, blues = 6;

/// 256 greys, or a cube of 6 by 7 by 6 colours.
std::unique_ptr<ColorMapObject, FreeMap> make_map(bool is_colour) {
    std::unique_ptr<ColorMapObject, FreeMap> map(GifMakeMapObject(256, nullptr));
    if (!map) throw std::bad_alloc();
    for (int i = 0; i < 256; i++) {
        GifColorType &c = map->Colors[i];
        if (!is_colour) {
            c.Red = c.Green = c.Blue = static_cast<GifByteType>(i);
        } else if (i < reds * greens * blues) {
            c.Red = static_cast<GifByteType>(i / (greens * blues) * 255 / (reds - 1));
            c.Green = static_cast<GifByteType>(i / blues % greens * 255 / (greens - 1));
            c.Blue = static_cast<GifByteType>(i % blues * 255 / (blues - 1));
        } else {
            c.Red = c.Green = c.Blue = 0;
        }
    }
    return map;
}

/// The level of a value out of `levels`, with ordered dither: `threshold` is 0 to 15.
int level(int value, int levels, int threshold) {
    const int scaled = value * (levels - 1) * 16 + threshold * 255;
    const int result = scaled / (255 * 16);
    return result < levels ? result : levels - 1;
}

void to_indices(const uint8_t *pixels, uint32_t row, const codec_layout &layout, std::vector<GifPixelType> &line) {
    static const int bayer[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    for (uint32_t x = 0; x < layout.columns; x++) {
        if (layout.samples == 1) {
            line[x] = pixels[x];
        } else {
            const uint8_t *p = pixels + static_cast<size_t>(x) * 3;
            const int t = bayer[row % 4][x % 4];
            line[x] = static_cast<GifPixelType>(
                (level(p[0], reds, t) * greens + level(p[1], greens, t)) * blues + level(p[2], blues, t));
        }
    }
}

bool begin(GifFileType *file, const codec_layout &layout) {
    const auto map = make_map(layout.samples == 3);
    EGifSetGifVersion(file, true);
    if (EGifPutScreenDesc(file, static_cast<int>(layout.columns), static_cast<int>(layout.rows), 8, 0, map.get()) ==
        GIF_ERROR) {
        return false;
    }
    const GifByteType loop[3] = {1, 0, 0};  // for ever
    return EGifPutExtensionLeader(file, APPLICATION_EXT_FUNC_CODE) != GIF_ERROR &&
           EGifPutExtensionBlock(file, 11, "NETSCAPE2.0") != GIF_ERROR &&
           EGifPutExtensionBlock(file, 3, loop) != GIF_ERROR && EGifPutExtensionTrailer(file) != GIF_ERROR;
}

bool put_frame(GifFileType *file, const uint8_t *pixels, const codec_layout &layout, uint32_t delay) {
    GraphicsControlBlock control{DISPOSE_DO_NOT, false, static_cast<int>(delay), NO_TRANSPARENT_COLOR};
    GifByteType extension[4];
    const size_t size = EGifGCBToExtension(&control, extension);
    if (EGifPutExtension(file, GRAPHICS_EXT_FUNC_CODE, static_cast<int>(size), extension) == GIF_ERROR ||
        EGifPutImageDesc(
            file, 0, 0, static_cast<int>(layout.columns), static_cast<int>(layout.rows), false, nullptr) ==
            GIF_ERROR) {
        return false;
    }
    std::vector<GifPixelType> line(layout.columns);
    for (uint32_t row = 0; row < layout.rows; row++) {
        to_indices(pixels + static_cast<size_t>(row) * layout.columns * layout.samples, row, layout, line);
        if (EGifPutLine(file, line.data(), static_cast<int>(layout.columns)) == GIF_ERROR) return false;
    }
    return true;
}

}  // namespace

int32_t codec_gif_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, uint32_t frames, uint32_t delay,
    codec_output *output, codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        const size_t size = frame_bytes(*layout);
        if (layout->bits_allocated != 8 || frames == 0 || count != size * frames || !holds(*layout, size)) {
            return fail(error, CODEC_UNSUPPORTED, "layout");
        }
        std::vector<uint8_t> sink;
        int status = 0;
        GifFileType *file = EGifOpen(&sink, append, &status);
        if (!file) return fail(error, CODEC_UNSUPPORTED, "GIF encoding failed");
        bool is_good = begin(file, *layout);
        for (uint32_t f = 0; is_good && f < frames; f++) {
            is_good = put_frame(file, samples + f * size, *layout, delay);
        }
        if (EGifCloseFile(file, &status) == GIF_ERROR || !is_good) {
            return fail(error, CODEC_UNSUPPORTED, "GIF encoding failed");
        }
        return give(output, sink.data(), sink.size());
    });
}
