"""What benchmarks of memory share: a process of its own for each measurement, and a limit on its memory (Linux)."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


def status(key: str) -> int:
    """Bytes of a line of this process's memory account."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}; this benchmark needs Linux")


def limit_memory(gigabytes: float) -> int:
    """Let this process take so much above what it has now; returns the bytes that it holds."""
    limit = status("VmSize") + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return status("VmRSS")


def is_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether an error, of torch or of Python, says that there was not enough memory."""
    return isinstance(error, MemoryError) or "memory" in str(error).lower()


def in_a_process(module: str, what: str, *arguments: str, answer: str = "answer") -> Any:
    """What the function ``answer`` of a module of the tools prints in a process of its own; None: of too little memory.

    Raises:
        SystemExit: It failed for another reason; with its message.
    """
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    program += f"from {module} import {answer}; {answer}(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    # The system killed it, or it failed where it could not catch a lack of memory.
    told = any(sign in done.stderr for sign in ("MemoryError", "std::bad_alloc", "annot allocate memory"))
    if done.returncode == -signal.SIGKILL or (done.returncode and told):
        return None
    if done.returncode:
        raise SystemExit(f"measuring {what} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
