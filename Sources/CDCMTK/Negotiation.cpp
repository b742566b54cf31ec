// Both sides of association establishment: receiving and answering a request, and making one.
#include "AssociateRequest.hpp"
#include "Association.hpp"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/ofstd/ofstd.h"

#include <algorithm>
#include <netdb.h>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace phim;

namespace {

/// The length that a PDU's head of six bytes announces (PS3.8 Section 9.3.1).
size_t body_length(const uint8_t *head) {
    return static_cast<size_t>(head[2]) << 24 | head[3] << 16 | head[4] << 8 | head[5];
}

/// Reads the whole A-ASSOCIATE-RQ into the link's buffer, having looked at its type and length first.
int32_t read_request(Link &link, phim_error *error) {
    int32_t code = link.fill(6);
    if (code != PHIM_OK) {
        return fail(error, code, code == PHIM_TIMED_OUT ? "no A-ASSOCIATE-RQ in time" : "closed before A-ASSOCIATE-RQ");
    }
    const uint8_t *head = link.data();
    const size_t length = body_length(head);
    if (head[0] != DUL_TYPEASSOCIATERQ) {
        const bool known = head[0] > 0 && head[0] <= DUL_MAXTYPE;
        link.abort(2, known ? 2 : 1);
        return fail(error, PHIM_MALFORMED, "first PDU is not an A-ASSOCIATE-RQ");
    }
    if (length > associate_limit) {
        link.abort(2, 6);
        return fail(error, PHIM_MALFORMED, "A-ASSOCIATE-RQ announces " + std::to_string(length) + " bytes");
    }
    code = link.fill(6 + length);
    if (code != PHIM_OK) {
        const bool late = code == PHIM_TIMED_OUT;
        return fail(error, code, late ? "A-ASSOCIATE-RQ not complete in time" : "closed in A-ASSOCIATE-RQ");
    }
    if (length >= 2 && (link.data()[7] & 1) == 0) {
        // DCMTK answers this itself, but leaks its lists.
        const uint8_t rejection[10] = {DUL_TYPEASSOCIATERJ, 0, 0, 0, 0, 4, 0, DUL_REJECT_PERMANENT,
                                       DUL_ULSP_ACSE_REJECT, DUL_ULSP_ACSE_UNSUP_PROTOCOL};
        (void)link.write(rejection, sizeof(rejection));
        link.linger(1000);
        return fail(error, PHIM_MALFORMED, "protocol version is not 1");
    }
    if (const char *flaw = associate_request_flaw(link.data(), 6 + length)) {
        link.abort(2, 6);
        return fail(error, PHIM_MALFORMED, flaw);
    }
    return PHIM_OK;
}

/// Reads the whole answer to our request into the link's buffer and looks at it; all of it under the link's deadline.
int32_t inspect_answer(Link &link) {
    if (const int32_t code = link.fill(6)) return code;
    const uint8_t type = link.data()[0];
    const size_t length = body_length(link.data());
    switch (type) {
        case DUL_TYPEASSOCIATEAC:
            if (length > associate_limit) return link.refuse(6, "A-ASSOCIATE-AC of more than a mebibyte");
            break;
        case DUL_TYPEASSOCIATERJ:
        case DUL_TYPEABORT:
            if (length != 4) return link.refuse(6, "rejection or abort not of four bytes");
            break;
        default:
            return link.refuse(type > 0 && type <= DUL_MAXTYPE ? 2 : 1, "the answer is no A-ASSOCIATE PDU");
    }
    if (const int32_t code = link.fill(6 + length)) return code;
    if (type != DUL_TYPEASSOCIATEAC) return PHIM_OK;
    if (const char *flaw = associate_answer_flaw(link.data(), 6 + length)) return link.refuse(6, flaw);
    return (link.data()[7] & 1) == 0 ? link.refuse(6, "protocol version is not 1") : PHIM_OK;
}

OFCondition hand_over(phim_association &a, T_ASC_Network *network) {
    std::unique_lock<std::mutex> turn(external_socket_lock());
    dcmExternalSocketHandle.set(a.link->fd());
    Layer::pending.link = a.link;
    Layer::pending.external_socket = &turn;
    const OFCondition condition = ASC_receiveAssociation(
        network, &a.dcmtk, static_cast<long>(a.options.max_pdu), nullptr, nullptr, OFFalse, DUL_NOBLOCK, 1);
    // Still held only when DCMTK gave up before it took the socket.
    if (turn.owns_lock()) dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    Layer::pending = Layer::Pending();
    return condition;
}

SOPClassExtendedNegotiationSubItem *extended_item(const char *uid, const uint8_t *bytes, size_t count) {
    auto *item = new SOPClassExtendedNegotiationSubItem;
    item->sopClassUID = uid;
    item->sopClassUIDLength = static_cast<unsigned short>(item->sopClassUID.length());
    item->serviceClassAppInfo = new unsigned char[count > 0 ? count : 1];
    if (count > 0) std::memcpy(item->serviceClassAppInfo, bytes, count);
    item->serviceClassAppInfoLength = static_cast<unsigned short>(count);
    return item;
}

void copy_identity(const phim_association &a, char *uid, char *version) {
    OFStandard::strlcpy(uid, a.class_uid.c_str(), DICOM_UI_LENGTH + 1);
    OFStandard::strlcpy(version, a.version_name.c_str(), 16 + 1);
}

}  // namespace

