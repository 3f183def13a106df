"""Whether a request that changes something comes from the page itself.

Airflow has no CSRF token, and its login is a cookie. So such a request has a header that a form can't send,
and the origin of this server. Behind a web server that hides its name, the browser's own word counts: it
sends ``Sec-Fetch-Site`` to HTTPS servers, and no script can change it. A request with a token needs none.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import HTTPException, Request

HEADER = "X-Backups"


def from_the_page(request: Request) -> None:
    """Refuse a request that another site may have made a browser send.

    Raises:
        HTTPException: it has no token of its own, and isn't from a page of this server.
    """
    headers = request.headers
    # Only a token: a browser adds the password of a web server in front of Airflow by itself.
    if headers.get("authorization", "").lower().startswith("bearer "):
        return
    ours = {headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    origin = urlsplit(headers.get("origin", "")).netloc
    same = headers.get("sec-fetch-site") == "same-origin" or origin in ours
    if HEADER not in headers or not origin or not same:
        raise HTTPException(HTTPStatus.FORBIDDEN, "This request doesn't come from the page Backups.")
