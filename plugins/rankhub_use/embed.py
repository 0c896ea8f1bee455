"""``rankhub embed``: the vectors that a trained network gives for images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rankhub import Talk
from rankhub.interfaces.processes import ALONE, Processes
from rankhub_listing.files import UnusedImage
from rankhub_use.answering import answer_files, remarks_of, vector_of, width_of
from rankhub_use.filling import fill
from rankhub_use.growing import Growing
from rankhub_use.meaning import of_run
from rankhub_use.named import NamedFile
from rankhub_use.tables import Row
from rankhub_use.target import made
from rankhub_use.vectors import EMBEDDINGS, VectorParquet, VectorTable

if TYPE_CHECKING:
    from rankhub import Answer, Run


class Vectors:
    """The vectors that a run gives for files.

    Args:
        run: It, loaded.
        files: What it is asked for.
        batch_size: Images that are predicted together.
        output: ``backbone``, the pooled features, or ``HEAD.OUTPUT``.
        normalize: Whether each is divided by its length.
        processes: Those that share the work, of which the first one writes.

    Raises:
        UserError: There is no such output, or it is a map.
    """

    def __init__(
        self,
        run: Run,
        files: Sequence[NamedFile],
        batch_size: int,
        output: str = "backbone",
        normalize: bool = False,
        processes: Processes = ALONE,
    ) -> None:
        self.width = width_of(run, output)
        self.run, self.files, self.batch_size = run, files, batch_size
        self.output, self.normalize, self.processes = output, normalize, processes

    def about(self) -> dict[str, Any]:
        """What the vectors are of."""
        own = {"output": self.output, "width": self.width, "normalized": self.normalize}
        return {**of_run(self.run, self.files, self.batch_size), **own}

    def write(self, out: Path, talk: Talk, *, force: bool, resume: bool, safe: bool) -> Mapping[str, Any]:
        """Write the vectors to a folder or a ``.parquet`` file, with what belongs beside them.

        Returns:
            ``out``, ``images``, ``skipped``, ``files`` that were written, ``width``.

        Raises:
            UserError: Not one image has an answer, or the files cannot be written.
        """
        table: VectorTable
        if out.suffix.lower() == ".parquet":
            table, named = VectorParquet(out, self.width), out
        else:
            table, named = VectorTable(out, self.width, safe), out / EMBEDDINGS
        growing = Growing(table, named, self.about(), safe)
        with made("--out", named.parent), growing.kept():
            written, _ = fill(
                growing,
                self.files,
                self._blocks,
                talk,
                what="embed",
                resume=resume,
                force=force,
                found=lambda: {"remarks": remarks_of(self.run)},
                processes=self.processes,
            )
        if growing.left_out:
            talk.note(f"{growing.left_out:,} of {len(self.files):,} images are skipped, see {growing.skipped.path}")
        talk.note(f"by {self.run.weights}")
        talk.line(f"{growing.rows} vectors of {self.width}, {out}")
        counts = {"images": growing.rows, "skipped": growing.left_out}
        return {"out": str(out), **counts, "files": [str(path) for path in written], "width": self.width}

    def _blocks(self, files: Sequence[NamedFile]) -> Iterator[tuple[list[Row], list[UnusedImage]]]:
        for answers in answer_files(self.run, files, self.batch_size):
            yield [(name, self._vector(answer)) for name, answer in answers.answered], answers.left_out

    def _vector(self, answer: Answer) -> npt.NDArray[np.float32]:
        vector = vector_of(answer, self.output)
        if self.normalize:
            length = float(np.linalg.norm(vector.astype(np.float64)))
            vector = (vector.astype(np.float64) / max(length, 1e-12)).astype(np.float32)
        return vector
