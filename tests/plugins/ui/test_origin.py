"""Only the page itself and programs with a token may change something."""

from http import HTTPStatus

import pytest
from fastapi import HTTPException, Request

from inpe_backup.ui.origin import from_the_page

HERE, ELSEWHERE = "https://backup.institute.example", "https://elsewhere.example"
PAGE = {"host": "backup.institute.example", "origin": HERE, "x-backups": "1"}
BEHIND = PAGE | {"host": "127.0.0.1:8080", "sec-fetch-site": "same-origin"}


def request(headers: dict[str, str]) -> Request:
    """Return a request with some headers."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


@pytest.mark.parametrize("headers", [PAGE, BEHIND, {"authorization": "Bearer abc"}])
def test_the_page_and_a_token_are_taken(headers: dict[str, str]) -> None:
    """The page also behind a web server that passes another host name on."""
    from_the_page(request(headers))


@pytest.mark.parametrize(
    "headers",
    [
        PAGE | {"origin": ELSEWHERE},
        PAGE | {"origin": "null"},
        PAGE | {"origin": ELSEWHERE, "sec-fetch-site": "cross-site"},
        BEHIND | {"sec-fetch-site": "same-site"},
        {"host": "backup.institute.example", "origin": HERE},
        {"host": "", "origin": "", "x-backups": "1"},
        # A browser sends a password that it knows to whoever asked it for one, whatever page made it.
        {"host": "backup.institute.example", "origin": ELSEWHERE, "authorization": "Basic YTpi"},
        {"authorization": "Bearer"},
    ],
)
def test_another_site_is_refused(headers: dict[str, str]) -> None:
    """Whatever the browser adds by itself."""
    with pytest.raises(HTTPException) as caught:
        from_the_page(request(headers))
    assert caught.value.status_code == HTTPStatus.FORBIDDEN
