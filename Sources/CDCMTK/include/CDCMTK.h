// The one door to DCMTK: plain C, opaque handles, (pointer, count) signatures; no exception and no log line leaves it.
#ifndef CDCMTK_H
#define CDCMTK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How a call ended.
enum {
    PHIM_OK = 0,
    PHIM_TIMED_OUT = 1,    // nothing came (or could be sent) in time
    PHIM_CLOSED = 2,       // the peer closed the connection
    PHIM_ABORTED = 3,      // the peer sent A-ABORT
    PHIM_RELEASED = 4,     // the peer sent A-RELEASE-RQ
    PHIM_REJECTED = 5,     // the peer sent A-ASSOCIATE-RJ: result, source and reason are set
    PHIM_MALFORMED = 6,    // the peer broke the protocol
    PHIM_INTERRUPTED = 7,  // this side asked for the end
    PHIM_UNREACHABLE = 8,  // no connection could be made
    PHIM_UNSUPPORTED = 9,  // no codec for this
    PHIM_FAILED = 10,      // anything else: the text says what
    PHIM_INSECURE = 11     // TLS could not be agreed on, or broke
};

/// Why a call failed. `text` never holds an attribute value.
typedef struct {
    int32_t code;
    uint8_t result, source, reason;  // PS3.8 Table 9-21 when rejected
    char text[189];
} phim_error;

/// Turns DCMTK's logging and name look-ups off; safe to call often and from any thread.
void phim_initialize(void);

// Listening sockets.

/// Binds and listens; port 0 picks a free one.
int32_t phim_listen(
    const char *host, uint16_t port, int32_t backlog, int32_t *fd, uint16_t *bound, phim_error *error);
/// Waits for a connection, or for `wake` to become readable (PHIM_INTERRUPTED). `address` gets the numeric address.
int32_t phim_accept(
    int32_t listener, int32_t wake, int32_t *fd, char *address, size_t size, phim_error *error);
/// An eventfd for phim_accept, or -1.
int32_t phim_wake_open(void);
void phim_wake(int32_t wake);
void phim_close(int32_t fd);

// TLS (PS3.15 Annex B.12): version 1.2 or later.

typedef struct phim_tls phim_tls;

/// Files in PEM; null where there is none.
typedef struct {
    const char *ca_file;           // whom to trust; a requestor without it trusts whom the system trusts
    const char *certificate_file;  // our own, with what it was signed by
    const char *key_file;          // without a pass phrase; null: in the certificate's file
    int32_t is_acceptor;
    int32_t requires_certificate;  // acceptor: the peer must show one that `ca_file` vouches for
} phim_tls_settings;

/// Reads the files. A requestor demands a certificate of the host that it calls; of one that stands in `ca_file` itself no
/// name is asked.
int32_t phim_tls_create(const phim_tls_settings *settings, phim_tls **out, phim_error *error);
/// Associations that were made with it go on.
void phim_tls_free(phim_tls *tls);

// Associations. All calls from one thread at a time, except phim_interrupt.

typedef struct phim_association phim_association;

typedef struct {
    uint32_t max_pdu;         // what we can receive, 4096...131072
    int32_t negotiation_ms;   // for the whole negotiation
    int32_t stall_ms;         // within a PDU, and for each write
    const char *class_uid;    // our implementation class UID and version name (PS3.7 Annex D.3.3.2)
    const char *version_name;
    const phim_tls *tls;      // null: none. It must live until the association is connected or received
} phim_options;

typedef struct {
    uint8_t id;
    uint8_t result;     // PS3.8 Table 9-18: 0 accepted, 3 abstract syntax, 4 transfer syntaxes (requestor only)
    int8_t scu_role;    // role selection (PS3.7 Annex D.3.3.4): -1 absent, 0, 1
    int8_t scp_role;
    const char *abstract_syntax;
    const char *accepted_transfer_syntax;
    size_t transfer_syntax_count;
} phim_context;

/// An association on an accepted socket, which it owns from now on whatever the outcome; nothing is read yet.
int32_t phim_acceptor_create(int32_t fd, const phim_options *options, phim_association **out, phim_error *error);
/// Receives the A-ASSOCIATE-RQ. What the peer proposed can be asked for only after this succeeded.
int32_t phim_acceptor_receive(phim_association *a, phim_error *error);
int32_t phim_acceptor_accept_context(
    phim_association *a, uint8_t id, const char *transfer_syntax, int8_t scu, int8_t scp);
