"""The reader of tables of text, and what it is made of."""

from __future__ import annotations

import math
import re
import zipfile

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
        (b"path\n\xff.png", "is no text in UTF-8 (line 2, column 1); export the table as CSV"),
        (b"", "has no column path; its first line, split at commas, names nothing"),
        (b"path\n" + b"a" * 2_000_000, "table.csv, line 2: a cell has more than 1,000,000 characters"),
        (b"a" * 200_000 + b"\n", "table.csv, line 1: the name of column 1 has 200,000 characters"),
        (b"path,score\na.png,1\nb\0.png,2", "is no text: line 3, column 2 is a NUL"),
        (
            "path,score\na.png,1".encode("utf-16-le"),
            "is no text: line 1, column 2 is a NUL, as in a damaged file or in",
        ),
        (b"path,x,path\n", "has more than one column path (fields 1 and 3 of line 1); keep the one that is meant"),
        (b"Path,PATH\n", "has more than one column path (fields 1 and 2 of line 1)"),
        (b"path,x\na,1\npath,x\na,1\n", "line 3 names the columns again, as where two tables were joined"),
        (b'path,x\na,"5\nb,2\nc,3"\n', "table.csv, line 2, column 3: the quotation mark that opens a cell here is not"),
        (b'path,x\na,"5\nb,2\n', "table.csv, line 2, column 3: the quotation mark that opens a cell here is not"),
        (b'path,x\na,"5\nb",2\n', "table.csv, line 2, column 3: the quotation mark that opens a cell here is not"),
        (b'path,x\na,"5\nb",\n', "table.csv, line 2, column 3: the quotation mark that opens a cell here is not"),
        (b'path\n"a\nb"\n', "table.csv, line 2, column 1: the quotation mark"),
        (b'path,"x\na,1\n', "table.csv, line 1, column 6: the quotation mark"),
        (b'path,x\na,"5"6"\n', "line 2, column 6: '6\"' stands after a quotation mark that closes a cell"),
        (b"path,x\na,1;2,3\n", "the header has 2 fields, but line 2 has 3; quote fields with delimiters"),
        (b"path,x,y\na,1\n", "the header has 3 fields, but line 2 has 2"),
        (b"path,x,y\na,1,\nb,1,5,\n", "table.csv, line 3: 1,5 may be one number with a decimal comma"),
        (b"path,x,y,\na,2,3,\nb,-1,5,7\n", "table.csv, line 3: -1,5 may be one number with a decimal comma"),
        (b'r,path,x\n"oops\na,b,2\nc,d,3\nso",e,4\n', "table.csv, line 2, column 1: the quotation mark"),
        (b"\n <html>", "is a web page in place of a table"),
    ],
)
def test_what_is_no_table_is_one_sentence(write, content, said):
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        read_delimited(write(content), ["path"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffpath;x\r\na.png;1\r\n",
        "path;x\n\na.png;1\n;\n",
        "\n\npath;x\na.png;1",
        "sep=;\npath;x\na.png;1",
        "sep=,\r\nx,path\r\n1,a.png",
        "path,x,,\na.png,1,,",
        "path,x\na.png,1,,\n",
        "Path,X\na.png,1\n",
        "path,x\n\ufeffa.png,1\n",
        'path,x,remark\na.png,1,a 5" screen\n',
        'path, "x" ,remark\na.png , "1" ,"two\nlines ""here"""\n',
        'path,x,remark\na.png,1,"good, but\nrather, dark"\n',
        'remark,path,x\n"good\nor so",a.png,1\n',
        "path\tx\ty\na.png\t1\t",
        "path,x\ra.png,1\r",
        "path,x,X\na.png,1,2\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_one_table_in_many_forms(write, content, encoding):
    table = read_delimited(write(content.encode(encoding)), ["path", "x"])
    assert [dict(record.fields) for record in table] == [{"path": "a.png", "x": "1"}]


@pytest.mark.parametrize("text", ["1_000", "1,000", "1 000", "1'000", "٣", "３", "0x10", "12%", "−3", "1.2.3", "", "."])
def test_what_only_python_or_nobody_takes_for_a_number_is_none(write, text):
    with pytest.raises(UserError, match="`x` is no number on line 2"):
        read_delimited(write(f"path;x\na;{text}"), ["path", "x"]).numbers("x")


@pytest.mark.parametrize(("text", "value"), [("-1.5E+2", -150), (".5", 0.5), ("+3.", 3), ("inf", math.inf), ("007", 7)])
def test_numbers_in_their_spellings(write, text, value):
    assert read_delimited(write(f"x\n{text}"), ["x"]).numbers("x") == [value]


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


@pytest.mark.parametrize("damage", ["no sheet", "entities", "no zip"])
def test_a_damaged_workbook_is_said_in_a_sentence(tmp_path, damage):
    openpyxl = pytest.importorskip("openpyxl")
    book, whole, path = openpyxl.Workbook(), tmp_path / "whole.xlsx", tmp_path / "book.xlsx"
    book.active.append(["name", "MOS"])
    book.save(whole)
    bomb = (
        "<!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>"
        + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 9))
        + "]><worksheet>&a8;</worksheet>"
    )
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            sheet = name.endswith("sheet1.xml")
            if not (sheet and damage == "no sheet"):
                target.writestr(name, bomb if sheet and damage == "entities" else source.read(name))
    if damage == "no zip":
        path.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(UserError, match=r"book\.xlsx is no Excel workbook \(\.xlsx\), or it is damaged"):
        read_sheet(path, None, ["MOS", "name"], "")
