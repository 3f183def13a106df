"""The FastAPI app behind the page: every route needs a log-in and the right to see the runs of both DAGs."""

from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse

from inpe_backup.ui import api, pages
from inpe_backup.ui.store import Facts

URL_PREFIX = "/backups"
DAGS = ("supim_daily", "vm_weekly")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@cache
def create_app() -> FastAPI:
    """Make the app, once: Airflow asks for it whenever somebody lists the plugins."""
    sees = [Depends(requires_access_dag("GET", DagAccessEntity.RUN, dag)) for dag in DAGS]
    app = FastAPI(
        title="INPE backup",
        dependencies=[Depends(requires_authenticated()), *sees],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.facts = Facts()
    app.include_router(api.router)
    app.include_router(pages.router)
    app.middleware("http")(_with_headers)
    app.add_exception_handler(HTTPException, _refusal)  # type: ignore[arg-type] # its own narrower signature
    return app


async def _with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await go_on(request)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


async def _refusal(request: Request, refused: HTTPException) -> Response:
    """Send people who aren't logged in to the log-in, and tell them in words of what there isn't."""
    if "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, refused)
    if refused.status_code == HTTPStatus.UNAUTHORIZED:
        back = str(request.url.path)
        return RedirectResponse(get_auth_manager().get_url_login(next_url=back), HTTPStatus.SEE_OTHER)
    return HTMLResponse(pages.refused(request, str(refused.detail)), refused.status_code)
