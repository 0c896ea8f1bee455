"""The weights that a package brings."""

from __future__ import annotations

import importlib.metadata
import types

import huggingface_hub
import pytest

from rankhub_timm.installed import SOURCES


@pytest.fixture(params=sorted(SOURCES))
def source(request):
    """Each source of weights whose package is installed."""
    return _there(request.param)


@pytest.fixture
def lite0():
    """The source that the extra `test` brings."""
    return _there("tf_efficientnet_lite0")


@pytest.fixture
def no_hub(monkeypatch):
    """A session of the hub's client that reaches nothing; its ``head`` may be set."""

    def head(url, timeout):
        raise OSError("Name or service not known")

    session = types.SimpleNamespace(head=head)
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: session)
    return session


def _there(model):
    found = SOURCES[model]
    try:
        importlib.metadata.version(found.package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{found.package} is not installed")
    return found
