"""``rankhub predict``: the numbers that a trained network gives for images."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhub import Talk, UserError
from rankhub.interfaces.files import whole
from rankhub.interfaces.processes import ALONE, Processes
from rankhub_data.folder_report import remarked
from rankhub_listing.files import UnusedImage
from rankhub_tables.writing import csv_line, fitting
from rankhub_train.together import gathered
from rankhub_use.answering import Answers, answer_files, none_answered, pictures_of, remarks_of
from rankhub_use.filling import fill, shared
from rankhub_use.growing import Growing
from rankhub_use.meaning import in_words, of_label, of_run
from rankhub_use.named import NamedFile
from rankhub_use.shell import Pace
from rankhub_use.tables import Row, table_for

if TYPE_CHECKING:
    from rankhub import Run

SHOWN = 20
"""Images that were left out that are printed where no file is written."""


class Scores:
    """The numbers that a run gives for files.

    Args:
        run: It, loaded.
        files: What it is asked for.
        batch_size: Images that are predicted together.
        pictures: Folder for what heads draw; None = nothing is drawn.
        processes: Those that share the work, of which the first one writes.

    Raises:
        UserError: No head gives one number an image.
    """

    def __init__(
        self,
        run: Run,
        files: Sequence[NamedFile],
        batch_size: int,
        pictures: Path | None = None,
        processes: Processes = ALONE,
    ) -> None:
        if not run.labels:
            advice = "`rankhub embed` writes its features, in Python rankhub.load_run(...).embed(images)"
            raise UserError(f"no head of this run gives one number an image; {advice}")
        self.run, self.files, self.batch_size, self.pictures = run, files, batch_size, pictures
        self.columns = {run.columns[output]: of_label(output, label) for output, label in run.labels.items()}
        self.processes, self._drawn = processes, 0
        self._remarks: Counter[int] = Counter()

    def about(self) -> dict[str, Any]:
        """What the numbers are of, and what each column means."""
        return {**of_run(self.run, self.files, self.batch_size), "columns": self.columns}

    def write(self, out: Path, talk: Talk, *, force: bool, resume: bool, safe: bool) -> Mapping[str, Any]:
        """Write the table and what belongs beside it.

        Returns:
            ``out``, ``images``, ``skipped``, ``files`` that were written, ``columns``.

        Raises:
            UserError: Not one image has an answer, or the files cannot be written.
        """
        table = table_for(out, ["path", *self.columns], safe)
        growing = Growing(table, out, self.about(), safe)
        with growing.kept():
            written, _ = fill(
                growing,
                self.files,
                self._blocks,
                talk,
                what="predict",
                resume=resume,
                force=force,
                found=lambda: {"remarks": remarks_of(self.run)},
                processes=self.processes,
            )
        if growing.left_out:
            talk.note(f"{growing.left_out:,} of {len(self.files):,} images are skipped, see {growing.skipped.path}")
        self._close(talk)
        talk.line(f"{growing.rows} images, {out}")
        counts = {"images": growing.rows, "skipped": growing.left_out}
        return {"out": str(out), **counts, "files": [str(path) for path in written], "columns": self.columns}

    def print(self, talk: Talk, safe: bool) -> None:
        """Print the table as CSV, and tell of the rest."""
        stream = sys.stdout  # a bar puts itself in its place

        def line(cells: Row) -> None:
            stream.write(csv_line(cells, safe=safe, end="\r\n"))

        left_out: list[UnusedImage] = []
        count, pace = 0, Pace(talk, "predict", len(self.files))
        for rows, unused in shared(self._blocks, self.files, self.processes):
            if rows and not count:
                line(["path", *self.columns])
            for row in rows:
                line(row)
            count += len(rows)
            left_out += unused
            pace.at(count + len(left_out))
        talk.finish()
        if not count and left_out:
            raise none_answered(len(self.files), left_out[0])
        for one in left_out[:SHOWN]:
            talk.note(f"skipped: {one.path}, {one.kind}, {one.reason}{', ' if one.remedy else ''}{one.remedy}")
        if left_out:
            talk.note(f"{len(left_out):,} of {len(self.files):,} images are skipped")
        self._close(talk)

    def _blocks(self, files: Sequence[NamedFile]) -> Iterator[tuple[list[Row], list[UnusedImage]]]:
        """Rows for the table, and what has none."""
        for answers in answer_files(self.run, files, self.batch_size):
            self._remarks.update(filter(None, answers.remarks))
            if self.pictures is not None:
                self._draw(answers, self.pictures)
            yield (
                [
                    (name, *(self.run.number(answer, str(column["output"])) for column in self.columns.values()))
                    for name, answer in answers.answered
                ],
                answers.left_out,
            )

    def _draw(self, answers: Answers, folder: Path) -> None:
        from PIL import Image

        for name, answer in answers.answered:
            for head, picture in pictures_of(self.run, answer, name):
                suffix = f"_{head}.png" if len(self.run.recipe.recipe.heads) > 1 else ".png"
                with whole(folder / fitting(_below(name), suffix), make=True) as beside:
                    Image.fromarray(picture).save(beside, "PNG")
                self._drawn += 1

    def _close(self, talk: Talk) -> None:
        """What is told at the end, of all that the processes have done."""
        remarks, drawn = Counter[int](), 0
        for other, pictures in gathered(self.processes, (self._remarks, self._drawn)):
            remarks, drawn = remarks + other, drawn + pictures
        kinds = np.repeat(list(remarks), list(remarks.values())).astype(np.uint8)
        for note in remarked(kinds):
            talk.note(note)
        if self.pictures is not None:
            said = f"{drawn} pictures, {self.pictures}" if drawn else "no head of this run draws onto images"
            talk.line(said)
        for remark in remarks_of(self.run):
            talk.note(remark)
        talk.note(f"by {self.run.weights}")
        for column, meaning in self.columns.items():
            talk.note(f"{column}: {in_words(meaning)}")


def _below(name: str) -> str:
    """An image's name as a path that stays below a folder, whoever made it up."""
    parts = name.replace("\0", "_").lstrip("/").split("/")
    return "/".join("__" if part == ".." else part for part in parts)
