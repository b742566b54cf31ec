// Fragments of messages in both directions, and the orderly end of an association.
#include "Association.hpp"

#include "dcmtk/dcmnet/cond.h"

using namespace phim;

namespace {

int32_t failed_read(int32_t code, phim_error *error) {
    switch (code) {
        case PHIM_TIMED_OUT: return fail(error, code, "the peer fell silent");
        case PHIM_CLOSED: return fail(error, code, "connection closed by the peer");
        case PHIM_INSECURE: return fail(error, code, "TLS failed");
        default: return fail(error, code, "stopped from this side");
    }
}

/// Reads the next PDU; on PHIM_OK it was P-DATA-TF and its fragments are in `fragments`.
int32_t read_pdu(phim_association &a, int32_t wait_ms, phim_error *error) {
    // Waited for here, where running out of time leaves DCMTK's state machine alone.
    if (const int32_t code = a.link->wait_readable(wait_ms)) {
        return code == PHIM_TIMED_OUT ? fail(error, code, "idle for too long") : failed_read(code, error);
    }
    if (const int32_t code = a.link->fill(6)) return failed_read(code, error);
    const uint8_t *head = a.link->data();
    const size_t length = static_cast<size_t>(head[2]) << 24 | head[3] << 16 | head[4] << 8 | head[5];
    if (head[0] != DUL_TYPEDATA) {
        DUL_PDVLIST list{};
        return outcome(a, DUL_ReadPDVs(&a.dcmtk->DULassociation, &list, DUL_BLOCK, 0), error);
    }
    // Data change no state (PS3.8 Table 9-10, DT-2), so they need not pass through DCMTK: it copies them once more, and
    // DUL_NextPDV of 3.6.7 steps by the wrong length from the third fragment of a PDU on.
    if (length > a.options.max_pdu) {
        const int32_t code = a.link->refuse(6, "P-DATA-TF of more than was agreed");
        return fail(error, code, a.link->flaw());
    }
    if (const int32_t code = a.link->fill(6 + length)) return failed_read(code, error);
    a.fragments = a.link->data() + 6;
    a.fragments_left = length;
    a.link->skip(6 + length);
    return PHIM_OK;
}

}  // namespace

int32_t phim_read_pdv(phim_association *a, int32_t wait_ms, phim_pdv *out, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (a->fragments_left == 0) {
            if (const int32_t code = read_pdu(*a, wait_ms, error)) return code;
        }
        const uint8_t *p = a->fragments;
        const size_t length =
            a->fragments_left < 6 ? 0 : static_cast<size_t>(p[0]) << 24 | p[1] << 16 | p[2] << 8 | p[3];
        if (length < 2 || length > a->fragments_left - 4) {
            a->fragments_left = 0;
            return fail(error, PHIM_MALFORMED, "fragment lengths do not add up");
        }
        a->fragments += 4 + length;
        a->fragments_left -= 4 + length;
        // PS3.8 Annex E.2: bit 0 of the control header says command, bit 1 says last.
        *out = phim_pdv{p + 6, length - 2, p[4], static_cast<uint8_t>(p[5] & 1), static_cast<uint8_t>(p[5] >> 1 & 1)};
        return PHIM_OK;
    });
}

int32_t phim_readable(phim_association *a) { return a->fragments_left > 0 || a->link->readable() ? 1 : 0; }

size_t phim_fragment_size(const phim_association *a) {
    const unsigned long most = a->service().peerMaxPDU;
    if (most == 0 || most > ASC_MAXIMUMPDUSIZE) return ASC_MAXIMUMPDUSIZE - 12;
    // Fragments have even lengths (PS3.8 Annex E.1), also where the peer's maximum is odd.
    return most < 24 ? 12 : (most - 12) & ~1ul;
}

int32_t phim_write_pdv(
    phim_association *a, uint8_t context, uint8_t is_command, uint8_t is_last, uint8_t more, const uint8_t *bytes,
    size_t count, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        const size_t most = phim_fragment_size(a);
        DUL_ASSOCIATIONKEY **key = &a->dcmtk->DULassociation;
        a->link->hold(more != 0);
        for (;;) {
            const size_t n = count < most ? count : most;
            DUL_PDV pdv{};
            pdv.fragmentLength = n;
            pdv.presentationContextID = context;
            pdv.pdvType = is_command ? DUL_COMMANDPDV : DUL_DATASETPDV;
            pdv.lastPDV = is_last && n == count ? OFTrue : OFFalse;
            pdv.data = const_cast<uint8_t *>(bytes);
            DUL_PDVLIST list{};
            list.count = 1;
            list.pdv = &pdv;
            const OFCondition condition = DUL_WritePDVs(key, &list);
            if (condition.bad()) {
                const int32_t code = outcome(*a, condition, error);
                return code == PHIM_MALFORMED ? fail(error, PHIM_FAILED, condition.text()) : code;
            }
            bytes += n;
            count -= n;
            if (count == 0) return PHIM_OK;
        }
    });
}

int32_t phim_release(phim_association *a, phim_error *error) {
    return guarded(error, [&] {
        a->link->set_deadline(a->options.negotiation_ms);
        const OFCondition condition = ASC_releaseAssociation(a->dcmtk);
        const int32_t code = outcome(*a, condition, error);
        if (code == PHIM_OK) {
            a->link->close();
        } else {
            a->link->abort(0, 0);
        }
        return code;
    });
}

int32_t phim_acknowledge_release(phim_association *a, phim_error *error) {
    return guarded(error, [&] {
        a->link->set_deadline(a->options.negotiation_ms);
        const int32_t code = outcome(*a, ASC_acknowledgeRelease(a->dcmtk), error);
        a->link->linger(1000);
        return code;
    });
}
