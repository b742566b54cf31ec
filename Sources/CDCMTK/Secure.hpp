// TLS as associations use it (PS3.15 Annex B.12): what both sides demand, kept in one OpenSSL context.
#pragma once

#include "Internal.hpp"

#include <openssl/ssl.h>

#include <memory>

struct phim_tls {
    SSL_CTX *context = nullptr;
    bool is_acceptor = false;

    phim_tls() = default;
    phim_tls(const phim_tls &) = delete;
    phim_tls &operator=(const phim_tls &) = delete;
    ~phim_tls() { SSL_CTX_free(context); }
};

namespace phim {

class Link;

/// The encrypted side of one link. It reads and writes the socket through the link, whose deadlines and interruption hold.
class Secure {
public:
    /// `host` is what a requestor calls; its certificate must be that host's.
    Secure(const phim_tls &tls, Link &link, const char *host);
    ~Secure() { SSL_free(session_); }
    Secure(const Secure &) = delete;
    Secure &operator=(const Secure &) = delete;

    enum class Step { done, wants_bytes, ended, failed };

    Step handshake();
    bool is_open() const { return is_open_; }
    Step read(void *bytes, size_t count, size_t &n);
    Step write(const void *bytes, size_t count);
    /// Says that nothing more comes (RFC 8446 Section 6.1), once and without waiting for an answer.
    void close_notify();
    /// Why it failed, empty when it did not.
    const std::string &flaw() const { return flaw_; }

private:
    Step judged(int result);

    SSL *session_;
    bool is_open_ = false;
    bool is_closed_ = false;
    std::string flaw_;
};

}  // namespace phim
