"""A process ends with the one that has started it, also where that one was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

SCRIPT = """
import multiprocessing, sys, time
from rankhub_train.children import end_with_parent

def child():
    if sys.argv[1] == "follows":
        end_with_parent()
    print(multiprocessing.current_process().pid, flush=True)
    time.sleep(60)

multiprocessing.get_context("fork").Process(target=child).start()
time.sleep(60)
"""


def is_there(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("how", ["follows", "stays"])
def test_a_process_ends_with_its_parent(how):
    with subprocess.Popen([sys.executable, "-c", SCRIPT, how], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_there(child)
        parent.kill()
        parent.wait()
        until = time.monotonic() + (20 if how == "follows" else 1)
        while is_there(child) and time.monotonic() < until:
            time.sleep(0.05)
        left = is_there(child)
        if left:
            os.kill(child, 9)
    assert left == (how == "stays")
