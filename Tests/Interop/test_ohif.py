"""OHIF, which nobody here wrote, against the archive as it is: lists, opens every kind of image, sends, reads reports."""

import re

import pytest
from selenium.webdriver.common.keys import Keys

import highdicom
import pydicom
from highdicom.sr import CodedConcept
from support import corpus, showcase, synthetic
from support.archive import Archive
from support.browser import browser, is_picture

CANVAS = ".cornerstone-viewport-element canvas"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ohif")
    archive = Archive(folder / "archive").start()
    assert archive.get("/ohif/")[0] == 200, "no viewer: run scripts/fetch-ohif"
    archive.studies = showcase.studies(folder / "in")
    archive.studies["report"] = report(folder / "in")
    archive.run("import", folder / "in")
    real = corpus.collection_folder()
    if real:
        archive.run("import", real, expect=(0, 1))
    archive.password = archive.run("account", "add", "reader", "--role", "technician", "--generate").stdout.strip()
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def viewer(clinic):
    """One browser that is signed in once, by the first page."""
    with browser(clinic.url) as made:
        made.sign_in("reader", clinic.password)
        made.one("#query")
        yield made


def report(folder):
    """A measurement of a CT slice as a Comprehensive SR; gives the study."""
    study, series = synthetic.uid(), synthetic.uid()
    image = showcase.grey(study, series, 1, PatientName="Viewer^Report")
    path = showcase.save(folder, image)
    image = pydicom.dcmread(path)
    code = CodedConcept("G-D7FE", "SRT", "Length")
    observer = highdicom.sr.ObserverContext(
        observer_type=pydicom.sr.codedict.codes.DCM.Person,
        observer_identifying_attributes=highdicom.sr.PersonObserverIdentifyingAttributes(name="Reader^One"))
    measurement = highdicom.sr.Measurement(
        name=code, value=42.0, unit=CodedConcept("mm", "UCUM", "millimeter"))
    group = highdicom.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=highdicom.sr.TrackingIdentifier(synthetic.uid(), "line"),
        measurements=[measurement],
        source_images=[highdicom.sr.SourceImageForMeasurementGroup.from_source_image(image)])
    content = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=CodedConcept("25045-6", "LN", "CT unspecified body region"), imaging_measurements=[group])
    document = highdicom.sr.ComprehensiveSR(
        evidence=[image], content=content[0], series_number=99, series_instance_uid=synthetic.uid(),
        sop_instance_uid=synthetic.uid(), instance_number=1, manufacturer="Phim tests", is_complete=True,
        is_verified=False)
    document.save_as(folder / "report.dcm", enforce_file_format=True)
    return study


def opened(viewer, clinic, kind, uid=None):
    """The study in the viewer, its first image painted; nothing was refused on the way."""
    before = len(viewer.collect())
    viewer.open(f"/ohif/viewer?StudyInstanceUIDs={uid or clinic.studies[kind]}")
    viewer.wait(lambda: is_picture(viewer.pixels(CANVAS)), 150, f"an image of {kind}")
    viewer.screenshot(f"ohif-{kind}")
    assert viewer.refusals(before) == []
    return viewer


def test_the_study_list(viewer, clinic):
    before = len(viewer.collect())
    viewer.open("/ohif/")
    viewer.wait(lambda: "Studies" in viewer.text("body") and len(viewer.all("table tbody tr")) > 4, 120, "the list")
    text = viewer.wait(lambda: viewer.text("body") if "Viewer, CT" in viewer.text("body").replace("^", ", ")
                       or "V-CT" in viewer.text("body") or corpus.collection_folder() else None, why="the studies")
    assert "Error" not in text
    viewer.screenshot("ohif-list")
    assert viewer.refusals(before) == []


@pytest.mark.parametrize("kind", ["ct", "mr", "ultrasound", "colour", "jpeg2000", "jpegls", "htj2k", "rle"])
def test_images_are_shown(viewer, clinic, kind):
    opened(viewer, clinic, kind)
    # The middle: around it stand words in colour.
    pixels = viewer.pixels(CANVAS)
    height, width = pixels.shape[:2]
    pixels = pixels[height // 3 : height * 2 // 3, width // 3 : width * 2 // 3]
    spread = abs(pixels[:, :, 0].astype(int) - pixels[:, :, 2]).max()
    assert (spread > 60) == (kind in ("colour", "ultrasound")), "colour where there is colour, grey where there is none"


def test_scrolling_shows_other_slices(viewer, clinic):
    opened(viewer, clinic, "ct")
    first = viewer.pixels(CANVAS)
    viewer.one(CANVAS).click()
    for _ in range(4):
        viewer.press(Keys.ARROW_DOWN)
    viewer.wait(lambda: is_picture(viewer.pixels(CANVAS)) and (viewer.pixels(CANVAS) != first).any(), 120,
                "another slice")
    frame = re.compile(rf"{clinic.studies['ct']}/series/[0-9.]+/instances/([0-9.]+)/frames/1$")
    fetched = lambda: {found[1] for answer in viewer.collect() if (found := frame.search(answer[2]))}
    viewer.wait(lambda: len(fetched()) == 12, 120, "all slices are fetched ahead")


def test_a_report_is_read(viewer, clinic):
    opened(viewer, clinic, "report")
    viewer.wait(lambda: "SR" in viewer.text("body"), 120, "the report among the series")
    assert any(f"{clinic.studies['report']}/series" in url and url.endswith("/metadata")
               for _, _, url in viewer.collect())


def test_sending_by_the_upload_dialog(viewer, clinic, tmp_path):
    made = showcase.save(tmp_path, showcase.grey(synthetic.uid(), synthetic.uid(), 1, PatientName="Sent^By OHIF"))
    viewer.open("/ohif/")
    button = viewer.wait(lambda: next(iter(viewer.driver.find_elements(
        "xpath", "//*[normalize-space(text())='Upload']")), None), 120, "the upload button")
    button.click()
    field = viewer.wait(lambda: next(iter(viewer.all("input[type=file]")), None), why="the dialog")
    field.send_keys(str(made))
    viewer.wait(lambda: len(clinic.find("--patient-name", "Sent*OHIF*")) == 1, 120, "the study in the archive")
    statuses = viewer.wait(lambda: [status for status, method, url in viewer.collect()
                                    if method == "POST" and url.endswith("/dicom-web/studies")], 120, "the answer")
    viewer.screenshot("ohif-upload")
    assert statuses == [200]


def test_files_of_the_viewer_are_kept_by_the_browser(viewer, clinic):
    """The second visit asks for none of the bundles again: they came from the cache, or were not modified."""
    opened(viewer, clinic, "mr")
    sizes = viewer.script("return performance.getEntriesByType('resource').filter((one) => one.name.includes('bundle'))"
                          ".map((one) => one.transferSize)")
    assert sizes and sum(sizes) < 20_000, sizes
    assert viewer.script("return crossOriginIsolated") is True


@pytest.mark.skipif(corpus.collection_folder() is None, reason="the collection of real files is not there")
def test_a_real_pet_ct_study(viewer, clinic):
    uid = "1.3.6.1.4.1.14519.5.2.1.7009.2403.334240657131972136850343327463"
    opened(viewer, clinic, "pet-ct", uid)
