"""Webhooks: signed, encrypted, sent again until they are taken; and what their configuration may not say."""

import functools

import pytest

from support import receivers
from support.receivers import ACCEPT, HANG_UP, WebhookReceiver
from support.told import VISIT, delivered, eventually, images, notices, ordered, start, stay_silent


@pytest.fixture
def told(make_archive):
    return functools.partial(start, make_archive)


def test_webhook_signed_and_encrypted(told, tmp_path):
    pair = receivers.certificate(tmp_path)
    with WebhookReceiver(pair=pair) as receiver:
        archive = told({"name": "emr", "address": receiver.address, "ca": str(pair[0]), "secretFile": "secret",
                        "keyImages": 1}, secret=receivers.SECRET + "\n")
        study = images(archive, tmp_path, ordered(archive))
        headers, body = receiver.wait(1)[0]
        assert receiver.is_signed(headers, body)
        assert not receiver.is_signed(headers, body + b" ")
        document, = receiver.documents
        assert headers["Idempotency-Key"] == document["id"]
        assert (document["event"], document["status"], document["revision"]) == ("study-available", "available", 1)
        assert document["study"]["studyInstanceUID"] == study.uid
        assert document["patient"]["name"] == "NGUYỄN VĂN ĐỨC"
        assert document["visit"]["number"] == VISIT
        assert document["order"]["placerNumber"] == "O1"
        assert document["links"]["wadoRS"] == f"https://pacs.example.org/dicom-web/studies/{study.uid}"
        assert document["keyImages"][0]["sopInstanceUID"] == study.instances[1]
        delivered(archive)
        stay_silent(receiver, 1)


def test_webhook_that_is_not_believed_is_told_nothing(told, tmp_path):
    pair, other = receivers.certificate(tmp_path), receivers.certificate(tmp_path, "other")
    with WebhookReceiver(pair=pair) as receiver:
        archive = told({"name": "emr", "address": receiver.address, "ca": str(other[0]), "secretFile": "secret"},
                       secret=receivers.SECRET)
        images(archive, tmp_path, ordered(archive))
        eventually(lambda: archive.json("notice", "list")["lines"])
        stay_silent(receiver, 0)


def test_webhook_statuses(told, tmp_path):
    elsewhere = (302, {"Location": "http://127.0.0.1:9/"})
    with WebhookReceiver([elsewhere, (503, {}), (422, {}), HANG_UP, ACCEPT]) as receiver:
        archive = told({"name": "emr", "address": receiver.address, "secretFile": "secret"}, secret=receivers.SECRET)
        images(archive, tmp_path, ordered(archive))
        receiver.wait(5)
        assert len({headers["Idempotency-Key"] for headers, _ in receiver.got}) == 1
        assert len({body for _, body in receiver.got}) == 1
        delivered(archive)
        notice, = notices(archive)
        assert (notice["attempts"], notice["refusals"], notice["answer"]) == (5, 1, "204")


def test_gone_means_no_more_until_somebody_says_so(told, tmp_path):
    with WebhookReceiver([(410, {}), ACCEPT]) as receiver:
        archive = told({"name": "emr", "address": receiver.address, "secretFile": "secret"}, secret=receivers.SECRET)
        images(archive, tmp_path / "a", ordered(archive))
        line, = eventually(lambda: archive.json("notice", "list")["lines"])
        assert line["state"] == "stopped"
        archive.restart("--hl7-port", 0)
        images(archive, tmp_path / "b", ordered(archive, "O2", "BN2", "V2"), patient="BN2")
        eventually(lambda: len(notices(archive, state="waiting")) == 2)
        stay_silent(receiver, 1)
        dropped, first = notices(archive, state="waiting")
        archive.run("notice", "drop", dropped["number"], "--reason", "thử")
        archive.run("notice", "retry", first["number"])
        receiver.wait(2)
        delivered(archive)
        stay_silent(receiver, 2)
        assert "dropped by operator:" in notices(archive, state="dropped")[0]["answer"]


@pytest.mark.parametrize("wrong, says", [
    ({"name": "x", "address": "http://emr.example.org/"}, "needs https"),
    ({"name": "x", "address": "https://emr.example.org/"}, "needs a secretFile"),
    ({"name": "x", "address": "mllp://emr.example.org"}, "mllp://HOST:PORT"),
    ({"name": "x y", "address": "mllp://h:1"}, "letters, digits"),
    ({"name": "x", "address": "mllp://h:1", "message": "ACK"}, "none of ORU, ORM"),
    ({"name": "x", "address": "mllps://h:1", "ca": "absent.pem"}, "absent.pem"),
])
def test_what_is_wrong_in_the_configuration_is_said(make_archive, wrong, says):
    archive = make_archive({"notices": [wrong]})
    (archive.data / "secret").write_text("short")
    done = archive.run("serve", "--dicom-port", 0, "--http-port", 0, expect=2, timeout=120)
    assert says in done.stderr
