"""Which rows of a table are served: by kind of distortion, without some references, of a part, a share of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.table import ScoredRow, ScoreTable
from rankhub_tables.draws import Ints, thinned
from rankhub_tables.split import Sides, Split
from rankhub_tables.wording import some

_LISTED = 40
"""So many known names are listed to one who asks for an unknown one."""


def of_kinds(table: ScoreTable, kinds: Collection[str]) -> ScoreTable:
    """All rows, of which those of other kinds of distortion are no longer wanted.

    Raises:
        UserError: A kind that no row has.
    """
    known = sorted({row.kind for row in table.rows if row.kind})
    if unknown := sorted(set(kinds) - set(known)):
        raise UserError(
            f"`kinds` asks for {some(unknown)}, but {table.source} "
            + (f"has the kinds {', '.join(known[:_LISTED])}" if known else "names no kinds")
        )
    rows = [replace(row, wanted=row.wanted and row.kind in kinds) for row in table.rows]
    return ScoreTable(table.source, rows, table.notes)


def without_references(table: ScoreTable, wanted: Sequence[str] | None, usual: Sequence[str]) -> ScoreTable:
    """The rows but those of some references.

    Args:
        table: All rows.
        wanted: Names of references that are left out; None = the ``usual`` ones, as far as they are there.
        usual: Those that the data set's protocol leaves out.

    Raises:
        UserError: A wanted one does not exist, or no row is left.
    """
    asked = {name.casefold() for name in (usual if wanted is None else wanted)}
    if not asked:
        return table
    known = sorted({row.reference for row in table.rows if row.reference})
    out = {name for name in known if asked & _spellings(name)}
    unknown = asked.difference(*(_spellings(name) for name in out)) if wanted is not None else ()
    if unknown:
        raise UserError(
            f"`leave_out` names {some(sorted(unknown))}, but {table.source} "
            + (f"has the references {', '.join(known[:_LISTED])}" if known else "names no references")
        )
    kept = table.only(lambda row: row.reference not in out)
    if not kept.rows:
        raise UserError(f"`leave_out` leaves no image of {table.source}")
    return kept


def served(rows: Sequence[ScoredRow], sides: Sides, split: Split, share: float) -> Ints:
    """Rows of the images that are served, ascending: wanted rows of the part, thinned out by ``share``.

    Args:
        rows: [n] of a table.
        sides: How the n images are divided.
        split: Which part is served.
        share: Of the images that keep their label; what is held out is always whole, also with the options of its
            train.

    Raises:
        UserError: None is, or the row filters leave no image of a fold.
    """
    units, folds = sides.units, sides.folds
    assert units is not None
    chosen = np.array([row.wanted for row in rows], dtype=bool)
    if split.part != "all":
        chosen &= sides.held_out if split.part == "held_out" else sides.train
    found = np.flatnonzero(chosen)
    among = f"all {len(units.drawn)} {units.what}"
    if not len(found):
        raise UserError(
            f"the row filters (such as `kinds`) leave no image of the {units.what} of part {split.part}, which was "
            f"drawn among {among} with seed {split.seed}; loosen them, or change `seed`"
        )
    if split.part == "all" and folds is not None and (empty := set(range(split.folds or 0)) - set(folds[found])):
        raise UserError(
            f"the row filters (such as `kinds`) leave no image of fold {min(empty)} of {split.folds}, as folds are "
            f"made of {among}; loosen them, or take fewer `folds`"
        )
    if share < 1 and split.part != "held_out":
        names, kinds = ([getattr(rows[row], name) for row in found.tolist()] for name in ("path", "kind"))
        found = found[thinned(names, kinds, share, split.seed)]
    return found


def _spellings(name: str) -> set[str]:
    """A reference by its whole name, without its folder, and without its ending; in lower case."""
    last = name.casefold().replace("\\", "/").rpartition("/")[2]
    return {name.casefold(), last, os.path.splitext(last)[0]}
