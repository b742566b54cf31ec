// The socket under an association: TCP_NODELAY, TCP_QUICKACK before each wait, deadlines, read-ahead, interruption.
#include "Link.hpp"

#include "dcmtk/dcmnet/dul.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace phim {

int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

int wait_for(int fd, short events, int64_t timeout_ms) {
    const int64_t end = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    for (;;) {
        pollfd p{fd, events, 0};
        const int64_t left = end < 0 ? -1 : end - now_ms();
        const int n = ::poll(&p, 1, end < 0 ? -1 : static_cast<int>(left < 0 ? 0 : (left > 3600000 ? 3600000 : left)));
        if (n > 0) return 1;
        if (n < 0 && errno != EINTR) return -1;
        if (end >= 0 && now_ms() >= end) return 0;
    }
}

/// A line that is dead is known to be so, also while bytes wait in the system's buffer or nothing is said: an answer over a
/// slow line may take long.
static void watch(int fd, int32_t stall_ms) {
    const int on = 1, idle = 30, interval = 10;
    const unsigned patience = static_cast<unsigned>(stall_ms);
    (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
}

void Link::adopt(int fd) {
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(fd, stall_ms_);
    std::lock_guard<std::mutex> guard(lock_);
    fd_ = fd;
    if (interrupted_) (void)::shutdown(fd_, SHUT_RDWR);
}

void Link::close() {
    if (secure_ && fd_ >= 0) {
        hasty_ = true;
        secure_->close_notify();
    }
    std::lock_guard<std::mutex> guard(lock_);
    if (fd_ >= 0) (void)::close(fd_);
    fd_ = -1;
}

bool Link::interrupted() {
    std::lock_guard<std::mutex> guard(lock_);
    return interrupted_;
}

void Link::interrupt() {
    std::lock_guard<std::mutex> guard(lock_);
    interrupted_ = true;
    // Only the reading side, so that the thread that owns the association can still say A-ABORT; unless it is stuck
    // inside a PDU, which only the end of the writing side ends.
    if (fd_ >= 0) (void)::shutdown(fd_, writing_ ? SHUT_RDWR : SHUT_RD);
}

int64_t Link::patience() const {
    if (deadline_ < 0) return stall_ms_;
    const int64_t left = deadline_ - now_ms();
    return left > 0 ? left : 0;
}

ssize_t Link::failed(int32_t code) {
    if (code == PHIM_CLOSED && *insecurity()) code = PHIM_INSECURE;
    // DCMTK tries to write after a refusal; that must not become the reason.
    if (failure_ != PHIM_MALFORMED) failure_ = interrupted() ? static_cast<int32_t>(PHIM_INTERRUPTED) : code;
    errno = code == PHIM_TIMED_OUT ? ETIMEDOUT : ECONNRESET;
    return code == PHIM_CLOSED ? 0 : -1;
}

int32_t Link::wait_readable(int64_t ms) {
    const int64_t end = ms < 0 ? -1 : now_ms() + ms;
    while (buffered() == 0) {
        if (fd_ >= 0 && !drained_) {
            reserve(read_ahead);
            const ssize_t n = take(buffer_.data(), read_ahead);
            if (n > 0) end_ = static_cast<size_t>(n);
        }
        int ready = fd_ < 0 ? -1 : 1;
        const bool waits = ready > 0 && drained_ && buffered() == 0;
        if (waits) {
            acknowledge();
            ready = wait_for(fd_, POLLIN, end < 0 ? -1 : std::max<int64_t>(end - now_ms(), 0));
            drained_ = ready == 0;
        }
        if (interrupted()) return PHIM_INTERRUPTED;
        if (ready == 0) return PHIM_TIMED_OUT;
        // An error is for the read that follows to find. Under TLS what came may be part of a record: no data yet.
        if (!waits || !secure_) return PHIM_OK;
    }
    return PHIM_OK;
}

int32_t Link::handshake() {
    if (!secure_ || secure_->is_open()) return PHIM_OK;
    for (;;) {
        if (fd_ < 0) return failure_ = PHIM_CLOSED;
        switch (secure_->handshake()) {
            case Secure::Step::done: return PHIM_OK;
            case Secure::Step::wants_bytes: break;
            case Secure::Step::ended:
                if (interrupted()) return failure_ = PHIM_INTERRUPTED;
                return failure_ = failure_ == PHIM_TIMED_OUT ? PHIM_TIMED_OUT : PHIM_INSECURE;
            case Secure::Step::failed: return failure_ = PHIM_INSECURE;
        }
        acknowledge();
        const int ready = wait_for(fd_, POLLIN, patience());
        if (interrupted()) return failure_ = PHIM_INTERRUPTED;
        if (ready == 0) return failure_ = PHIM_TIMED_OUT;
        if (ready < 0) return failure_ = PHIM_CLOSED;
    }
}

void Link::acknowledge() {
    const int on = 1;
    (void)::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

ssize_t Link::take_raw(void *bytes, size_t count) {
    ssize_t n;
    do n = ::recv(fd_, bytes, count, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t Link::take(void *bytes, size_t count) {
    if (secure_) {
        size_t got = 0;
        const Secure::Step step = secure_->read(bytes, count, got);
        drained_ = step == Secure::Step::wants_bytes;
        if (step == Secure::Step::done) return static_cast<ssize_t>(got);
        return step == Secure::Step::ended ? 0 : -1;
    }
    const ssize_t n = take_raw(bytes, count);
    drained_ = n < 0 ? errno == EAGAIN || errno == EWOULDBLOCK : n > 0 && static_cast<size_t>(n) < count;
    return n;
}

ssize_t Link::receive(void *bytes, size_t count) {
    for (;;) {
        if (fd_ < 0) return failed(PHIM_CLOSED);
        if (!drained_) {
            const ssize_t n = take(bytes, count);
            if (n > 0) return n;
            if (!drained_) return failed(PHIM_CLOSED);
        }
        acknowledge();
        const int ready = wait_for(fd_, POLLIN, patience());
        if (ready == 0) {
            // DCMTK closes without a word when a read fails, so the word is said here.
            send_abort(2, 0);
            return failed(PHIM_TIMED_OUT);
        }
        if (ready < 0) return failed(PHIM_CLOSED);
        drained_ = false;
    }
}

void Link::reserve(size_t count) {
    if (start_ > 0) {
        std::memmove(buffer_.data(), data(), buffered());
        end_ = buffered();
        start_ = 0;
    }
    if (buffer_.size() < count) buffer_.resize(count);
}

ssize_t Link::read(void *bytes, size_t count) {
    if (const Inspection inspection = std::exchange(inspection_, nullptr)) {
        if (const int32_t code = inspection(*this)) return code == PHIM_CLOSED ? 0 : -1;
    }
    if (buffered() == 0) {
        if (count >= read_ahead) return receive(bytes, count);
        reserve(read_ahead);
        const ssize_t n = receive(buffer_.data(), read_ahead);
        if (n <= 0) return n;
        end_ = static_cast<size_t>(n);
    }
    const size_t n = count < buffered() ? count : buffered();
    std::memcpy(bytes, data(), n);
    start_ += n;
    return static_cast<ssize_t>(n);
}

int32_t Link::fill(size_t count) {
    if (buffered() >= count) return PHIM_OK;
    // With the head of the next PDU, so that one of full size costs one call.
    const size_t most = count + sizeof(head_) > read_ahead ? count + sizeof(head_) : read_ahead;
    reserve(most);
    while (buffered() < count) {
        const ssize_t n = receive(buffer_.data() + end_, most - end_);
        if (n <= 0) return failure_;
        end_ += static_cast<size_t>(n);
    }
    return PHIM_OK;
}

int Link::wait_writable() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        if (interrupted_) return -1;
        writing_ = true;
    }
    const int ready = wait_for(fd_, POLLOUT, patience());
    std::lock_guard<std::mutex> guard(lock_);
    writing_ = false;
    return ready;
}

ssize_t Link::write(const void *bytes, size_t count) {
    // DCMTK writes the 12 bytes before a fragment by themselves; sent together they cost one segment less.
    if (!head_held_ && count == sizeof(head_) && *static_cast<const uint8_t *>(bytes) == DUL_TYPEDATA) {
        std::memcpy(head_, bytes, sizeof(head_));
        head_held_ = true;
        return static_cast<ssize_t>(count);
    }
    iovec parts[2] = {{head_, head_held_ ? sizeof(head_) : 0}, {const_cast<void *>(bytes), count}};
    head_held_ = false;
    switch (const int32_t code = secure_ ? send_secure(parts) : send_parts(parts, more_)) {
        case PHIM_OK: return static_cast<ssize_t>(count);
        case PHIM_TIMED_OUT: return failed(code);
        default:
            (void)failed(PHIM_CLOSED);
            return -1;
    }
}

int32_t Link::send_parts(iovec (&parts)[2], bool more) {
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        if (fd_ < 0 || (interrupted() && !hasty_)) return PHIM_CLOSED;
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        ssize_t n = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (hasty_) return PHIM_CLOSED;
            const int ready = wait_writable();
            if (ready == 0) return PHIM_TIMED_OUT;
            if (ready < 0) return PHIM_CLOSED;
            continue;
        }
        if (n < 0) return PHIM_CLOSED;
        for (iovec &part : parts) {
            const size_t taken = static_cast<size_t>(n) < part.iov_len ? static_cast<size_t>(n) : part.iov_len;
            part.iov_base = static_cast<uint8_t *>(part.iov_base) + taken;
            part.iov_len -= taken;
            n -= static_cast<ssize_t>(taken);
        }
    }
    return PHIM_OK;
}

