"""The sbatch files of SLURM.md, run by bash, with stand-ins for SLURM's commands and for torchrun."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.papers import blocks

PAGE = Path(__file__).parents[3] / "plugins/rankhub_torchrun/SLURM.md"
ONE, SEVERAL = 0, 1
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("bash") is None, reason="the files are for bash on Linux"
)

SRUN = """
while [[ "$1" == --* ]]; do shift; done
exec setsid -w bash -c 'echo $$ > group; exec "$@"' task "$@"
"""
"""A task is a group of processes, to all of which SLURM sends a signal."""

SCANCEL = 'kill -"${1#--signal=}" -- -"$(cat group)"'

SCONTROL = """
case "$1 $2" in
    "show hostnames") printf '127.0.0.1\\nother\\n' ;;
    "show config") printf 'SlurmctldPort           = 1\\nSlurmdPort              = %s\\n' "$SLURMD" ;;
    *) echo "$*" >> asked ;;
esac
"""

TORCHRUN = """
echo "$*" > called
[ "$WAITS" = yes ] || exit "$CODE"
trap 'sleep 0.2; exit $CODE' USR1
touch waits
while :; do sleep 0.02; done
"""


def start(folder: Path, which: int, code: int, slurmd: int = 0, waits: bool = False) -> subprocess.Popen[str]:
    """Start a file of the page, in which torchrun ends by a code, at once or after SIGUSR1."""
    stand_ins = {"srun": SRUN, "scancel": SCANCEL, "scontrol": SCONTROL, "torchrun": TORCHRUN}
    for name, text in stand_ins.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}")
        (folder / name).chmod(0o755)
    (folder / "job").write_text(blocks(PAGE.read_text())["sh"][which])
    variables = {"SLURM_JOB_ID": "31234", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "two"}
    variables |= {"CODE": str(code), "SLURMD": str(slurmd), "WAITS": "yes" if waits else "no"}
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.Popen(["bash", "job"], cwd=folder, env={**os.environ, **variables, "PATH": path}, text=True)


def asked(folder: Path) -> list[str]:
    """What the job has asked SLURM for."""
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


@pytest.mark.parametrize("which", [ONE, SEVERAL])
@pytest.mark.parametrize(("code", "then"), [(1, ["requeue 31234"]), (0, [])])
def test_at_the_end_of_its_time_a_job_is_queued_again_once_unless_the_run_is_finished(tmp_path, which, code, then):
    with socket.create_server(("127.0.0.1", 0)) as slurmd:
        job = start(tmp_path, which, code, slurmd.getsockname()[1], waits=True)
        until = time.monotonic() + 60
        while not (tmp_path / "waits").exists() and time.monotonic() < until:
            time.sleep(0.01)
        job.send_signal(signal.SIGUSR1)
        assert job.wait(60) == 0
    assert asked(tmp_path) == then


@pytest.mark.parametrize("which", [ONE, SEVERAL])
@pytest.mark.parametrize("code", [0, 1])
def test_a_run_that_ends_by_itself_ends_the_job_by_its_code_and_is_not_queued_again(tmp_path, which, code):
    with socket.create_server(("127.0.0.1", 0)) as slurmd:
        assert start(tmp_path, which, code, slurmd.getsockname()[1]).wait(60) == code
    assert asked(tmp_path) == []


def test_the_machine_with_the_shell_of_the_job_is_gone_and_another_one_has_it_queued_again(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert start(tmp_path, SEVERAL, 1, port).wait(60) == 1
    assert asked(tmp_path) == ["requeue 31234"]


def test_jobs_that_share_a_machine_have_rendezvous_of_their_own(tmp_path):
    start(tmp_path, SEVERAL, 0).wait(60)
    assert "--rdzv-endpoint=127.0.0.1:21234 --rdzv-id=31234.0 " in (tmp_path / "called").read_text()
