"""Two commands that would train in one folder at once."""

from __future__ import annotations

import pytest

from rankhub import UserError
from rankhub_active.labeling.alone import alone


def test_the_second_is_told(tmp_path):
    with alone(tmp_path), pytest.raises(UserError, match="another `rankhub label train` is at work"), alone(tmp_path):
        pass


def test_it_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with alone(tmp_path):
            pass
