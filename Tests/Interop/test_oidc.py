"""Sign-in at an identity provider, honest and hostile, as a browser with a cookie jar does it."""

import time
import urllib.parse

import pytest
import requests
from support.identity_provider import IdentityProvider, Key, b64, forgeries, hmac_sha256

AUDIENCE = {"acceptBearer": True, "audience": "phim-api"}


@pytest.fixture
def provider():
    provider = IdentityProvider()
    yield provider
    provider.close()


@pytest.fixture
def start(make_archive):
    """A running archive that knows a provider."""

    def start(provider, access=None, **oidc):
        return make_archive({"access": {"oidc": provider.configuration(**oidc)} | (access or {})}).start()

    return start


def browser():
    session = requests.Session()
    session.trust_env = False
    return session


def depart(archive, person, path="/"):
    """The way to the provider and its answer: the address at the archive that the browser is sent back to."""
    away = person.get(
        f"{archive.url}/api/v1/oidc/sign-in", params={"return": path}, allow_redirects=False, timeout=60
    )
    assert away.status_code == 303, away.text
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=60)
    assert back.status_code == 302
    return back.headers["Location"]


def sign_in(archive, person=None, path="/", change=lambda url: url):
    """The whole way; gives the browser and the archive's last answer."""
    person = person or browser()
    answer = person.get(change(depart(archive, person, path)), allow_redirects=False, timeout=60)
    return person, answer


def who(archive, person):
    answer = person.get(f"{archive.url}/api/v1/session", timeout=60)
    return answer.json() if answer.status_code == 200 else answer.status_code


def assert_refused(archive, person, answer, status):
    assert answer.status_code == status, answer.text
    assert "text/html" in answer.headers["Content-Type"]
    assert who(archive, person) == 401
    assert archive.alive


def with_query(url, **changes):
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query)) | changes
    query = {name: value for name, value in query.items() if value is not None}
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


# The honest way.


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_signs_in_and_returns_to_where_it_was(start, alg):
    provider = IdentityProvider(alg)
    try:
        archive = start(provider)
        offer = requests.get(f"{archive.url}/api/v1/oidc", timeout=60).json()
        assert offer == {"isAvailable": True, "name": "Single sign-on", "signIn": "/api/v1/oidc/sign-in"}
        person, answer = sign_in(archive, path="/ohif/viewer?StudyInstanceUIDs=1.2.3")
        assert answer.status_code == 303, answer.text
        assert answer.headers["Location"] == "/ohif/viewer?StudyInstanceUIDs=1.2.3"
        assert answer.headers["Cache-Control"] == "no-store"
        cookies = answer.raw.headers.getlist("Set-Cookie")
        assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
        session = who(archive, person)
        assert (session["account"], session["roles"]) == ("hoa", ["radiologist"])
        archive.trail("--account", "hoa", "--kind", "signIn", has=lambda row: "identity provider" in str(row))
        assert archive.run("audit", "verify").returncode == 0
    finally:
        provider.close()


def test_without_a_provider_there_is_nothing(archive):
    assert requests.get(f"{archive.url}/api/v1/oidc", timeout=60).json() == {"isAvailable": False}
    for path in ("sign-in", "callback?code=a&state=b"):
        assert requests.get(f"{archive.url}/api/v1/oidc/{path}", timeout=60).status_code == 404


def test_what_the_identity_token_leaves_out_comes_from_userinfo(start, provider):
    provider.person = {"sub": "u-7"}
    provider.userinfo = {"sub": "u-7", "preferred_username": "Đức", "realm": {"groups": ["ct", "none of ours"]}}
    archive = start(provider, rolesClaim="realm.groups")
    person, _ = sign_in(archive)
    session = who(archive, person)
    assert (session["account"], session["roles"]) == ("Đức", ["technician"])
    provider.userinfo["sub"] = "u-8"
    assert_refused(archive, *sign_in(archive), 401)


