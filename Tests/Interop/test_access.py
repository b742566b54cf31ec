"""Accounts, sessions and tokens, over HTTP and on the command line."""

import json
import re
import time

import pytest
import requests

from support.accounts import API, PASSWORD, add_account, browser, eventually, trail

# The first start.


def test_the_first_start_makes_an_administrator_and_tells_its_password_once(make_archive):
    archive = make_archive().start()
    passwords = re.findall(r"^\s*password\s+(\S+)$", archive.log.read_text(), re.MULTILINE)
    assert len(passwords) == 1
    me = browser(archive, "administrator", passwords[0]).get(archive.url + API + "/session").json()
    assert me["account"] == "administrator" and me["roles"] == ["administrator"] and me["scope"] == "all"
    archive.restart()
    assert len(re.findall(r"^\s*password\s+\S+$", archive.log.read_text(), re.MULTILINE)) == 1
    browser(archive, "administrator", passwords[0])
    for path in archive.data.rglob("*"):
        if path.is_file() and path.stat().st_size < 1 << 24:
            assert passwords[0].encode() not in path.read_bytes(), path


# Sessions of browsers.


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(staffed):
    answer = requests.post(
        staffed.url + API + "/session", json={"name": "radiologist", "password": PASSWORD}, timeout=60)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert "Secure" not in cookie, "plain HTTP on loopback"
    assert answer.headers["Cache-Control"] == "no-store"
    assert PASSWORD not in answer.text


def test_behind_an_encrypting_proxy_the_cookie_is_secure(make_archive):
    archive = make_archive({"access": {"secureCookies": True}}).start()
    add_account(archive, "lan", "radiologist")
    answer = requests.post(archive.url + API + "/session", json={"name": "lan", "password": PASSWORD}, timeout=60)
    assert answer.headers["Set-Cookie"].startswith("__Host-phim=") and "Secure" in answer.headers["Set-Cookie"]


def test_signing_out_ends_the_session_on_the_server(staffed):
    session = browser(staffed, "radiologist")
    cookies = dict(session.cookies)
    assert session.get(staffed.url + API + "/session").status_code == 200
    assert session.delete(staffed.url + API + "/session").status_code == 204
    assert requests.get(staffed.url + API + "/session", cookies=cookies, timeout=60).status_code == 401


@pytest.mark.parametrize(
    "body, kind, status",
    [
        ('{"name": "radiologist", "password": "wrong"}', "application/json", 401),
        ('{"name": "nobody", "password": "wrong"}', "application/json", 401),
        ('{"name": "radiologist"}', "application/json", 400),
        ('{"name": 5, "password": "x"}', "application/json", 400),
        ("[]", "application/json", 400),
        ("", "application/json", 400),
        ("\x00\xff", "application/json", 400),
        ('{"name": "radiologist", "password": "%s"}' % ("x" * 60_000), "application/json", 401),
        ('{"name": "radiologist", "password": "%s"}' % ("x" * 70_000), "application/json", 413),
        ("name=radiologist&password=x", "application/x-www-form-urlencoded", 415),
        ('{"name": "radiologist", "password": "x"}', "text/plain", 415),
    ])
def test_bad_sign_ins_are_refused_in_words(staffed, body, kind, status):
    answer = requests.post(
        staffed.url + API + "/session", data=body.encode("latin-1"), headers={"Content-Type": kind}, timeout=20)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["detail"]
    assert "Set-Cookie" not in answer.headers
    browser(staffed, "radiologist")  # a right one starts the count of failures anew


def test_wrong_names_and_wrong_passwords_read_alike(staffed):
    answers = [
        requests.post(staffed.url + API + "/session", json={"name": name, "password": "wrong"}, timeout=60)
        for name in ("technician", "nobody at all")]
    assert answers[0].content == answers[1].content
    browser(staffed, "technician")


