"""The page that shows batches in Airflow's own UI: three static files, which the API server serves.

There is no data here. The page asks Airflow's public API for it, with the session of whoever looks at it: what a viewer may not
see in Airflow, the page cannot show.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from fastapi import FastAPI

#: Where the page is, below Airflow's own path; the list of all batches. `BATCH` beside it is one of them.
PREFIX, BATCH = "/hubspot-statuses", "batch"
FILES = Path(__file__).parent
#: The browser loads and runs these files alone, asks this server alone, and turns no text into HTML, whatever a message says.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",  # asked for again after an update of the package; unchanged it is a 304
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
#: Of Airflow's API server: address and file.
_ROUTES = {"/": "page.html", f"/{BATCH}": "page.html", "/page.css": "page.css", "/page.js": "page.js"}


def nav_entry() -> dict[str, str]:
    """The entry *HubSpot statuses* in the menu *Browse*, which shows the page in a frame of Airflow's.

    Its address is relative, so it holds under whatever path Airflow is reached by.
    """
    return {
        "name": "HubSpot statuses",
        "href": f"{PREFIX.lstrip('/')}/",
        "url_route": PREFIX.lstrip("/"),
        "category": "browse",
        "destination": "nav",
    }


def batch_address(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Where the page of one batch is, below Airflow's own path.

    :param map_index: -1 for a task that is not mapped.
    """
    query = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"{PREFIX}/{BATCH}?{urlencode(query)}"


def create_app() -> FastAPI:
    """What serves the page, for the API server to mount at `PREFIX`."""
    from fastapi import FastAPI  # in the API server they are loaded already; no other process needs them
    from starlette.responses import FileResponse
    from starlette.routing import BaseRoute, Route

    def serve(name: str) -> Any:
        async def file(request: Any) -> FileResponse:
            return FileResponse(FILES / name, headers=HEADERS)

        return file

    routes: list[BaseRoute] = [Route(path, serve(name)) for path, name in _ROUTES.items()]
    return FastAPI(title="HubSpot statuses", openapi_url=None, docs_url=None, redoc_url=None, routes=routes)
