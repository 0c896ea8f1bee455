"""Commands and calls in forked children: everything is imported once, and a fault strikes where a trap says."""

from __future__ import annotations

import atexit
import errno
import importlib
import os
import pickle
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PATHS = {"open": 1, "os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.link": 2}
_PATHS |= {"os.symlink": 2, "shutil.rmtree": 1, "tempfile.mkdtemp": 1, "tempfile.mkstemp": 1, "sqlite3.connect": 1}
"""Python's audit events that change a folder, and how many of their arguments are paths."""

_TAKES_ROOM = {"open", "os.mkdir", "os.rename", "os.link", "os.symlink", "tempfile.mkdtemp", "tempfile.mkstemp"}
"""Those that a full disk refuses; a read-only one refuses all."""

SENTENCE = "error: "


@dataclass(frozen=True)
class Trap:
    """Where a fault strikes, in terms that do not depend on the machine's load.

    Attributes:
        how: ``event``: at the so-many-th change of a file under the root; ``cpu``: after so many seconds of CPU time;
            ``size``: at the write with which a file would exceed so many bytes.
        at: The number of that.
        do: A signal's name, or that of an error number, which all later changes get as well.
    """

    how: str
    at: float
    do: str

    def __str__(self) -> str:
        return f"{self.do} at {self.how} {self.at:g}"


@dataclass(frozen=True)
class Ended:
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
        if "Traceback (most recent call last)" in self.said:
            return f"a traceback: {self.err.strip().splitlines()[-1][:300]}"
        if self.code not in codes:
            return f"exit {self.code} in place of {' or '.join(map(str, codes))}: {self.said.strip()[-300:]}"
        if self.code == 2 and self.err.count(SENTENCE) != 1:
            return f"not one sentence: {self.err[-300:]!r}"
        return None


def rankhub(arguments: Sequence[object], root: Path, trap: Trap | None = None, limit: float = 60) -> Ended:
    """Run `rankhub` with these arguments in the folder ``root``, in a child."""
    out, err, log = (root / f".said.{os.getpid()}.{name}" for name in ("out", "err", "events"))
    child = os.fork()
    if child == 0:
        _begin(root, out, err)
        events = _arm(trap, root)
        code = 1
        try:
            sys.argv = ["rankhub", *map(str, arguments)]
            importlib.import_module("rankhub.cli.main").main()
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        _end(code, lambda: log.write_text("\n".join(events)))
    code, cpu, peak = _wait(child, limit)
    said = [path.read_text(errors="replace") if path.exists() else "" for path in (out, err, log)]
    for path in (out, err, log):
        path.unlink(missing_ok=True)
    return Ended(code, said[0], said[1], cpu, peak, said[2].splitlines())


@dataclass(frozen=True)
class Told:
    """What became of a call: its value; or the sentence of a UserError; or what went wrong otherwise."""

    value: Any = None
    sentence: str | None = None
    broken: str | None = None
    grown: float = 0.0  # memory at its peak over what it was, in MB


def call(function: Callable[[], Any], root: Path, limit: float = 20) -> Told:
    """Call a function in a child, in the folder ``root``."""
    answer = root / f".answer.{os.getpid()}"
    child = os.fork()
    if child == 0:
        _begin(root, Path(os.devnull), Path(os.devnull))
        before = _peak(now=True)
        told = Told(broken="ended without an answer")
        try:
            told = Told(function(), grown=_peak() - before)
        except BaseException as error:
            if any(each.__name__ == "UserError" for each in type(error).__mro__):
                told = Told(sentence=str(error), grown=_peak() - before)
            else:
                told = Told(broken=f"a traceback: {traceback.format_exc()[-600:]}", grown=_peak() - before)
        _end(0, lambda: answer.write_bytes(pickle.dumps(told)))
    code, *_ = _wait(child, limit)
    try:
        return pickle.loads(answer.read_bytes()) if code == 0 else Told(broken=f"ended by signal or limit ({code})")
    finally:
        answer.unlink(missing_ok=True)


def warm(root: Path, *commands: Sequence[object]) -> None:
    """Import, here and once, all that these commands import."""
    for number, command in enumerate(commands):
        names = root / f".modules.{number}"
        child = os.fork()
        if child == 0:
            _begin(root, Path(os.devnull), Path(os.devnull))
            try:
                importlib.import_module("rankhub.cli.main").execute(list(map(str, command)))
            finally:
                _end(0, lambda names=names: names.write_text("\n".join(sys.modules)))  # type: ignore[misc]
        _wait(child, 120)
        for name in names.read_text().splitlines():
            try:
                importlib.import_module(name)
            except Exception:  # a module that its own package makes, or that is not for import alone
                continue
        names.unlink()


def _begin(root: Path, out: Path, err: Path) -> None:
    """Make a child what a command's process is: its own output, default signals, no core files."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for number, path in ((1, out), (2, err)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
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
    base, own = f"{os.path.realpath(root)}/", f"{root}/.said."

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _PATHS or (event == "open" and not _writes(arguments)):
            return
        paths = [os.path.abspath(os.fsdecode(each)) for each in arguments[: _PATHS[event]] if _is_path(each)]
        if not paths or not f"{paths[-1]}/".startswith(base) or paths[-1].startswith(own):
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


def _wait(child: int, limit: float) -> tuple[int, float, float]:
    """Exit code, or the negative number of a signal, CPU seconds and MB; -99 where it did not end in time."""
    until = time.monotonic() + limit
    while True:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            return code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -99, limit, 0.0
        time.sleep(0.005)


def _peak(now: bool = False) -> float:
    """Memory of this process in MB: at its peak, or now."""
    if now:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
