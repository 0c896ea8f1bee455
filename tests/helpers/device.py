"""What would wait for a GPU: copies to its stand-in for which one waits, and calls that read numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tools.gpu_checks.meta import standing_in

READS = {"item", "tolist", "__bool__", "__float__", "__int__", "__index__", "cpu", "numpy"}


class BlockingCopies(TorchDispatchMode):
    """Lists copies from the CPU to the device for which the CPU would wait until the device has done all before."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._standing_in = standing_in()

    def __enter__(self) -> BlockingCopies:
        self._standing_in.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._standing_in.__exit__(None, None, None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            source, goal = args[0].device, kwargs.get("device") or args[0].device
            if source.type == "cpu" and goal.type == "meta" and not kwargs.get("non_blocking"):
                self.found.append(f"{list(args[0].shape)} {args[0].dtype}")
        if func is torch.ops.aten.copy_.default and args[1].device.type == "cpu" and args[0].device.type == "meta":
            blocking = not (args[2] if len(args) > 2 else kwargs.get("non_blocking"))
            self.found += [f"copy_ {list(args[1].shape)}"] if blocking and args[1].ndim else []
        return func(*args, **kwargs)


class Reads(TorchFunctionMode):
    """Counts the calls that read numbers of a tensor, as each would make the CPU wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in READS:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))
