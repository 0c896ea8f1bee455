"""Lines of CSV that no spreadsheet computes, and names that a file system takes."""

from __future__ import annotations

import pytest

from rankhub.interfaces.files import write_text
from rankhub_tables import writing


@pytest.mark.parametrize("name", ["n" * 255, "ö" * 127, "n" * 240 + ".csv"])
def test_the_longest_names(tmp_path, name):
    long = writing.fitting(f"deep/{name}{name}", ".png")
    assert long.startswith("deep/")
    write_text(tmp_path / long.partition("/")[2], "text")
    assert len(long.partition("/")[2].encode()) <= 255
    assert long.endswith(".png")
    assert writing.fitting(f"deep/{name}{name}x", ".png") != long
    assert writing.fitting("deep/a", ".png") == "deep/a.png"


def test_only_what_a_spreadsheet_computes_is_disarmed():
    cells = ["=1+1", "+a", "-a", "@a", "\tx", "a=1", "-3.5", "+2e5", "", -3.5, None]
    line = writing.csv_line(cells, safe=True)
    assert line == "'=1+1,'+a,'-a,'@a,'\tx,a=1,-3.5,+2e5,,-3.5,\n"
    assert writing.csv_line(cells) == "=1+1,+a,-a,@a,\tx,a=1,-3.5,+2e5,,-3.5,\n"
