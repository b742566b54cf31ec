"""OHIF in headless Chromium over a thin line: from opening the long series to its first image on the screen."""

import re

from selenium.common.exceptions import TimeoutException

from support.archive import Archive
from support.browser import browser
from support.line import Line, Shape

from . import samples, senders, web_servers

LINES = (Shape(30e6, 0.010), Shape(5e6, 0.150, 0.02))
FAST = Shape(10e9, 0.0)
FRAMES = (("as stored", None), ("as HTJ2K", "htj2k"))
LIMIT = 120
# The canvas is painted from an image of its own size: one value all over is no image yet.
_PAINTED = """
const done = arguments[arguments.length - 1];
const look = () => {
  const canvas = document.querySelector('canvas.cornerstone-canvas, .cornerstone-viewport-element canvas');
  if (canvas && canvas.width > 64 && canvas.height > 64) {
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let at = 0; pixels && at < pixels.length; at += 4 * 97) seen.add(pixels[at]);
    if (seen.size > 20) return done(performance.now() / 1000);
  }
  setTimeout(look, 20);
};
look();
"""


def thin_line(bench):
    rows = []
    for label, compact in FRAMES:
        place = bench.fresh("thin")
        config = {"http": {"compactFrames": compact}} if compact else None
        place.mkdir()
        archive = Archive(place / "archive", config).start()
        try:
            other = bench.ct.part(samples.GROUPS)
            for objects in (bench.series, other):
                senders.pour(objects, archive.dicom_port, 4, web_servers.Phim.environment)
            password = re.search(r"password {2,}(\S+)", archive.log.read_text())[1]
            for shape in LINES:
                rounds = [_open(bench, archive, password, shape) for _ in range(bench.options.rounds)]
                rows.append({"line": str(shape), "frames": label, "rounds": rounds})
                bench.say(f"OHIF over {shape}, frames {label}: "
                          + ", ".join(f"{one['seconds']:.2f} s" for one in rounds))
        finally:
            archive.stop()
    return rows


def _open(bench, archive, password, shape):
    """A fresh browser that has the viewer's files, and nothing of the study, opens it over the line."""
    viewer = "/ohif/viewer?StudyInstanceUIDs={}"
    with Line(FAST, archive.http_port) as line, browser(f"http://127.0.0.1:{line.port}") as page:
        page.driver.set_script_timeout(LIMIT)
        page.sign_in("administrator", password)
        page.one("#query", 20)
        page.open(viewer.format(bench.ct.study(0)))
        page.driver.execute_async_script(_PAINTED)
        page.open("/health/live")
        line.shape = shape
        before = line.carried["down"]
        page.open(viewer.format(bench.series.study_uid))
        try:
            seconds = page.driver.execute_async_script(_PAINTED)
        except TimeoutException:
            seconds = float(LIMIT)  # it took longer, or for ever
        return {"seconds": seconds, "bytes": line.carried["down"] - before}
