"""Orders and the inbox on the page, in a real browser: by mouse, by keys, on a narrow phone, in both languages."""

import subprocess
import time

import pytest
from selenium.webdriver.common.keys import Keys

from support import showcase
from support.accounts import eventually
from support.archive import BINARY, Archive
from support.browser import PHONE, browser

NAME, PASSWORD = "bs.lan", "mot-hai-ba-bon-nam"


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """An archive with two orders of the day, and two studies that no rule can place."""
    folder = tmp_path_factory.mktemp("ward")
    archive = Archive(folder / "archive", {"hospital": {"facility": "24001"}}).start()
    for name, role in ((NAME, "radiologist"), ("tiep.don", "clerk")):
        add = [str(BINARY), "account", "add", name, "--role", role, "--data", str(archive.data)]
        subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60)
    archive.api = archive.http()
    # The day of the orders must not end before the tests do.
    while (left := 86_400 - (time.time() + 7 * 3600) % 86_400) < 300:
        time.sleep(left)
    archive.today = time.strftime("%Y%m%d", time.gmtime(time.time() + 7 * 3600))
    archive.made = {}
    for code, name, modality in (("BN1", "Nguyễn Văn Đức", "CT"), ("BN2", "Trần Thị Ngọc Ánh", "MR")):
        answer = archive.api.post(archive.url + "/api/v1/orders", timeout=60, json={
            "patient": {"identifiers": [{"value": code}], "name": name, "birthDate": "19800215", "sex": "M"},
            "modality": modality, "scheduledAt": f"{archive.today}0930", "visit": {"number": f"V-{code}"},
            "code": {"value": "18.0219", "meaning": "Chụp cắt lớp vi tính sọ não không tiêm thuốc cản quang"}})
        archive.made[code] = answer.json()["order"]
    archive.walk_in = showcase.stack(folder / "in", "Sọ não", slices=2, PatientName="NGUYEN VAN DUC", PatientID="BN1",
                                     StudyDate=archive.today, StudyTime="093500", AccessionNumber="")
    archive.stranger = showcase.stack(folder / "in2", "Cấp cứu", slices=2, PatientName="KHONG^TEN", PatientID="CC1",
                                      StudyDate=archive.today, StudyTime="100000", AccessionNumber="")
    # Two open orders of one kind: only a person can tell.
    archive.api.post(archive.url + "/api/v1/orders", timeout=60, json={
        "patient": {"identifiers": [{"value": "BN1"}]}, "modality": "CT", "scheduledAt": f"{archive.today}1030",
        "code": {"value": "18.0300", "meaning": "CT ngực"}})
    for place in ("in", "in2"):
        archive.run("import", folder / place)
    assert eventually(lambda: archive.api.get(archive.url + "/api/v1/inbox", timeout=60).json()["total"] == 2)
    yield archive
    archive.stop()


def at(page, place, name=NAME):
    page.sign_in(name, PASSWORD)
    page.one("#places")
    page.one(f"#places a[data-place={place}]").click()
    page.wait(lambda: page.script("return document.body.dataset.place") == place, why=place)
    return page


ROW = "const row = [...document.querySelectorAll('.order')].find((row) => row.textContent.includes(arguments[0]));"


def click(page, words, selector):
    """Found and clicked in one go: the list is drawn again whenever something changes."""
    script = ROW + "const button = row?.querySelector(arguments[1]); button?.click(); return Boolean(button)"
    page.wait(lambda: page.script(script, words, selector), why=f"{selector} of {words}")


def fits(page):
    return page.script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_inbox_says_why_and_a_decision_can_be_taken_back(ward):
    with browser(ward.url) as page:
        page.sign_in(NAME, PASSWORD)
        page.wait(lambda: page.text("#inbox-total") == "2", why="the number of what waits")
        page.screenshot("inbox-counter")
        page.press("3")
        # Two orders of the patient fit alike; neither is taken by itself.
        card = f"#inbox [data-uid='{ward.walk_in}']"
        page.wait(lambda: "70 %" in page.text(card), why="candidates")
        assert page.text(card).count("The patient has an open order for the modality") == 2
        page.screenshot("inbox")
        page.one("#home button.language").click()
        page.wait(lambda: "Người bệnh có phiếu còn chờ" in page.text(card), why="reasons in Vietnamese")
        page.screenshot("inbox-vietnamese")
        page.one("#home button.language").click()
        page.one(f"{card} .places .primary").click()
        page.one("#reason").send_keys("asked the patient" + Keys.ENTER)
        page.wait(lambda: page.text("#inbox-total") == "1" and not page.all(card), why="the decision")
        page.one("[data-shows=links]").click()
        page.wait(lambda: "asked the patient" in page.text(card) and "bs.lan" in page.text(card), why="who and why")
        page.screenshot("inbox-links")
        page.one(f"{card} button.text").click()
        page.one("dialog[open] .primary").click()  # a reason is needed
        assert page.one("#reason")
        page.one("#reason").send_keys("the other one" + Keys.ENTER)
        page.wait(lambda: page.text("#inbox-total") == "2", why="it waits again")
        story = ward.api.get(f"{ward.url}/api/v1/studies/{ward.walk_in}/order", timeout=60).json()
        assert [link.get("undoneReason") for link in story["links"]] == ["the other one"]
        assert ward.walk_in not in page.path and "BN1" not in page.path
        assert page.refusals()[1:] == [], page.refusals()