def test_roles_follow_the_provider(start, provider):
    archive = start(provider)
    first, _ = sign_in(archive)
    assert who(archive, first)["roles"] == ["radiologist"]
    provider.person["roles"] = ["ward"]
    second, _ = sign_in(archive)
    assert who(archive, second)["roles"] == ["referring-physician"]
    # The older session of the same person does not keep what is taken away.
    assert who(archive, first)["roles"] == ["referring-physician"]
    provider.person["roles"] = ["cleaning"]
    assert_refused(archive, *sign_in(archive), 403)
    assert who(archive, second)["roles"] == []


def test_a_local_account_of_the_same_name_is_not_taken_over(start, provider):
    provider.person |= {"preferred_username": "administrator", "roles": ["ward"]}
    archive = start(provider)
    person, _ = sign_in(archive)
    session = who(archive, person)
    assert session["account"] == "administrator@127.0.0.1"
    assert session["roles"] == ["referring-physician"]
    # Another person whom the provider gives the same name is another account.
    provider.person["sub"] = "u-2"
    other, _ = sign_in(archive)
    assert who(archive, other)["account"] not in ("administrator", "administrator@127.0.0.1")
    # A changed name is still the same person.
    provider.person |= {"sub": "u-1", "preferred_username": "mai"}
    again, _ = sign_in(archive)
    assert who(archive, again)["account"] == "administrator@127.0.0.1"
    # A name must not pass for somebody at the machine itself in the trail.
    provider.person = {"sub": "u-3", "preferred_username": "operator:root", "roles": ["ward"]}
    assert who(archive, sign_in(archive)[0])["account"] == "u-3"


def test_a_disabled_account_stays_out(start, provider):
    archive = start(provider)
    person, _ = sign_in(archive)
    archive.run("account", "disable", "hoa")
    assert_refused(archive, *sign_in(archive), 403)
    time.sleep(3)  # what another process disables ends within the time that a verified credential is believed
    assert who(archive, person) == 401
    archive.run("account", "enable", "hoa")
    assert who(archive, sign_in(archive)[0])["account"] == "hoa"


def test_the_old_session_of_the_browser_ends(start, provider):
    archive = start(provider)
    person, _ = sign_in(archive)
    old = dict(person.cookies)
    sign_in(archive, person)
    assert dict(person.cookies) != old
    assert requests.get(f"{archive.url}/api/v1/session", cookies=old, timeout=60).status_code == 401
    assert who(archive, person)["account"] == "hoa"


# The way is nobody else's.


ELSEWHERE = [
    "//evil.example", "/\\evil.example", "https://evil.example/", "evil.example", "/\t/evil.example", "",
    "/a\r\nSet-Cookie: phim=x", "javascript:alert(1)", "\\\\evil.example", "/" + "a" * 3000,
]


def test_returns_to_this_archive_only(start, provider):
    archive = start(provider)
    for path in ELSEWHERE:
        _, answer = sign_in(archive, path=path)
        assert answer.headers["Location"] == "/", path
        assert answer.cookies.get("phim") not in (None, "x")


def test_state_belongs_to_one_browser_and_one_sign_in(start, provider):
    archive = start(provider, access={"failuresPerAddress": 1000})
    person = browser()
    back = depart(archive, person)
    assert_refused(archive, browser(), browser().get(back, allow_redirects=False, timeout=60), 400)
    for change in ({"state": "x"}, {"state": None}, {"state": ""}, {"code": None}):
        person, answer = sign_in(archive, change=lambda url: with_query(url, **change))
        assert_refused(archive, person, answer, 400)
    # Somebody else's answer in this browser: forged sign-in.
    mine, theirs = browser(), browser()
    depart(archive, mine)
    answer = mine.get(depart(archive, theirs), allow_redirects=False, timeout=60)
    assert_refused(archive, mine, answer, 400)
    # Cookies that this archive has not sealed.
    for cookie in ("", "AAAA", "x" * 9000, b64(bytes(200))):
        person = browser()
        back = depart(archive, person)
        answer = requests.get(back, cookies={"phim-oidc": cookie}, allow_redirects=False, timeout=60)
        assert answer.status_code == 400


