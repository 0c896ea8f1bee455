"""What a packed table holds: its columns, and what it says of its labels and images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhub.interfaces.data import LabelKind
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import typed

if TYPE_CHECKING:
    import pyarrow

KEY = b"rankhub"
"""In the schema's metadata."""
PACKING = "rankhub.packing"
"""In the table's configuration while it is packed: by what."""

FACTS = ("reference", "kind")
"""Columns of text that are facts of an image."""


@dataclass(frozen=True)
class About:
    """What a packed table says of all its rows.

    Attributes:
        kind: Of the labels.
        higher_is_better: As in :class:`~rankhub.interfaces.data.LabelSpec`, as the three below.
        range: Of the scores, which stand in the table on their own scale.
        unit: Of scores or points.
        classes: Names of the class numbers.
        pixels: Whether images are pixels [3, H, W], and not files.
        resize: Shorter side to which they were shrunk; None = they were not.
    """

    kind: LabelKind | None = None
    higher_is_better: bool = True
    range: tuple[float, float] | None = None
    unit: str = ""
    classes: tuple[str, ...] = ()
    pixels: bool = False
    resize: int | None = None

    def metadata(self) -> dict[bytes, bytes]:
        """As it stands in the schema."""
        return {KEY: json.dumps(vars(self)).encode()}


def read_about(metadata: Mapping[bytes, bytes] | None, uri: str) -> About | None:
    """What a table says of its rows; None where it was not packed here."""
    if not metadata or KEY not in metadata:
        return None
    found: About = typed(metadata[KEY], About, f"what the table {uri} says of its rows", "pack it anew")
    return found


def check_whole(table: Any, uri: str, remedy: str = "") -> None:
    """See that an open table is not being packed.

    Raises:
        UserError: It is; the sentence ends with the ``remedy``, if there is another than to go on with that.
    """
    if PACKING in table.config():
        raise UserError(
            f"the table {uri} is not whole: it is being packed, or that was interrupted; go on with the same command "
            f"and --resume{remedy}"
        )


def schema_of(about: About) -> pyarrow.Schema:
    """The columns of a table: the same for all with labels of one kind.

    ``height`` and ``width`` are of the image as it is served, ``digest`` is a hash of what stands in ``image``,
    ``points`` are x, y and extent of each, one after the other, ``folds`` the numbers of the folds that an image is in,
    ``meta`` further facts as JSON, ``split`` what the image was packed as.
    """
    import pyarrow as pa

    columns: list[tuple[str, Any]] = [
        ("id", pa.string()),
        ("image", pa.large_binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("digest", pa.uint64()),
        ("split", pa.string()),
    ]
    if about.kind == "points":
        columns += [("label", pa.int64()), ("points", pa.large_list(pa.float64()))]
    elif about.kind is not None:
        columns.append(("label", pa.int64() if about.kind == "class" else pa.float64()))
    columns += [(name, pa.string()) for name in FACTS]
    columns += [("folds", pa.list_(pa.int16())), ("meta", pa.string())]
    return pa.schema(columns, metadata=about.metadata())


def check_fits(mine: About, theirs: About | None, uri: str) -> None:
    """See that images can be added to a table.

    Raises:
        UserError: The table says other things of its rows.
    """
    if theirs is None:
        raise UserError(f"the table {uri} was not made by rankhub pack, so nothing is added to it; name another")
    differ = [name for name, value in vars(theirs).items() if vars(mine)[name] != value]
    if differ:
        name = differ[0]
        raise UserError(
            f"the table {uri} has {name} {vars(theirs)[name]!r}, what is to be added has {vars(mine)[name]!r}; "
            "pack it into a table of its own"
        )
