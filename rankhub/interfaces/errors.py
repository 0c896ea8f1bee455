"""Errors that are the user's to mend, as opposed to bugs."""

from typing import Any


class UserError(Exception):
    """Something the user can mend: one sentence that says what is wrong, where, and what to do.

    The command line prints the sentence without a traceback and ends with exit code 2. Anything else
    that is raised is a bug and shows its traceback.
    """


class ChangedError(UserError):
    """A run cannot go on as it began: its recipe or its data have changed since."""


class Interrupted(KeyboardInterrupt):
    """Training was interrupted, and what was done is kept.

    Attributes:
        run: The :class:`~rankhub.engine.trained.Run` so far; :func:`rankhub.resume` goes on with it.
    """

    def __init__(self, run: Any) -> None:
        super().__init__(f"interrupted; go on with rankhub.resume({str(run.path)!r})")
        self.run = run


class Objection(UserError):
    """A component's sentence against what comes to it, raised while a recipe is checked.

    The check adds the file, the line and the dotted path; the sentence itself names only the values.
    """
