"""Official plugin: holds components to their contracts, and names those that fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import rankhub

if TYPE_CHECKING:
    from rankhub.interfaces.guard import Guard


@rankhub.hookimpl
def rankhub_guards() -> Iterable[Guard]:
    """What each looks at is said in its module."""
    from rankhub_guards.announced import Announcements
    from rankhub_guards.blame import Culprits
    from rankhub_guards.not_finite import FirstPlace
    from rankhub_guards.rehearsal import Rehearsal
    from rankhub_guards.started import Beginning
    from rankhub_guards.versions import Versions
    from rankhub_guards.watch import CallWatch

    return [Announcements(), CallWatch(), Rehearsal(), FirstPlace(), Beginning(), Versions(), Culprits()]
