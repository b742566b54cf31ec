// Part 10 file in, Part 10 file out in another transfer syntax: DCMTK's decoders, and OpenJPEG through JPEG2000.cpp.
#include "JPEG2000.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dcrledrg.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmjpeg/djdecode.h"
#include "dcmtk/dcmjpls/djdecode.h"

#include <cstdio>
#include <mutex>

using namespace phim;

namespace {

void register_decoders() {
    static std::once_flag once;
    std::call_once(once, [] {
        // An instance keeps its UID: what is sent is the same image, decompressed.
        DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_never);
        DJLSDecoderRegistration::registerCodecs(EJLSUC_never);
        DcmRLEDecoderRegistration::registerCodecs(OFFalse);
    });
}

/// JPEG 2000, and High-Throughput JPEG 2000, which this DCMTK has no name for but OpenJPEG decodes.
bool is_jpeg2000(DcmFileFormat &file) {
    OFString uid;
    (void)file.getMetaInfo()->findAndGetOFString(DCM_TransferSyntaxUID, uid);
    for (const char *known : {"90", "91", "201", "202", "203"}) {
        if (uid == OFString("1.2.840.10008.1.2.4.") + known) return true;
    }
    return false;
}

bool lacks_codec(const OFCondition &condition) {
    return condition == EC_UnsupportedEncoding || condition == EC_CannotChangeRepresentation ||
           condition == EC_RepresentationNotFound || condition == EC_UnknownTransferSyntax;
}

int32_t failed(phim_error *error, const char *step, const OFCondition &condition) {
    return fail(error, lacks_codec(condition) ? PHIM_UNSUPPORTED : PHIM_FAILED,
                std::string(step) + ": " + condition.text());
}

}  // namespace

int32_t phim_transcode(const char *source, const char *target, const char *transfer_syntax, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        phim_initialize();
        register_decoders();
        const DcmXfer wanted(transfer_syntax);
        if (wanted.getXfer() == EXS_Unknown || wanted.isEncapsulated()) {
            return fail(error, PHIM_UNSUPPORTED, "the wanted transfer syntax is not an uncompressed one");
        }
        DcmFileFormat file;
        OFCondition condition = file.loadFile(source);
        if (condition.bad()) return failed(error, "read", condition);
        DcmDataset *dataset = file.getDataset();
        if (is_jpeg2000(file)) {
            if (const int32_t code = decode_jpeg2000(*dataset, error)) return code;
        } else {
            condition = dataset->chooseRepresentation(wanted.getXfer(), nullptr);
            if (condition.bad()) return failed(error, "decode", condition);
        }
        if (!dataset->canWriteXfer(wanted.getXfer())) {
            return fail(error, PHIM_UNSUPPORTED, "no decoder for the transfer syntax of this instance");
        }
        condition = file.saveFile(target, wanted.getXfer());
        if (condition.bad()) {
            (void)std::remove(target);
            return failed(error, "write", condition);
        }
        return PHIM_OK;
    });
}
