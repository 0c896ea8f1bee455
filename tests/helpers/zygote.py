"""Processes that begin with the heavy imports done: each command still runs in a process of its own, seconds sooner.

An interpreter imports torch, torchvision and timm, and nothing of rankhub or of any plugin; it forks for each command.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

_SERVER = """
import gc, json, os, sys
for name in ("torch", "torch.distributed", "torchvision", "timm", "PIL.Image", "yaml", "typer", "rich.console"):
    __import__(name)
gc.freeze()
children = {}
for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        _, status = os.waitpid(asked["wait"], 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], 1), (2, asked["err"], 1)):
            handle = os.open(name, flags if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin = open(0, closefd=False)
        sys.path[:0] = filter(None, asked["environment"].get("PYTHONPATH", "").split(os.pathsep))
        sys.argv = ["rankhub", *asked["arguments"]]
        import runpy
        runpy.run_module("rankhub", run_name="__main__")
        os._exit(70)  # what runs `python -m rankhub` ends the interpreter itself
    print(child, flush=True)
"""


class Zygote:
    """Forks the commands of one interpreter."""

    def __init__(self, python: str) -> None:
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command, pipe = [python, "-P", "-c", _SERVER], subprocess.PIPE
        self._server = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env={**own, "OMP_NUM_THREADS": "1"}
        )
        atexit.register(self._server.kill)

    def start(self, *arguments: object, cwd: Path, out: Path, err: Path, **environment: str) -> int:
        """The number of a process that runs `rankhub` with these arguments."""
        files = {"out": str(out), "err": str(err), "cwd": str(cwd)}
        return self._ask(files | {"arguments": list(map(str, arguments)), "environment": {**os.environ, **environment}})

    def wait(self, process: int) -> int:
        """Its exit code."""
        return self._ask({"wait": process})

    def _ask(self, asked: dict[str, object]) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@functools.cache
def zygote(python: str = sys.executable) -> Zygote:
    """The one of an interpreter, for all tests of this process."""
    return Zygote(python)