bool Link::send_raw(const void *bytes, size_t count) {
    iovec parts[2] = {{const_cast<void *>(bytes), count}, {nullptr, 0}};
    const int32_t code = send_parts(parts, corked_);
    if (code == PHIM_TIMED_OUT) (void)failed(code);
    return code == PHIM_OK;
}

int32_t Link::send_secure(iovec (&parts)[2]) {
    constexpr size_t record = 16 * 1024;  // RFC 8446 Section 5.1
    const auto *bytes = static_cast<const uint8_t *>(parts[1].iov_base);
    size_t left = parts[1].iov_len;
    size_t n = std::min(left, record - parts[0].iov_len);
    if (parts[0].iov_len > 0) {
        // Head and beginning in one record.
        const auto *head = static_cast<const uint8_t *>(parts[0].iov_base);
        record_.assign(head, head + parts[0].iov_len);
        record_.insert(record_.end(), bytes, bytes + n);
    }
    for (bool first = true; first || left > 0; first = false) {
        const bool joined = first && parts[0].iov_len > 0;
        corked_ = more_ || left > n;
        const Secure::Step step = joined ? secure_->write(record_.data(), record_.size()) : secure_->write(bytes, n);
        if (step != Secure::Step::done) return failure_ == PHIM_TIMED_OUT ? PHIM_TIMED_OUT : PHIM_CLOSED;
        bytes += n;
        left -= n;
        n = std::min(left, record);
    }
    return PHIM_OK;
}

