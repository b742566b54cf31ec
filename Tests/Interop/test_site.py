"""The first page in a real browser: sign in, find, open, send, share; by keys, on a phone, in both languages."""

import subprocess
from pathlib import Path

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from support import showcase, synthetic
from support.archive import BINARY, Archive
from support.browser import PHONE, browser

NAME, PASSWORD = "bs.lan", "mot-hai-ba-bon-nam"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """An archive with a radiologist, a patient to be found, and others around."""
    folder = tmp_path_factory.mktemp("site")
    archive = Archive(folder / "archive").start()
    add = [str(BINARY), "account", "add", NAME, "--role", "radiologist", "--data", str(archive.data)]
    subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60)
    archive.study = showcase.stack(folder / "in", "Ngực", slices=4, PatientName=synthetic.VIETNAMESE,
                                   PatientID="BN-2024-0815", AccessionNumber="SP4711", StudyDate="20240315")
    archive.earlier = showcase.stack(folder / "in", "Trước", slices=2, PatientName=synthetic.VIETNAMESE,
                                     PatientID="BN-2024-0815", StudyDate="20230110")
    for number in range(70):
        synthetic.study(folder / "in", instances=1, PatientName=f"Person^Number {number}", PatientID=f"X{number:03}",
                        AccessionNumber=f"N{number:03}", modalities=("MR" if number % 2 else "US",),
                        StudyDate=f"2022{number % 12 + 1:02}{number % 28 + 1:02}")
    archive.run("import", folder / "in")
    yield archive
    archive.stop()


@pytest.fixture
def page(hospital):
    with browser(hospital.url) as made:
        yield made


def names(page):
    return page.script("return [...document.querySelectorAll('.study .who b')].map((name) => name.textContent)")


def signed_in(page):
    page.sign_in(NAME, PASSWORD)
    page.one("#query")
    page.wait(lambda: len(names(page)) > 0, why="the list")
    return page


def test_signing_in_wrong_then_right_and_out(page):
    page.sign_in(NAME, "wrong")
    assert "wrong" in page.one("#sign-in-error").text
    assert not page.one("#name").get_attribute("value") == "" and page.text("#studies") == ""
    page.screenshot("sign-in")
    page.one("#password").send_keys(PASSWORD + Keys.ENTER)
    page.wait(lambda: names(page), why="the list")
    assert page.text("#account") == NAME
    page.one("#account").click()
    page.one("#sign-out").click()
    page.one("#name")
    page.open("/")
    page.one("#name")
    refused = [answer for answer in page.collect() if answer[0] >= 400]
    assert all(answer[0] == 401 and answer[2].endswith("/api/v1/session") for answer in refused), refused


def test_names_without_marks_ids_dates_and_modalities(page, hospital):
    signed_in(page)
    query = page.one("#query")
    both = {hospital.study, hospital.earlier}
    shown = lambda: set(page.script(
        "return [...document.querySelectorAll('.study')].map((study) => study.dataset.uid)"))
    for text, wanted in (
            ("nguyen van duc", both), ("Nguyễn Văn Đức", both), ("duc nguyen", both), ("NGUYEN", both),
            ("0815", both), ("SP4711", {hospital.study}), ("sp4711", {hospital.study}),
            ("nguyen 15/3/2024", {hospital.study}), ("nguyen 2023-01-10", {hospital.earlier}),
            ("nguyen 01/2023", {hospital.earlier}), ("nobody at all", set())):
        query.clear()
        query.send_keys(text)
        page.wait(lambda: shown() == wanted, why=f"{text}: {shown()}")
    assert "Nothing found" in page.text("#empty")
    page.screenshot("nothing-found")
    query.clear()
    query.send_keys(Keys.BACKSPACE)
    page.script("const box = document.querySelector('#modality'); box.value = 'US'; box.onchange()")
    page.wait(lambda: len(names(page)) == 35 and all("Person" in name for name in names(page)), why="35 of US")
    page.script("const box = document.querySelector('#modality'); box.value = ''; box.onchange()")
    page.wait(lambda: len(names(page)) >= 50, why="everything")
    page.one("[data-preset=between]").click()
    for end, date in (("#from", "2024-01-01"), ("#to", "2024-12-31")):
        page.script("const box = document.querySelector(arguments[0]); box.value = arguments[1]; box.onchange()", end, date)
    page.wait(lambda: shown() == {hospital.study}, why="a year")
    assert page.refusals()[1:] == [], page.refusals()  # the first is who nobody is


