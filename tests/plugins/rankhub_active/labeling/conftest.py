"""What several tests of labeling begin with."""

from __future__ import annotations

import pytest
from helpers.labeling import QUIET, answer_round, quiet, set_up_in

from rankhub_active.labeling.choose import Request, choose
from rankhub_active.labeling.train import train


@pytest.fixture(scope="session")
def learned(tmp_path_factory):
    """A pool with six images and two test images labeled, and its run: to be copied, not changed."""
    pool = set_up_in(tmp_path_factory.mktemp("learned"), test=2)
    choose(pool, Request(6), quiet)
    answer_round(pool)
    return pool, train(pool, [], QUIET)
