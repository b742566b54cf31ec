// TLS 1.2 and 1.3 with the cipher suites of RFC 9325, mutual where asked for, over a link's own reading and writing.
#include "Secure.hpp"
#include "Link.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

using namespace phim;

namespace {

/// RFC 9325 Section 4.2; TLS 1.3 brings its own.
constexpr const char *cipher_suites =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
constexpr size_t read_buffer = 64 * 1024;

// MARK: The socket, as OpenSSL sees it

int link_read(BIO *bio, char *bytes, size_t count, size_t *n) {
    BIO_clear_retry_flags(bio);
    const ssize_t got = static_cast<Link *>(BIO_get_data(bio))->take_raw(bytes, count);
    *n = got > 0 ? static_cast<size_t>(got) : 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
    return got > 0 ? 1 : 0;
}

int link_write(BIO *bio, const char *bytes, size_t count, size_t *n) {
    BIO_clear_retry_flags(bio);
    const bool is_sent = static_cast<Link *>(BIO_get_data(bio))->send_raw(bytes, count);
    *n = is_sent ? count : 0;
    return is_sent ? 1 : 0;
}

long link_control(BIO *, int command, long, void *) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD *link_method() {
    static BIO_METHOD *method = [] {
        BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");
        BIO_meth_set_read_ex(made, link_read);
        BIO_meth_set_write_ex(made, link_write);
        BIO_meth_set_ctrl(made, link_control);
        return made;
    }();
    return method;
}

// MARK: Trust

/// Whether the peer's own certificate stands among those that are trusted, whatever else it sends with it.
bool is_trusted_itself(X509_STORE_CTX *chain) {
    X509 *own = X509_STORE_CTX_get0_cert(chain);
    if (!own) return false;
    STACK_OF(X509) *named = X509_STORE_CTX_get1_certs(chain, X509_get_subject_name(own));
    bool is_found = false;
    for (int i = 0; i < sk_X509_num(named); i++) is_found = is_found || X509_cmp(sk_X509_value(named, i), own) == 0;
    sk_X509_pop_free(named, X509_free);
    return is_found;
}

/// A certificate that is trusted by itself is known by its key: it need not name the host. Devices come with certificates
/// that name nothing.
int judge(int is_good, X509_STORE_CTX *chain) {
    if (is_good) return 1;
    const int why = X509_STORE_CTX_get_error(chain);
    const bool is_misnamed = why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH;
    if (!is_misnamed || !is_trusted_itself(chain)) return 0;
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}

/// There is nobody to ask for a pass phrase.
int no_pass_phrase(char *, int, int, void *) { return -1; }

int32_t failed_file(phim_error *error, const char *file, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    const std::string text = std::string(file) + ": " + what + (reason ? std::string(": ") + reason : std::string());
    ERR_clear_error();
    return fail(error, PHIM_INSECURE, text);
}

int32_t load(SSL_CTX *context, const phim_tls_settings &settings, phim_error *error) {
    ERR_clear_error();
    if (settings.ca_file) {
        if (SSL_CTX_load_verify_locations(context, settings.ca_file, nullptr) != 1) {
            return failed_file(error, settings.ca_file, "no certificates in PEM");
        }
        if (settings.is_acceptor) SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(settings.ca_file));
    } else if (!settings.is_acceptor) {
        (void)SSL_CTX_set_default_verify_paths(context);
    }
    if (!settings.certificate_file) return PHIM_OK;
    if (SSL_CTX_use_certificate_chain_file(context, settings.certificate_file) != 1) {
        return failed_file(error, settings.certificate_file, "no certificate in PEM");
    }
    const char *key = settings.key_file ? settings.key_file : settings.certificate_file;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        return failed_file(error, key, "no private key in PEM without pass phrase, or not that of the certificate");
    }
    // A key of another kind is not compared with the certificate when it is read.
    if (SSL_CTX_check_private_key(context) != 1) {
        return failed_file(error, key, "the private key is not that of the certificate");
    }
    return PHIM_OK;
}

void demand(SSL_CTX *context, const phim_tls_settings &settings) {
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_cipher_list(context, cipher_suites);
    // Nobody resumes a session: each association is judged by its certificates. A ticket of TLS 1.2 that is given out and
    // comes back without a session id context would end the handshake.
    SSL_CTX_set_options(
        context,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(context, 0);
    // One call to the system brings several records.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, read_buffer);
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    int mode = SSL_VERIFY_PEER;
    if (settings.is_acceptor && settings.requires_certificate) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (settings.is_acceptor && !settings.requires_certificate && !settings.ca_file) mode = SSL_VERIFY_NONE;
    SSL_CTX_set_verify(context, mode, judge);
}

}  // namespace

int32_t phim_tls_create(const phim_tls_settings *settings, phim_tls **out, phim_error *error) {
    return guarded(error, [&]() -> int32_t {
        phim_initialize();
        auto tls = std::make_unique<phim_tls>();
        tls->is_acceptor = settings->is_acceptor != 0;
        tls->context = SSL_CTX_new(TLS_method());
        if (!tls->context) return fail(error, PHIM_FAILED, "OpenSSL gave no context");
        demand(tls->context, *settings);
        if (const int32_t code = load(tls->context, *settings, error)) return code;
        *out = tls.release();
        return PHIM_OK;
    });
}

void phim_tls_free(phim_tls *tls) {
    try {
        delete tls;
    } catch (...) {
    }
}

Secure::Secure(const phim_tls &tls, Link &link, const char *host) : session_(SSL_new(tls.context)) {
    if (!session_) throw std::bad_alloc();
    BIO *bio = BIO_new(link_method());
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio, &link);
    BIO_set_init(bio, 1);
    SSL_set_bio(session_, bio, bio);
    if (tls.is_acceptor) {
        SSL_set_accept_state(session_);
        return;
    }
    SSL_set_connect_state(session_);
    X509_VERIFY_PARAM *wanted = SSL_get0_param(session_);
    // Names stand in Subject Alternative Name, not in the subject (RFC 9525 Section 6.3).
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host) != 1) {
        (void)X509_VERIFY_PARAM_set1_host(wanted, host, 0);
        (void)SSL_set_tlsext_host_name(session_, host);
    }
}

Secure::Step Secure::judged(int result) {
    switch (SSL_get_error(session_, result)) {
        case SSL_ERROR_NONE: return Step::done;
        case SSL_ERROR_WANT_READ: return Step::wants_bytes;
        case SSL_ERROR_ZERO_RETURN: return Step::ended;
        case SSL_ERROR_SSL: break;
        default: return Step::ended;  // the socket ended or failed
    }
    const unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return Step::ended;
    if (flaw_.empty()) {
        flaw_ = reason ? reason : "TLS failed";
        const long verdict = SSL_get_verify_result(session_);
        if (verdict != X509_V_OK) flaw_ += std::string(": ") + X509_verify_cert_error_string(verdict);
    }
    return Step::failed;
}

Secure::Step Secure::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(session_);
    if (result == 1) is_open_ = true;
    return judged(result);
}

Secure::Step Secure::read(void *bytes, size_t count, size_t &n) {
    ERR_clear_error();
    return judged(SSL_read_ex(session_, bytes, count, &n));
}

Secure::Step Secure::write(const void *bytes, size_t count) {
    ERR_clear_error();
    size_t n = 0;
    return judged(SSL_write_ex(session_, bytes, count, &n));
}

void Secure::close_notify() {
    if (!is_open_ || is_closed_ || !flaw_.empty()) return;
    is_closed_ = true;
    ERR_clear_error();
    (void)SSL_shutdown(session_);
}