def test_a_long_list_comes_as_one_scrolls_and_looks_right(page):
    signed_in(page)
    page.wait(lambda: page.script("return [...document.images].some((image) => image.naturalWidth > 8 "
                                  "&& image.closest('.thumbnail'))"), why="a thumbnail")
    page.screenshot("list-english")
    page.script("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: len(names(page)) == 72, why="all 72")
    page.script("scrollTo(0, 0)")
    page.one("#home button.language").click()
    page.wait(lambda: "Tải lên" in page.text("header"), why="Vietnamese")
    assert page.script("return document.documentElement.lang") == "vi"
    assert page.script("return import('/site/texts.js').then((texts) => texts.missing())") == []
    page.screenshot("list-vietnamese")
    paper = "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
    day = page.script(paper)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    page.wait(lambda: sum(page.script(paper)) < 120 < 600 < sum(day), why="the dark page")
    page.screenshot("list-dark")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page.open("/")
    page.wait(lambda: "Tải lên" in page.text("header"), why="the choice is kept")


def test_by_keys_alone(page, hospital):
    page.open("/")
    page.one("#name")
    page.press(NAME, Keys.TAB, PASSWORD, Keys.ENTER)
    page.wait(lambda: names(page), why="the list")
    page.press("?")  # in the search field it is a letter
    page.press(Keys.ESCAPE, Keys.ARROW_DOWN)
    focused = lambda: page.script("return document.activeElement?.closest?.('.study')?.dataset.uid ?? null")
    page.wait(lambda: focused() is not None, why="the first row")
    page.press("?")
    assert "Search" in page.one("dialog[open]").text
    page.screenshot("keys")
    page.press(Keys.ESCAPE)
    page.press(Keys.ESCAPE)
    # At once, not letter by letter: half a date finds something else first.
    page.driver.execute_cdp_cmd("Input.insertText", {"text": "nguyen 2024-03-15"})
    page.wait(lambda: len(names(page)) == 1, why="one study")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    page.wait(lambda: len(page.all(".details .series li")) == 1, why="the series")
    page.wait(lambda: "Trước" in page.text(".priors"), why="the earlier study")
    page.screenshot("details")
    page.press("s")
    page.one("dialog[open] #link-days")
    page.press(Keys.ESCAPE)
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.wait(lambda: page.path == f"/ohif/viewer?StudyInstanceUIDs={hospital.study}", why="the viewer")


def test_sending_files_by_the_page(page, hospital, tmp_path):
    signed_in(page)
    good = [showcase.save(tmp_path, showcase.grey("1.2.826.0.1.3680043.10.1475.77", "1.2.826.0.1.3680043.10.1475.77.1",
                                                  number, PatientName="Sent^By Page")) for number in (1, 2, 3)]
    text = tmp_path / "letter.txt"
    text.write_text("not an image")
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"nonsense" * 100)
    page.one("#upload-open").click()
    page.one("dialog[open] .primary")
    page.script("document.querySelector('#upload-files').classList.remove('hidden')")
    page.one("#upload-files").send_keys("\n".join(map(str, [*good, text, broken])))
    page.wait(lambda: page.script("return document.querySelector('#uploads').dataset.state") == "failed", why="the end")
    states = page.script("return Object.fromEntries([...document.querySelectorAll('#uploads li')].map("
                         "(line) => [line.querySelector('span').textContent, line.dataset.state]))")
    assert states == {**{path.name: "kept" for path in good}, "letter.txt": "skipped", "broken.dcm": "failed"}
    assert "cannot be read" in page.text("#uploads")
    assert "3 kept" in page.text("#uploads") and "1 not kept" in page.text("#uploads")
    page.screenshot("uploads")
    # The list hears of it by itself.
    page.wait(lambda: "Sent By Page" in names(page), why="the new study")
    assert len(hospital.find("--patient-name", "Sent*")) == 1


def test_sending_a_folder_with_all_that_is_below_it(page, tmp_path):
    signed_in(page)
    study = "1.2.826.0.1.3680043.10.1475.78"
    for number, below in enumerate(["", "a", "a/b", "c"], 1):
        (tmp_path / "disc" / below).mkdir(parents=True, exist_ok=True)
        showcase.save(tmp_path / "disc" / below, showcase.grey(study, f"{study}.1", number, PatientName="Sent^By Folder"))
    (tmp_path / "disc" / "AUTORUN.INF").write_text("[autorun]")
    page.one("#upload-open").click()
    page.one("dialog[open] .primary")
    page.script("""
        const folder = [...document.querySelectorAll('#dialog input')].find((input) => input.webkitdirectory);
        folder.id = 'folder';
        folder.classList.remove('hidden');""")
    page.one("#folder").send_keys(str(tmp_path / "disc"))
    page.wait(lambda: page.script("return document.querySelector('#uploads').dataset.state") == "done", why="the end")
    assert "4 kept" in page.text("#uploads") and "1 not DICOM" in page.text("#uploads"), page.text("#uploads")
    page.wait(lambda: "Sent By Folder" in names(page), why="the new study")


