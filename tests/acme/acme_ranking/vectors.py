"""A store of vectors: a drawer inside the index's folder."""

from pathlib import Path

from rankhub_find.index import Index
from rankhub_find.kinds import Progress, Wanted
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import StoreNote, VectorIndex, VectorStore, read_note, write_note
from rankhub_use.places import ImagePlace


class Drawer(Index):
    """What faiss keeps, one folder further down."""

    def save(self, folder: Path) -> None:
        super().save(folder / "drawer")
        state = {"images": len(self)}
        write_note(folder, StoreNote(store="acme/drawer", wanted=self.wanted, dim=2, network=self.network, state=state))


class DrawerStore(VectorStore):
    """Keeps vectors in a drawer."""

    def create(
        self, folder: Path, dim: int, network: KnownNetwork, wanted: Wanted, images: ImagePlace | None = None
    ) -> VectorIndex:
        return Drawer(dim, wanted, network)

    def open(self, folder: Path, progress: Progress) -> VectorIndex:
        index = Drawer.open(folder / "drawer", progress)
        assert read_note(folder).state == {"images": len(index)}
        return index
