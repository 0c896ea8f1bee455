"""The mini-batches of the papers: which views they hold, and how many pairs these make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from rankhub.interfaces.order import RankTarget


@dataclass(frozen=True)
class Layout:
    """A mini-batch of ranked views: ``sources`` images, of each ``kinds`` changes, of each ``levels`` views.

    Attributes:
        title: For people.
        sources: Images that are changed.
        kinds: Kinds of change of each.
        levels: Views of each kind, all of different level.
        options: Of the loss ``margin_ranking``.
    """

    title: str
    sources: int
    kinds: int
    levels: int
    options: Mapping[str, Any]

    @property
    def images(self) -> int:
        """N, views in the batch."""
        return self.sources * self.kinds * self.levels

    def target(self) -> RankTarget:
        """The order of the batch, N rows."""
        import torch

        from rankhub.interfaces.order import RankTarget

        sources, kinds, levels = (torch.arange(n) for n in (self.sources, self.kinds, self.levels))
        index, kind, level = (axis.flatten() for axis in torch.meshgrid(sources + 1, kinds, levels, indexing="ij"))
        return RankTarget(
            index, torch.arange(self.images), index * self.kinds + kind, -level.to(torch.float32), kind=kind
        )

    def pairs(self) -> tuple[Tensor, Tensor]:
        """All pairs by the definition, each once: [P] int64 each, row upper[p] ranks above row lower[p]."""
        target = self.target()
        kind = target.kind
        owner = kind if self.options["pairs"] == "same_kind" and kind is not None else target.group
        upper, lower = ((owner[:, None] == owner) & (target.level[:, None] > target.level)).nonzero().unbind(1)
        return upper, lower

    @property
    def theory(self) -> float:
        """How many times the passes an explicit Siamese network needs: 2 P / N (n - 1 where all N are comparable)."""
        return 2 * len(self.pairs()[0]) / self.images


LAYOUTS: Mapping[str, Layout] = {
    # RankIQA's released code pairs across the two source images within one distortion: 4 x C(6, 2) x 2 x 2.
    "live": Layout("LIVE", 2, 4, 6, {"pairs": "same_kind", "margin": 0.5}),
    # Nine of the 18 distortions of one source image a batch: 9 x C(5, 2).
    "tid": Layout("TID2013", 1, 9, 5, {"pairs": "same_kind", "margin": 0.5}),
    # Five nested crops of five photos: 5 x C(5, 2); a crop may hold as many people as the one around it: no margin.
    "counting": Layout("counting", 5, 1, 5, {"pairs": "same_image", "margin": 0.0}),
}
"""The mini-batches of Liu, van de Weijer, Bagdanov: RankIQA (ICCV 2017) and crowd counting (CVPR 2018)."""
