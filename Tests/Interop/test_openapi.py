"""The OpenAPI document against the running server, judged by schemathesis."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import dcmtk, synthetic

HERE = Path(__file__).parent
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance"]


@pytest.mark.timeout(1200)
def test_every_operation_answers_as_described(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2)
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    document = archive.http().get(f"{archive.url}/api/v1/openapi.json").json()
    # A real study beside made-up ones, so that answers with a body are judged too.
    document["components"]["parameters"]["uid"]["example"] = made.uid
    operations = sum(len([m for m in item if m != "parameters"]) for item in document["paths"].values())
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(document))
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", str(described), "--url", archive.url,
        "-H", f"Authorization: Bearer {archive.token()}", "--max-examples", "12", "--seed", "1",
        "--checks", ",".join(CHECKS), "--request-timeout", "60", "--continue-on-failure",
        "--suppress-health-check", "all", "--no-color",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "support.openapi_hooks", "PYTHONPATH": str(HERE), "NO_COLOR": "1"}

    def judged(phases, seconds):
        """What schemathesis says; it makes up requests for so long at most."""
        done = subprocess.run([*command, "--phases", phases, "--max-time", str(seconds)], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, timeout=seconds + 120)
        assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
        return done.stdout

    # Every operation, however long it takes; then chance, for a while.
    said = judged("examples,coverage", 600)
    tested = re.search(r"Tested: (\d+)", said)
    assert tested and int(tested.group(1)) == operations, said[-3000:]
    judged("fuzzing", 20)
    archive.assert_healthy()
