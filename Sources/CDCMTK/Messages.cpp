// Fragments of messages in both directions, and the orderly end of an association.
#include "Association.hpp"

#include "dcmtk/dcmnet/cond.h"

using namespace phim;

int32_t phim_read_pdv(phim_association *a, int32_t wait_ms, phim_pdv *out, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        DUL_PDV pdv{};
        DUL_ASSOCIATIONKEY **key = &a->dcmtk->DULassociation;
        OFCondition condition = DUL_NextPDV(key, &pdv);
        if (condition == DUL_NOPDVS) {
            // Waited for here, where running out of time leaves DCMTK's state machine alone.
            if (const int32_t code = a->link->wait_readable(wait_ms)) {
                return fail(error, code, code == PHIM_TIMED_OUT ? "idle for too long" : "stopped from this side");
            }
            DUL_PDVLIST list{};
            condition = DUL_ReadPDVs(key, &list, DUL_BLOCK, 0);
            if (const int32_t code = outcome(*a, condition, error)) return code;
            condition = DUL_NextPDV(key, &pdv);
        }
        if (condition.bad()) return fail(error, PHIM_MALFORMED, condition.text());
        out->bytes = static_cast<const uint8_t *>(pdv.data);
        out->count = pdv.fragmentLength;
        out->context = pdv.presentationContextID;
        out->is_command = pdv.pdvType == DUL_COMMANDPDV;
        out->is_last = pdv.lastPDV ? 1 : 0;
        return PHIM_OK;
    });
}

int32_t phim_readable(phim_association *a) { return a->link->readable() ? 1 : 0; }

size_t phim_fragment_size(const phim_association *a) {
    const unsigned long most = a->service().peerMaxPDU;
    return most == 0 || most > ASC_MAXIMUMPDUSIZE ? ASC_MAXIMUMPDUSIZE - 12 : (most < 24 ? 12 : most - 12);
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
