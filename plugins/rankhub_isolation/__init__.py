"""Official plugin: goes on without plugins that end or hang the program, and without those that are switched off.

Which plugin is about to be imported is noted in a file that is locked while its process lives. A note without its lock
is of a process that ended meanwhile, for whatever reason: that plugin is tried in a child process first, and is left
out where that ends too. Nothing is noted where no file can be written or locked.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from rankhub import BrokenPlugin, Plugin, PluginSource

Ask = Callable[[PluginSource], Plugin | BrokenPlugin]

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

DISABLE = "RANKHUB_DISABLE"
"""Environment variable with the names of plugins that are switched off, with commas between them."""

LIMIT, AT_START = 10.0, 5.0
"""Seconds that a plugin has to be imported and to answer in a process of its own: on demand, and at a start."""

AGAIN = " again"
"""Ends the note of a plugin that an ended process had noted too: if this one ends as well, no other trial is made."""

ONLY: list[str] = []
"""In a child process that tries a plugin: that one."""

_ANSWERED = b"\nrankhub: answered\n"
_own: set[str] = set()


def ask_installed(sources: Sequence[PluginSource], ask: Ask, check: bool) -> Iterator[Plugin | BrokenPlugin]:
    """The answer of every installed plugin; ``check``: after a trial of each in a child process."""
    if ONLY:
        _answer(sources, ask)
    off = {name.strip() for name in os.environ.get(DISABLE, "").split(",")} - {""}
    if unknown := off.difference(source.owner for source in sources):
        _say(f"{DISABLE} names {sorted(unknown)[0]!r}, which is no installed plugin; see `rankhub plugins list`")
    note = _Note()
    suspects = note.left_behind()
    if check:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            listed = [source for source in sources if source.owner not in off]
            note.leave_out(dict(zip(map(_key, listed), pool.map(tried, listed), strict=True)))

    def asking(source: PluginSource) -> Plugin | BrokenPlugin:
        facts, key = (source.owner, source.distribution, source.version), _key(source)
        if source.owner in off:
            return BrokenPlugin(*facts, f"{DISABLE} switches it off", off=True)
        suspect = key in suspects and not check
        note.write(key + AGAIN * suspect)
        if suspect and key not in note.left_out:
            _say(f"rankhub ended as it imported plugin {source.owner}, which is tried now, for {AT_START:g} s at most")
            twice = "it ended the program twice while it was imported"
            note.leave_out({key: twice if suspects[key] else tried(source, AT_START)})
            if key in note.left_out:
                _say(f"plugin {source.owner} is left out: {note.left_out[key]}")
        if key in note.left_out:
            again = "`rankhub plugins list --check` tries it again"
            return BrokenPlugin(*facts, f"{note.left_out[key]}; uninstall or mend it, then {again}")
        return ask(source)

    try:
        yield from map(asking, sources)
    except KeyboardInterrupt:
        note.end(keep=True)
        raise
    note.end()


def tried(source: PluginSource, seconds: float = LIMIT) -> str | None:
    """How a child process that imports and asks a plugin ends, if not by its answer, be that good or bad."""
    import signal
    import subprocess
    import tempfile

    code = f"import {__name__} as own, rankhub; own.ONLY.append({source.owner!r}); rankhub.Catalog.discover()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as said:
        command, nothing = [sys.executable, "-P", "-c", code], subprocess.DEVNULL
        streams: dict[str, Any] = {"stdin": nothing, "stdout": said, "stderr": nothing}
        child = subprocess.Popen(command, env=environment, start_new_session=True, **streams)
        try:
            ended = child.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"it does not answer within {seconds:g} s"
        finally:
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        said.seek(0)
        if said.read().endswith(_ANSWERED):
            return None
    return f"it ends the program ({signal.Signals(-ended).name if ended < 0 else f'exit code {ended}'})"


def _answer(sources: Sequence[PluginSource], ask: Ask) -> None:
    """What a child process does: ask one plugin, say so, and end, whatever threads it left."""
    for source in sources:
        if source.owner in ONLY:
            ask(source)
    os.write(1, _ANSWERED)
    os._exit(0)


def _key(source: PluginSource) -> str:
    return " ".join((sys.prefix, source.owner, source.distribution, source.version))


@cache  # however often one process asks its plugins
def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


class _Note:
    """This process's note, and what is known of earlier ones: ``left_out``, key -> reason."""

    def __init__(self) -> None:
        self.folder = os.path.join(os.path.expanduser("~"), ".cache", "rankhub", "plugins")
        self.name = f"importing-{os.getpid()}-{time.time_ns()}"
        self.left_out: dict[str, str] = {}
        self._handle: int | None = None
        with suppress(OSError, ValueError), open(self._path("left_out"), encoding="utf-8") as file:
            self.left_out = dict(line.rstrip("\n").split("\t", 1) for line in file)
        with suppress(OSError):
            os.makedirs(self.folder, exist_ok=True)
            if fcntl is not None:
                _own.add(self.name)
                self._handle = os.open(self._path(self.name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by a fork, unlike flock

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, text: str) -> None:
        """Say what is imported now."""
        if self._handle is not None:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
                os.pwrite(self._handle, os.fsencode(text), 0)

    def left_behind(self) -> Mapping[str, bool]:
        """What ended processes had noted, taken away; key -> whether it had been noted before."""
        found: dict[str, bool] = {}
        with suppress(OSError):
            for name in [] if self._handle is None else os.listdir(self.folder):
                if not name.startswith("importing-") or name in _own:
                    continue
                handle = os.open(self._path(name), os.O_RDWR)
                try:
                    fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    text = os.fsdecode(os.read(handle, 4096))
                    os.unlink(self._path(name))
                except OSError:
                    continue  # its process lives
                finally:
                    os.close(handle)
                key = text.removesuffix(AGAIN)
                found[key] = found.get(key, False) or key != text
        return found

    def leave_out(self, reasons: Mapping[str, str | None]) -> None:
        """Remember which plugins are left out, and which are not any more (None)."""
        known = {key: reason for key, reason in {**self.left_out, **reasons}.items() if reason is not None}
        if known != self.left_out:
            self.left_out = known
            with suppress(OSError):
                with open(self._path(self.name + ".partial"), "w", encoding="utf-8") as file:
                    file.writelines(f"{key}\t{reason}\n" for key, reason in known.items())
                os.replace(file.name, self._path("left_out"))

    def end(self, keep: bool = False) -> None:
        """Take the note away, or ``keep`` it where the user ended the import: it may have hung."""
        _own.discard(self.name)
        if self._handle is not None:
            with suppress(OSError):
                if not keep:
                    os.unlink(self._path(self.name))
                os.close(self._handle)
