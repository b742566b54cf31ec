// Association handles: DCMTK's networks, what the peer proposed or answered, and the end of an association.
#include "Association.hpp"

#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmnet/lst.h"

using namespace phim;

phim_association::~phim_association() {
    if (dcmtk) {
        (void)ASC_dropAssociation(dcmtk);
        (void)ASC_destroyAssociation(&dcmtk);
    } else if (params) {
        (void)ASC_destroyAssociationParameters(&params);
    }
    if (link) link->close();
}

void phim_association::take(const phim_options &from) {
    options = from;
    class_uid = from.class_uid ? from.class_uid : "";
    version_name = from.version_name ? from.version_name : "";
    options.class_uid = class_uid.c_str();
    options.version_name = version_name.c_str();
}

namespace phim {

std::mutex &external_socket_lock() {
    static std::mutex lock;
    return lock;
}

static T_ASC_Network *make_network(T_ASC_NetworkRole role, phim_error *error) {
    phim_initialize();
    std::lock_guard<std::mutex> guard(external_socket_lock());
    T_ASC_Network *network = nullptr;
    // With a socket set here DCMTK makes no listening socket of its own; nothing uses this number.
    dcmExternalSocketHandle.set(0);
    // The timeout of DCMTK's own waits; links have their own and shorter ones.
    const OFCondition condition = ASC_initializeNetwork(role, 104, 3600, &network);
    dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    if (condition.bad()) {
        fail(error, PHIM_FAILED, condition.text());
        return nullptr;
    }
    (void)ASC_setTransportLayer(network, new Layer, 1);
    return network;
}

T_ASC_Network *acceptor_network(phim_error *error) {
    static T_ASC_Network *network = make_network(NET_ACCEPTOR, error);
    if (!network) fail(error, PHIM_FAILED, "DCMTK made no acceptor network");
    return network;
}

T_ASC_Network *requestor_network(phim_error *error) {
    static T_ASC_Network *network = make_network(NET_REQUESTOR, error);
    if (!network) fail(error, PHIM_FAILED, "DCMTK made no requestor network");
    return network;
}

int32_t outcome(const phim_association &a, const OFCondition &condition, phim_error *error) {
    if (condition.good() || condition == DUL_PDATAPDUARRIVED) return PHIM_OK;
    if (a.link->failure() == PHIM_INTERRUPTED || a.link->interrupted()) {
        return fail(error, PHIM_INTERRUPTED, "stopped from this side");
    }
    if (a.link->failure() == PHIM_MALFORMED) return fail(error, PHIM_MALFORMED, a.link->flaw());
    if (a.link->failure() == PHIM_INSECURE) return fail(error, PHIM_INSECURE, a.link->insecurity());
    if (a.link->failure() == PHIM_TIMED_OUT) return fail(error, PHIM_TIMED_OUT, "the peer fell silent");
    if (condition == DUL_PEERREQUESTEDRELEASE) return fail(error, PHIM_RELEASED, "released by the peer");
    if (a.link->failure() == PHIM_CLOSED) return fail(error, PHIM_CLOSED, "connection closed by the peer");
    if (condition == DUL_PEERABORTEDASSOCIATION) return fail(error, PHIM_ABORTED, "aborted by the peer");
    return fail(error, PHIM_MALFORMED, condition.text());
}

T_ASC_SC_ROLE role_of(int8_t scu, int8_t scp) {
    if (scu < 0 && scp < 0) return ASC_SC_ROLE_DEFAULT;
    if (scu > 0 && scp > 0) return ASC_SC_ROLE_SCUSCP;
    if (scp > 0) return ASC_SC_ROLE_SCP;
    return scu > 0 ? ASC_SC_ROLE_SCU : ASC_SC_ROLE_NONE;
}

}  // namespace phim

const char *phim_calling_ae_title(const phim_association *a) { return a->service().callingAPTitle; }
const char *phim_called_ae_title(const phim_association *a) { return a->service().calledAPTitle; }
const char *phim_application_context(const phim_association *a) { return a->service().applicationContextName; }

const char *phim_peer_class_uid(const phim_association *a) { return a->parameters()->theirImplementationClassUID; }

const char *phim_peer_version_name(const phim_association *a) {
    return a->parameters()->theirImplementationVersionName;
}

