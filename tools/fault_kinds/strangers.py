"""Plugins that are broken or mean no good: the others go on working, and the culprit is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

from fault_kinds.world import RECIPE, FaultType, World

_HOOK = "import rankhub\n@rankhub.hookimpl\ndef rankhub_components():\n    return "
_LOSS = "rankhub.Component('loss', {}, 'g_bad:X', 'a loss')"
_RECURSION = "import sys\nsys.setrecursionlimit(50)\n"

DEADLY: dict[str, str] = {
    "hangs": "import time\ntime.sleep(3600)",
    "hangs in its hook": _HOOK + "__import__('time').sleep(3600)",
    "turns without end": "while True:\n    pass",
    "ends the process": "import os\nos._exit(3)",
    "ends the process as if all were well": "import os\nos._exit(0)",
    "kills itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "faults in C": "import ctypes\nctypes.string_at(0)",
    "lists without end": "import itertools\n" + _HOOK + f"({_LOSS.format('str(i)')} for i in itertools.count())",
    "leaves a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n"
    + _HOOK
    + f"[{_LOSS.format(repr('a'))}]",
}
"""May end or hold the first start that meets them; the next one names them and works."""

BROKEN: dict[str, str] = {
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit('x')",
    "CancelledError": "import asyncio\nraise asyncio.CancelledError()",
    "a BaseException of its own": "class B(BaseException):\n    pass\nraise B('boo')",
    "SystemExit": "raise SystemExit(0)",
    "a syntax error": "def (:",
    "an import that is not there": "import no_such_module_at_all",
    "no bytes of Python": "\0\0\0",
    "a recursion": "def f():\n    return f()\nf()",
    "a low recursion limit": _RECURSION + _HOOK + f"[{_LOSS.format(repr('a'))}]",
    "an error whose text fails": "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E",
    "KeyboardInterrupt in its hook": _HOOK + "(_ for _ in ()).throw(KeyboardInterrupt)",
    "a number in place of a list": _HOOK + "3",
    "an unknown kind": _HOOK + "[rankhub.Component('mystery', 'a', 'g_bad:X', 'a')]",
    "no hook": "x = 1",
    "another interface": "RANKHUB_API = 99\n" + _HOOK + "[]",
    "a name twice": _HOOK + f"[{_LOSS.format(repr('a'))}, {_LOSS.format(repr('a'))}]",
    "a clash with an official loss": _HOOK + f"[{_LOSS.format(repr('smooth_ap'))}]",
}
"""Hold no start up at all."""
_NAME = "g_bad"
_STRIDE = 5
"""A part of them has some of each: it shares no divisor with their number."""
_SOUND = {"a clash with an official loss", "a low recursion limit", "leaves a thread"}
"""Work as far as `plugins list --check` can tell."""


def install(folder: Path, source: str) -> Path:
    """Write the plugin as an installed one."""
    record = folder / f"{_NAME}-1.0.dist-info"
    record.mkdir(parents=True)
    (folder / f"{_NAME}.py").write_text(source)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: g-bad\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(f"[rankhub.plugins]\n{_NAME} = {_NAME}\n")
    return folder


def stranger(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One bad plugin on the path of processes of their own."""
    every = [*BROKEN, *DEADLY]
    what = every[number * _STRIDE % len(every)]
    install(root / "plugin", {**BROKEN, **DEADLY}[what])
    if what in DEADLY:  # the start that notes it
        _start(root, "--help", limit=8)
    for arguments, code in ((("--help",), 0), (("plugins", "list"), 0)):
        ended = _start(root, *arguments)
        if isinstance(ended, str):
            return what, f"rankhub {' '.join(arguments)}: {ended}"
        if ended.returncode != code or "Traceback" in ended.stderr:
            return what, f"rankhub {' '.join(arguments)}: exit {ended.returncode}: {ended.stderr[-300:]}"
        if arguments[0] == "plugins" and _NAME not in ended.stdout + ended.stderr:
            return what, f"plugins list does not name it: {ended.stdout[-300:]}"
    if what in _SOUND or number % 4 == 0:  # imports torch, which takes longer than all else here
        (root / "tiny.yaml").write_text(RECIPE)
        checked = _start(root, "validate", "tiny.yaml", limit=120)
        if isinstance(checked, str) or "Traceback" in checked.stderr or checked.returncode not in (0, 2):
            return what, f"rankhub validate: {checked if isinstance(checked, str) else checked.stderr[-300:]}"
    ended = _start(root, "plugins", "list", "--check", limit=120)
    if isinstance(ended, str):
        return what, f"plugins list --check: {ended}"
    if (what not in _SOUND and ended.returncode == 0) or _NAME not in ended.stdout + ended.stderr:
        return what, f"plugins list --check: exit {ended.returncode}: {(ended.stdout + ended.stderr)[-200:]}"
    ended = _start(root, "--help", RANKHUB_DISABLE=_NAME)
    if isinstance(ended, str) or ended.returncode or _NAME in ended.stderr:
        return what, f"with RANKHUB_DISABLE={_NAME}: {ended if isinstance(ended, str) else ended.stderr[-300:]}"
    return what, None


def _start(root: Path, *arguments: str, limit: float = 30, **more: str) -> subprocess.CompletedProcess[str] | str:
    """A process of its own, in a home of its own; a sentence if it does not end."""
    path = os.pathsep.join([str(root / "plugin"), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, "PYTHONPATH": path, "HOME": str(root), "XDG_CACHE_HOME": str(root / ".cache"), **more}
    command = [sys.executable, "-m", "rankhub", *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, cwd=root, env=variables, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return f"does not end within {limit:g} s"


KINDS = [FaultType("plugins", len(BROKEN) + len(DEADLY), stranger, 6, runs=False)]
