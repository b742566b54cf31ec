// JPEG frames that libjpeg-turbo does not know, by DCMTK's own copies of libjpeg: lossless ones of 2 to 16 bits, and
// lossy ones of 12 (PS3.5 Annex A.4.1).
#include "Internal.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmjpeg/djcparam.h"
#include "dcmtk/dcmjpeg/djdijg12.h"
#include "dcmtk/dcmjpeg/djdijg16.h"
#include "dcmtk/dcmjpeg/djdijg8.h"
#include "dcmtk/dcmjpeg/djeijg12.h"
#include "dcmtk/dcmjpeg/djeijg16.h"
#include "dcmtk/dcmjpeg/djeijg8.h"

#include <cstdlib>
#include <memory>
#include <vector>

using namespace phim;

namespace {

std::unique_ptr<DJDecoder> make_decoder(const DJCodecParameter &parameter, int32_t precision, bool is_ycc) {
    if (precision > 12) return std::make_unique<DJDecompressIJG16Bit>(parameter, is_ycc);
    if (precision > 8) return std::make_unique<DJDecompressIJG12Bit>(parameter, is_ycc);
    return std::make_unique<DJDecompressIJG8Bit>(parameter, is_ycc);
}

std::unique_ptr<DJEncoder> make_encoder(const DJCodecParameter &parameter, int32_t precision, int32_t quality) {
    // Selection value 1, no point transform.
    if (quality > 0) return std::make_unique<DJCompressIJG12Bit>(parameter, EJM_sequential, static_cast<Uint8>(quality));
    if (precision > 12) return std::make_unique<DJCompressIJG16Bit>(parameter, EJM_lossless, 1, 0);
    if (precision > 8) return std::make_unique<DJCompressIJG12Bit>(parameter, EJM_lossless, 1, 0);
    return std::make_unique<DJCompressIJG8Bit>(parameter, EJM_lossless, 1, 0);
}

}  // namespace

int32_t phim_jpeg_decode(
    const uint8_t *bytes, size_t count, int32_t precision, int32_t is_ycc, uint8_t *out, size_t out_count,
    phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        phim_initialize();
        if (count > 0xFFFFFFFFu || out_count > 0xFFFFFFFFu) return fail(error, PHIM_UNSUPPORTED, "frame is too large");
        const DJCodecParameter parameter(
            ECC_lossyYCbCr, is_ycc ? EDC_always : EDC_never, EUC_never, EPC_colorByPixel, OFFalse, OFFalse);
        const std::unique_ptr<DJDecoder> decoder = make_decoder(parameter, precision, is_ycc != 0);
        OFCondition condition = decoder->init();
        if (condition.good()) {
            condition = decoder->decode(
                const_cast<Uint8 *>(bytes), static_cast<Uint32>(count), out, static_cast<Uint32>(out_count), OFFalse);
        }
        return condition.good() ? PHIM_OK : fail(error, PHIM_FAILED, condition.text());
    });
}

int32_t phim_jpeg_encode(
    const uint8_t *samples, uint16_t columns, uint16_t rows, uint16_t samples_per_pixel, int32_t precision,
    int32_t quality, uint8_t **out, size_t *out_count, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        phim_initialize();
        const DJCodecParameter parameter(ECC_lossyRGB, EDC_never, EUC_never, EPC_colorByPixel);
        const std::unique_ptr<DJEncoder> encoder = make_encoder(parameter, precision, quality);
        const EP_Interpretation interpretation = samples_per_pixel == 3 ? EPI_RGB : EPI_Monochrome2;
        Uint8 *written = nullptr;
        Uint32 length = 0;
        OFCondition condition;
        if (encoder->bytesPerSample() == 1) {
            condition = encoder->encode(
                columns, rows, interpretation, samples_per_pixel, const_cast<Uint8 *>(samples), written, length);
        } else {
            // Aligned for the encoder, which takes words.
            std::vector<Uint16> words(static_cast<size_t>(columns) * rows * samples_per_pixel);
            std::memcpy(words.data(), samples, words.size() * 2);
            condition = encoder->encode(columns, rows, interpretation, samples_per_pixel, words.data(), written, length);
        }
        const std::unique_ptr<Uint8[]> owner(written);
        if (condition.bad() || !written) return fail(error, PHIM_UNSUPPORTED, condition.text());
        *out = static_cast<uint8_t *>(std::malloc(length ? length : 1));
        if (!*out) throw std::bad_alloc();
        std::memcpy(*out, written, length);
        *out_count = length;
        return PHIM_OK;
    });
}

void phim_jpeg_free(uint8_t *bytes) { std::free(bytes); }
