// Text for burning into rendered images, by FreeType.
#include "Internal.hpp"

#include <algorithm>
#include <ft2build.h>
#include FT_FREETYPE_H
#include <memory>
#include <type_traits>
#include <vector>

using namespace codec;

namespace {

struct Done {
    void operator()(FT_Library library) const { (void)FT_Done_FreeType(library); }
    void operator()(FT_Face face) const { (void)FT_Done_Face(face); }
};

using Library = std::unique_ptr<std::remove_pointer_t<FT_Library>, Done>;
using Face = std::unique_ptr<std::remove_pointer_t<FT_Face>, Done>;

/// The next character of well-formed UTF-8, which Swift's strings are.
uint32_t next(const uint8_t *text, size_t count, size_t &at) {
    const uint8_t first = text[at++];
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    uint32_t value = more == 0 ? first : first & (0x3F >> more);
    for (int i = 0; i < more && at < count; i++) value = value << 6 | (text[at++] & 0x3F);
    return value;
}

/// Lays the glyphs one after the other; draws them when there is a mask. The width.
int lay(FT_Face face, const uint8_t *text, size_t count, int baseline, std::vector<uint8_t> *mask, int columns, int rows) {
    int pen = 0;
    for (size_t at = 0; at < count;) {
        if (FT_Load_Char(face, next(text, count, at), FT_LOAD_RENDER)) continue;
        const FT_GlyphSlot glyph = face->glyph;
        for (int y = 0; mask && y < static_cast<int>(glyph->bitmap.rows); y++) {
            for (int x = 0; x < static_cast<int>(glyph->bitmap.width); x++) {
                const int column = pen + glyph->bitmap_left + x, row = baseline - glyph->bitmap_top + y;
                if (column < 0 || row < 0 || column >= columns || row >= rows) continue;
                uint8_t &point = (*mask)[static_cast<size_t>(row) * columns + column];
                point = std::max(point, glyph->bitmap.buffer[y * glyph->bitmap.pitch + x]);
            }
        }
        pen += static_cast<int>(glyph->advance.x >> 6);
    }
    return pen;
}

}  // namespace

int32_t codec_text_mask(
    const char *font_path, const uint8_t *text, size_t count, uint32_t height, codec_output *output, uint32_t *columns,
    uint32_t *rows, codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        FT_Library raw_library = nullptr;
        if (FT_Init_FreeType(&raw_library)) return fail(error, CODEC_UNSUPPORTED, "FreeType does not start");
        const Library library(raw_library);
        FT_Face raw_face = nullptr;
        if (FT_New_Face(library.get(), font_path, 0, &raw_face)) return fail(error, CODEC_UNSUPPORTED, "no font");
        const Face face(raw_face);
        if (FT_Set_Pixel_Sizes(face.get(), 0, height)) return fail(error, CODEC_UNSUPPORTED, "font size");
        const int baseline = static_cast<int>(face->size->metrics.ascender >> 6);
        const int tall = baseline - static_cast<int>(face->size->metrics.descender >> 6);
        const int wide = std::min(16384, lay(face.get(), text, count, baseline, nullptr, 0, 0) + 2);
        std::vector<uint8_t> mask(static_cast<size_t>(wide) * tall);
        (void)lay(face.get(), text, count, baseline, &mask, wide, tall);
        *columns = static_cast<uint32_t>(wide);
        *rows = static_cast<uint32_t>(tall);
        return give(output, mask.data(), mask.size());
    });
}
