"""The network of a run, and what it says of images a block at a time."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, folder
from rankhub.engine.device import Compute, preserved
from rankhub.engine.network import Network, load_weights
from rankhub.engine.parts import build_network, evaluation_chains
from rankhub.engine.source import ImageOutputs, NetworkForward, ViewOutputs
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.predict import Predict
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.load import LoadedRecipe, load_recipe
from rankhub.recipe.report import RecipeErrors


class TrainedNetwork:
    """The network of a run at one of its checkpoints. As a context manager it is let go at the end."""

    processes: Processes = ALONE
    """Those that measure it together, connected."""

    def __init__(self, source: Path, catalog: Catalog, changes: Sequence[str] = ()) -> None:
        self._source, self._catalog, self._changes = source, catalog, tuple(changes)
        self.path = folder.home_of(source)
        """The run's folder."""

    @cached_property
    def recipe(self) -> LoadedRecipe:
        """The run's recipe."""
        try:
            return load_recipe(folder.resolved_recipe(self.path), self._changes, self._catalog, to_answer=True)
        except RecipeErrors:
            folder.check_plugins(self.path, self._catalog)
            raise

    @cached_property
    def assembly(self) -> Assembly:
        """Makes the recipe's components; knows the labels that the run was trained on."""
        for guard in self._catalog.guards:
            guard.answering(self.path)
        return Assembly.of(self.recipe.recipe, self._catalog, folder.read_labels(self.path))

    @cached_property
    def predictor(self) -> Predict:
        """The recipe's test time."""
        predict: Predict = self.assembly.get("predict")
        return predict

    @cached_property
    def compute(self) -> Compute:
        """Device and precision."""
        return Compute.of(self.recipe.recipe)

    @cached_property
    def _weights(self) -> tuple[dict[str, Tensor], Path]:
        average = self.recipe.recipe.average
        return checkpoint.read_weights(self._source, average=average is not None and "evaluate" in average.use_for)

    @property
    def weights(self) -> Path:
        """The file that the weights come from: the moving average where the recipe evaluates that."""
        return self._weights[1]

    @cached_property
    def network(self) -> Network:
        """In evaluation mode, on its device; a UserError if there is no checkpoint, or it does not fit."""
        with preserved():
            weights, file = self._weights
            network = build_network(self.recipe.recipe, self.assembly, learns=False)
            own = {name: value for name, value in weights.items() if not name.startswith("losses.")}
            load_weights(network, own, file)
            weights.clear()
            self.compute.place(network)
            return network.eval()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the network go; the run answers no more."""
        for name in ("network", "_weights"):
            self.__dict__.pop(name, None)
        if self.compute.device.type == "cuda":
            torch.cuda.empty_cache()

    def to(self, device: str) -> Self:
        """Move the network to a device (``cpu``, ``cuda``, ``cuda:1``) that is there; returns the run itself."""
        with preserved():
            moved = Compute.of(self.recipe.recipe.model_copy(update={"device": str(device)}))
            moved.place(self.network)
            self.compute = moved
        return self

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.compute.device

    def forward(self) -> NetworkForward:
        """The network as test time sees it."""
        return NetworkForward(self.network, self.compute)

    def outputs(self, images: Dataset, where: str = "", rows: Sequence[int] | None = None) -> ImageOutputs:
        """What the network says of an open data set's images: a function of positions, each call one block.

        It gives name -> one row an image, as evaluators get them. ``where`` is said in sentences: " on the pool";
        ``rows`` are the positions of those that will be asked for, None = all.

        Raises:
            UserError: The recipe's ``predict`` cannot take some of the images.
        """
        return ImageOutputs(
            self.forward(), self.predictor, images, self.device, f"predict{where}", rows, self._catalog.guards
        )

    def views(self, stream: str, images: Dataset, purpose: str, seed: int, where: str = "") -> ViewOutputs:
        """What the network says of views of an open data set's images, made by the generator of a stream.

        Args:
            stream: One of the recipe's.
            images: The data set.
            purpose: In the address at which the views are drawn; ``evaluate`` would draw those of evaluators.
            seed: Another one draws others.
            where: What the data set is, for a sentence: " on the pool".

        Returns:
            A function of positions and the number of a draw, each call one block: name -> one row a view, and what the
            views are. Nothing else than its arguments and these decides on the views.

        Raises:
            UserError: There is no such stream, or its generator cannot take some of the images.
        """
        chains = evaluation_chains(self.recipe.recipe, self.assembly)
        if stream not in chains:
            raise UserError(f"the recipe has no stream {stream!r}; there are {', '.join(chains)}")
        chain = chains[stream].drawn(purpose, seed)
        return ViewOutputs(self.forward(), chain, images, self.device, f"stream {stream!r}{where}")

    def others(self) -> list[Self]:
        """The run's other kept checkpoints, the oldest first."""
        own = self.weights.parent
        kept = checkpoint.Checkpoints(own.parent, 1).all()
        return [type(self)(source, self._catalog, self._changes) for source in kept if source != own]