int32_t phim_acceptor_refuse_context(phim_association *a, uint8_t id, uint8_t reason);
int32_t phim_acceptor_add_extended(phim_association *a, const char *uid, const uint8_t *bytes, size_t count);
int32_t phim_acceptor_acknowledge(phim_association *a, phim_error *error);
int32_t phim_acceptor_reject(phim_association *a, uint8_t result, uint8_t source, uint8_t reason, phim_error *error);

/// A request under construction; then connected, or not.
int32_t phim_requestor_create(
    const char *calling, const char *called, const phim_options *options, phim_association **out, phim_error *error);
int32_t phim_requestor_add_context(
    phim_association *a, uint8_t id, const char *abstract_syntax, const char *const *transfer_syntaxes, size_t count,
    int8_t scu, int8_t scp, phim_error *error);
int32_t phim_requestor_add_extended(phim_association *a, const char *uid, const uint8_t *bytes, size_t count);
int32_t phim_requestor_connect(phim_association *a, const char *host, uint16_t port, phim_error *error);

const char *phim_calling_ae_title(const phim_association *a);
const char *phim_called_ae_title(const phim_association *a);
const char *phim_application_context(const phim_association *a);
const char *phim_peer_class_uid(const phim_association *a);
const char *phim_peer_version_name(const phim_association *a);
uint32_t phim_peer_max_pdu(const phim_association *a);
size_t phim_context_count(const phim_association *a);
int32_t phim_context_at(const phim_association *a, size_t index, phim_context *context);
const char *phim_context_transfer_syntax(const phim_association *a, size_t index, size_t syntax);
/// SOP class extended negotiation items of the peer (PS3.7 Annex D.3.3.5).
size_t phim_extended_count(const phim_association *a);
int32_t phim_extended_at(
    const phim_association *a, size_t index, const char **uid, const uint8_t **bytes, size_t *count);

// Messages.

typedef struct {
    const uint8_t *bytes;  // valid until the next call
    size_t count;
    uint8_t context;
    uint8_t is_command;
    uint8_t is_last;
} phim_pdv;

/// The next fragment. `wait_ms` is for its first byte; a timeout there leaves the association usable.
int32_t phim_read_pdv(phim_association *a, int32_t wait_ms, phim_pdv *pdv, phim_error *error);
/// Whether phim_read_pdv has something (data, release, abort or end) to read at once.
int32_t phim_readable(phim_association *a);
/// Sends a fragment, split to the peer's PDU size. `more` holds it back for what follows at once.
int32_t phim_write_pdv(
    phim_association *a, uint8_t context, uint8_t is_command, uint8_t is_last, uint8_t more, const uint8_t *bytes,
    size_t count, phim_error *error);
/// The fragment size that fills one PDU of the peer.
size_t phim_fragment_size(const phim_association *a);

int32_t phim_release(phim_association *a, phim_error *error);
int32_t phim_acknowledge_release(phim_association *a, phim_error *error);
/// Sends A-ABORT (PS3.8 Table 9-26) and closes.
void phim_abort(phim_association *a, uint8_t source, uint8_t reason);
/// From any thread: wakes a blocked call, which then fails with PHIM_INTERRUPTED.
void phim_interrupt(phim_association *a);
void phim_association_free(phim_association *a);

// Frames of JPEG that is lossless or has 12 bits a sample.

/// `precision` is that of the frame header; samples come out by pixel, of 8 bits or, above a precision of 8, of 16 in this
/// machine's byte order. The caller has compared the frame header with the size of `out`. `is_ycc`: YCbCr becomes RGB.
int32_t phim_jpeg_decode(
    const uint8_t *bytes, size_t count, int32_t precision, int32_t is_ycc, uint8_t *out, size_t out_count,
    phim_error *error);
/// Lossless (process 14, selection value 1) when `quality` is 0, else sequential with 12 bits. Samples of 8 bits up to a
/// precision of 8, else of 16. The output is freed by `phim_jpeg_free`.
int32_t phim_jpeg_encode(
    const uint8_t *samples, uint16_t columns, uint16_t rows, uint16_t samples_per_pixel, int32_t precision,
    int32_t quality, uint8_t **out, size_t *out_count, phim_error *error);
void phim_jpeg_free(uint8_t *bytes);

// Files.

typedef struct phim_directory phim_directory;
/// A general purpose DICOMDIR (PS3.11 Annex D) under construction in the folder `root`.
int32_t phim_directory_create(const char *root, const char *file_set_id, phim_directory **out, phim_error *error);
int32_t phim_directory_add(phim_directory *d, const char *relative_path, phim_error *error);
int32_t phim_directory_write(phim_directory *d, phim_error *error);
void phim_directory_free(phim_directory *d);

#ifdef __cplusplus
}
#endif
#endif
