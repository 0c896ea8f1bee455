"""Where the images of a pool lie, and where they have gone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rankhub import UserError
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.summary import folder_flag


def images_of(pool: Pool) -> Path:
    """The folder of the pool's images.

    Raises:
        UserError: It is not there.
    """
    folder = Path(pool.settings.images)
    if not folder.is_dir():
        raise UserError(
            f"{folder}, the folder of this pool's images, is not there; if it has moved: rankhub label move NEW_FOLDER"
            f"{folder_flag(pool)}"
        )
    return folder


def gone_from(folder: Path, paths: Iterable[str]) -> list[str]:
    """Those of the paths that are no files below a folder."""
    return [path for path in paths if not (folder / path).is_file()]


def move(pool: Pool, images: Path, *, incomplete: bool = False) -> int:
    """Note that the images lie in another folder now, under the same paths below it; nothing is copied.

    Returns how many are missing; some may be only with ``incomplete``. ``pool`` keeps the settings that it was opened
    with. Raises UserError if there is no such folder, or images are missing in it; nothing is changed then.
    """
    folder = images.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    paths = sorted(pool.ids())
    missing = gone_from(folder, paths)
    if missing and len(missing) == len(paths):
        raise UserError(
            f"{folder} holds none of the {len(paths):,} images of the pool, such as {missing[0]}; paths are relative "
            "to the folder that `rankhub label init` was given"
        )
    if missing and not incomplete:
        raise UserError(
            f"{folder} lacks {len(missing):,} of the {len(paths):,} images of the pool, such as {missing[0]}; add "
            "them, or go on without them with --incomplete"
        )
    pool.settle(pool.settings.model_copy(update={"images": str(folder)}))
    return len(missing)
