"""Calls the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from helpers.zygote import zygote

import rankhub
from rankhub_cli.main import execute


@dataclass(frozen=True)
class Called:
    """How a command ended."""

    code: int
    out: str
    err: str


def call(capsys, *arguments: object) -> Called:
    """In this process, as the entry point does it."""
    capsys.readouterr()
    code = execute([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Called(code, said.out, said.err)


def call_outside(*arguments: object, cwd: Path, python: str = sys.executable, **environment: str) -> Called:
    """In a process of its own, as a user does it."""
    command = [python, "-m", "rankhub", *map(str, arguments)]
    path = os.pathsep.join([str(Path(rankhub.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "COLUMNS": "200", "PYTHONPATH": path, **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=variables, check=False)
    return Called(done.returncode, done.stdout, done.stderr)


def call_forked(*arguments: object, cwd: Path, python: str = sys.executable) -> Called:
    """In a process of its own, which is forked from one that has imported torch and timm."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        parent = zygote(python)
        code = parent.wait(parent.start(*arguments, cwd=cwd, out=out, err=err, COLUMNS="200"))
        return Called(code, out.read_text(), err.read_text())


def stopping(monkeypatch, blocks: int) -> None:
    """Ctrl-C once so many blocks are answered."""
    answers, seen = rankhub.Run.answers, list[int]()

    def stopped(self, *arguments, **options):
        if len(seen) == blocks:
            raise KeyboardInterrupt
        seen.append(1)
        yield from answers(self, *arguments, **options)

    monkeypatch.setattr(rankhub.Run, "answers", stopped)
