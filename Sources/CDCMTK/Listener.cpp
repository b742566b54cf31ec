// Listening sockets: bind, accept with a way to wake the waiting thread, and process-wide set-up of DCMTK.
#include "Internal.hpp"

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/oflog/oflog.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace phim;

void phim_initialize(void) {
    static std::once_flag once;
    try {
        std::call_once(once, [] {
            OFLog::configure(OFLogger::OFF_LOG_LEVEL);
            dcmDisableGethostbyaddr.set(OFTrue);
        });
    } catch (...) {
    }
}

namespace {

int32_t failed_call(phim_error *error, int32_t code, const char *call) {
    return fail(error, code, std::string(call) + ": " + std::strerror(errno));
}

int bind_first(const addrinfo *list, int32_t backlog) {
    for (const addrinfo *a = list; a; a = a->ai_next) {
        const int fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        const int on = 1;
        (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (::bind(fd, a->ai_addr, a->ai_addrlen) == 0 && ::listen(fd, backlog) == 0) return fd;
        const int cause = errno;
        (void)::close(fd);
        errno = cause;
    }
    return -1;
}

}  // namespace

int32_t phim_listen(const char *host, uint16_t port, int32_t backlog, int32_t *fd, uint16_t *bound, phim_error *error) {
    return guarded(error, [&] {
        phim_initialize();
        addrinfo hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
        addrinfo *list = nullptr;
        const std::string service = std::to_string(port);
        if (const int rc = ::getaddrinfo(host, service.c_str(), &hints, &list)) {
            return fail(error, PHIM_UNREACHABLE, ::gai_strerror(rc));
        }
        const int made = bind_first(list, backlog);
        ::freeaddrinfo(list);
        if (made < 0) return failed_call(error, PHIM_FAILED, "bind");
        sockaddr_storage name{};
        socklen_t size = sizeof(name);
        (void)::getsockname(made, reinterpret_cast<sockaddr *>(&name), &size);
        *bound = ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 *>(&name)->sin6_port
                                                  : reinterpret_cast<sockaddr_in *>(&name)->sin_port);
        *fd = made;
        return static_cast<int32_t>(PHIM_OK);
    });
}

int32_t phim_accept(int32_t listener, int32_t wake, int32_t *fd, char *address, size_t size, phim_error *error) {
    return guarded(error, [&] {
        for (;;) {
            pollfd waiting[2] = {{listener, POLLIN, 0}, {wake, POLLIN, 0}};
            if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return failed_call(error, PHIM_FAILED, "poll");
            if (waiting[1].revents) return fail(error, PHIM_INTERRUPTED, "stopped");
            if (!waiting[0].revents) continue;
            sockaddr_storage from{};
            socklen_t length = sizeof(from);
            const int made = ::accept4(listener, reinterpret_cast<sockaddr *>(&from), &length, SOCK_CLOEXEC);
            if (made < 0) {
                if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) continue;
                return failed_call(error, PHIM_FAILED, "accept");
            }
            address[0] = 0;
            (void)::getnameinfo(reinterpret_cast<sockaddr *>(&from), length, address, static_cast<socklen_t>(size),
                                nullptr, 0, NI_NUMERICHOST);
            // An IPv4 caller on an IPv6 socket is known by its IPv4 address.
            if (std::strncmp(address, "::ffff:", 7) == 0) {
                std::memmove(address, address + 7, std::strlen(address + 7) + 1);
            }
            *fd = made;
            return static_cast<int32_t>(PHIM_OK);
        }
    });
}

int32_t phim_wake_open(void) { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void phim_wake(int32_t wake) {
    const uint64_t one = 1;
    (void)!::write(wake, &one, sizeof(one));
}

void phim_close(int32_t fd) {
    if (fd >= 0) (void)::close(fd);
}
