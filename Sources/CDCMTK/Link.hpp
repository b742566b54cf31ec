// The socket under an association: buffered, with deadlines, cured of delayed acknowledgement, interruptible.
#pragma once

#include "Internal.hpp"
#include "Secure.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmnet/dcmlayer.h"
#include "dcmtk/dcmnet/dcmtrans.h"

#include <memory>
#include <mutex>
#include <sys/uio.h>
#include <vector>

namespace phim {

/// Owned by the C handle and by DCMTK's connection object together, because DCMTK deletes its object when it likes.
class Link {
public:
    explicit Link(int32_t stall_ms) : stall_ms_(stall_ms) {}
    ~Link() { close(); }
    Link(const Link &) = delete;
    Link &operator=(const Link &) = delete;

    void adopt(int fd);
    /// Everything from now on passes through TLS, once `handshake` was successful; `host` is what a requestor calls.
    void secure(const phim_tls &tls, const char *host) { secure_ = std::make_unique<Secure>(tls, *this, host); }
    /// The TLS handshake, under the deadline; nothing without TLS. PHIM_OK or why not.
    int32_t handshake();
    /// Why TLS failed.
    const char *insecurity() const {
        if (!secure_) return "";
        return secure_->flaw().empty() && !secure_->is_open() && failure_ == PHIM_INSECURE
                   ? "closed in the TLS handshake"
                   : secure_->flaw().c_str();
    }
    int fd() const { return fd_; }
    void close();

    /// One deadline for everything until `clear_deadline`: the ARTIM timer (PS3.8 Section 9.1.5).
    void set_deadline(int32_t ms) { deadline_ = now_ms() + ms; }
    void clear_deadline() { deadline_ = -1; }

    /// Waits until a byte can be read; PHIM_OK, PHIM_TIMED_OUT or PHIM_INTERRUPTED.
    int32_t wait_readable(int64_t ms);
    bool readable() {
        if (secure_) return wait_readable(0) != PHIM_TIMED_OUT;
        return buffered() > 0 || fd_ < 0 || wait_for(fd_, POLL_IN, 0) != 0;
    }

    /// What looks at the first PDU before anybody reads of it: PHIM_OK to go on, or why not.
    using Inspection = int32_t (*)(Link &);
    void inspect_first(Inspection inspection) { inspection_ = inspection; }

    ssize_t read(void *bytes, size_t count);
    ssize_t write(const void *bytes, size_t count);
    /// Reads into the buffer until it holds `count` bytes; PHIM_OK or why not.
    int32_t fill(size_t count);
    const uint8_t *data() const { return buffer_.data() + start_; }
    size_t buffered() const { return end_ - start_; }
    /// Passes over bytes that were filled in; they stay where they are until the next read.
    void skip(size_t count) { start_ += count; }

    /// Holds the next PDU back for what follows at once.
    void hold(bool more) { more_ = more; }

    /// Sends A-ABORT, waits a moment for the peer to take it, closes.
    void abort(uint8_t source, uint8_t reason);
    /// Aborts as the service provider because of what the peer sent; `flaw`, a literal, says what. PHIM_MALFORMED.
    int32_t refuse(uint8_t reason, const char *flaw);
    const char *flaw() const { return flaw_; }
    /// Waits for the peer to close (at most `ms`), then closes.
    void linger(int32_t ms);
    void interrupt();
    bool interrupted();

    // For TLS: what passes between it and the socket.

    /// One recv(2) that does not wait.
    ssize_t take_raw(void *bytes, size_t count);
    /// Sends all of it, waiting as long as the peer is given; false when it cannot.
    bool send_raw(const void *bytes, size_t count);

    /// Why the last read or write failed: PHIM_TIMED_OUT, PHIM_CLOSED, PHIM_INTERRUPTED, PHIM_INSECURE, or PHIM_MALFORMED
    /// for good after `refuse`; PHIM_OK when none did.
    int32_t failure() const { return failure_; }

private:
    static constexpr short POLL_IN = 1;
    static constexpr size_t read_ahead = 32 * 1024;

    int64_t patience() const;
    ssize_t failed(int32_t code);
    int wait_writable();
    /// Acknowledges what has come. A peer under Nagle's algorithm may hold its next bytes back until then, and a
    /// delayed acknowledgement comes 40 ms late: so before every wait, and only there.
    void acknowledge();
    /// What is there to be read, without waiting.
    ssize_t take(void *bytes, size_t count);
    /// The same, waiting for the first byte.
    ssize_t receive(void *bytes, size_t count);
    /// Moves what is buffered to the front of a buffer of at least `count` bytes.
    void reserve(size_t count);
    void send_abort(uint8_t source, uint8_t reason);
    /// Sends both parts; PHIM_OK or why not.
    int32_t send_parts(iovec (&parts)[2], bool more);
    /// The same through TLS, in records as large as they may be.
    int32_t send_secure(iovec (&parts)[2]);

    std::unique_ptr<Secure> secure_;
    std::vector<uint8_t> record_;  // the beginning of what is sent, head and all
    bool corked_ = false;          // more records follow at once
    bool hasty_ = false;           // what cannot be sent at once is not sent

    std::mutex lock_;  // guards the next three against interrupt() from another thread
    int fd_ = -1;
    bool interrupted_ = false;
    bool writing_ = false;
    int32_t stall_ms_;
    int64_t deadline_ = -1;
    int32_t failure_ = PHIM_OK;
    const char *flaw_ = "";
    Inspection inspection_ = nullptr;
    std::vector<uint8_t> buffer_;
    size_t start_ = 0, end_ = 0;
    bool drained_ = false;  // the last read took all there was
    uint8_t head_[12];
    bool head_held_ = false;
    bool more_ = false;
};

/// DCMTK's view of a link.
class Connection final : public DcmTCPConnection {
public:
    Connection(int fd, std::shared_ptr<Link> link);
    ~Connection() override;
    ssize_t read(void *bytes, size_t count) override { return link_->read(bytes, count); }
    ssize_t write(void *bytes, size_t count) override { return link_->write(bytes, count); }
    OFCondition clientSideHandshake() override;
    void close() override { closeTransportConnection(); }
    void closeTransportConnection() override;
    OFBool networkDataAvailable(int timeout) override;

private:
    std::shared_ptr<Link> link_;
};

/// The transport layer of both networks: gives the link waiting in `pending` to the connection made on this thread.
class Layer final : public DcmTransportLayer {
public:
    struct Pending {
        std::shared_ptr<Link> link;
        std::unique_lock<std::mutex> *external_socket = nullptr;  // released as soon as the socket is taken
    };
    static thread_local Pending pending;
    DcmTransportConnection *createConnection(DcmNativeSocketType fd, OFBool secure) override;
};

}  // namespace phim