int32_t phim_acceptor_create(int32_t fd, const phim_options *options, phim_association **out, phim_error *error) {
    auto link = std::make_shared<Link>(options->stall_ms);
    link->adopt(fd);
    return guarded(error, [&]() -> int32_t {
        auto a = std::make_unique<phim_association>();
        a->take(*options);
        if (options->tls) link->secure(*options->tls, "");
        a->link = std::move(link);
        *out = a.release();
        return PHIM_OK;
    });
}

static int32_t shake_hands(Link &link, phim_error *error) {
    const int32_t code = link.handshake();
    if (code == PHIM_OK) return code;
    // The alert that says why must arrive.
    link.linger(1000);
    switch (code) {
        case PHIM_TIMED_OUT: return fail(error, code, "no TLS handshake in time");
        case PHIM_INSECURE: return fail(error, code, link.insecurity());
        default: return fail(error, code, "stopped from this side");
    }
}

int32_t phim_acceptor_receive(phim_association *a, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        T_ASC_Network *network = acceptor_network(error);
        if (!network) return PHIM_FAILED;
        a->link->set_deadline(a->options.negotiation_ms);
        if (const int32_t code = shake_hands(*a->link, error)) return code;
        if (const int32_t code = read_request(*a->link, error)) return code;
        const OFCondition condition = hand_over(*a, network);
        if (condition.bad()) {
            const int32_t code = outcome(*a, condition, error);
            a->link->abort(2, 6);
            return code;
        }
        a->index_contexts();
        return PHIM_OK;
    });
}

int32_t phim_acceptor_accept_context(phim_association *a, uint8_t id, const char *syntax, int8_t scu, int8_t scp) {
    return guarded(nullptr, [&] {
        // DCMTK answers a role by comparison with the proposed one; the decision is already made, so it is set plainly.
        const OFCondition condition =
            ASC_acceptPresentationContext(a->parameters(), id, syntax, ASC_SC_ROLE_DEFAULT, OFTrue);
        if (condition.bad()) return static_cast<int32_t>(PHIM_FAILED);
        LST_HEAD **list = &a->service().acceptedPresentationContext;
        auto *context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Head(list));
        if (context) (void)LST_Position(list, context);
        for (; context; context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Next(list))) {
            if (context->presentationContextID == id) {
                context->acceptedSCRole = static_cast<DUL_SC_ROLE>(role_of(scu, scp));
            }
        }
        return static_cast<int32_t>(PHIM_OK);
    });
}

