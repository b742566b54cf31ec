// The checks of A-ASSOCIATE-RQ and A-ASSOCIATE-AC before DCMTK's parser sees them.
#pragma once

#include "Internal.hpp"

namespace phim {

/// Largest A-ASSOCIATE-RQ or AC accepted: 128 contexts of 128 transfer syntaxes each stay below it.
constexpr size_t associate_limit = 1024 * 1024;

/// Null when `pdu` (with its six byte header) has the structure of PS3.8 Section 9.3.2, otherwise what is wrong.
const char *associate_request_flaw(const uint8_t *pdu, size_t count);

/// The same for an A-ASSOCIATE-AC (PS3.8 Section 9.3.3).
const char *associate_answer_flaw(const uint8_t *pdu, size_t count);

}  // namespace phim
