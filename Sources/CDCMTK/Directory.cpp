// DICOMDIR for media: the general purpose profile, forgiving about what the files lack.
#include "Internal.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dcddirif.h"
#include "dcmtk/dcmdata/dctk.h"

#include <memory>

using namespace phim;

struct phim_directory {
    DicomDirInterface interface;
    std::string root;
};

int32_t phim_directory_create(const char *root, const char *file_set_id, phim_directory **out, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        phim_initialize();
        auto directory = std::make_unique<phim_directory>();
        directory->root = root;
        DicomDirInterface &made = directory->interface;
        const std::string path = directory->root + "/DICOMDIR";
        const OFCondition condition =
            made.createNewDicomDir(DicomDirInterface::AP_GeneralPurpose, path.c_str(), file_set_id);
        if (condition.bad()) return fail(error, PHIM_FAILED, condition.text());
        (void)made.enableInventMode();
        (void)made.enableInventPatientIDMode();
        (void)made.enableRetiredSOPClassSupport();
        (void)made.disableBackupMode();
        // The files are as their senders made them: none of these is a reason to leave one off the disc.
        (void)made.disableEncodingCheck();
        (void)made.disableResolutionCheck();
        (void)made.disableTransferSyntaxCheck();
        (void)made.disableConsistencyCheck();
        *out = directory.release();
        return PHIM_OK;
    });
}

int32_t phim_directory_add(phim_directory *d, const char *relative_path, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        const OFCondition condition = d->interface.addDicomFile(relative_path, d->root.c_str());
        return condition.good() ? static_cast<int32_t>(PHIM_OK) : fail(error, PHIM_FAILED, condition.text());
    });
}

int32_t phim_directory_write(phim_directory *d, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        const OFCondition condition = d->interface.writeDicomDir();
        return condition.good() ? static_cast<int32_t>(PHIM_OK) : fail(error, PHIM_FAILED, condition.text());
    });
}

void phim_directory_free(phim_directory *d) {
    try {
        delete d;
    } catch (...) {
    }
}
