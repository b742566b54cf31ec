// What the files of this room share: filling an error, and keeping every C++ exception inside.
#pragma once

#include "CDCMTK.h"

#include <cstring>
#include <exception>
#include <string>

namespace phim {

inline int32_t fail(phim_error *error, int32_t code, const char *text) {
    if (error) {
        std::memset(error, 0, sizeof(*error));
        error->code = code;
        std::strncpy(error->text, text ? text : "", sizeof(error->text) - 1);
    }
    return code;
}

inline int32_t fail(phim_error *error, int32_t code, const std::string &text) {
    return fail(error, code, text.c_str());
}

/// Runs `body`; whatever it throws becomes PHIM_FAILED.
template <typename Body>
int32_t guarded(phim_error *error, Body body) noexcept {
    try {
        return body();
    } catch (const std::exception &e) {
        return fail(error, PHIM_FAILED, e.what());
    } catch (...) {
        return fail(error, PHIM_FAILED, "unknown C++ exception");
    }
}

/// Monotonic milliseconds.
int64_t now_ms();

/// Waits for poll `events` on `fd`; 1 ready, 0 timed out, -1 error. Negative `timeout_ms` waits for ever.
int wait_for(int fd, short events, int64_t timeout_ms);

}  // namespace phim