int32_t phim_acceptor_refuse_context(phim_association *a, uint8_t id, uint8_t reason) {
    return guarded(nullptr, [&] {
        const OFCondition condition =
            ASC_refusePresentationContext(a->parameters(), id, static_cast<T_ASC_P_ResultReason>(reason));
        return static_cast<int32_t>(condition.good() ? PHIM_OK : PHIM_FAILED);
    });
}

int32_t phim_acceptor_add_extended(phim_association *a, const char *uid, const uint8_t *bytes, size_t count) {
    return guarded(nullptr, [&] {
        SOPClassExtendedNegotiationSubItemList *&list = a->service().acceptedExtNegList;
        if (!list) list = new SOPClassExtendedNegotiationSubItemList;
        list->push_back(extended_item(uid, bytes, count));
        return static_cast<int32_t>(PHIM_OK);
    });
}

int32_t phim_acceptor_acknowledge(phim_association *a, phim_error *error) {
    return guarded(error, [&] {
        if (a->service().applicationContextName[0] == 0) {
            // Left out by the peer; DCMTK fails, and leaks, without one.
            OFStandard::strlcpy(a->service().applicationContextName, UID_StandardApplicationContext, DUL_LEN_NAME + 1);
        }
        copy_identity(*a, a->service().calledImplementationClassUID, a->service().calledImplementationVersionName);
        const OFCondition condition = DUL_AcknowledgeAssociationRQ(&a->dcmtk->DULassociation, &a->service(), 0);
        a->link->clear_deadline();
        return outcome(*a, condition, error);
    });
}

int32_t phim_acceptor_reject(phim_association *a, uint8_t result, uint8_t source, uint8_t reason, phim_error *error) {
    return guarded(error, [&] {
        DUL_ABORTITEMS items = {result, source, reason};
        const OFCondition condition = DUL_RejectAssociationRQ(&a->dcmtk->DULassociation, &items, 0);
        const int32_t code = outcome(*a, condition, error);
        a->link->linger(1000);
        return code;
    });
}

int32_t phim_requestor_create(
    const char *calling, const char *called, const phim_options *options, phim_association **out, phim_error *error) {
    return guarded(error, [&] {
        auto a = std::make_unique<phim_association>();
        a->take(*options);
        a->link = std::make_shared<Link>(options->stall_ms);
        if (const OFCondition condition =
                ASC_createAssociationParameters(&a->params, static_cast<long>(options->max_pdu));
            condition.bad()) {
            return fail(error, PHIM_FAILED, condition.text());
        }
        (void)ASC_setAPTitles(a->params, calling, called, nullptr);
        copy_identity(*a, a->params->ourImplementationClassUID, a->params->ourImplementationVersionName);
        *out = a.release();
        return static_cast<int32_t>(PHIM_OK);
    });
}

int32_t phim_requestor_add_context(
    phim_association *a, uint8_t id, const char *abstract_syntax, const char *const *syntaxes, size_t count, int8_t scu,
    int8_t scp, phim_error *error) {
    return guarded(error, [&] {
        const OFCondition condition = ASC_addPresentationContext(
            a->params, id, abstract_syntax, const_cast<const char **>(syntaxes), static_cast<int>(count),
            role_of(scu, scp));
        return condition.good() ? static_cast<int32_t>(PHIM_OK) : fail(error, PHIM_FAILED, condition.text());
    });
}

int32_t phim_requestor_add_extended(phim_association *a, const char *uid, const uint8_t *bytes, size_t count) {
    return guarded(nullptr, [&] {
        SOPClassExtendedNegotiationSubItemList *&list = a->service().requestedExtNegList;
        if (!list) list = new SOPClassExtendedNegotiationSubItemList;
        list->push_back(extended_item(uid, bytes, count));
        return static_cast<int32_t>(PHIM_OK);
    });
}

