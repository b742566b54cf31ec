// The checks of A-ASSOCIATE-RQ and A-ASSOCIATE-AC before DCMTK's parser sees them: lengths that add up, UIDs that fit,
// bounded counts. DCMTK 3.6.7 leaks, and can loop, on some PDUs that fail this.
#include "AssociateRequest.hpp"

#include <bitset>

namespace phim {

namespace {

constexpr size_t uid_limit = 64;
constexpr int syntax_limit = 128;
/// Extended negotiation items are looked up by position in a list.
constexpr int extended_limit = 256;

/// A run of items, each a type, a reserved byte and a 16 bit length (PS3.8 Section 9.3.1).
struct Items {
    const uint8_t *at;
    size_t left;
    uint8_t type = 0;
    const uint8_t *value = nullptr;
    size_t length = 0;
    bool broken = false;

    Items(const uint8_t *bytes, size_t count) : at(bytes), left(count) {}

    bool next() {
        if (left == 0) return false;
        length = left < 4 ? left : static_cast<size_t>(at[2]) << 8 | at[3];
        if (left < 4 || left - 4 < length) {
            broken = true;
            return false;
        }
        type = at[0];
        value = at + 4;
        at += 4 + length;
        left -= 4 + length;
        return true;
    }
};

size_t short_at(const uint8_t *p) { return static_cast<size_t>(p[0]) << 8 | p[1]; }

const char *context_flaw(const uint8_t *value, size_t length) {
    if (length < 4) return "short presentation context item";
    Items items(value + 4, length - 4);
    int abstract = 0, transfer = 0;
    while (items.next()) {
        if ((items.type == 0x30 || items.type == 0x40) && items.length > uid_limit) return "UID of more than 64 bytes";
        abstract += items.type == 0x30;
        transfer += items.type == 0x40;
    }
    if (items.broken) return "presentation context item lengths do not add up";
    if (abstract != 1) return "presentation context without one abstract syntax";
    if (transfer < 1) return "presentation context without transfer syntax";
    return transfer > syntax_limit ? "more than 128 transfer syntaxes in a presentation context" : nullptr;
}

/// A context of an answer (PS3.8 Section 9.3.3.2): its one transfer syntax counts, and must be there, on acceptance
/// only.
const char *result_flaw(const uint8_t *value, size_t length) {
    if (length < 4) return "short presentation context item";
    Items items(value + 4, length - 4);
    int transfer = 0;
    while (items.next()) {
        if (items.length > uid_limit) return "UID of more than 64 bytes";
        transfer += items.type == 0x40;
    }
    if (items.broken) return "presentation context item lengths do not add up";
    if (transfer > 1) return "more than one transfer syntax answered";
    return value[2] == 0 && transfer == 0 ? "presentation context accepted without transfer syntax" : nullptr;
}

const char *identity_flaw(const uint8_t *value, size_t length) {
    if (length < 6) return "short user identity item";
    const size_t primary = short_at(value + 2);
    if (length - 6 < primary) return "user identity lengths do not add up";
    const size_t secondary = short_at(value + 4 + primary);
    return length - 6 - primary < secondary ? "user identity lengths do not add up" : nullptr;
}

const char *user_item_flaw(const Items &item) {
    switch (item.type) {
        case 0x51: return item.length == 4 ? nullptr : "maximum length item is not four bytes";
        case 0x52:
        case 0x55: return item.length <= uid_limit ? nullptr : "implementation identification of more than 64 bytes";
        case 0x54:
            if (item.length < 4 || short_at(item.value) != item.length - 4) {
                return "role selection lengths do not add up";
            }
            return item.length - 4 <= uid_limit ? nullptr : "UID of more than 64 bytes";
        case 0x56:
            if (item.length < 2 || short_at(item.value) > item.length - 2) {
                return "extended negotiation lengths do not add up";
            }
            return short_at(item.value) <= uid_limit ? nullptr : "UID of more than 64 bytes";
        case 0x58: return identity_flaw(item.value, item.length);
        case 0x59:
            return item.length < 2 || short_at(item.value) > item.length - 2 ? "user identity lengths do not add up"
                                                                             : nullptr;
        default: return nullptr;
    }
}

const char *user_information_flaw(const uint8_t *value, size_t length) {
    Items items(value, length);
    int identities = 0, extended = 0;
    while (items.next()) {
        if (const char *flaw = user_item_flaw(items)) return flaw;
        identities += items.type == 0x58 || items.type == 0x59;
        extended += items.type == 0x56;
    }
    if (items.broken) return "user information item lengths do not add up";
    if (extended > extended_limit) return "more than 256 extended negotiation items";
    return identities > 1 ? "more than one user identity item" : nullptr;
}

/// Presentation context IDs so far.
class Contexts {
public:
    /// PS3.8 Section 9.3.2.2: odd and unique. Of a repeated one DCMTK would announce the last and we keep the first.
    const char *flaw(uint8_t id) {
        if (id % 2 == 0) return "presentation context ID is even";
        if (seen_[id]) return "presentation context ID is repeated";
        seen_[id] = true;
        return nullptr;
    }
    bool empty() const { return seen_.none(); }

private:
    std::bitset<256> seen_;
};

/// The parts that requests and answers share; they differ in the type and the content of their contexts.
const char *associate_flaw(const uint8_t *pdu, size_t count, bool is_request) {
    constexpr size_t fixed = 6 + 2 + 2 + 16 + 16 + 32;
    if (count < fixed) return "short A-ASSOCIATE PDU";
    Items items(pdu + fixed, count - fixed);
    int applications = 0, users = 0;
    Contexts contexts;
    while (items.next()) {
        const char *flaw = nullptr;
        switch (items.type) {
            case 0x10:
                applications++;
                if (items.length > uid_limit) flaw = "UID of more than 64 bytes";
                break;
            case 0x20:
            case 0x21:
                if ((items.type == 0x20) != is_request) return "presentation context item of the other direction";
                flaw = is_request ? context_flaw(items.value, items.length) : result_flaw(items.value, items.length);
                if (!flaw) flaw = contexts.flaw(items.value[0]);
                break;
            case 0x50:
                users++;
                flaw = user_information_flaw(items.value, items.length);
                break;
            default: break;
        }
        if (flaw) return flaw;
    }
    if (items.broken) return "A-ASSOCIATE item lengths do not add up";
    if (applications > 1 || users > 1) return "repeated item in A-ASSOCIATE";
    return is_request && contexts.empty() ? "no presentation context" : nullptr;
}

}  // namespace

const char *associate_request_flaw(const uint8_t *pdu, size_t count) { return associate_flaw(pdu, count, true); }

const char *associate_answer_flaw(const uint8_t *pdu, size_t count) { return associate_flaw(pdu, count, false); }

}  // namespace phim
