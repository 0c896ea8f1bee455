"""When the threads of torch spin while they wait, and who learns of it."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from rankhub_train import waiting

OURS = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "1000000"}


@pytest.fixture
def alone(monkeypatch):
    """A machine of four cores on which nothing else runs."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(waiting, "_limited", lambda: False)
    monkeypatch.setattr(waiting, "_shared", lambda: False)


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1"}, {"HOME": "/"}])
def test_threads_spin_on_a_free_machine(alone, environment):
    assert waiting.may_spin(environment)


@pytest.mark.parametrize(
    "name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OMP_PROC_BIND", "WORLD_SIZE"]
)
def test_what_the_user_or_a_launcher_has_set_stands(alone, name):
    assert not waiting.may_spin({name: "2"})


@pytest.mark.parametrize(
    ("owner", "name", "others"),
    [
        (os, "sched_getaffinity", lambda _: {0, 1, 2}),
        (waiting, "_limited", lambda: True),
        (waiting, "_shared", lambda: True),
    ],
)
def test_they_do_not_spin_where_others_share_the_cores(alone, monkeypatch, owner, name, others):
    monkeypatch.setattr(owner, name, others, raising=False)
    assert not waiting.may_spin({})


def test_they_do_not_spin_on_a_system_that_does_not_tell(alone, monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_limited", lambda: bool((tmp_path / "none").read_text()))
    assert not waiting.may_spin({})
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert not waiting.may_spin({})


@pytest.mark.parametrize(
    ("own", "file", "text", "limited"),
    [
        ("0::/jobs/one\n", "jobs/one/cpu.max", "max 100000\n", False),
        ("0::/jobs/one\n", "jobs/one/cpu.max", "150000 100000\n", True),
        ("0::/jobs/one\n", "jobs/cpu.max", "150000 100000\n", True),
        ("0::/jobs/one\n", "jobs/two/cpu.max", "150000 100000\n", False),
        ("0::/\n", "cpu.max", "150000 100000\n", True),
        ("9:memory:/a\n4:cpu,cpuacct:/jobs\n", "cpu/jobs/cpu.cfs_quota_us", "50000\n", True),
        ("9:memory:/a\n4:cpu,cpuacct:/jobs\n", "cpu/jobs/cpu.cfs_quota_us", "-1\n", False),
    ],
)
def test_a_limit_of_a_control_group_counts_wherever_it_is_set(tmp_path, monkeypatch, own, file, text, limited):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(waiting, "GROUPS", tmp_path)
    monkeypatch.setattr(waiting, "OWN_GROUPS", tmp_path / "own")
    assert waiting._limited() is limited


@pytest.mark.parametrize(("used", "shared"), [(4, False), (6, True)])
def test_cores_count_as_shared_by_what_is_used_now(tmp_path, monkeypatch, used, shared):
    times = tmp_path / "stat"
    times.write_text("cpu  100 5 20 9000 7 0 1 0 0 0\ncpu0 1 2 3\n")
    monkeypatch.setattr(waiting, "TIMES", times)
    after = f"cpu  {100 + used} 5 20 {9000 + 20 - used} 7 0 1 0 0 0\n"
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: times.write_text(after))
    assert waiting._shared() is shared


def test_the_variables_stand_only_inside_and_only_before_torch(monkeypatch):
    monkeypatch.setattr(waiting, "may_spin", lambda environment: True)
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    with waiting.spinning():
        assert not OURS.keys() & os.environ.keys()  # torch is there: too late
    monkeypatch.delitem(sys.modules, "torch")
    with suppress(KeyError), waiting.spinning():
        assert OURS.items() <= os.environ.items()
        raise KeyError
    assert not OURS.keys() & os.environ.keys()


VERBS = """
import importlib.abc, os, sys
from rankhub_cli.main import execute
from rankhub_train import waiting
waiting.may_spin = lambda environment: True

class Torch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            said.append((os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT")))
            raise ValueError("torch is wanted")

sys.meta_path.insert(0, Torch())
for line in {lines}:
    said = []
    try:
        execute(line)
    except ValueError as error:
        pass
    print(line[0], *said[:1], os.environ.get("OMP_WAIT_POLICY"))
"""


def test_verbs_that_train_or_predict_import_torch_so_and_no_others(tmp_path):
    """Each is stopped where it wants torch for the first time."""
    image = tmp_path / "image.png"
    image.write_bytes(b"")
    lines = [
        ["run", "s2r2_folder", f"data.photos.root={tmp_path}"],
        ["run", "--resume", "nowhere"],
        ["audit", "nowhere", str(image)],
        ["embed", "nowhere", str(image), "--out", str(tmp_path / "vectors")],
        ["evaluate", "nowhere"],
        ["predict", "nowhere", str(image)],
        ["index", "nowhere", str(image), "--out", str(tmp_path / "index")],
        ["label", "next", "--folder", str(tmp_path)],
        ["label", "train", "--folder", str(tmp_path)],
        ["validate", "s2r2_folder"],
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "GOMP"))}
    code = VERBS.format(lines=lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    verbs = [line[0] for line in lines[:-1]]
    assert done.stdout.splitlines() == [
        *(f"{verb} ('ACTIVE', '1000000') None" for verb in verbs),
        "validate (None, None) None",
    ], done.stderr