def test_an_answer_counts_once(start, provider):
    archive = start(provider)
    person = browser()
    back = depart(archive, person)
    kept = dict(person.cookies)
    assert person.get(back, allow_redirects=False, timeout=60).status_code == 303
    assert "phim-oidc" not in person.cookies
    exchanges = provider.requests.count("/realms/hospital/token")
    replayed = requests.get(back, cookies=kept, allow_redirects=False, timeout=60)
    assert replayed.status_code == 400
    assert provider.requests.count("/realms/hospital/token") == exchanges
    # A code that was used already, under a state of its own.
    used = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    person, answer = sign_in(archive, change=lambda url: with_query(url, code=used))
    assert_refused(archive, person, answer, 401)


def test_the_provider_says_no(start, provider):
    archive = start(provider)
    provider.redirect_error = "access_denied"
    person, answer = sign_in(archive)
    assert_refused(archive, person, answer, 401)
    provider.redirect_error = "<script>alert(1)</script>"
    person, answer = sign_in(archive)
    assert_refused(archive, person, answer, 401)
    assert "script" not in answer.text
    archive.trail("--kind", "refused", has=lambda row: "access_denied" in row["detail"])


def test_an_answer_of_another_issuer(start, provider):
    provider.names_issuer = True
    archive = start(provider)
    assert who(archive, sign_in(archive)[0])["account"] == "hoa"
    for issuer in ("https://evil.example", None):
        person, answer = sign_in(archive, change=lambda url: with_query(url, iss=issuer))
        assert_refused(archive, person, answer, 401)


# Identity tokens that prove nothing.


def test_identity_tokens_that_prove_nothing(start, provider):
    archive = start(provider, access={"failuresPerAddress": 1000})
    for name, forge in forgeries(provider).items():
        provider.forge = forge
        person, answer = sign_in(archive)
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
        assert who(archive, person) == 401, name
    provider.forge = None
    assert who(archive, sign_in(archive)[0])["account"] == "hoa"
    for fault in ("algorithm", "signature", "nonce", "audience", "party", "expired", "issuer", "accessTokenHash"):
        archive.trail("--kind", "refused", "--limit", "1000", has=lambda row: f"token: {fault}" in row["detail"])


def test_failed_sign_ins_are_limited_by_address(start, provider):
    archive = start(provider, access={"failuresPerAddress": 3})
    for _ in range(3):
        assert requests.get(f"{archive.url}/api/v1/oidc/callback?state=a&code=b", timeout=60).status_code == 400
    turned_away = requests.get(f"{archive.url}/api/v1/oidc/callback?state=a&code=b", timeout=60)
    assert turned_away.status_code == 429 and int(turned_away.headers["Retry-After"]) > 0
    assert requests.get(f"{archive.url}/api/v1/oidc/sign-in", timeout=60).status_code == 429


# The provider itself.


def test_keys_that_rotate(start, provider):
    archive = start(provider, **AUDIENCE)
    assert who(archive, sign_in(archive)[0])["account"] == "hoa"
    provider.keys.append(Key("second"))
    fetched = provider.requests.count("/realms/hospital/keys")
    # Within a minute of the last fetch a key that is not there is not asked for again: bad tokens are no requests.
    for _ in range(5):
        answer = requests.get(
            f"{archive.url}/api/v1/session", headers={"Authorization": f"Bearer {provider.access_token()}"}, timeout=60
        )
        assert answer.status_code == 401
    assert provider.requests.count("/realms/hospital/keys") == fetched
    archive.restart()
    assert who(archive, sign_in(archive)[0])["account"] == "hoa"


def test_the_provider_is_away(make_archive, provider):
    provider.close()
    archive = make_archive({"access": {"oidc": provider.configuration(**AUDIENCE)}}).start()
    answer = requests.get(f"{archive.url}/api/v1/oidc/sign-in", allow_redirects=False, timeout=60)
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert archive.http().get(f"{archive.url}/api/v1/session").status_code == 200
    bearer = {"Authorization": f"Bearer {provider.access_token()}"}
    assert requests.get(f"{archive.url}/api/v1/session", headers=bearer, timeout=60).status_code == 503
    archive.assert_healthy()


