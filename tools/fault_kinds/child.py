"""Commands and calls in forked children: everything is imported once, and a fault strikes where a trap says."""

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import os
import pickle
import pkgutil
import re
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

_PATHS = {"open": 1, "os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.link": 2}
_PATHS |= {"os.symlink": 2, "shutil.rmtree": 1, "tempfile.mkdtemp": 1, "tempfile.mkstemp": 1, "sqlite3.connect": 1}
"""Python's audit events that change a folder, and how many of their arguments are paths."""

_TAKES_ROOM = {"open", "os.mkdir", "os.rename", "os.link", "os.symlink", "tempfile.mkdtemp", "tempfile.mkstemp"}
"""Those that a full disk refuses; a read-only one refuses all."""

SENTENCE = "error: "
"""With it begins what the command line says of what the user can mend."""


@dataclass(frozen=True)
class Trap:
    """Where a fault strikes, in terms that do not depend on the machine's load.

    Attributes:
        how: ``event``: at the so-many-th change of a file under the root; ``cpu``: after so many seconds of CPU time;
            ``size``: at the write with which a file would exceed so many bytes.
        at: The number of that.
        do: A signal's name; or that of an error number, which all later changes get as well; or ``GONE``: the folder
            ``run`` is removed.
    """

    how: str
    at: float
    do: str

    def __str__(self) -> str:
        return f"{self.do} at {self.how} {self.at:g}"


@dataclass(frozen=True)
class CommandEnd:
    """How a command ended: exit code (negative: by that signal; -99: not in time), what it said, CPU seconds, memory.

    ``peak`` is in MB, and ``events`` are the changes of files.
    """

    code: int
    out: str
    err: str
    cpu: float
    peak: float = 0.0
    events: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All that it said."""
        return self.out + self.err

    def wrong(self, *codes: int) -> str | None:
        """What is wrong with this end if one of these codes was due; None if nothing is. Code 2 takes one sentence."""
        last = " | ".join(self.said.strip().splitlines())[-300:]
        if "Traceback (most recent call last)" in self.said:
            return f"a traceback: {last}"
        if self.code not in codes:
            return f"exit {self.code} in place of {' or '.join(map(str, codes))}: {last}"
        return None if self.code != 2 or _is_one_sentence(self.err) else f"not one sentence: {last}"


def _is_one_sentence(said: str) -> bool:
    """One error; its list, if it has one, is indented and may end with the number of its items."""
    lines = said.splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith(SENTENCE)), None)
    if first is None or "weights_only" in said:  # advice to load what was refused, see torch.load
        return False
    rest = [line for line in lines[first + 1 :] if line and not line.startswith("  ")]
    return not rest or (len(rest) == 1 and re.match(r"\d+ errors? in ", rest[0]) is not None)


def rankhub(
    arguments: Sequence[object], root: Path, trap: Trap | None = None, limit: float = 240, *, unread: bool = False
) -> CommandEnd:
    """Run `rankhub` with these arguments in the folder ``root``, in a child; ``unread``: nobody takes its output."""
    log, pipes = root / f".events.{os.getpid()}", (os.pipe(), os.pipe())
    child = os.fork()
    if child == 0:
        _begin(root, pipes[0][1], pipes[1][1])
        events = _arm(trap, root)
        code = 1
        try:
            sys.argv = ["rankhub", *map(str, arguments)]
            importlib.import_module("rankhub_cli.main").main()
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        _end(code, lambda: log.write_text("\n".join(events)))
    for _, end in pipes:
        os.close(end)
    heard = [start for start, _ in pipes]
    if unread:
        os.close(heard[0])
        heard[0] = os.open(os.devnull, os.O_RDONLY)
    code, cpu, peak, said = _wait(child, limit, heard)
    events = log.read_text(errors="replace").splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return CommandEnd(code, said[0], said[1], cpu, peak, events)


@dataclass(frozen=True)
class Told:
    """What became of a call: its value; or the sentence of a UserError; or what went wrong otherwise."""

    value: Any = None
    sentence: str | None = None
    broken: str | None = None
    grown: float = 0.0  # memory at its peak over what it was, in MB


def call(function: Callable[[], Any], root: Path, limit: float = 60) -> Told:
    """Call a function in a child, in the folder ``root``."""
    answer = root / f".answer.{os.getpid()}"
    child = os.fork()
    if child == 0:
        _begin(root, *[os.open(os.devnull, os.O_WRONLY)] * 2)
        before = _peak(now=True)
        told = Told(broken="ended without an answer")
        try:
            told = Told(function(), grown=_peak() - before)
        except BaseException as error:
            if any(each.__name__ == "UserError" for each in type(error).__mro__):
                told = Told(sentence=str(error), grown=_peak() - before)
            else:
                told = Told(broken=f"a traceback: {traceback.format_exc(limit=-2)[-400:]}", grown=_peak() - before)
        _end(0, lambda: answer.write_bytes(pickle.dumps(told)))
    code, *_ = _wait(child, limit)
    try:
        return pickle.loads(answer.read_bytes()) if code == 0 else Told(broken=f"ended by signal or limit ({code})")
    finally:
        answer.unlink(missing_ok=True)


def warm(packages: Sequence[str], root: Path | None = None, *commands: Sequence[object]) -> None:
    """Import, here and once, whole packages, and all else that these commands import in the folder ``root``."""
    names = [name for package in packages for name in _modules(package)]
    _import(names)
    for command in commands if root is not None else ():
        assert root is not None
        told = call(partial(_imported_by, command), root, limit=120)
        _import(told.value or ())


def _modules(package: str) -> list[str]:
    found = importlib.import_module(package)
    return [package, *(info.name for info in pkgutil.walk_packages(found.__path__, f"{package}."))]


def _import(names: Sequence[str]) -> None:
    for name in names:
        if name not in sys.modules and not name.endswith("__main__"):
            try:
                importlib.import_module(name)
            except Exception:  # a module that its own package makes, or that is not for import alone
                continue


def _imported_by(command: Sequence[object]) -> list[str]:
    with contextlib.suppress(BaseException):
        importlib.import_module("rankhub_cli.main").execute(list(map(str, command)))
    return list(sys.modules)


def _begin(root: Path, out: int, err: int) -> None:
    """Make a child what a command's process is: its own output, default signals, no core files."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for handle, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(handle, number)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", 1, closefd=False), open(2, "w", 1)  # noqa: SIM115
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(root)


