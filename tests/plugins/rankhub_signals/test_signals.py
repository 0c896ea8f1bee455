"""Signals end what runs by the codes that shells and queues expect, once what is done is kept."""

from __future__ import annotations

import queue
import signal
from contextlib import contextmanager, suppress

import pytest

from rankhub.interfaces.errors import Signalled
from rankhub.interfaces.processes import Interrupt
from rankhub_signals import signals

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGUSR1: 75}


@pytest.fixture(autouse=True)
def _own_handlers():
    """What a program has by default, whatever started the tests."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def waiting():
    asked = Interrupt(waits=True)
    with signals.Signals(asked):
        yield asked


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_signal_ends_what_need_not_be_finished(number, code):
    with pytest.raises(Signalled) as ended, signals.Signals(Interrupt()):
        signal.raise_signal(number)
    assert ended.value.code == code
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("number", CODES)
def test_a_step_is_finished_first(number):
    with waiting() as asked:
        signal.raise_signal(number)
        assert asked.asked == signal.Signals(number).name


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_terminal_that_closes_sends_several_and_still_the_step_is_finished(number):
    with waiting() as asked:
        for each in (number, number, number, signal.SIGTERM):  # a queue, or systemd, sends SIGTERM right behind
            signal.raise_signal(each)
        assert asked.asked == signal.Signals(number).name


@pytest.mark.parametrize(("first", "wait"), [(signal.SIGTERM, 0.0), (signal.SIGHUP, signals.SAME + 1)])
def test_a_second_one_that_is_meant_ends_the_program_as_usual(monkeypatch, first, wait):
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    clock = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: clock[0])
    with waiting():
        signal.raise_signal(first)
        clock[0] += wait
        assert not seen
        signal.raise_signal(signal.SIGTERM)
        assert seen == [signal.SIGTERM]


@pytest.mark.parametrize("waits", [True, False])
def test_one_of_several_that_something_holds_ends_by_itself(monkeypatch, waits):
    """Soon where it has no step to finish, while a step is given longer."""
    ended = queue.SimpleQueue[int]()
    monkeypatch.setattr(signals.os, "_exit", ended.put)
    monkeypatch.setattr(signals, "PATIENCE", 0.01 if waits else 3600.0)
    monkeypatch.setattr(signals, "UNWINDING", 3600.0 if waits else 0.01)
    with signals.Signals(Interrupt(waits=waits), several=True):
        with suppress(Signalled):
            signal.raise_signal(signal.SIGTERM)
        assert ended.get(timeout=60) == 143


def test_nohup_and_a_host_that_cares_for_a_signal_itself_are_let_be():
    seen = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    with waiting() as asked:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGUSR1)
        assert asked.asked is None
    assert seen == [signal.SIGUSR1]
