"""Sign-in at an identity provider as people meet it: by the button of the first page."""

import pytest
import requests

from support.browser import browser as chromium
from support.identity_provider import IdentityProvider


@pytest.fixture
def provider():
    made = IdentityProvider()
    yield made
    made.close()


@pytest.fixture
def start(make_archive):
    """A running archive that knows a provider."""
    return lambda provider, **oidc: make_archive({"access": {"oidc": provider.configuration(**oidc)}}).start()


def test_the_button_of_the_first_page(start, provider):
    archive = start(provider, name="Bệnh viện A")
    with chromium(archive.url) as page:
        page.open("/")
        button = page.one("#sign-in-elsewhere")
        assert button.text == "Bệnh viện A"
        button.click()
        page.one("#query")
        assert page.text("#account") == "hoa" and page.path == "/"
        assert requests.get(f"{archive.url}/api/v1/server", timeout=60).json()["signsInElsewhere"] is True
    with chromium(start(provider).url) as other:
        other.open("/?return=/api/v1/session")
        other.one("#sign-in-elsewhere").click()
        other.wait(lambda: other.path == "/api/v1/session", why="where it wanted to go")
