// JPEG 2000 pixel data decoded by OpenJPEG, frame by frame, into native pixel data (PS3.5 Annex A.4.4).
#include "JPEG2000.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"
#include "dcmtk/dcmdata/dctk.h"

#include <memory>
#include <openjpeg-2.5/openjpeg.h>
#include <vector>

namespace phim {

namespace {

struct Shape {
    Uint16 rows = 0, columns = 0, samples = 1, allocated = 0, stored = 0, representation = 0;
    Sint32 frames = 1;

    size_t sample_bytes() const { return allocated / 8; }
    size_t frame_samples() const { return static_cast<size_t>(rows) * columns * samples; }
    /// Single bits are packed without regard to frames (PS3.5 Section 8.1.1).
    size_t total_bytes() const { return (frame_samples() * static_cast<size_t>(frames) * allocated + 7) / 8; }
};

struct Memory {
    const uint8_t *bytes;
    size_t count, at;
};

OPJ_SIZE_T read_memory(void *buffer, OPJ_SIZE_T wanted, void *user) {
    auto *memory = static_cast<Memory *>(user);
    const size_t left = memory->count - memory->at;
    if (left == 0) return static_cast<OPJ_SIZE_T>(-1);
    const size_t n = wanted < left ? wanted : left;
    std::memcpy(buffer, memory->bytes + memory->at, n);
    memory->at += n;
    return n;
}

OPJ_OFF_T skip_memory(OPJ_OFF_T wanted, void *user) {
    auto *memory = static_cast<Memory *>(user);
    if (wanted < 0) return -1;
    const size_t left = memory->count - memory->at;
    const size_t n = static_cast<size_t>(wanted) < left ? static_cast<size_t>(wanted) : left;
    memory->at += n;
    return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL seek_memory(OPJ_OFF_T to, void *user) {
    auto *memory = static_cast<Memory *>(user);
    if (to < 0 || static_cast<size_t>(to) > memory->count) return OPJ_FALSE;
    memory->at = static_cast<size_t>(to);
    return OPJ_TRUE;
}

struct Destroy {
    void operator()(opj_codec_t *codec) const { opj_destroy_codec(codec); }
    void operator()(opj_image_t *image) const { opj_image_destroy(image); }
};

struct DestroyStream {
    void operator()(opj_stream_t *stream) const { opj_stream_destroy(stream); }
};

using Image = std::unique_ptr<opj_image_t, Destroy>;

bool begins_codestream(const uint8_t *p, size_t n) { return n >= 4 && std::memcmp(p, "\xFF\x4F\xFF\x51", 4) == 0; }

bool begins_jp2(const uint8_t *p, size_t n) { return n >= 12 && std::memcmp(p + 4, "jP  ", 4) == 0; }

Image decode_frame(const std::vector<uint8_t> &bytes) {
    const OPJ_CODEC_FORMAT format = begins_jp2(bytes.data(), bytes.size()) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K;
    std::unique_ptr<opj_codec_t, Destroy> codec(opj_create_decompress(format));
    std::unique_ptr<opj_stream_t, DestroyStream> stream(opj_stream_create(64 * 1024, OPJ_TRUE));
    if (!codec || !stream) return nullptr;
    Memory memory{bytes.data(), bytes.size(), 0};
    opj_stream_set_user_data(stream.get(), &memory, nullptr);
    opj_stream_set_user_data_length(stream.get(), bytes.size());
    opj_stream_set_read_function(stream.get(), read_memory);
    opj_stream_set_skip_function(stream.get(), skip_memory);
    opj_stream_set_seek_function(stream.get(), seek_memory);
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    // The data set says how samples are to be understood; a palette or colour space inside JP2 is not applied.
    parameters.flags |= OPJ_DPARAMETERS_IGNORE_PCLR_CMAP_CDEF_FLAG;
    if (!opj_setup_decoder(codec.get(), &parameters)) return nullptr;
    opj_image_t *raw = nullptr;
    if (!opj_read_header(stream.get(), codec.get(), &raw)) return nullptr;
    Image image(raw);
    if (!opj_decode(codec.get(), stream.get(), image.get())) return nullptr;
    (void)opj_end_decompress(codec.get(), stream.get());
    return image;
}

bool fits(const opj_image_t &image, const Shape &shape) {
    if (image.numcomps < shape.samples) return false;
    for (Uint16 i = 0; i < shape.samples; i++) {
        const opj_image_comp_t &c = image.comps[i];
        if (!c.data || c.w != shape.columns || c.h != shape.rows || c.prec > shape.allocated) return false;
    }
    return true;
}

void store_bits(const opj_image_t &image, const Shape &shape, size_t frame, uint8_t *out) {
    const size_t first = frame * shape.frame_samples();
    for (size_t i = 0; i < shape.frame_samples(); i++) {
        if (image.comps[0].data[i]) out[(first + i) / 8] |= static_cast<uint8_t>(1 << (first + i) % 8);
    }
}

void store_frame(const opj_image_t &image, const Shape &shape, size_t frame, uint8_t *out) {
    if (shape.allocated == 1) return store_bits(image, shape, frame, out);
    out += frame * shape.frame_samples() * shape.sample_bytes();
    const size_t pixels = static_cast<size_t>(shape.rows) * shape.columns;
    const size_t width = shape.sample_bytes();
    for (Uint16 s = 0; s < shape.samples; s++) {
        const opj_image_comp_t &c = image.comps[s];
        // Some encoders leave the sign out of the codestream; the data set's word counts.
        const bool extend = shape.representation == 1 && !c.sgnd && c.prec > 0 && c.prec < 32;
        for (size_t i = 0; i < pixels; i++) {
            int32_t value = c.data[i];
            if (extend && value & (1 << (c.prec - 1))) value -= 1 << c.prec;
            uint8_t *p = out + (i * shape.samples + s) * width;
            for (size_t b = 0; b < width; b++) p[b] = static_cast<uint8_t>(static_cast<uint32_t>(value) >> (8 * b));
        }
    }
}

bool read_shape(DcmDataset &dataset, Shape &shape) {
    if (dataset.findAndGetUint16(DCM_Rows, shape.rows).bad() ||
        dataset.findAndGetUint16(DCM_Columns, shape.columns).bad() ||
        dataset.findAndGetUint16(DCM_BitsAllocated, shape.allocated).bad()) {
        return false;
    }
    if (dataset.findAndGetUint16(DCM_SamplesPerPixel, shape.samples).bad()) shape.samples = 1;
    if (dataset.findAndGetUint16(DCM_PixelRepresentation, shape.representation).bad()) shape.representation = 0;
    if (dataset.findAndGetSint32(DCM_NumberOfFrames, shape.frames).bad() || shape.frames < 1) shape.frames = 1;
    return shape.rows > 0 && shape.columns > 0 && (shape.samples == 1 || shape.samples == 3) &&
           (shape.allocated == 8 || shape.allocated == 16 || (shape.allocated == 1 && shape.samples == 1));
}

/// The fragments of each frame: one each, all for the only one, or a new frame wherever a codestream begins.
bool gather(DcmPixelSequence &sequence, const Shape &shape, std::vector<std::vector<DcmPixelItem *>> &frames) {
    const unsigned long items = sequence.card();
    for (unsigned long i = 1; i < items; i++) {
        DcmPixelItem *item = nullptr;
        Uint8 *bytes = nullptr;
        if (sequence.getItem(item, i).bad() || !item || item->getUint8Array(bytes).bad()) return false;
        const bool begins =
            bytes && (begins_codestream(bytes, item->getLength()) || begins_jp2(bytes, item->getLength()));
        const bool opens = items - 1 == static_cast<unsigned long>(shape.frames) || begins;
        if (frames.empty() || (opens && shape.frames > 1)) frames.emplace_back();
        frames.back().push_back(item);
    }
    return frames.size() == static_cast<size_t>(shape.frames);
}

void name_colours(DcmDataset &dataset, const Shape &shape) {
    if (shape.samples != 3) return;
    OFString photometric;
    (void)dataset.findAndGetOFString(DCM_PhotometricInterpretation, photometric);
    // The decoder undoes the component transformation (PS3.5 Section 8.2.4).
    if (photometric == "YBR_RCT" || photometric == "YBR_ICT") {
        (void)dataset.putAndInsertString(DCM_PhotometricInterpretation, "RGB");
    }
    (void)dataset.putAndInsertUint16(DCM_PlanarConfiguration, 0);
}

}  // namespace

int32_t decode_jpeg2000(DcmDataset &dataset, phim_error *error) {
    Shape shape;
    DcmElement *element = nullptr;
    if (!read_shape(dataset, shape)) return fail(error, PHIM_UNSUPPORTED, "JPEG 2000 pixels of an unknown layout");
    if (dataset.findAndGetElement(DCM_PixelData, element).bad()) return fail(error, PHIM_FAILED, "no pixel data");
    auto *pixels = dynamic_cast<DcmPixelData *>(element);
    DcmPixelSequence *sequence = nullptr;
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = nullptr;
    if (pixels) pixels->getOriginalRepresentationKey(syntax, parameter);
    if (!pixels || pixels->getEncapsulatedRepresentation(syntax, parameter, sequence).bad() || !sequence) {
        return fail(error, PHIM_FAILED, "pixel data is not encapsulated");
    }
    std::vector<std::vector<DcmPixelItem *>> frames;
    if (!gather(*sequence, shape, frames)) return fail(error, PHIM_FAILED, "fragments do not match number of frames");
    const size_t total = shape.total_bytes();
    if (total > 0xFFFFFFFEull) return fail(error, PHIM_UNSUPPORTED, "more than 4 GB of pixels");

    std::vector<uint8_t> native(total + total % 2);
    for (size_t f = 0; f < frames.size(); f++) {
        std::vector<uint8_t> bytes;
        for (DcmPixelItem *item : frames[f]) {
            Uint8 *part = nullptr;
            if (item->getUint8Array(part).good() && part) bytes.insert(bytes.end(), part, part + item->getLength());
        }
        const Image image = decode_frame(bytes);
        if (!image) return fail(error, PHIM_FAILED, "a JPEG 2000 frame cannot be decoded");
        if (!fits(*image, shape)) return fail(error, PHIM_FAILED, "a JPEG 2000 frame contradicts the image attributes");
        store_frame(*image, shape, f, native.data());
    }
    auto replacement = std::make_unique<DcmPixelData>(DCM_PixelData);
    replacement->setVR(shape.allocated == 16 ? EVR_OW : EVR_OB);
    const OFCondition put =
        shape.allocated == 16
            ? replacement->putUint16Array(
                  reinterpret_cast<Uint16 *>(native.data()), static_cast<unsigned long>(native.size() / 2))
            : replacement->putUint8Array(native.data(), static_cast<unsigned long>(native.size()));
    if (put.bad()) return fail(error, PHIM_FAILED, put.text());
    if (dataset.insert(replacement.get(), OFTrue).bad()) {
        return fail(error, PHIM_FAILED, "pixel data cannot be replaced");
    }
    (void)replacement.release();
    name_colours(dataset, shape);
    return PHIM_OK;
}

}  // namespace phim
