"""The outbox and the stations on the page, in a real browser."""

import subprocess

import pytest
from selenium.webdriver.common.keys import Keys

from support import forwarding, showcase
from support.archive import BINARY, Archive
from support.browser import PHONE, browser

NAME, PASSWORD = "ktv.minh", "mot-hai-ba-bon-nam"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """An archive whose line to the centre is down, with two studies that wait for it."""
    folder = tmp_path_factory.mktemp("station")
    archive = Archive(folder / "archive", {"hospital": {"facility": "24001"}}).start()
    for name, role in ((NAME, "technician"), ("tiep.don", "clerk")):
        add = [str(BINARY), "account", "add", name, "--role", role, "--data", str(archive.data)]
        subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60)
    archive.run("destination", "add", "Trung tâm", "--phim", "http://127.0.0.1:9", "--rate", "daily 00:00-24:00 2M")
    archive.run("route", "add", "tất cả", "--to", "Trung tâm", "--everything")
    archive.chest = showcase.stack(folder / "in", "Ngực", slices=3, PatientName="NGUYEN VAN DUC", PatientID="BN1")
    archive.head = showcase.stack(folder / "in2", "Sọ não", slices=2, PatientName="TRAN THI MAI", PatientID="BN2")
    for place in ("in", "in2"):
        archive.run("import", folder / place)
    for uid in (archive.chest, archive.head):
        forwarding.eventually(lambda uid=uid: forwarding.ledger(archive, uid)["entries"])
    forwarding.eventually(lambda: archive.json("outbox")["backlog"][0]["line"]["state"] == "waiting")
    yield archive
    archive.stop()


def card(archive, uid):
    return f"#outbox [data-id='{forwarding.shipment(archive, uid, 'Trung tâm')['number']}']"


def test_the_outbox_says_why_and_does_what_it_is_told(station):
    with browser(station.url) as page:
        page.sign_in(NAME, PASSWORD)
        page.one("#places a[data-place=outbox]").click()
        page.wait(lambda: "NGUYEN VAN DUC" in page.text("#outbox"), why="names beside the studies")
        line = page.text("#outbox-lines")
        assert "Trung tâm" in line and "Does not get through" in line and "2 studies" in line and "2M" in line
        assert "nothing gets through since" in page.text("#outbox")
        page.screenshot("outbox")
        chest, head = card(station, station.chest), card(station, station.head)
        page.script(f"[...document.querySelectorAll(\"{chest} button\")].find((b) => b.textContent === 'Hold').click()")
        page.wait(lambda: "Held" in page.text(chest), why="the hold")
        assert forwarding.shipment(station, station.chest, "Trung tâm")["isHeld"]
        page.script(f"const box = document.querySelector(\"{head} select\"); box.value = 'stat'; "
                    "box.dispatchEvent(new Event('change'))")
        page.wait(lambda: "Urgent" in page.text(head), why="the priority")
        page.script(f"[...document.querySelectorAll(\"{head} button\")].find((b) => b.textContent === 'History').click()")
        page.wait(lambda: "queued" in page.text("#dialog"), why="the ledger")
        page.screenshot("outbox-ledger")
        page.script("document.querySelector('#dialog').close()")
        page.script(f"[...document.querySelectorAll(\"{head} button\")].find((b) => b.textContent === 'Do not send').click()")
        page.one("#reason").send_keys("test images" + Keys.ENTER)
        page.wait(lambda: not page.all(head), why="what is dropped waits no more")
        page.one("#outbox-kinds [data-shows=dropped]").click()
        page.wait(lambda: "test images" in page.text(head), why="who dropped it and why")
        page.one("#home button.language").click()
        page.wait(lambda: "Không gửi được" in page.text("#outbox-lines"), why="in Vietnamese")
        page.screenshot("outbox-vietnamese")
        assert page.script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_outbox_fits_a_phone_and_is_not_for_everybody(station):
    with browser(station.url, size=PHONE) as page:
        page.sign_in(NAME, PASSWORD)
        page.script("location.hash = 'outbox'")
        page.wait(lambda: "Trung tâm" in page.text("#outbox-lines"), why="the outbox")
        page.screenshot("outbox-phone")
        assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    with browser(station.url) as page:
        page.sign_in("tiep.don", PASSWORD)
        page.wait(lambda: page.script("return document.body.dataset.place") == "orders", why="a clerk's page")
        assert page.script("return document.querySelector('#places a[data-place=outbox]').hidden")


def test_a_centre_sees_its_stations(tmp_path):
    centre = Archive(tmp_path / "centre").start()
    station = Archive(tmp_path / "commune", {"forwarding": {"station": "tram-xa-tan-son"}}).start()
    try:
        add = [str(BINARY), "account", "add", NAME, "--role", "technician", "--data", str(centre.data)]
        subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60)
        forwarding.to_phim(station, "centre", centre)
        [seen] = forwarding.eventually(lambda: centre.json("fleet")["stations"], say="(no station called)")
        assert seen["name"] == "tram-xa-tan-son" and seen["account"] == "commune" and not seen["isSilent"]
        assert "tram-xa-tan-son" in centre.run("fleet").stdout and "None is silent" in centre.run("fleet", "--silent").stderr
        with browser(centre.url) as page:
            page.sign_in(NAME, PASSWORD)
            page.script("location.hash = 'fleet'")
            page.wait(lambda: "tram-xa-tan-son" in page.text("#fleet"), why="the station")
            assert "In contact" in page.text("#fleet") and "GB" in page.text("#fleet")
            page.screenshot("fleet")
    finally:
        station.stop()
        centre.stop()


def test_the_list_says_what_was_fetched_from_elsewhere(station, make_archive, tmp_path):
    centre = make_archive(name="centre").start()
    showcase.stack(tmp_path / "in", "Ngực trước đây", slices=2, PatientName="NGUYEN VAN DUC", PatientID="BN1")
    centre.run("import", tmp_path / "in")
    (station.data / "centre.token").write_text(centre.token())
    station.run("destination", "add", "Bạch Mai", "--phim", centre.url, "--token-file", "centre.token")
    [fetched] = [row["StudyInstanceUID"] for row in centre.find()]
    station.run("fetch", "--from", "Bạch Mai", "--study", fetched)
    marks = ("return Object.fromEntries([...document.querySelectorAll('.study')].map((row) => "
             "[row.dataset.uid, row.querySelector('.origin')?.title ?? '']))")
    for size, name in (((1280, 860), "list-origin"), (PHONE, "list-origin-phone")):
        with browser(station.url, size=size) as page:
            page.sign_in(NAME, PASSWORD)
            page.wait(lambda: page.script(marks).get(fetched), why="the mark")
            assert page.script(marks) == {
                fetched: "Fetched from Bạch Mai", station.chest: "", station.head: ""}
            page.screenshot(name)
