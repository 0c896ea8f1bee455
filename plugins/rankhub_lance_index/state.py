"""What an index's note says of where its vectors are: in a table of its own, or in a column of the images' table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rankhub.interfaces.errors import UserError
from rankhub_find.stores import StoreNote

Own = Annotated[str, Field(pattern=r"^vectors-[0-9a-f]{12}\.lance$")]
"""The name of a table in the index's folder."""

Count = Annotated[int, Field(ge=0, le=2**40)]
Token = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]


class OwnState(BaseModel):
    """Of vectors in a table of the index's own.

    Attributes:
        table: Its name in the index's folder.
        token: What tells it from others; it stands in the table.
        version: At which the index was saved.
        rows: Vectors that it has at that version.
        learned: Rows from which IVF-PQ was learned; 0 = there is none.
    """

    model_config = ConfigDict(extra="forbid")
    table: Own
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    version: Count
    rows: Count = 0
    learned: Count = 0


class ColumnState(BaseModel):
    """Of vectors in a column of the table that has the images.

    Attributes:
        table: Where the table was when the index was saved: an absolute path.
        beside: Its name, where it lies beside the index's folder; looked for first, so that both may be moved.
        column: The column.
        staged: Name of a table in the index's folder, of vectors that are not in the column yet.
        token: Of the column as this index has left it; it stands in the table's configuration. "" = nothing is.
        coming: What the token becomes by the writing that is under way; "" = there is none.
        version: Of the table when the index was saved.
        rows: Vectors in the column then.
        learned: Rows from which IVF-PQ was learned; 0 = there is none.
        counts: Vectors that each part of the column has, by its file and by what says which rows of it are deleted.
    """

    model_config = ConfigDict(extra="forbid")
    table: Annotated[str, Field(pattern=r"^/|^[A-Za-z]:[\\/]")]
    beside: Annotated[str, Field(pattern=r"^[^/\\]*[^/\\.][^/\\]*$")] | None
    column: Annotated[str, Field(pattern=r"^embedding_\w{1,200}$")]
    staged: Own
    token: Token = ""
    coming: Token = ""
    version: Count = 0
    rows: Count = 0
    learned: Count = 0
    counts: dict[str, Count] = Field(default_factory=dict)


def read_state(folder: Path, note: StoreNote) -> OwnState | ColumnState:
    """The state in an index's note.

    Raises:
        UserError: It does not say all that is needed, or names a table elsewhere than such an index has one.
    """
    kind: type[OwnState | ColumnState] = ColumnState if "column" in note.state else OwnState
    try:
        return kind.model_validate(note.state, strict=True)
    except ValidationError as error:
        raise UserError(
            f"the index {folder} is damaged: store.json does not say where its table is "
            f"({_where(error)}); make it again"
        ) from None


def _where(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
