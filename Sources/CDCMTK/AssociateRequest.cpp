// The check of an A-ASSOCIATE-RQ before DCMTK's parser sees it: lengths that add up, UIDs that fit, bounded counts.
// DCMTK 3.6.7 leaks, and can loop, on some requests that fail this.
#include "AssociateRequest.hpp"

namespace phim {

namespace {

constexpr size_t uid_limit = 64;
constexpr int context_limit = 128;
constexpr int syntax_limit = 128;

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
        default: return nullptr;
    }
}

const char *user_information_flaw(const uint8_t *value, size_t length) {
    Items items(value, length);
    int identities = 0;
    while (items.next()) {
        if (const char *flaw = user_item_flaw(items)) return flaw;
        identities += items.type == 0x58;
    }
    if (items.broken) return "user information item lengths do not add up";
    return identities > 1 ? "more than one user identity item" : nullptr;
}

}  // namespace

const char *associate_request_flaw(const uint8_t *pdu, size_t count) {
    constexpr size_t fixed = 6 + 2 + 2 + 16 + 16 + 32;
    if (count < fixed) return "short A-ASSOCIATE-RQ";
    Items items(pdu + fixed, count - fixed);
    int applications = 0, contexts = 0, users = 0;
    while (items.next()) {
        const char *flaw = nullptr;
        switch (items.type) {
            case 0x10:
                applications++;
                if (items.length > uid_limit) flaw = "UID of more than 64 bytes";
                break;
            case 0x20:
                contexts++;
                flaw = context_flaw(items.value, items.length);
                break;
            case 0x21: flaw = "answered presentation context in a request"; break;
            case 0x50:
                users++;
                flaw = user_information_flaw(items.value, items.length);
                break;
            default: break;
        }
        if (flaw) return flaw;
    }
    if (items.broken) return "A-ASSOCIATE-RQ item lengths do not add up";
    if (applications > 1 || users > 1) return "repeated item in A-ASSOCIATE-RQ";
    if (contexts == 0) return "no presentation context";
    return contexts > context_limit ? "more than 128 presentation contexts" : nullptr;
}

}  // namespace phim