namespace {

/// Of one name so many are tried.
constexpr size_t most_addresses = 8;
/// So long one is waited for at least where there are others, in seconds.
constexpr int32_t least_wait = 5;

/// The addresses of a name, in the order in which the system would have them tried. IPv4: DCMTK calls no other.
int32_t resolve(const char *host, uint16_t port, std::vector<std::string> &addresses, phim_error *error) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *list = nullptr;
    if (const int rc = ::getaddrinfo(host, nullptr, &hints, &list)) {
        return fail(error, PHIM_UNREACHABLE, ::gai_strerror(rc));
    }
    for (const addrinfo *a = list; a && addresses.size() < most_addresses; a = a->ai_next) {
        char numeric[NI_MAXHOST] = "";
        (void)::getnameinfo(a->ai_addr, a->ai_addrlen, numeric, sizeof(numeric), nullptr, 0, NI_NUMERICHOST);
        std::string address = std::string(numeric) + ":" + std::to_string(port);
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
            addresses.push_back(std::move(address));
        }
    }
    ::freeaddrinfo(list);
    return addresses.empty() ? fail(error, PHIM_UNREACHABLE, "the name has no address") : PHIM_OK;
}

/// Connects to one address and negotiates.
/// - connect_seconds: for the connection; `options.negotiation_ms` for all of it.
/// - connected: whether somebody was there.
OFCondition request_association(
    phim_association &a, T_ASC_Network *network, const std::string &address, int32_t connect_seconds, bool &connected) {
    // Left by an attempt that reached nobody; the parameters are used again.
    if (a.dcmtk) {
        a.dcmtk->params = nullptr;
        (void)ASC_destroyAssociation(&a.dcmtk);
    }
    (void)ASC_setPresentationAddresses(a.params, "localhost", address.c_str());
    dcmConnectionTimeout.set(connect_seconds);
    a.link->set_deadline(a.options.negotiation_ms);
    Layer::pending.link = a.link;
    const OFCondition condition = ASC_requestAssociation(
        network, a.params, &a.dcmtk, nullptr, nullptr, DUL_NOBLOCK, (a.options.negotiation_ms + 999) / 1000);
    // DCMTK asks for the link once the socket is connected.
    connected = !Layer::pending.link;
    Layer::pending = Layer::Pending();
    a.link->clear_deadline();
    return condition;
}

/// Whether nobody spoke.
bool unreached(const phim_association &a, const OFCondition &condition) {
    return condition.bad() && condition != DUL_ASSOCIATIONREJECTED && condition != DUL_PEERABORTEDASSOCIATION
           && a.link->failure() == PHIM_OK && a.link->fd() < 0;
}

}  // namespace

int32_t phim_requestor_connect(phim_association *a, const char *host, uint16_t port, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        T_ASC_Network *network = requestor_network(error);
        if (!network) return PHIM_FAILED;
        std::vector<std::string> addresses;
        if (const int32_t code = resolve(host, port, addresses, error)) return code;
        const int32_t seconds = (a->options.negotiation_ms + 999) / 1000;
        const int32_t share = std::max(seconds / static_cast<int32_t>(addresses.size()), std::min(least_wait, seconds));
        a->link->inspect_first(inspect_answer);
        if (a->options.tls) a->link->secure(*a->options.tls, host);
        OFCondition condition = EC_Normal;
        bool connected = false;
        for (const std::string &address : addresses) {
            condition = request_association(*a, network, address, share, connected);
            if (connected || condition.good() || a->link->interrupted()) break;
        }
        if (condition.good()) {
            a->index_contexts();
            return PHIM_OK;
        }
        if (condition == DUL_ASSOCIATIONREJECTED) {
            fail(error, PHIM_REJECTED, "association rejected");
            error->result = static_cast<uint8_t>(a->service().result);
            error->source = static_cast<uint8_t>(a->service().resultSource);
            error->reason = static_cast<uint8_t>(a->service().diagnostic);
            return PHIM_REJECTED;
        }
        if (unreached(*a, condition)) {
            if (connected) return fail(error, PHIM_TIMED_OUT, "the peer fell silent");
            const size_t others = addresses.size() - 1;
            return fail(
                error, PHIM_UNREACHABLE,
                "cannot connect to " + addresses[0] + (others ? " and " + std::to_string(others) + " more" : ""));
        }
        return outcome(*a, condition, error);
    });
}