def test_a_session_is_never_the_one_that_was_there_before(staffed):
    """Session fixation: a cookie planted in a browser does not become a session, and an old one ends."""
    planted = browser(staffed)
    planted.cookies.set("phim", "A" * 43)
    answer = planted.post(staffed.url + API + "/session", json={"name": "radiologist", "password": PASSWORD})
    assert answer.status_code == 200
    assert "A" * 43 not in answer.headers["Set-Cookie"]
    assert requests.get(staffed.url + API + "/session", cookies={"phim": "A" * 43}, timeout=60).status_code == 401
    session = browser(staffed, "radiologist")
    old = session.cookies["phim"]
    session.post(staffed.url + API + "/session", json={"name": "technician", "password": PASSWORD})
    assert session.cookies["phim"] != old
    assert requests.get(staffed.url + API + "/session", cookies={"phim": old}, timeout=60).status_code == 401


def test_sessions_end_without_use_and_after_their_life(make_archive):
    archive = make_archive({"access": {"idleTimeout": 5, "sessionLifetime": 10}}).start()
    add_account(archive, "lan", "radiologist")
    idle, busy = browser(archive, "lan"), browser(archive, "lan")
    began = time.monotonic()
    while time.monotonic() - began < 6:
        assert busy.get(archive.url + API + "/session").status_code == 200
        time.sleep(0.2)
    assert idle.get(archive.url + API + "/session").status_code == 401, "not used for longer than may be"
    while time.monotonic() - began < 11:
        busy.get(archive.url + API + "/session")
        time.sleep(0.2)
    assert busy.get(archive.url + API + "/session").status_code == 401, "used, but older than a session may be"


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "SELF"}, 204),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "SELF.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({}, 403),
        ({"X-Requested-With": "a script"}, 204),
    ])
def test_pages_of_other_sites_cannot_act_with_the_cookie(staffed, headers, status):
    session = browser(staffed, "radiologist")
    del session.headers["Origin"]
    headers = {key: value.replace("SELF", staffed.url) for key, value in headers.items()}
    answer = session.delete(staffed.url + API + "/session", headers=headers)
    assert answer.status_code == status, answer.text
    # The same with a token needs nothing: no browser sends one by itself.
    token = staffed.http("radiologist")
    assert token.delete(staffed.url + API + "/session").status_code == 204


def test_another_site_that_is_trusted_may_act(make_archive):
    archive = make_archive({"access": {"origins": ["https://emr.example.org"]}}).start()
    add_account(archive, "lan", "radiologist")
    for origin, status in (("https://emr.example.org.evil.example", 403), ("https://emr.example.org", 204)):
        answer = browser(archive, "lan").delete(archive.url + API + "/session", headers={"Origin": origin})
        assert answer.status_code == status


def test_signing_in_from_a_page_of_another_site_is_refused(staffed):
    answer = requests.post(
        staffed.url + API + "/session", json={"name": "radiologist", "password": PASSWORD},
        headers={"Origin": "https://evil.example"}, timeout=60)
    assert answer.status_code == 403 and "Set-Cookie" not in answer.headers


def test_a_password_set_by_another_must_be_changed_first(staffed):
    add_account(staffed, "new.doctor", "radiologist", more=["--must-change"])
    session = browser(staffed, "new.doctor")
    assert session.get(staffed.url + API + "/session").json()["mustChangePassword"] is True
    assert session.get(staffed.url + API + "/tokens").status_code == 403
    change = staffed.url + API + "/session/password"
    assert session.put(change, json={"current": "wrong", "new": "another password"}).status_code == 401
    assert session.put(change, json={"current": PASSWORD, "new": "short"}).status_code == 400
    assert session.put(change, json={"current": PASSWORD, "new": PASSWORD}).status_code == 400
    other = browser(staffed, "new.doctor")
    assert session.put(change, json={"current": PASSWORD, "new": "another password"}).status_code == 204
    assert session.get(staffed.url + API + "/session").json()["mustChangePassword"] is False
    assert other.get(staffed.url + API + "/session").status_code == 401, "other browsers are signed out"
    browser(staffed, "new.doctor", "another password")
    browser(staffed, "new.doctor", PASSWORD, expect=401)


def test_guessing_locks_the_account_for_the_right_password_too(make_archive):
    archive = make_archive({"access": {"lockOutAfter": 3, "lockOutTime": 3600}}).start()
    add_account(archive, "lan", "radiologist")
    add_account(archive, "minh", "radiologist")
    for _ in range(3):
        browser(archive, "lan", "guess", expect=401)
    browser(archive, "lan", expect=401)
    browser(archive, "minh")
    assert archive.json("account", "list")[1]["state"] == "locked"
    archive.restart()
    browser(archive, "lan", expect=401)
    archive.run("account", "enable", "lan")
    browser(archive, "lan")
    assert eventually(lambda: sum(row["count"] for row in trail(archive, account="lan", kind="refused")) == 5)


