"""The page, a run's report, the pictures of drills, and the page's own style and script."""

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
from inpe_backup.ui import store
from inpe_backup.ui.known import Dags, Views, facts_of, judged
from inpe_backup.ui.looks import HERE, TEMPLATES, content

router = APIRouter()

_STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
# The report styles itself inline, as mails must. It may do nothing else, wherever it is opened.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)
_PNG = b"\x89PNG\r\n\x1a\n"
_SEES_XCOM = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))


def _version() -> str:
    """Give a word that changes when style or script do, so that browsers keep them until then."""
    parts = b"".join((HERE / "static" / name).read_bytes() for name in sorted(_STATIC))
    return hashlib.sha256(parts).hexdigest()[:12]


def refused(request: Request, told: str) -> str:
    """Write a page that only says why there is no other, with a way back."""
    below = request.url.path.removeprefix(request.scope["root_path"])
    up = "../" * (below.count("/") - 1)
    return TEMPLATES.get_template("refused.html.j2").render(version=_version(), told=told, up=up)


@router.get("/", response_class=HTMLResponse)
def page(request: Request, views: Views, dags: Dags, vault: str = "") -> str:
    """Show one vault; the first, if none is named."""
    event, unreadable = facts_of(request).event, facts_of(request).unreadable
    shared = {"version": _version(), "event": event, "unreadable": unreadable}
    if not views:
        return TEMPLATES.get_template("nothing.html.j2").render(shared)
    standings = [judged(view, dags) for view in views]
    known = next((each for each in standings if each.view.vault == vault), standings[0])
    return TEMPLATES.get_template("page.html.j2").render(shared | content(known, standings, dags))


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Give the style or the script."""
    if name not in _STATIC:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no {name!r} here.")
    kept = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response((HERE / "static" / name).read_bytes(), media_type=_STATIC[name], headers=kept)


@router.get("/screens/{vault}/{name:path}")
def screen(request: Request, session: SessionDep, vault: str, name: str) -> Response:
    """Show what a machine's screen showed in its last drill."""
    found = facts_of(request).screen(session, vault, name)
    try:
        png = base64.b64decode(found.png, validate=True) if found else b""
    except binascii.Error:
        png = b""
    if not png.startswith(_PNG):
        raise HTTPException(HTTPStatus.NOT_FOUND, "No screen of this machine was published.")
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=300"})


@router.get("/runs/{dag_id}/{run:path}", response_class=HTMLResponse, dependencies=[_SEES_XCOM])
def run_page(session: SessionDep, dag_id: str, run: str) -> str:
    """Show a run's report, with a way back."""
    report = _report(session, dag_id, run)
    line = subject(report).partition("] ")[2]
    return TEMPLATES.get_template("run.html.j2").render(version=_version(), dag=dag_id, run=run, line=line)


@router.get("/reports/{dag_id}/{run:path}", response_class=HTMLResponse, dependencies=[_SEES_XCOM])
def report_page(session: SessionDep, dag_id: str, run: str) -> HTMLResponse:
    """Give the report as it was mailed, without its pictures, which lie in the vault."""
    report = _report(session, dag_id, run)
    items = tuple(item.model_copy(update={"picture": None}) for item in report.items)
    html = render_html(report.model_copy(update={"items": items}))
    return HTMLResponse(html, headers={"Content-Security-Policy": _REPORT_POLICY})


def _report(session: SessionDep, dag_id: str, run: str) -> Report:
    found = store.report(session, dag_id, run)
    if not found:
        told = f"The run {run!r} of {dag_id!r} has no report: it isn't so far, or Airflow no longer keeps it."
        raise HTTPException(HTTPStatus.NOT_FOUND, told)
    return found
