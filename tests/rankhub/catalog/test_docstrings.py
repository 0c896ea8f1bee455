"""Docstrings read for pages."""

from rankhub.catalog.options import docs_of


class Base:
    """A base.

    Args:
        shared: From the base.
        own: Not this one.
    """


class Derived(Base):
    """What it does.

    More of it: with a colon.

    Args:
        own: First line,
            second line: with a colon.
        typed (float): In the other style.

    Raises:
        ValueError: Never.
    """


class Silent:
    pass


def test_body_and_args():
    docs = docs_of(Derived)
    assert docs.body == "What it does.\n\nMore of it: with a colon.\n\nRaises:\n    ValueError: Never."
    assert docs.args == {
        "own": "First line, second line: with a colon.",
        "typed": "In the other style.",
        "shared": "From the base.",
    }


def test_no_docstring():
    assert docs_of(Silent).body == ""
    assert docs_of(Silent).args == {}