def test_one_address_that_fails_too_often_is_told_to_wait(make_archive):
    archive = make_archive(
        {"access": {"failuresPerAddress": 4, "lockOutAfter": 100, "trustedProxies": ["127.0.0.1"]}}).start()
    add_account(archive, "lan", "radiologist")

    def attempt(address, password):
        return requests.post(
            archive.url + API + "/session", json={"name": "lan", "password": password},
            headers={"X-Forwarded-For": f"198.51.100.77, {address}"}, timeout=20)

    for _ in range(4):
        assert attempt("192.0.2.1", "guess").status_code == 401
    answer = attempt("192.0.2.1", PASSWORD)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert attempt("192.0.2.2", PASSWORD).status_code == 200, "another address behind the same proxy"
    archive.trail("--kind", "signIn", has=lambda row: row["address"] == "192.0.2.2")


def test_a_proxy_that_nobody_trusts_cannot_say_who_calls(staffed):
    requests.post(
        staffed.url + API + "/session", json={"name": "chief", "password": PASSWORD},
        headers={"X-Forwarded-For": "192.0.2.99"}, timeout=20)
    assert staffed.trail("--account", "chief", "--kind", "signIn")[0]["address"] == "127.0.0.1"


# Tokens.


def test_a_token_is_printed_alone_and_works_until_it_is_revoked(staffed):
    done = staffed.run("token", "issue", "--account", "radiologist", "--name", "viewer")
    token, = done.stdout.splitlines()
    assert re.fullmatch(r"phim_[A-Za-z0-9_-]{43}", token) and done.stderr == ""
    me = json.loads(staffed.get(API + "/session", token=token)[1])
    assert me["account"] == "radiologist" and me["credential"] == "token"
    listed = [row for row in staffed.json("token", "list", "--account", "radiologist") if row["name"] == "viewer"]
    assert len(listed) == 1 and token not in json.dumps(listed)
    staffed.run("token", "revoke", listed[0]["id"])
    assert eventually(lambda: staffed.get(API + "/session", token=token)[0] == 401)


@pytest.mark.parametrize(
    "field", ["Bearer", "Bearer ", "Bearer x", "Bearer phim_" + "A" * 43, "Basic YTpi", "phim", "Bearer " + "A" * 8000])
def test_a_wrong_authorization_is_no_credential_even_beside_a_good_cookie(staffed, field):
    session = browser(staffed, "radiologist")
    answer = session.get(staffed.url + API + "/session", headers={"Authorization": field})
    assert answer.status_code in (401, 431), answer.text


def test_a_token_cannot_have_more_right_than_its_account(staffed):
    assert "right" in staffed.run(
        "token", "issue", "--account", "technician", "--role", "administrator", expect=2).stderr
    assert staffed.run("token", "issue", "--account", "nobody", expect=2).stdout == ""
    assert staffed.run("token", "issue", "--account", "technician", "--role", "surgeon", expect=64).stdout == ""


def test_people_handle_their_own_tokens_and_no_others(staffed):
    mine, other = browser(staffed, "radiologist"), browser(staffed, "technician")
    url = staffed.url + API + "/tokens"
    made = mine.post(url, json={"name": "script"})
    assert made.status_code == 201 and made.headers["Cache-Control"] == "no-store"
    number, token = made.json()["id"], made.json()["token"]
    assert number in [row["id"] for row in mine.get(url).json()]
    assert number not in [row["id"] for row in other.get(url).json()]
    assert other.delete(f"{url}/{number}").status_code == 404
    assert mine.post(url, json={"account": "technician"}).status_code == 403
    assert mine.post(url, json={"roles": ["administrator"]}).status_code == 403
    assert mine.post(url, json={"roles": ["surgeon"]}).status_code == 400
    assert mine.post(url, json={"expiresAt": "2001-01-01T00:00:00Z"}).status_code == 400
    # A token that got lost does not beget others.
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.post(url, json={}, headers=bearer, timeout=60).status_code == 403
    assert mine.delete(f"{url}/{number}").status_code == 204
    assert requests.get(staffed.url + API + "/session", headers=bearer, timeout=60).status_code == 401, "at once"


