"""`rankhub label serve` in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

BUDGET = 60
"""Seconds that anything may take."""


class Served:
    """The command in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "rankhub", "label", "serve", "--folder", str(folder), "--no-open", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts what it runs in the background deaf to Ctrl-C, and tests may be run so.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.line = self.process.stdout.readline().strip()

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=BUDGET) as answer:
            return answer.read()

    def answer(self, id: int, label: object):
        version = json.loads(self.get(f"api/images/{id}"))["version"]
        body = json.dumps({"version": version, "label": label}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}api/images/{id}", body, headers)
        with urllib.request.urlopen(request, timeout=BUDGET) as answer:
            return json.loads(answer.read())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=BUDGET)
        return self.process.returncode, out, err
