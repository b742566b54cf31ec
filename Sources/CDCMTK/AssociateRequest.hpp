// The check of an A-ASSOCIATE-RQ before DCMTK's parser sees it.
#pragma once

#include "Internal.hpp"

namespace phim {

/// Largest A-ASSOCIATE-RQ accepted: 128 contexts of 128 transfer syntaxes each stay below it.
constexpr size_t associate_limit = 1024 * 1024;

/// Null when `pdu` (with its six byte header) has the structure of PS3.8 Section 9.3.2, otherwise what is wrong.
const char *associate_request_flaw(const uint8_t *pdu, size_t count);

}  // namespace phim