# Accounts.


def test_accounts_over_http(staffed):
    chief = browser(staffed, "chief")
    url = staffed.url + API + "/accounts"
    made = chief.post(url, json={"name": "bs. Hương", "roles": ["radiologist"]})
    assert made.status_code == 201
    password = made.json()["password"]
    assert chief.post(url, json={"name": "BS. Hương", "roles": ["radiologist"]}).status_code == 409
    session = browser(staffed, "bs. Hương", password)
    assert session.get(staffed.url + API + "/session").json()["mustChangePassword"] is True
    one = f"{url}/bs.%20H%C6%B0%C6%A1ng"
    assert "password" not in chief.get(one).json()
    assert chief.patch(one, json={"roles": ["technician"]}).json()["roles"] == ["technician"]
    assert chief.patch(one, json={"isDisabled": True}).json()["isDisabled"] is True
    assert session.get(staffed.url + API + "/session").status_code == 401
    assert chief.delete(one).status_code == 204
    assert chief.get(one).status_code == 404
    for bad in ({"name": "", "roles": ["radiologist"]}, {"name": "x", "roles": []}, {"name": "x", "roles": ["king"]},
                {"name": "x\n", "roles": ["radiologist"]}, {"name": "x", "roles": ["radiologist"], "password": "short"}):
        assert chief.post(url, json=bad).status_code == 400, bad


@pytest.mark.parametrize("role", ["radiologist", "technician", "referring-physician", "integration", "clerk"])
def test_only_administrators_administer(staffed, role):
    session = browser(staffed, role)
    for method, path in (
        ("GET", "/accounts"), ("POST", "/accounts"), ("GET", "/accounts/chief"), ("PATCH", "/accounts/chief"),
        ("DELETE", "/accounts/chief"), ("GET", "/audit"),
    ):
        answer = session.request(method, staffed.url + API + path, json={})
        assert answer.status_code == 403, (method, path)
        assert requests.request(method, staffed.url + API + path, json={}, timeout=60).status_code == 401


def test_accounts_on_the_command_line(make_archive):
    archive = make_archive().start()
    archive.stop()  # works without the server as well
    assert add_account(archive, "lan", "radiologist").stdout == ""
    made = archive.run("account", "add", "minh", "--role", "technician", "--generate").stdout.strip()
    archive.run("account", "add", "emr", "--role", "integration", "--no-password")
    listed = {row["name"]: row for row in archive.json("account", "list")}
    assert set(listed) == {"administrator", "emr", "lan", "minh"}
    assert listed["emr"]["signsInBy"] == "token" and listed["minh"]["roles"] == ["technician"]
    archive.start()
    browser(archive, "minh", made)
    archive.run("account", "roles", "minh", "radiologist", "technician")
    session = browser(archive, "minh", made)
    assert session.get(archive.url + API + "/session").json()["roles"] == ["radiologist", "technician"]
    archive.run("account", "disable", "minh")
    assert eventually(lambda: session.get(archive.url + API + "/session").status_code == 401)
    archive.run("account", "remove", "minh")
    assert "last administrator" in archive.run("account", "remove", "administrator", expect=2).stderr
    assert "exists" in archive.run("account", "add", "LAN", "--role", "technician", "--no-password", expect=2).stderr
    assert archive.run("account", "add", "x", "--role", "technician", expect=2).stderr  # no password on stdin
    assert archive.run("account", "disable", "nobody", expect=2).stderr


# What stays open.


def test_health_and_the_first_page_need_no_credential(staffed):
    for path in ("/", "/health/live", "/health/ready"):
        assert requests.get(staffed.url + path, timeout=60).status_code == 200


def test_metrics_are_for_this_machine_and_for_programs(staffed):
    assert staffed.get("/metrics")[0] == 200
    url = staffed.url + "/metrics"
    assert requests.get(url, headers={"X-Forwarded-For": "192.0.2.1"}, timeout=60).status_code == 401
    assert staffed.http("integration").get(url).status_code == 200
    assert staffed.http("radiologist").get(url).status_code == 401
