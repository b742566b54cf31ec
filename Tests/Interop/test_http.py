"""The HTTP edge: health, metrics, landing page."""

import pytest

from support import dcmtk, synthetic


def test_health(shared_archive):
    assert shared_archive.get("/health/live")[0] == 200
    assert shared_archive.get("/health/ready")[0] == 200


def test_metrics_are_prometheus_text_and_count(shared_archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=3, PatientName=synthetic.VIETNAMESE, PatientID="SECRET-ID")
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), *made.files)
    status, text, content_type = shared_archive.get("/metrics")
    assert status == 200 and content_type.startswith("text/plain")
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert samples
    for line in samples:
        float(line.rsplit(" ", 1)[1])
    assert "# TYPE" in text and "phim_" in text
    assert "SECRET-ID" not in text and made.uid not in text and "Nguy" not in text


def test_the_landing_page_is_plain_and_says_who_it_is(shared_archive):
    status, text, content_type = shared_archive.get("/")
    assert status == 200 and content_type.startswith("text/html")
    assert "Phim" in text and "http://cdn" not in text and "https://cdn" not in text


@pytest.mark.parametrize("path", ["/nowhere", "/../phim.yaml", "/%2e%2e/phim.yaml", "/health", "/volumes/000001.tar"])
def test_anything_else_is_not_found(shared_archive, path):
    assert shared_archive.get(path)[0] in (400, 401, 404)
    shared_archive.assert_healthy()