void Link::send_abort(uint8_t source, uint8_t reason) {
    const uint8_t pdu[10] = {DUL_TYPEABORT, 0, 0, 0, 0, 4, 0, 0, source, reason};
    if (secure_) {
        hasty_ = true;
        if (fd_ >= 0 && secure_->is_open() && !*insecurity()) (void)secure_->write(pdu, sizeof(pdu));
        return;
    }
    if (fd_ >= 0) (void)::send(fd_, pdu, sizeof(pdu), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Link::abort(uint8_t source, uint8_t reason) {
    send_abort(source, reason);
    linger(500);
}

int32_t Link::refuse(uint8_t reason, const char *flaw) {
    flaw_ = flaw;
    failure_ = PHIM_MALFORMED;
    abort(2, reason);
    return PHIM_MALFORMED;
}

void Link::linger(int32_t ms) {
    if (fd_ >= 0) {
        if (secure_) {
            hasty_ = true;
            secure_->close_notify();
        }
        // Closing with unread bytes sends RST, which can overtake our last PDU: read them away first.
        (void)::shutdown(fd_, SHUT_WR);
        uint8_t waste[16 * 1024];
        const int64_t end = now_ms() + ms;
        for (int rounds = 0; rounds < 1024; rounds++) {
            const int64_t left = end - now_ms();
            if (left <= 0 || wait_for(fd_, POLLIN, left) <= 0) break;
            if (::recv(fd_, waste, sizeof(waste), MSG_DONTWAIT) <= 0) break;
        }
    }
    close();
}

Connection::Connection(int fd, std::shared_ptr<Link> link) : DcmTCPConnection(fd), link_(std::move(link)) {
    link_->adopt(fd);
}

Connection::~Connection() { closeTransportConnection(); }

void Connection::closeTransportConnection() {
    // The link owns the descriptor; without it the base class has nothing left to close.
    setSocket(DCMNET_INVALID_SOCKET);
    link_->close();
}

OFCondition Connection::clientSideHandshake() {
    return link_->handshake() == PHIM_OK ? EC_Normal : DUL_NETWORKCLOSED;
}

OFBool Connection::networkDataAvailable(int timeout) {
    return link_->wait_readable(static_cast<int64_t>(timeout) * 1000) == PHIM_OK;
}

thread_local Layer::Pending Layer::pending;

DcmTransportConnection *Layer::createConnection(DcmNativeSocketType fd, OFBool) {
    Pending taken = std::move(pending);
    pending = Pending();
    if (taken.external_socket) {
        dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
        taken.external_socket->unlock();
    }
    return taken.link ? new Connection(fd, taken.link) : nullptr;
}

}  // namespace phim
