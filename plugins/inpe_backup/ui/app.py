"""The FastAPI app behind the page: every route requires a login and permission to see runs of both DAGs."""

from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse

from inpe_backup.ui import acknowledge, api, pages
from inpe_backup.ui.store import StatusStore

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
    """Return the app, made once: Airflow calls this whenever somebody lists the plugins."""
    may_see = [Depends(requires_access_dag("GET", DagAccessEntity.RUN, dag)) for dag in DAGS]
    app = FastAPI(
        title="INPE backup",
        dependencies=[Depends(requires_authenticated()), *may_see],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.store = StatusStore()
    app.include_router(api.router)
    app.include_router(acknowledge.router)
    app.include_router(pages.router)
    app.middleware("http")(_with_headers)
    app.add_exception_handler(HTTPException, _error_page)  # type: ignore[arg-type] # its own narrower signature
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _error_page(request: Request, error: HTTPException) -> Response:
    """Send browsers that aren't logged in to the login, and show them any other error as a page."""
    if "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        back = str(request.url.path)
        return RedirectResponse(get_auth_manager().get_url_login(next_url=back), HTTPStatus.SEE_OTHER)
    return HTMLResponse(pages.error_page(request, str(error.detail)), error.status_code)
