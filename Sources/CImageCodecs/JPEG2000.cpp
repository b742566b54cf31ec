// JPEG 2000 by OpenJPEG (PS3.5 Annex A.4.4).
#include "Internal.hpp"

#include <memory>
#include <openjpeg-2.5/openjpeg.h>
#include <vector>

using namespace codec;

namespace {

struct Source {
    const uint8_t *bytes;
    size_t count, at;
};

OPJ_SIZE_T read_source(void *buffer, OPJ_SIZE_T wanted, void *user) {
    auto *source = static_cast<Source *>(user);
    const size_t left = source->count - source->at;
    if (left == 0) return static_cast<OPJ_SIZE_T>(-1);
    const size_t n = wanted < left ? wanted : left;
    std::memcpy(buffer, source->bytes + source->at, n);
    source->at += n;
    return n;
}

OPJ_OFF_T skip_source(OPJ_OFF_T wanted, void *user) {
    auto *source = static_cast<Source *>(user);
    if (wanted < 0) return -1;
    const size_t left = source->count - source->at;
    const size_t n = static_cast<size_t>(wanted) < left ? static_cast<size_t>(wanted) : left;
    source->at += n;
    return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL seek_source(OPJ_OFF_T to, void *user) {
    auto *source = static_cast<Source *>(user);
    if (to < 0 || static_cast<size_t>(to) > source->count) return OPJ_FALSE;
    source->at = static_cast<size_t>(to);
    return OPJ_TRUE;
}

/// What the encoder writes; it goes back to fill in lengths.
struct Sink {
    std::vector<uint8_t> bytes;
    size_t at = 0;

    void reach(size_t end) {
        if (end > bytes.size()) bytes.resize(end);
    }
};

OPJ_SIZE_T write_sink(void *buffer, OPJ_SIZE_T count, void *user) {
    auto *sink = static_cast<Sink *>(user);
    sink->reach(sink->at + count);
    std::memcpy(sink->bytes.data() + sink->at, buffer, count);
    sink->at += count;
    return count;
}

OPJ_OFF_T skip_sink(OPJ_OFF_T count, void *user) {
    auto *sink = static_cast<Sink *>(user);
    if (count < 0) return -1;
    sink->at += static_cast<size_t>(count);
    sink->reach(sink->at);
    return count;
}

OPJ_BOOL seek_sink(OPJ_OFF_T to, void *user) {
    auto *sink = static_cast<Sink *>(user);
    if (to < 0) return OPJ_FALSE;
    sink->at = static_cast<size_t>(to);
    sink->reach(sink->at);
    return OPJ_TRUE;
}

struct Destroy {
    void operator()(opj_codec_t *codec) const { opj_destroy_codec(codec); }
    void operator()(opj_image_t *image) const { opj_image_destroy(image); }
};

struct DestroyStream {
    void operator()(opj_stream_t *stream) const { opj_stream_destroy(stream); }
};

using Codec = std::unique_ptr<opj_codec_t, Destroy>;
using Image = std::unique_ptr<opj_image_t, Destroy>;
using Stream = std::unique_ptr<opj_stream_t, DestroyStream>;

bool begins_jp2(const uint8_t *p, size_t n) { return n >= 12 && std::memcmp(p + 4, "jP  ", 4) == 0; }

bool fits(const opj_image_t &image, const codec_layout &layout, bool with_data) {
    if (image.numcomps < layout.samples) return false;
    for (uint32_t i = 0; i < layout.samples; i++) {
        const opj_image_comp_t &c = image.comps[i];
        if (c.w != layout.columns || c.h != layout.rows || c.prec > layout.bits_allocated) return false;
        if (with_data && !c.data) return false;
    }
    return true;
}

void store(const opj_image_t &image, const codec_layout &layout, uint8_t *out) {
    const size_t pixels = static_cast<size_t>(layout.rows) * layout.columns;
    for (uint32_t s = 0; s < layout.samples; s++) {
        const opj_image_comp_t &c = image.comps[s];
        // Some encoders leave the sign out of the codestream; the data set's word counts.
        const bool extend = layout.is_signed && !c.sgnd && c.prec > 0 && c.prec < 32;
        for (size_t i = 0; i < pixels; i++) {
            int32_t value = c.data[i];
            if (extend && value & (1 << (c.prec - 1))) value -= 1 << c.prec;
            put_sample(out, i * layout.samples + s, value, layout);
        }
    }
}

Image make_image(const uint8_t *samples, const codec_layout &layout) {
    opj_image_cmptparm_t parameters[3];
    std::memset(parameters, 0, sizeof(parameters));
    for (auto &p : parameters) {
        p.dx = p.dy = 1;
        p.w = layout.columns;
        p.h = layout.rows;
        p.prec = layout.precision;
        p.sgnd = layout.is_signed;
    }
    Image image(opj_image_create(
        layout.samples, parameters, layout.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY));
    if (!image) throw std::bad_alloc();
    image->x1 = layout.columns;
    image->y1 = layout.rows;
    const size_t pixels = static_cast<size_t>(layout.rows) * layout.columns;
    for (uint32_t s = 0; s < layout.samples; s++) {
        for (size_t i = 0; i < pixels; i++) {
            image->comps[s].data[i] = sample_at(samples, i * layout.samples + s, layout);
        }
    }
    return image;
}

}  // namespace

int32_t codec_jpeg2000_decode(
    const uint8_t *bytes, size_t count, const codec_layout *layout, uint8_t *out, size_t out_count,
    codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, out_count)) return fail(error, CODEC_UNSUPPORTED, "layout");
        Codec codec(opj_create_decompress(begins_jp2(bytes, count) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
        Stream stream(opj_stream_create(64 * 1024, OPJ_TRUE));
        if (!codec || !stream) throw std::bad_alloc();
        Source source{bytes, count, 0};
        opj_stream_set_user_data(stream.get(), &source, nullptr);
        opj_stream_set_user_data_length(stream.get(), count);
        opj_stream_set_read_function(stream.get(), read_source);
        opj_stream_set_skip_function(stream.get(), skip_source);
        opj_stream_set_seek_function(stream.get(), seek_source);
        opj_dparameters_t parameters;
        opj_set_default_decoder_parameters(&parameters);
        // The data set says how samples are to be understood; a palette or colour space inside JP2 is not applied.
        parameters.flags |= OPJ_DPARAMETERS_IGNORE_PCLR_CMAP_CDEF_FLAG;
        if (!opj_setup_decoder(codec.get(), &parameters)) return fail(error, CODEC_DAMAGED, "set-up");
        opj_image_t *raw = nullptr;
        const bool has_header = opj_read_header(stream.get(), codec.get(), &raw);
        Image image(raw);
        if (!has_header || !image) return fail(error, CODEC_DAMAGED, "no JPEG 2000 header");
        // Before anything of that size is allocated.
        if (!fits(*image, *layout, false)) {
            return fail(error, CODEC_DAMAGED, "codestream contradicts the image attributes");
        }
        if (!opj_decode(codec.get(), stream.get(), image.get())) {
            return fail(error, CODEC_DAMAGED, "codestream is damaged");
        }
        (void)opj_end_decompress(codec.get(), stream.get());
        if (!fits(*image, *layout, true)) return fail(error, CODEC_DAMAGED, "components are missing");
        store(*image, *layout, out);
        return CODEC_OK;
    });
}