def _arm(trap: Trap | None, root: Path) -> list[str]:
    """Set a trap; returns the list that takes the changes of files."""
    events: list[str] = []
    if trap is not None and trap.how == "size":
        if hasattr(signal, trap.do):  # a write that is cut short ends the process, in place of the error
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(trap.at), resource.RLIM_INFINITY))
    elif trap is not None and trap.how == "cpu":
        deadly = trap.do == "SIGKILL"  # the timer's own signal ends a process as SIGKILL does
        act = signal.SIG_DFL if deadly else lambda *_: os.kill(os.getpid(), getattr(signal, trap.do))
        signal.signal(signal.SIGPROF, act)
        signal.setitimer(signal.ITIMER_PROF, trap.at)
    base = f"{os.path.realpath(root)}/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _PATHS or (event == "open" and not _writes(arguments)):
            return
        paths = [os.path.abspath(os.fsdecode(each)) for each in arguments[: _PATHS[event]] if _is_path(each)]
        if not paths or not f"{paths[-1]}/".startswith(base):
            return
        counts = threading.current_thread() is threading.main_thread()  # others come when they come
        if counts:
            events.append(f"{event} {' '.join(path[len(base) :] for path in paths)}")
        if trap is None or trap.how != "event" or len(events) < trap.at:
            return
        if hasattr(errno, trap.do):
            if trap.do == "EROFS" or event in _TAKES_ROOM:
                number = getattr(errno, trap.do)
                raise OSError(number, os.strerror(number), paths[-1])
        elif counts and len(events) == trap.at:
            if trap.do == "GONE":
                shutil.rmtree(f"{base}run", ignore_errors=True)
            else:
                os.kill(os.getpid(), getattr(signal, trap.do))

    sys.addaudithook(hook)
    return events


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, bytes, os.PathLike))


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if mode is None else any(c in str(mode) for c in "wax+")


def _end(code: int, last: Callable[[], Any]) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        last()
    finally:
        os._exit(code)


def _wait(child: int, limit: float, pipes: Sequence[int] = ()) -> tuple[int, float, float, list[str]]:
    """Exit code, or the negative number of a signal, CPU seconds, MB, and what came through the pipes.

    The code is -99 where it did not end in time.
    """
    until, said = time.monotonic() + limit, [b"" for _ in pipes]
    for pipe in pipes:
        os.set_blocking(pipe, False)
    code, used = None, resource.getrusage(resource.RUSAGE_SELF)
    while code is None:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        elif time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            code = -99
        else:
            time.sleep(0.005)
        for at, pipe in enumerate(pipes):
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(pipe, 1 << 16):
                    said[at] += piece
    for pipe in pipes:
        os.close(pipe)
    return code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3, [text.decode(errors="replace") for text in said]


def _peak(now: bool = False) -> float:
    """Memory of this process in MB: at its peak, or now."""
    if now:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