@pytest.mark.parametrize(
    "changes",
    [{"issuer": "https://evil.example"}, {"jwks_uri": "http://evil.example/keys"}, {"token_endpoint": "file:///etc"},
     {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": 7}],
)
def test_a_discovery_document_that_lies(start, provider, changes):
    provider.discovery_changes = changes
    archive = start(provider)
    answer = requests.get(f"{archive.url}/api/v1/oidc/sign-in", allow_redirects=False, timeout=60)
    assert answer.status_code == 503


@pytest.mark.parametrize("keys", ["huge", "elsewhere", "nowhere"])
def test_keys_that_cannot_be_had(start, provider, keys):
    provider.discovery_changes = {"jwks_uri": f"{provider.issuer}/{keys}"}
    archive = start(provider)
    before = archive.peak_memory()
    assert_refused(archive, *sign_in(archive), 503)
    assert archive.peak_memory() - before < 32 << 20


@pytest.mark.parametrize(
    "answer, status",
    [((200, b"{}"), 503), ((200, b"<html>"), 503), ((500, b""), 401), ((200, b'{"id_token": 7}'), 503),
     ((200, b'{"id_token": "' + b"x" * (4 << 20) + b'"}'), 503), ((302, b""), 401)],
)
def test_tokens_that_are_none(start, provider, answer, status):
    provider.tokens_answer = answer
    assert_refused(archive := start(provider), *sign_in(archive), status)


def test_a_slow_provider_keeps_nobody_else_waiting(start, provider):
    archive = start(provider)
    provider.delay = 30
    answer = requests.get(f"{archive.url}/api/v1/oidc/sign-in", allow_redirects=False, timeout=60)
    assert answer.status_code == 503
    assert archive.http().get(f"{archive.url}/api/v1/session", timeout=30).status_code == 200


# Access tokens of the provider as API tokens.


def call(archive, text):
    return requests.get(f"{archive.url}/api/v1/session", headers={"Authorization": f"Bearer {text}"}, timeout=60)


def test_access_tokens_are_api_tokens_where_configured(start, provider):
    archive = start(provider, **AUDIENCE)
    good = provider.access_token()
    for _ in range(2):
        session = call(archive, good).json()
        assert (session["account"], session["roles"], session["credential"]) == (
            "emr", ["integration"], "identityToken")
    # Another token of the same account may bring less.
    assert call(archive, provider.access_token(roles=["ward"])).json()["roles"] == ["referring-physician"]
    archive.trail("--account", "emr", has=lambda row: "identity token" in str(row))
    archive.run("account", "disable", "emr")
    time.sleep(3)
    assert call(archive, good).status_code == 401


def test_access_tokens_that_prove_nothing(start, provider):
    archive = start(provider, **AUDIENCE)
    now = int(time.time())
    make, key = provider.access_token, provider.keys[0]
    bad = {
        "another audience": make(aud="another"),
        "no audience": make(aud=None),
        "the client's audience": make(aud=provider.client_id),
        "another issuer": make(iss="https://evil.example"),
        "expired": make(exp=now - 3600),
        "no expiry": make(exp=None),
        "not yet": make(nbf=now + 3600),
        "no subject": make(sub=None),
        "an identity token": make(nonce="n"),
        "an identity token of Keycloak": make(typ="ID"),
        "another's key": make(key=Key("first")),
        "unknown key": make(key=Key("other")),
        "alg none": make(header={"alg": "none"}, signature=lambda data: b""),
        "HS256": make(header={"alg": "HS256"}, signature=lambda data: hmac_sha256(key.public_pem(), data)),
    }
    for name, text in bad.items():
        assert call(archive, text).status_code == 401, name
    assert call(archive, make(roles=["cleaning"])).json()["roles"] == []
    assert call(archive, make()).status_code == 200


def test_access_tokens_are_nothing_where_not_configured(start, provider):
    archive = start(provider)
    assert call(archive, provider.access_token()).status_code == 401
    assert call(archive, provider.access_token(aud=provider.client_id)).status_code == 401
