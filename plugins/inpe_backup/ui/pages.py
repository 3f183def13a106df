"""The page, a run's report, screenshots of boot tests, and the page's style and script."""

import base64
import binascii
import hashlib
from http import HTTPStatus

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from include.report import Report, render_html, subject
from include.report.inline_pictures import without_pictures
from inpe_backup.ui import store
from inpe_backup.ui.dependencies import Active, Dags, Statuses, first_run_of, status_store
from inpe_backup.ui.view_model import HERE, TEMPLATES, content

router = APIRouter()

_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "vms.js": "text/javascript"}
# The report has inline style, as mails must. It may do nothing else, wherever it is opened.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)
_PNG = b"\x89PNG\r\n\x1a\n"
_MAY_SEE_XCOM = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))


def _version() -> str:
    """Return a string that changes with style and script, so that browsers may cache them until then."""
    content = b"".join((HERE / "static" / name).read_bytes() for name in sorted(_STATIC))
    return hashlib.sha256(content).hexdigest()[:12]


def error_page(request: Request, message: str) -> str:
    """Return a page with an error message and a link back."""
    below = request.url.path.removeprefix(request.scope["root_path"])
    up = "../" * (below.count("/") - 1)
    return TEMPLATES.get_template("refused.html.j2").render(version=_version(), message=message, up=up)


@router.get("/", response_class=HTMLResponse)
def page(request: Request, vaults: Statuses, dags: Dags, active: Active, vault: str = "") -> str:
    """Show one vault; the first if none is named."""
    found = status_store(request)
    shared = {"version": _version(), "event": found.event, "unreadable": found.unreadable}
    if not vaults:
        about = {"waits": "vault_status" in active.waiting, "first_run": first_run_of(dags, active)}
        return TEMPLATES.get_template("nothing.html.j2").render(shared | about)
    status = next((each for each in vaults if each.view.vault == vault), vaults[0])
    return TEMPLATES.get_template("page.html.j2").render(
        shared | content(status, vaults, dags, active.without_report)
    )


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Return the style or the script."""
    if name not in _STATIC:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no file {name!r}.")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response((HERE / "static" / name).read_bytes(), media_type=_STATIC[name], headers=headers)


@router.get("/screens/{vault}/{name:path}")
def screen(request: Request, session: SessionDep, vault: str, name: str) -> Response:
    """Return the screenshot of a VM's last boot test."""
    found = status_store(request).screen(session, vault, name)
    try:
        png = base64.b64decode(found.png, validate=True) if found else b""
    except binascii.Error:
        png = b""
    if not png.startswith(_PNG):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"No screenshot of {name!r} was published.")
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=300"})


@router.get("/runs/{dag_id}/{run:path}", response_class=HTMLResponse, dependencies=[_MAY_SEE_XCOM])
def run_page(session: SessionDep, dag_id: str, run: str) -> str:
    """Show a run's report, with links back and to the run."""
    report = _report(session, dag_id, run)
    line = subject(report).partition("] ")[2]
    return TEMPLATES.get_template("run.html.j2").render(version=_version(), dag=dag_id, run=run, line=line)


@router.get("/reports/{dag_id}/{run:path}", response_class=HTMLResponse, dependencies=[_MAY_SEE_XCOM])
def report_page(session: SessionDep, dag_id: str, run: str) -> HTMLResponse:
    """Return the whole report, without its pictures, which are in the vault; the mail's may be shortened."""
    html = render_html(without_pictures(_report(session, dag_id, run)), is_whole=True)
    return HTMLResponse(html, headers={"Content-Security-Policy": _REPORT_POLICY})


def _report(session: SessionDep, dag_id: str, run: str) -> Report:
    found = store.report(session, dag_id, run)
    if not found:
        message = f"The run {run!r} of {dag_id!r} has no report yet, or Airflow has deleted it."
        raise HTTPException(HTTPStatus.NOT_FOUND, message)
    return found
