"""Images that are no files of their own: a place that a path or an address stands for, which a plugin reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankhub_data.decode import Pixels
    from rankhub_data.deep import Remark


class ImagePlace(ABC):
    """The images of one place, in its order, as they are at one version; it can be pickled.

    Attributes:
        uri: Where it is, absolute: a path or an address.
        version: What says that its images are the same at another time; "" where nothing does.
        names: [n] what its images are called there, with ``/`` between folders; no two are the same. Asked for one by
            one, so that they need not be held as Python's strings.
    """

    uri: str
    version: str
    names: Sequence[str]

    @abstractmethod
    def read(self, row: int) -> tuple[Pixels, Remark]:
        """The image at ``row`` of :attr:`names`, and what is to be remarked; asked by several threads, mostly in order.

        Returns:
            [3, H, W] uint8 RGB, contiguous, in memory that may be written to; remarks.

        Raises:
            UndecodableError: It is no image that can be read; the others go on.
            UserError: The place does not answer; the work ends.
        """


class ImageSource(ABC):
    """A component of kind ``image_source``: it knows which paths and addresses are its places."""

    @abstractmethod
    def split(self, text: str) -> tuple[str, str] | None:
        """A place and the name of an image in it ("" = all of them) that a path or an address stands for.

        None where it is not this source's. Looked at for each path that is asked for, also of long lists: nothing is
        opened, and what takes long to import is imported by :meth:`open`.

        Args:
            text: As it was typed.
        """

    @abstractmethod
    def open(self, place: str) -> ImagePlace:
        """The place that :meth:`split` named.

        Raises:
            UserError: It cannot be read, or has no images.
        """