uint32_t phim_peer_max_pdu(const phim_association *a) { return static_cast<uint32_t>(a->service().peerMaxPDU); }

namespace {

/// Calls `body` for each node of a DCMTK list.
template <typename Node, typename Body>
void each(LST_HEAD **list, Body body) {
    if (!list || !*list) return;
    auto *node = static_cast<Node *>(LST_Head(list));
    if (node) (void)LST_Position(list, node);
    for (; node; node = static_cast<Node *>(LST_Next(list))) body(node);
}

void split(DUL_SC_ROLE role, int8_t &scu, int8_t &scp) {
    scu = role == DUL_SC_ROLE_DEFAULT ? -1 : (role == DUL_SC_ROLE_SCU || role == DUL_SC_ROLE_SCUSCP);
    scp = role == DUL_SC_ROLE_DEFAULT ? -1 : (role == DUL_SC_ROLE_SCP || role == DUL_SC_ROLE_SCUSCP);
}

}  // namespace

void phim_association::index_contexts() {
    contexts.clear();
    transfer_syntaxes.clear();
    each<DUL_PRESENTATIONCONTEXT>(&service().requestedPresentationContext, [&](DUL_PRESENTATIONCONTEXT *context) {
        contexts.push_back(context);
        std::vector<const char *> names;
        each<DUL_TRANSFERSYNTAX>(&context->proposedTransferSyntax, [&](DUL_TRANSFERSYNTAX *syntax) {
            names.push_back(syntax->transferSyntax);
        });
        transfer_syntaxes.push_back(std::move(names));
    });
}

size_t phim_context_count(const phim_association *a) { return a->contexts.size(); }

int32_t phim_context_at(const phim_association *a, size_t index, phim_context *out) {
    if (index >= a->contexts.size()) return PHIM_FAILED;
    const DUL_PRESENTATIONCONTEXT *context = a->contexts[index];
    out->id = context->presentationContextID;
    out->abstract_syntax = context->abstractSyntax;
    out->transfer_syntax_count = a->transfer_syntaxes[index].size();
    out->result = DUL_PRESENTATION_REJECT_NOREASON;
    out->accepted_transfer_syntax = "";
    split(context->proposedSCRole, out->scu_role, out->scp_role);
    each<DUL_PRESENTATIONCONTEXT>(&a->service().acceptedPresentationContext, [&](DUL_PRESENTATIONCONTEXT *answer) {
        if (answer->presentationContextID != out->id) return;
        out->result = answer->result;
        out->accepted_transfer_syntax = answer->acceptedTransferSyntax;
        split(answer->acceptedSCRole, out->scu_role, out->scp_role);
    });
    return PHIM_OK;
}

const char *phim_context_transfer_syntax(const phim_association *a, size_t index, size_t syntax) {
    if (index >= a->transfer_syntaxes.size() || syntax >= a->transfer_syntaxes[index].size()) return "";
    return a->transfer_syntaxes[index][syntax];
}

static SOPClassExtendedNegotiationSubItemList *peer_extended(const phim_association *a) {
    return a->dcmtk && a->params ? a->service().acceptedExtNegList : a->service().requestedExtNegList;
}

size_t phim_extended_count(const phim_association *a) {
    const SOPClassExtendedNegotiationSubItemList *list = peer_extended(a);
    return list ? list->size() : 0;
}

int32_t phim_extended_at(
    const phim_association *a, size_t index, const char **uid, const uint8_t **bytes, size_t *count) {
    SOPClassExtendedNegotiationSubItemList *list = peer_extended(a);
    if (!list || index >= list->size()) return PHIM_FAILED;
    auto item = list->begin();
    for (; index > 0; index--) ++item;
    *uid = (*item)->sopClassUID.c_str();
    *bytes = (*item)->serviceClassAppInfo;
    *count = (*item)->serviceClassAppInfoLength;
    return PHIM_OK;
}

void phim_abort(phim_association *a, uint8_t source, uint8_t reason) { a->link->abort(source, reason); }

void phim_interrupt(phim_association *a) { a->link->interrupt(); }

void phim_association_free(phim_association *a) {
    try {
        delete a;
    } catch (...) {
    }
}