def test_a_study_that_nothing_fits_is_linked_to_an_order_that_is_looked_for(ward):
    with browser(ward.url, size=PHONE) as page:
        at(page, "inbox")
        card = f"#inbox [data-uid='{ward.stranger}']"
        page.wait(lambda: "No order, visit or patient fits" in page.text(card), why="no candidates")
        page.one(f"{card} .finder input").send_keys("BN2" + Keys.ENTER)
        page.wait(lambda: "Trần Thị Ngọc Ánh" in page.text(card), why="the order")
        assert fits(page)
        page.screenshot("inbox-phone")
        page.one(f"{card} .places .primary").click()
        page.one("#reason")
        page.press(Keys.ENTER)
        page.wait(lambda: not page.all(card), why="the decision")
        held = ward.api.get(f"{ward.url}/api/v1/studies/{ward.stranger}/order", timeout=60).json()["links"][0]
        assert held["order"] == ward.made["BN2"]["id"] and held["by"] == NAME


def test_a_clerk_enters_and_cancels_an_order(ward):
    with browser(ward.url) as page:
        page.sign_in("tiep.don", PASSWORD)
        # No images, no inbox: the orders of the day are where a clerk begins.
        page.wait(lambda: page.script("return document.body.dataset.place") == "orders", why="orders")
        assert not page.script("return document.querySelector('#places').checkVisibility()")
        page.wait(lambda: len(page.all(".order")) == 3, why="the day")
        page.one("#order-new").click()
        page.one("#order-patient").send_keys("BN2" + Keys.TAB)
        page.wait(lambda: page.one("#order-name").get_attribute("value") == "Trần Thị Ngọc Ánh", why="who that is")
        assert page.one("#order-birth").get_attribute("value") == "15/02/1980"
        page.script("document.querySelector('#order-modality').value = 'US'")
        page.one("#order-meaning").send_keys("Siêu âm bụng")
        page.screenshot("order-new")
        page.one("#order-meaning").send_keys(Keys.ENTER)
        page.wait(lambda: "Siêu âm bụng" in page.text("#orders"), why="the new order")
        page.screenshot("orders")
        click(page, "Siêu âm bụng", ".does button:not(.text)")
        text = ROW + "return row?.textContent ?? ''"
        page.wait(lambda: "Here" in page.script(text, "Siêu âm bụng"), why="has arrived")
        click(page, "Siêu âm bụng", ".does button.text")
        page.one("#reason").send_keys("về nhà" + Keys.ENTER)
        page.wait(lambda: "Cancelled" in page.text("#orders"), why="the cancelled order")
        found = ward.api.post(ward.url + "/api/v1/orders/search", json={"patientID": "BN2"}, timeout=60).json()["orders"]
        order = next(row for row in found if row["meaning"] == "Siêu âm bụng")
        steps = ward.api.get(f"{ward.url}/api/v1/orders/{order['id']}", timeout=60).json()["steps"]
        assert [(step["to"], step["by"]) for step in steps] == [("arrived", "tiep.don"), ("cancelled", "tiep.don")]
        assert steps[-1]["reason"] == "về nhà"
        assert page.refusals()[1:] == [], page.refusals()


def test_orders_on_a_narrow_phone_and_by_keys(ward):
    with browser(ward.url, size=(360, 740)) as page:
        at(page, "orders")
        page.wait(lambda: len(page.all(".order")) >= 3, why="the day")
        assert fits(page)
        page.screenshot("orders-phone")
        page.one("#order-new").click()
        page.one("#order-patient")
        assert fits(page)
        page.screenshot("order-new-phone")
        page.press(Keys.ESCAPE)
        # Every control has a name, in both languages.
        nameless = """return [...document.querySelectorAll('button, input, select, a')].filter((one) => one.checkVisibility()
            && !(one.textContent.trim() || one.ariaLabel || one.labels?.length || one.querySelector('img'))).map((one) => one.outerHTML)"""
        assert page.script(nameless) == []
        page.one("#home button.language").click()
        page.wait(lambda: "Chỉ định" in page.text("#places") and "Đã hẹn" in page.text("#orders"), why="Vietnamese")
        assert page.script(nameless) == [] and fits(page)
        page.press("1")
        page.wait(lambda: page.script("return document.body.dataset.place") == "studies", why="by keys")
