"""Plugins that end or hang the program: the next start names them and goes on without them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOOD = """
import rankhub
@rankhub.hookimpl
def rankhub_verbs():
    return [rankhub.Verb("strange", "stranger:strange", "A verb.")]
"""


class Place:
    """A home, and a folder on the path with plugins."""

    def __init__(self, folder: Path):
        self.home, self.path = folder / "home", folder / "path"

    def plugin(self, code, name="stranger"):
        facts = self.path / f"{name}-1.0.dist-info"
        facts.mkdir(parents=True, exist_ok=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[rankhub.plugins]\n{name} = {name}\n")
        (self.path / f"{name}.py").write_text(code)

    def start(self, *arguments, code=None, **environment):
        command = ["-m", "rankhub", *arguments] if code is None else ["-c", code]
        given = {"HOME": str(self.home), "PYTHONPATH": str(self.path), **environment}
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.path,
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, **given):
        process = self.start(*arguments, **given)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def until_it_imports(self, process):
        """Wait until a process notes that it imports the stranger."""
        folder = self.home / ".cache/rankhub/plugins"
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            if any(" stranger " in file.read_text() for file in folder.glob(f"importing-{process.pid}-*")):
                return
            time.sleep(0.02)
        process.kill()
        pytest.fail("it does not import the stranger")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("code", "ended", "said"),
    [
        ("import os; os._exit(0)", 0, "it ends the program (exit code 0)"),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, "it ends the program (SIGSEGV)"),
    ],
)
def test_a_plugin_that_ends_the_program_is_named_at_the_next_start_and_left_out_then_until_it_passes(
    place, code, ended, said
):
    place.plugin(code)
    assert place.run("plugins", "list")[:2] == (ended, "")
    code, out, err = place.run("plugins", "list")
    assert code == 0
    assert f"broken  stranger (stranger 1.0): {said}; uninstall or mend it, then `rankhub plugins list --check`" in out
    assert "rankhub_s2r2" in out
    assert f"plugin stranger is left out: {said}" in err
    code, out, err = place.run("plugins", "list")
    assert (code, err) == (0, "")
    assert said in out
    place.plugin(GOOD)
    assert said in place.run("plugins", "list")[1]
    code, out, err = place.run("plugins", "list", "--check")
    assert (code, err) == (0, "")
    assert "broken" not in out
    assert "broken" not in place.run("plugins", "list")[1]


def test_a_plugin_that_hangs_is_named_at_the_next_start(place):
    place.plugin("import time\nwhile True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass")
    process = place.start("plugins", "list")
    place.until_it_imports(process)
    process.kill()
    process.communicate()
    quick = "import rankhub_isolation; rankhub_isolation.AT_START = 1.0; from rankhub_cli.main import execute; "
    code, out, err = place.run(code=quick + "execute(['plugins', 'list'])")
    assert code == 0
    assert "rankhub ended as it imported plugin stranger, which is tried now" in err
    assert "broken  stranger (stranger 1.0): it does not answer within 1 s" in out


def test_ctrl_c_ends_a_start_that_hangs_and_two_in_a_row_leave_the_plugin_out_without_a_trial(place):
    place.plugin("import time; time.sleep(3600)")
    for said in ("", "note: rankhub ended as it imported plugin stranger"):
        process = place.start("plugins", "list")
        place.until_it_imports(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, ""), err
        assert err.startswith(said)
    code, out, err = place.run("plugins", "list")
    assert code == 0
    assert "stranger 1.0): it ended the program twice while it was imported" in out


def test_a_sound_plugin_whose_import_was_cut_off_passes_its_trial_and_is_there(place):
    place.plugin(GOOD + "import time, pathlib\nif pathlib.Path('slow').exists(): time.sleep(3600)")
    (place.path / "slow").touch()
    process = place.start("plugins", "list")
    place.until_it_imports(process)
    (place.path / "slow").unlink()
    process.kill()
    process.communicate()
    code, out, err = place.run("plugins", "list")
    assert code == 0
    assert "broken" not in out
    assert "tried now" in err
    assert "left out" not in err
    assert place.run("plugins", "list") == (0, out, ""), "it is not tried again"


def test_a_note_whose_process_lives_does_not_count(place):
    place.plugin(GOOD + "import time, pathlib\nif pathlib.Path('slow').exists(): time.sleep(3600)")
    (place.path / "slow").touch()
    process = place.start("plugins", "list")
    place.until_it_imports(process)
    (place.path / "slow").unlink()
    code, out, err = place.run("plugins", "list")
    process.kill()
    process.communicate()
    assert (code, err) == (0, "")
    assert "stranger" in out


def test_nothing_is_left_of_a_start_that_ended_well(place):
    place.plugin(GOOD)
    assert place.run("plugins", "list")[0] == 0
    assert list((place.home / ".cache/rankhub/plugins").iterdir()) == []


def test_a_home_that_cannot_be_written_to_is_no_matter(place):
    place.plugin(GOOD)
    place.home.write_text("a file")
    code, out, err = place.run("plugins", "list")
    assert (code, err) == (0, "")
    assert "stranger" in out


def test_check_exits_with_1_where_a_plugin_is_broken_and_tries_each_by_itself(place):
    place.plugin("import os; os._exit(0)", "ends")
    place.plugin("raise BaseException('no')", "raises")
    place.plugin(GOOD)
    code, out, err = place.run("plugins", "list", "--check")
    assert (code, err) == (1, "")
    assert "broken  ends (ends 1.0): it ends the program (exit code 0)" in out
    assert "broken  raises (raises 1.0): it cannot be imported: BaseException: no" in out
    assert "stranger" in out.partition("broken")[0]


def test_plugins_are_switched_off_by_name(place):
    place.plugin("import os; os._exit(3)")
    code, out, err = place.run("plugins", "list", "--check", RANKHUB_DISABLE=" stranger, rankhub_study,, nobody")
    assert code == 0
    assert "off  stranger (stranger 1.0): RANKHUB_DISABLE switches it off" in out
    assert "off  rankhub_study (rankhub " in out
    assert err == "note: RANKHUB_DISABLE names 'nobody', which is no installed plugin; see `rankhub plugins list`\n"


def test_a_note_is_said_once_however_often_plugins_are_asked(place):
    place.plugin(GOOD)
    code, _, err = place.run("describe", "loss", RANKHUB_DISABLE="nobody")
    assert code == 0
    assert err == "note: RANKHUB_DISABLE names 'nobody', which is no installed plugin; see `rankhub plugins list`\n"


def test_a_thread_that_a_plugin_leaves_running_does_not_keep_the_program_from_ending(place):
    place.plugin(GOOD + "import threading, time; threading.Thread(target=time.sleep, args=(3600,)).start()")
    code, out, err = place.run("plugins", "list")
    assert (code, err) == (0, "")
    assert "its import starts a thread that does not end" in out