int32_t codec_jpeg2000_encode(
    const uint8_t *samples, size_t count, const codec_layout *layout, int32_t transforms_colour, codec_output *output,
    codec_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (!holds(*layout, count)) return fail(error, CODEC_UNSUPPORTED, "layout");
        opj_cparameters_t parameters;
        opj_set_default_encoder_parameters(&parameters);
        parameters.tcp_numlayers = 1;
        parameters.tcp_rates[0] = 0;
        parameters.cp_disto_alloc = 1;
        parameters.irreversible = 0;
        parameters.numresolution = static_cast<int>(decompositions(*layout)) + 1;
        parameters.tcp_mct = layout->samples == 3 && transforms_colour ? 1 : 0;
        const Image image = make_image(samples, *layout);
        Codec codec(opj_create_compress(OPJ_CODEC_J2K));
        Stream stream(opj_stream_create(64 * 1024, OPJ_FALSE));
        if (!codec || !stream) throw std::bad_alloc();
        Sink sink;
        opj_stream_set_user_data(stream.get(), &sink, nullptr);
        opj_stream_set_write_function(stream.get(), write_sink);
        opj_stream_set_skip_function(stream.get(), skip_sink);
        opj_stream_set_seek_function(stream.get(), seek_sink);
        if (!opj_setup_encoder(codec.get(), &parameters, image.get()) ||
            !opj_start_compress(codec.get(), image.get(), stream.get()) ||
            !opj_encode(codec.get(), stream.get()) || !opj_end_compress(codec.get(), stream.get())) {
            return fail(error, CODEC_UNSUPPORTED, "JPEG 2000 encoding failed");
        }
        stream.reset();
        return give(output, sink.bytes.data(), sink.bytes.size());
    });
}
