"""A small identity provider on loopback (OpenID Connect): honest by default, and wrong in every way a test asks for."""

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A signing key, and what of it is published."""

    def __init__(self, kid, alg="RS256"):
        self.kid, self.alg = kid, alg
        if alg == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()
            raw = self.private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        self.jwk |= {"kid": kid, "use": "sig", "alg": alg}

    def sign(self, data):
        if self.alg == "RS256":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data)

    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def hmac_sha256(secret, data):
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(data)
    return mac.finalize()


def token(claims, key, header=None, signature=None):
    """A compact JWS; `header` and `signature` (a function of the signed bytes) replace what an honest one has."""
    fields = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | (header or {})
    fields = {name: value for name, value in fields.items() if value is not None}
    signed = f"{b64(json.dumps(fields).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64((signature or key.sign)(signed.encode()))}"


def forgeries(provider):
    """Identity tokens that prove nothing: by name, what makes one of honest claims."""
    key, stranger = provider.keys[0], Key("first")
    late = {"exp": int(time.time()) - 3600}
    return {
        "wrong nonce": lambda c: token(c | {"nonce": "x"}, key),
        "no nonce": lambda c: token({k: v for k, v in c.items() if k != "nonce"}, key),
        "alg none": lambda c: token(c, key, {"alg": "none"}, lambda data: b""),
        "alg None": lambda c: token(c, key, {"alg": "None"}, lambda data: b""),
        "no alg": lambda c: token(c, key, {"alg": None}),
        "HS256 with the public key": lambda c: token(
            c, key, {"alg": "HS256"}, lambda data: hmac_sha256(key.public_pem(), data)
        ),
        "HS256 with the client's secret": lambda c: token(
            c, key, {"alg": "HS256", "kid": None}, lambda data: hmac_sha256(provider.client_secret.encode(), data)
        ),
        "HS256 with a published shared key": lambda c: token(
            c, key, {"alg": "HS256", "kid": "odd"}, lambda data: hmac_sha256(b"\0\0\0", data)
        ),
        "another's key under the same name": lambda c: token(c, stranger),
        "key in the header": lambda c: token(c, stranger, {"jwk": stranger.jwk}),
        "key at an address in the header": lambda c: token(c, stranger, {"jku": f"{provider.issuer}/keys"}),
        "another algorithm of the same key": lambda c: token(c, key, {"alg": "RS512"}),
        "elliptic algorithm with an RSA key": lambda c: token(c, key, {"alg": "ES256"}),
        "extension that must be understood": lambda c: token(c, key, {"crit": ["b64"], "b64": False}),
        "signature cut off": lambda c: token(c, key).rsplit(".", 1)[0] + ".",
        "signature of other claims": lambda c: ".".join(
            [token(c, key).split(".")[0], b64(b'{"sub":"x"}'), token(c, key).split(".")[2]]
        ),
        "expired": lambda c: token(c | late, key),
        "without expiry": lambda c: token({k: v for k, v in c.items() if k != "exp"}, key),
        "expiry that is no time": lambda c: token(c | {"exp": "tomorrow"}, key),
        "of tomorrow": lambda c: token(c | {"iat": int(time.time()) + 86400}, key),
        "not yet valid": lambda c: token(c | {"nbf": int(time.time()) + 3600}, key),
        "wrong audience": lambda c: token(c | {"aud": "another"}, key),
        "several audiences without a party": lambda c: token(c | {"aud": ["phim", "another"]}, key),
        "another party": lambda c: token(c | {"aud": ["phim", "another"], "azp": "another"}, key),
        "wrong issuer": lambda c: token(c | {"iss": "https://evil.example"}, key),
        "no subject": lambda c: token({k: v for k, v in c.items() if k != "sub"}, key),
        "empty subject": lambda c: token(c | {"sub": ""}, key),
        "wrong at_hash": lambda c: token(c | {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, key),
        "no token at all": lambda c: "ey",
        "two dots": lambda c: "ey..",
        "not base64": lambda c: "ey!.ey!.!",
        "large": lambda c: token(c | {"x": "y" * 100_000}, key),
        "deep": lambda c: token(c, key).split(".")[0] + "." + b64(b"[" * 9000) + ".AAAA",
    }


class IdentityProvider:
    """`person` is who signs in next; `tamper` changes the claims of identity tokens, `forge` makes the token whole."""

    client_id, client_secret = "phim", "a secret & more: 100 %"

    def __init__(self, alg="RS256"):
        self.keys = [Key("first", alg)]
        self.person = {"sub": "u-1", "preferred_username": "hoa", "roles": ["radiology"]}
        self.tamper = self.forge = self.userinfo = None
        self.tokens_answer = None  # (status, bytes) instead of tokens
        self.discovery_changes = {}
        self.delay = 0
        self.redirect_error = None
        self.names_issuer = False
        self.codes, self.requests = {}, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.issuer = f"http://127.0.0.1:{self.port}/realms/hospital"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def configuration(self, **more):
        """The `oidc:` section that names this provider."""
        return {
            "issuer": self.issuer,
            "clientID": self.client_id,
            "clientSecret": self.client_secret,
            "roles": {
                "radiology": "radiologist", "pacs-admin": "administrator", "ward": "referring-physician",
                "emr": "integration", "ct": "technician",
            },
        } | more

    # Tokens.

    def access_token(self, key=None, header=None, signature=None, **claims):
        now = int(time.time())
        fields = {
            "iss": self.issuer, "sub": "emr-1", "aud": "phim-api", "iat": now, "exp": now + 300,
            "preferred_username": "emr", "roles": ["emr"],
        } | claims
        fields = {name: value for name, value in fields.items() if value is not None}
        return token(fields, key or self.keys[-1], {"typ": "at+jwt"} | (header or {}), signature)

    def _id_token(self, grant, access_token):
        now = int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": grant["nonce"],
        } | self.person
        if self.keys[-1].alg != "EdDSA":
            claims["at_hash"] = b64(half)
        claims = self.tamper(claims) if self.tamper else claims
        return self.forge(claims) if self.forge else token(claims, self.keys[-1])

    # HTTP.

    def _discovery(self):
        base = self.issuer
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "userinfo_endpoint": f"{base}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": self.names_issuer,
        } | self.discovery_changes

    def _authorize(self, query):
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = {"code": code, "state": query["state"]}
        if self.redirect_error:
            back = {"error": self.redirect_error, "state": query["state"]}
        if self.names_issuer:
            back["iss"] = self.issuer
        return f"{query['redirect_uri']}?{urllib.parse.urlencode(back)}"

    def _exchange(self, form, authorization):
        """RFC 6749 Section 4.1.3 with PKCE: every detail is checked, as a strict provider does."""
        if self.tokens_answer:
            return self.tokens_answer
        pair = ":".join(urllib.parse.quote(text, safe="") for text in (self.client_id, self.client_secret))
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        grant = self.codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if authorization != expected:
            return 401, b'{"error": "invalid_client"}'
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant["redirect_uri"]
            or grant.get("code_challenge_method") != "S256"
            or challenge != grant["code_challenge"]
        ):
            return 400, b'{"error": "invalid_grant"}'
        access = secrets.token_urlsafe(16)
        answer = {"access_token": access, "token_type": "Bearer", "id_token": self._id_token(grant, access)}
        return 200, json.dumps(answer).encode()

    def _handler(provider):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def answer(self, status, body=b"", **headers):
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked has gone

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                provider.requests.append(url.path)
                time.sleep(provider.delay)
                name = url.path.removeprefix("/realms/hospital/")
                if name == ".well-known/openid-configuration":
                    self.answer(200, json.dumps(provider._discovery()).encode())
                elif name == "keys":
                    odd = [{"kty": "oct", "kid": "odd", "k": "AAAA"}, {"kty": 7}]
                    keys = {"keys": odd + [key.jwk for key in provider.keys]}
                    self.answer(200, json.dumps(keys).encode())
                elif name == "authorize":
                    self.answer(302, Location=provider._authorize(dict(urllib.parse.parse_qsl(url.query))))
                elif name == "userinfo" and provider.userinfo is not None:
                    self.answer(200, json.dumps(provider.userinfo).encode())
                elif name == "huge":
                    self.answer(200, b'{"keys": [' + b" " * (64 << 20) + b"]}")
                elif name == "elsewhere":
                    self.answer(302, Location="http://127.0.0.1:9/")
                else:
                    self.answer(404)

            def do_POST(self):
                provider.requests.append(self.path)
                time.sleep(provider.delay)
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = provider._exchange(
                    dict(urllib.parse.parse_qsl(form)), self.headers.get("Authorization")
                )
                self.answer(status, body)

        return Handler
