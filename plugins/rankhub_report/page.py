"""The page: parts of HTML, all texts of runs escaped, one file without links to anything outside.

A content security policy lets only the page's own two scripts run, and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from rankhub import UserError
from rankhub.interfaces.files import readable

EXTRA = "a report needs the charting library plotly; install it with: pip install 'rankhub[report]'"


_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of letters, which JSON may hold; those between stand for bytes of a file's name."""


def charting() -> str:
    """Plotly's script, from its package.

    Raises:
        UserError: It is not installed.
    """
    try:
        text = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except (ImportError, OSError):
        raise UserError(EXTRA) from None
    return _script(text)


def own(name: str) -> str:
    """A file of this plugin."""
    return (files("rankhub_report") / name).read_text(encoding="utf-8")


def _script(text: str) -> str:
    """As a browser hashes it, and so that nothing in it ends the element."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def tell(value: Any) -> str:
    """Any value as text of HTML; what no encoding holds is a mark."""
    return escape(readable(_LONE.sub("\N{REPLACEMENT CHARACTER}", str(value))))


def document(title: str, body: str, charts: Mapping[str, Any], names: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        title: Of the page, not escaped yet.
        body: HTML.
        charts: Name -> a chart, see :mod:`rankhub_report.charts`.
        names: Name of a map -> the names of its images.
    """
    scripts = [charting(), _script(own("page.js"))]
    plain = json.dumps({"charts": charts, "names": names}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":  # so that no text of a run can end the element
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'"
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{tell(title)}</title>\n<style>{own("page.css")}</style>\n</head>\n'
    )
    data = f'<script type="application/json" id="data">{plain}</script>'
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    return readable(f'{head}<body>\n{body}\n<div id="hover"></div>\n{data}\n{code}\n</body>\n</html>\n')


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def section(anchor: str, title: str, inside: str) -> str:
    """A part of the page; nothing where there is nothing inside."""
    return f'<section id="{anchor}">\n<h2>{tell(title)}</h2>\n{inside}\n</section>' if inside else ""


def swatch(run: int) -> str:
    """The colour of a run in the charts."""
    return f'<span class="swatch" data-run="{run}"></span>'


def card(title: str, inside: str) -> str:
    """A box; ``title`` is HTML already."""
    return f'<div class="card"><h3>{title}</h3>{inside}</div>'


def cards(parts: Sequence[str], more: str = "") -> str:
    """Boxes beside one another where there is room."""
    return f'<div class="cards {more}">{"".join(parts)}</div>' if parts else ""


def chart(name: str, kind: str, label: str) -> str:
    """The place of a chart."""
    return f'<div class="chart {kind}" data-chart="{tell(name)}" role="img" aria-label="{tell(label)}"></div>'


def pairs(known: Mapping[str, Any]) -> str:
    """Names with what they stand for; what is empty is left out."""
    rows = "".join(f"<dt>{tell(name)}</dt><dd>{tell(value)}</dd>" for name, value in known.items() if value)
    return f"<dl>{rows}</dl>"


def sheet(name: str, image: tuple[str, int, int] | None) -> str:
    """A picture with its name."""
    if image is None:
        return f'<figure class="card sheet"><p class="quiet">{tell(name)} cannot be read</p></figure>'
    uri, width, height = image
    picture = f'<img src="{uri}" width="{width}" height="{height}" loading="lazy" alt="{tell(name)}">'
    return f'<figure class="card sheet">{picture}<figcaption>{tell(name.replace("_", " "))}</figcaption></figure>'


def tiles(found: Sequence[tuple[str, str, str]]) -> str:
    """Small images: (name, words, data URI or nothing)."""
    items = [
        f"<li>{_tile(uri)}<div>{tell(name)}</div><div class='quiet'>{tell(words)}</div></li>"
        for name, words, uri in found
    ]
    return f'<ul class="tiles">{"".join(items)}</ul>'


def _tile(uri: str) -> str:
    return f'<img src="{uri}" loading="lazy" alt="">' if uri else '<div class="none">no picture</div>'