def test_dropping_files_on_the_page(page):
    signed_in(page)
    page.script("""
        const data = new DataTransfer();
        data.items.add(new File(['no image'], 'note.txt'));
        for (const kind of ['dragenter', 'dragover']) {
          document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""")
    page.one("#drop")
    page.screenshot("drop")
    page.script("""
        const data = new DataTransfer();
        data.items.add(new File(['no image'], 'note.txt'));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));""")
    page.wait(lambda: "note.txt" in page.text("#uploads"), why="the dropped file")
    assert "No DICOM files" in page.text("#uploads")


def test_a_link_opens_exactly_one_study_for_a_stranger(page, hospital):
    signed_in(page)
    page.one("#query").send_keys("SP4711")
    page.wait(lambda: len(names(page)) == 1, why="one study")
    page.one(".study .share").click()
    page.one("dialog[open] .primary").click()
    link = page.one("#link").get_attribute("value")
    page.screenshot("share")
    assert link.startswith(hospital.url + "/link/") and hospital.study not in link and "SP4711" not in link
    with browser(hospital.url) as stranger:
        stranger.open("/")
        stranger.one("#name")
        stranger.open(link.removeprefix(hospital.url))
        stranger.wait(lambda: hospital.study in stranger.path, why="the viewer with the study")
        asked = "return fetch(arguments[0]).then((answer) => answer.status)"
        listed = ("return fetch('/dicom-web/studies').then((answer) => answer.json())"
                  ".then((rows) => rows.map((row) => row['0020000D'].Value[0]))")
        assert stranger.script(listed) == [hospital.study]
        assert stranger.script(asked, f"/api/v1/studies/{hospital.study}") == 200
        for path in (f"/api/v1/studies/{hospital.earlier}", f"/dicom-web/studies/{hospital.earlier}/metadata",
                     f"/dicom-web/studies/{hospital.earlier}"):
            assert stranger.script(asked, path) == 404
        assert stranger.script(asked, "/api/v1/accounts") == 403
        stranger.open("/")
        stranger.wait(lambda: len(names(stranger)) == 1, why="a list of one")
        assert not stranger.all(".study .share") and not stranger.one("#home").find_element(
            "css selector", "#upload-open").is_displayed()


@pytest.mark.parametrize("language, word", [("vi", "Đăng nhập"), ("en-US", "Sign in")])
def test_a_phone_in_the_language_of_its_owner(hospital, language, word):
    with browser(hospital.url, size=PHONE, language=language) as phone:
        phone.open("/")
        assert phone.one("#sign-in-form .primary").text == word
        phone.screenshot(f"phone-sign-in-{language}")
        signed_in(phone)
        phone.one("#query").send_keys("nguyen van duc")
        phone.wait(lambda: len(names(phone)) == 2, why="two studies")
        phone.one(".study [aria-expanded]").click()
        phone.wait(lambda: phone.all(".details .series li"), why="the series")
        phone.screenshot(f"phone-{language}")
        wide = phone.script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], "the page is wider than the phone"
        small = phone.script("""
            return [...document.querySelectorAll('button, a, input, select')].filter((one) => one.checkVisibility())
              .filter((one) => one.getBoundingClientRect().height < 24).map((one) => one.outerHTML.slice(0, 80))""")
        assert small == [], "too small for a finger"


def test_everything_has_a_name_for_those_who_do_not_see(page):
    signed_in(page)
    page.one("[aria-expanded=false]")
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nameless = [node["role"]["value"] for node in tree
                if not node.get("ignored") and node.get("role", {}).get("value") in
                ("button", "link", "textbox", "searchbox", "combobox", "menuitem", "dialog", "list")
                and not node.get("name", {}).get("value")]
    assert [role for role in nameless if role != "list"] == []


def test_the_way_back_after_signing_in_stays_here(page, hospital):
    where = f"/ohif/viewer?StudyInstanceUIDs={hospital.study}"
    page.sign_in(NAME, PASSWORD, path=where)
    page.wait(lambda: page.path == where, why="back in the viewer")
    with browser(hospital.url) as other:
        other.sign_in(NAME, PASSWORD, path="/?return=//example.org/")
        other.wait(lambda: names(other), why="the list, not another site")
        assert other.driver.current_url.startswith(hospital.url)
        # Paths that are of this server and name another one as soon as only they are left.
        for path in ("/.//example.org/", "/x/..//example.org/", "/%5Cexample.org/", "/%2F/example.org"):
            other.open(f"/?return={path}")
            other.wait(lambda: names(other), why=f"the list, not another site, for {path}")
            assert other.driver.current_url.startswith(hospital.url)


def test_the_page_brings_everything_itself(hospital):
    status, text, content_type = hospital.get("/")
    assert status == 200 and content_type.startswith("text/html")
    folder = Path(__file__).resolve().parents[2] / "Sources/Portal/Site"
    for path in folder.iterdir():
        words = path.read_text()
        allowed = words.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1", "")
        assert "http://" not in allowed and "https://" not in allowed, path.name
    policy = requests.get(hospital.url + "/", timeout=60).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
