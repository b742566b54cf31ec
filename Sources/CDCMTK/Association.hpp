// The opaque association handle of the C interface.
#pragma once

#include "Link.hpp"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dul.h"

#include <string>
#include <vector>

struct phim_association {
    std::shared_ptr<phim::Link> link;
    T_ASC_Association *dcmtk = nullptr;   // owns params once there
    T_ASC_Parameters *params = nullptr;   // ours only while a request is under construction
    phim_options options{};
    std::string class_uid, version_name;  // what options point to
    std::vector<DUL_PRESENTATIONCONTEXT *> contexts;           // the proposed ones, by position
    std::vector<std::vector<const char *>> transfer_syntaxes;  // of each
    const uint8_t *fragments = nullptr;   // what is left of the last P-DATA-TF PDU, in the link's buffer
    size_t fragments_left = 0;

    phim_association() = default;
    phim_association(const phim_association &) = delete;
    phim_association &operator=(const phim_association &) = delete;
    ~phim_association();

    T_ASC_Parameters *parameters() const { return dcmtk ? dcmtk->params : params; }
    DUL_ASSOCIATESERVICEPARAMETERS &service() const { return parameters()->DULparams; }
    void take(const phim_options &from);
    /// Makes `contexts` once negotiation has filled DCMTK's lists.
    void index_contexts();
};

namespace phim {

/// DCMTK's network objects: made once, never dropped.
T_ASC_Network *acceptor_network(phim_error *error);
T_ASC_Network *requestor_network(phim_error *error);
/// Guards dcmExternalSocketHandle, through which DCMTK takes a socket that is already open.
std::mutex &external_socket_lock();

/// Our code for what a DUL call answered, and its text.
int32_t outcome(const phim_association &a, const OFCondition &condition, phim_error *error);

T_ASC_SC_ROLE role_of(int8_t scu, int8_t scp);

}  // namespace phim
