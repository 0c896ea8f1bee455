"""How long a phase is and which streams take part in which step: pure functions of the recipe and the data's size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from rankhub.interfaces.schedule import Clock
from rankhub.recipe.schema import Alternate, Phase, Recipe, Stream, stream_in


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """A phase, laid out."""

    phase: Phase  # what the recipe says
    streams: Mapping[str, Stream]  # as they are in this phase, in the order of their turns
    clock: str  # the stream whose epochs are counted
    steps: int  # optimizer steps of the phase
    steps_per_epoch: int  # steps in which the clock stream sees its data once
    first_step: int  # steps of the run before this phase

    @classmethod
    def of(
        cls, phase: Phase, streams: Mapping[str, Stream], batches_per_epoch: Mapping[str, int], first_step: int
    ) -> Self:
        """Lay out a phase whose streams have so many batches an epoch."""
        clock = phase.clock or next(iter(streams))
        turn = phase.mix.alternate if isinstance(phase.mix, Alternate) else None
        if turn is None or len(streams) == 1:
            steps_per_epoch = batches_per_epoch[clock]
        else:
            # The clock stream is served in `turn` of every `turn * streams` steps.
            whole, rest = divmod(batches_per_epoch[clock], turn)
            steps_per_epoch = whole * turn * len(streams) + rest
        steps = phase.steps if phase.steps is not None else (phase.epochs or 0) * steps_per_epoch
        return cls(phase, streams, clock, steps, steps_per_epoch, first_step)

    def active(self, step: int) -> tuple[str, ...]:
        """The streams of the phase's step ``step`` (from 0)."""
        if isinstance(self.phase.mix, Alternate):
            names = tuple(self.streams)
            return (names[step // self.phase.mix.alternate % len(names)],)
        return tuple(self.streams)

    def position(self, stream: str, step: int) -> int:
        """Batches that ``stream`` has given before the phase's step ``step``."""
        if not isinstance(self.phase.mix, Alternate):
            return step
        turn = self.phase.mix.alternate
        rounds, rest = divmod(step, turn * len(self.streams))
        return rounds * turn + min(turn, max(0, rest - list(self.streams).index(stream) * turn))

    def clock_at(self, step: int) -> Clock:
        """What schedules see before the phase's step ``step``."""
        return Clock(step, self.steps, self.steps_per_epoch)

    def epoch_ends(self, done: int) -> int | None:
        """The epoch (from 1) that ends with ``done`` steps of the phase, if one does."""
        return done // self.steps_per_epoch if done % self.steps_per_epoch == 0 else None


def plan_phases(recipe: Recipe, batches_per_epoch: Mapping[tuple[str, str], int]) -> list[PhasePlan]:
    """Lay out all phases of a run; ``batches_per_epoch`` by phase and stream."""
    plans, first = list[PhasePlan](), 0
    for phase in recipe.phases:
        streams = {name: stream_in(recipe, phase, name) for name in phase.streams}
        sizes = {name: batches_per_epoch[phase.name, name] for name in streams}
        plans.append(PhasePlan.of(phase, streams, sizes, first))
        first += plans[-1].steps
    return plans
