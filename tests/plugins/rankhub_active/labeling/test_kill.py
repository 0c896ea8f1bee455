from __future__ import annotations

import subprocess
import sys

import pytest

from rankhub_active.labeling.pool import FILE, Pool
from tools.labeling_kill.ingest import damage, kill_ingest, make_pool

DEADLY = """
import os, signal, sys
from pathlib import Path
from rankhub_active.labeling.pool import Pool

class Deadly:
    def __conform__(self, protocol):  # called when SQLite binds it, in the middle of the transaction
        os.kill(os.getpid(), signal.SIGKILL)

answers = {id: "1.0" for id in range(3000)}
answers[int(sys.argv[2])] = Deadly()
Pool(Path(sys.argv[1])).answer(answers, "x")
"""


def test_ingest_killed_at_random_moments_leaves_all_labels_or_none(tmp_path):
    found = list(kill_ingest(tmp_path, 6, rows=4000, answers=2000))
    assert len(found) == 6
    assert all(each.whole for each in found)
    assert all(each.labels in (0, 2000) for each in found)
    assert all(each.lawful for each in found)


@pytest.mark.parametrize("at", [0, 1500, 2999])
def test_killed_within_the_transaction_nothing_is_changed(tmp_path, at):
    pool = make_pool(tmp_path / "labeling", 4000)
    pool.answer({3500: "2.0"}, "before")
    before = pool.rows()
    done = subprocess.run([sys.executable, "-c", DEADLY, str(pool.folder), str(at)], check=False)
    assert done.returncode == -9
    assert at == 0 or (pool.folder / f"{FILE}-journal").exists()
    again = Pool(pool.folder)
    assert again.rows() == before
    assert not damage(again)
    again.answer({0: "1.0"}, "x")
    assert len(again.rows(state="labeled")) == 2
