import threading

import torch

from rankhub_views import scratch
from rankhub_views.scratch import Scratch, scratch_for

CPU = torch.device("cpu")


def test_a_name_keeps_its_memory_and_names_do_not_share_it():
    memory = Scratch(CPU)
    first = memory.take("a", 4, 3)
    assert memory.take("a", 2, 5).data_ptr() == first.data_ptr()
    assert memory.take("b", 4, 3).data_ptr() != first.data_ptr()
    larger = memory.take("a", 100)
    assert larger.shape == (100,)
    assert larger.is_contiguous()


def test_large_buffers_are_not_kept(monkeypatch):
    monkeypatch.setattr(scratch, "KEPT", 10)
    memory = Scratch(CPU)
    first, second = memory.take("a", 11), memory.take("a", 11)
    assert first.data_ptr() != second.data_ptr()


def test_each_thread_has_its_own():
    found = []
    thread = threading.Thread(target=lambda: found.append(scratch_for(CPU)))
    thread.start()
    thread.join()
    assert scratch_for(CPU) is scratch_for(CPU)
    assert found[0] is not scratch_for(CPU)
