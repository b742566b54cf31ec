// High-Throughput JPEG 2000 by OpenJPH (PS3.5 Annexes A.4.11 to A.4.13).
#include "Internal.hpp"

#include <mutex>
#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>
#include <stdexcept>
#include <vector>

using namespace codec;

namespace {

/// The library prints by default; what it has to say becomes an exception, or nothing.
struct QuietInfo : ojph::message_info {
    void operator()(int, const char *, int, const char *, ...) override {}
};

struct QuietWarning : ojph::message_warning {
    void operator()(int, const char *, int, const char *, ...) override {}
};

struct ThrowingError : ojph::message_error {
    [[noreturn]] void operator()(int, const char *, int, const char *, ...) override {
        throw std::runtime_error("HTJ2K codestream is damaged or of an unknown kind");
    }
};

void be_quiet() {
    static QuietInfo info;
    static QuietWarning warning;
    static ThrowingError error;
    static std::once_flag once;
    std::call_once(once, [] {
        ojph::configure_info(&info);
        ojph::configure_warning(&warning);
        ojph::configure_error(&error);
    });
}

/// Bytes in memory that notice being read past their end: the library fills what is missing with grey and says nothing.
struct Source : ojph::mem_infile {
    bool is_short = false;

    size_t read(void *ptr, size_t size) override {
        const size_t got = mem_infile::read(ptr, size);
        if (got < size) is_short = true;
        return got;
    }
};

bool fits(ojph::param_siz siz, const codec_layout &layout) {
    if (siz.get_num_components() < layout.samples) return false;
    for (uint32_t c = 0; c < layout.samples; c++) {
        if (siz.get_recon_width(c) != layout.columns || siz.get_recon_height(c) != layout.rows ||
            siz.get_bit_depth(c) > layout.bits_allocated || siz.get_downsampling(c).x != 1 ||
            siz.get_downsampling(c).y != 1) {
            return false;
        }
    }
    return true;
}

void read_line(
    const ojph::line_buf &line, uint32_t row, uint32_t component, uint32_t depth, bool is_signed,
    const codec_layout &layout, uint8_t *out) {
    const bool extend = layout.is_signed && !is_signed && depth > 0 && depth < 32;
    // Quantised samples overshoot their range.
    const int32_t least = is_signed ? -(1 << (depth - 1)) : 0, most = least + ((1 << depth) - 1);
    size_t index = static_cast<size_t>(row) * layout.columns * layout.samples + component;
    for (uint32_t x = 0; x < layout.columns; x++, index += layout.samples) {
        int32_t value = line.i32[x];
        value = value < least ? least : value > most ? most : value;
        if (extend && value & (1 << (depth - 1))) value -= 1 << depth;
        put_sample(out, index, value, layout);
    }
}

}  // namespace

int32_t codec_htj2k_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, out_count)) return fail(error, CODEC_UNSUPPORTED, "layout");
        be_quiet();
        Source file;
        file.open(bytes, count);
        ojph::codestream stream;
        stream.read_headers(&file);
        ojph::param_siz siz = stream.access_siz();
        if (!fits(siz, *layout)) return fail(error, CODEC_DAMAGED, "codestream contradicts the image attributes");
        const uint32_t components = siz.get_num_components();
        stream.set_planar(components > 1 && !stream.access_cod().is_using_color_transform());
        stream.create();
        std::vector<uint32_t> rows(components, 0);
        for (uint64_t line = 0; line < static_cast<uint64_t>(layout->rows) * components; line++) {
            ojph::ui32 component = 0;
            const ojph::line_buf *buffer = stream.pull(component);
            if (!buffer || component >= components) return fail(error, CODEC_DAMAGED, "codestream is damaged");
            const uint32_t row = rows[component]++;
            if (component >= layout->samples || row >= layout->rows) continue;
            read_line(
                *buffer, row, component, siz.get_bit_depth(component), siz.is_signed(component), *layout, out);
        }
        const bool is_short = file.is_short;
        stream.close();
        return is_short ? fail(error, CODEC_DAMAGED, "codestream ends early") : CODEC_OK;
    });
}

int32_t codec_htj2k_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t transforms_colour, codec_output *output,
    codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, count)) return fail(error, CODEC_UNSUPPORTED, "layout");
        be_quiet();
        ojph::codestream stream;
        ojph::param_siz siz = stream.access_siz();
        siz.set_image_extent(ojph::point(layout->columns, layout->rows));
        siz.set_num_components(layout->samples);
        for (uint32_t c = 0; c < layout->samples; c++) {
            siz.set_component(c, ojph::point(1, 1), layout->precision, layout->is_signed != 0);
        }
        const bool transforms = layout->samples == 3 && transforms_colour;
        ojph::param_cod cod = stream.access_cod();
        cod.set_num_decomposition(decompositions(*layout));
        cod.set_block_dims(64, 64);
        cod.set_progression_order("RPCL");
        cod.set_color_transform(transforms);
        cod.set_reversible(true);
        stream.set_planar(layout->samples > 1 && !transforms);
        ojph::mem_outfile file;
        file.open(count / 2 + 4096);
        stream.write_headers(&file);
        std::vector<uint32_t> rows(layout->samples, 0);
        ojph::ui32 component = 0;
        ojph::line_buf *line = stream.exchange(nullptr, component);
        for (uint64_t n = 0; n < static_cast<uint64_t>(layout->rows) * layout->samples; n++) {
            const size_t first = static_cast<size_t>(rows[component]++) * layout->columns * layout->samples + component;
            for (uint32_t x = 0; x < layout->columns; x++) {
                line->i32[x] = sample_at(samples, first + static_cast<size_t>(x) * layout->samples, *layout);
            }
            line = stream.exchange(line, component);
        }
        stream.flush();
        const int32_t result = give(output, file.get_data(), static_cast<size_t>(file.tell()));
        stream.close();
        return result;
    });
}
