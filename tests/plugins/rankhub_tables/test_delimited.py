"""The reader of tables of text, and what it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_tables.delimited import open_delimited, read_delimited
from rankhub_tables.sheet import read_sheet
from rankhub_tables.text import read_lines, read_object, read_text

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters='"\r\n\x00', exclude_categories=["Zs", "Cc"]), max_size=5
)


@pytest.fixture
def write(tmp_path):
    def make(content, name="table.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return make


@given(st.lists(st.tuples(CELLS.filter(bool), CELLS), min_size=1, max_size=6), st.sampled_from(",;\t"), st.data())
def test_what_is_written_is_read_whatever_the_delimiter_and_the_ends_of_lines(tmp_path_factory, rows, sign, data):
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    lines = [sign.join(f'"{cell}"' for cell in row) for row in [("path", "score"), *rows]]
    path.write_bytes(end.join(lines).encode("utf-8-sig"))
    table = read_delimited(path, ["score", "path"])
    assert [(record["path"], record["score"]) for record in table] == rows
    assert [record.line for record in table] == list(range(2, 2 + len(rows)))


def test_rows_are_given_with_their_lines_before_any_is_refused(write):
    source = write('path;x\n\na.png;1\n"b\nc.png" ; 2\nd.png;3;4\n;\n')
    table = open_delimited(source, lambda header: "path" in header)
    assert (table.delimiter, table.header) == (";", ["path", "x"])
    assert list(table.rows()) == [(3, ["a.png", "1"]), (5, ["b\nc.png", "2"]), (6, ["d.png", "3", "4"])]
    with pytest.raises(UserError, match="the header has 2 fields, but line 6 has 3; quote fields with delimiters"):
        read_delimited(source, ["path"])


def test_the_delimiter_is_the_one_that_suits(write):
    source = write("the name\tpath\na, b\tc.png\n")
    assert [record["path"] for record in read_delimited(source, ["path"])] == ["c.png"]
    said = r"has no column pth \(did you mean path\?\); its first line, split at tabs, names the name, path"
    with pytest.raises(UserError, match=said):
        read_delimited(source, ["pth"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"path\n\xff.png", "is no text in UTF-8; export the table as CSV"),
        (b"", "has no column path; its first line, split at commas, names nothing"),
        (b"path\n" + b"a" * 200_000, "table.csv, line 2: field larger than field limit"),
        (b"a" * 200_000 + b"\n", "table.csv, line 1: field larger than field limit"),
        (b"\n <html>", "is a web page in place of a table"),
    ],
)
def test_what_is_no_table_is_one_sentence(write, content, said):
    with pytest.raises(UserError, match=said) as caught:
        read_delimited(write(content), ["path"])
    assert "\n" not in str(caught.value)


def test_numbers_are_refused_by_line_and_column(write):
    table = read_delimited(write("path,score\na,1e3\nb,\nc,'2\nd,nan\n"), ["path", "score"])
    with pytest.raises(
        UserError, match=r"table.csv: `score` is no number on line 3 \(empty\), line 4 \(\"'2\"\); mend"
    ):
        table.numbers("score")
    assert table.numbers("score", table.records[:1]) == [1000.0]
    with pytest.raises(
        UserError, match=r"table.csv: `path` is odd on line 2 \(a\), line 3 \(b\), line 4 \(c\) and 1 more;"
    ):
        table.refuse("`path` is odd", table.records, shown="path")
    table.refuse("nothing is wrong", [])


def test_lines_of_text_keep_their_numbers(write):
    assert read_lines(write("\ufeff\n a b \r\n\n\nc")) == [(2, "a b"), (5, "c")]
    with pytest.raises(UserError, match=r"gone.txt cannot be read: No such file"):
        read_text(write("", "table.csv").with_name("gone.txt"))


def test_an_object_names_a_key_once_at_any_depth(write):
    assert read_object(write('{"a": {"b": 1}, "b": []}'), "{...}") == {"a": {"b": 1}, "b": []}
    with pytest.raises(UserError, match="names b more than once; keep one entry of each"):
        read_object(write('{"a": {"b": 1, "b": 2}}'), "{...}")
    with pytest.raises(UserError, match="is no JSON"):
        read_object(write("[" * 100_000), "{...}")


def test_lines_of_a_sheet_may_end_early(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["notes"], ["name", "more", "MOS"], ["a", None, 1.0], [], ["b"], [None, "x"]):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    table = read_sheet(tmp_path / "book.xlsx", None, ["MOS", "name"], "")
    assert [(record.line, record["name"], record["MOS"]) for record in table] == [(3, "a", "1"), (5, "b", "")]
