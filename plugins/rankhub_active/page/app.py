"""The page's requests: who may ask, what is asked, and what comes back."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule, Submount
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from rankhub import UserError
from rankhub_active.labeling.labels import LabelError, read_points
from rankhub_active.labeling.pictures import Unseen, shown, size
from rankhub_active.labeling.summary import folder_flag
from rankhub_active.page.desk import Conflict, Desk, SubmittedLabel, Unknown, version

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from rankhub_active.labeling.pool import PoolRow

MAX_BYTES = 8 * 1024 * 1024
"""Of an answer: some 300,000 points."""

_LARGEST_ID = 2**63 - 1
_ASSETS = {
    "icon.svg": "image/svg+xml",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "stage.js": "text/javascript; charset=utf-8",
    "inputs.js": "text/javascript; charset=utf-8",
    "server.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}


class App:
    """The page of a folder of labeling, as a WSGI application.

    Every request must name this machine as its host (or a foreign page could have its own name point here) and begin
    with the token; others learn nothing but that there is nothing.

    Args:
        desk: What the page works on.
        token: Secret; the first part of every path.
        port: On which the application is served.
    """

    def __init__(self, desk: Desk, token: str, port: int) -> None:
        self.desk, self._token = desk, token
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._hosts |= {"127.0.0.1", "localhost"} if port == 80 else set()
        image = f"<int(max={_LARGEST_ID}):id>"
        rules = [
            Rule("/", endpoint=self._index, methods=["GET"]),
            Rule(f"/<any({', '.join(repr(name) for name in _ASSETS)}):name>", endpoint=self._asset, methods=["GET"]),
            Rule("/api/round", endpoint=self._round, methods=["GET"]),
            Rule(f"/api/images/{image}", endpoint=self._image, methods=["GET"]),
            Rule(f"/api/images/{image}", endpoint=self._answer, methods=["POST"]),
            Rule(f"/images/{image}", endpoint=self._pixels, methods=["GET"]),
        ]
        self._map = Map([Submount(f"/{token}", rules)])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = MAX_BYTES
        response = self._respond(request)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            if not self._may_ask(request):
                raise NotFound
            endpoint, values = self._map.bind_to_environ(request.environ).match()
            handle: Callable[..., Response] = endpoint
            return handle(request, **values)
        except RequestRedirect as error:
            return redirect(error.new_url, error.code)
        except HTTPException as error:
            return Response(error.name, error.code)
        except (Unknown, Unseen) as error:
            return _json({"error": str(error)}, 404)
        except LabelError as error:
            return _json({"error": str(error)}, 422)
        except Conflict as error:
            return _json({"error": str(error), "image": self._described(error.row)}, 409)
        except UserError as error:
            return _json({"error": str(error)}, 503)

    def _may_ask(self, request: Request) -> bool:
        first = request.path.removeprefix("/").partition("/")[0]
        known = hmac.compare_digest(first.encode("utf-8", "surrogatepass"), self._token.encode())
        return known and request.environ.get("HTTP_HOST", "").lower() in self._hosts

    def _index(self, request: Request) -> Response:
        return _packaged("index.html", "text/html; charset=utf-8")

    def _asset(self, request: Request, name: str) -> Response:
        return _packaged(name, _ASSETS[name])

    def _round(self, request: Request) -> Response:
        sheet, settings = self.desk.sheet(), self.desk.pool.settings
        images = [{"id": row.id, "path": row.path, "state": row.state} for row in sheet.rows]
        said = settings.model_dump(include={"takes", "low", "high", "higher_is_better", "unit"})
        return _json({"round": sheet.number, "images": images, "flag": folder_flag(self.desk.pool), **said})

    def _image(self, request: Request, id: int) -> Response:
        return _json(self._described(self.desk.row(id)))

    def _pixels(self, request: Request, id: int) -> Response:
        data, kind = shown(self.desk.file(self.desk.row(id)))
        return Response(data, mimetype=kind)

    def _answer(self, request: Request, id: int) -> Response:
        return _json(self._described(self.desk.save(id, _read(request))))

    def _described(self, row: PoolRow) -> dict[str, Any]:
        """An image as the page knows it; ``problem`` says why it cannot be shown."""
        label: Any = None
        if row.label is not None:
            label = read_points(row.label) if self.desk.pool.settings.takes == "points" else float(row.label)
        told = {"id": row.id, "path": row.path, "state": row.state, "label": label, "version": version(row)}
        told |= {"source": row.source, "answered": row.answered, "width": None, "height": None, "problem": None}
        try:
            told["height"], told["width"] = size(self.desk.file(row))
        except Unseen as error:
            told["problem"] = str(error)
        return told


def _read(request: Request) -> SubmittedLabel:
    """The answer in a request.

    Raises:
        LabelError: It is none.
    """
    if request.mimetype != "application/json":  # also keeps foreign pages from posting without being asked
        raise LabelError("expected an answer as JSON")
    try:
        told = json.loads(request.get_data(), parse_int=float)  # whole numbers of any length, without an error
    except (ValueError, RecursionError):
        raise LabelError("the answer is no JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("version"), str) or ("label" in told) == ("skip" in told):
        raise LabelError('expected {"version": TEXT} and either "label" or "skip"')
    if "skip" in told and told["skip"] is not True:
        raise LabelError('"skip" can only be true')
    return SubmittedLabel(version=told["version"], label=told.get("label"), skip="skip" in told)


def _json(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told), status, mimetype="application/json")


def _packaged(name: str, kind: str) -> Response:
    return Response((files("rankhub_active.page") / name).read_bytes(), content_type=kind)
