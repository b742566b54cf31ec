// JPEG 2000 pixel data, which DCMTK has no decoder for.
#pragma once

#include "Internal.hpp"

class DcmDataset;

namespace phim {

/// Replaces encapsulated JPEG 2000 pixel data by native pixels, samples interleaved.
int32_t decode_jpeg2000(DcmDataset &dataset, phim_error *error);

}  // namespace phim
