"""YAML with lines, and its errors as sentences."""

from __future__ import annotations

import pytest

from rankhub.recipe.reader import read_value, read_yaml
from rankhub.recipe.report import RecipeErrors

TEXT = """\
# a comment
name: x
data:
  a: {use: one,
      root: here}
  b:
    use: two
list:
- 1
- key: [1, 2]
"""


def problems(text):
    with pytest.raises(RecipeErrors) as caught:
        read_yaml(text, "file.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_data_and_the_line_of_every_entry():
    document = read_yaml(TEXT, "file.yaml")
    assert document.data == {
        "name": "x",
        "data": {"a": {"use": "one", "root": "here"}, "b": {"use": "two"}},
        "list": [1, {"key": [1, 2]}],
    }
    lines = {
        (): 2,
        ("name",): 2,
        ("data",): 3,
        ("data", "a"): 4,
        ("data", "a", "root"): 5,
        ("data", "b", "use"): 7,
        ("list", 0): 9,
        ("list", 1, "key", 1): 10,
    }
    assert {steps: document.locations[steps].line for steps in lines} == lines


def test_what_is_missing_stands_where_the_entry_above_it_does():
    document = read_yaml(TEXT, "file.yaml")
    assert document.location(("data", "b", "root")).line == 6
    assert document.location(("nothing", "at", "all")).line == 2


def test_an_alias_is_a_copy():
    document = read_yaml("a: &x {k: [1]}\nb: *x\n", "f")
    document.data["a"]["k"].append(2)
    assert document.data["b"] == {"k": [1]}


def test_tags_quotes_and_keys():
    text = 'a: !!str 12\nb: "1e-3"\nc: \'true\'\n3: x\ntrue: y\n"quoted": z\nd: |\n  12\n'
    assert read_yaml(text, "f").data == {
        "a": "12",
        "b": "1e-3",
        "c": "true",
        "3": "x",
        "true": "y",
        "quoted": "z",
        "d": "12\n",
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a:\n\tb: 1\n", 2, "a tab; YAML indents with spaces only"),
        ("a: 1\nb:\t2\n", 2, "a tab; YAML indents with spaces only"),
        ("a: {b: 1\nc: 3\n", 1, "a `{` is not closed, or a comma is missing"),
        ("x: 1\na: [1, 2\n", 2, "a `[` is not closed, or a comma is missing"),
        ("a: 1\nb: 'x\nc: 2\n", 2, "a quote or bracket is not closed"),
        ("a: b: c\n", 1, "a `:` where no key can stand"),
        ("a: 1\n  b: 2\n", 2, "a `:` where no key can stand"),
        ("a:\n    b: 1\n  c: 2\n", 3, "the indentation does not fit the lines above"),
        (" a: 1\nb: 2\n", 2, "the indentation does not fit the lines above"),
        ("a: *x\n", 1, "an alias (*name) without its anchor (&name)"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: @home\n", 1, "put it in quotes"),
        ("a: 1\nb: \x07\n", 2, "the character '\\x07' cannot stand in it"),
    ],
)
def test_syntax(text, line, said):
    (problem,) = problems(text)
    assert problem.startswith(f"file.yaml:{line}  this is not YAML: ")
    assert said in problem


def test_every_key_that_stands_twice_is_named_with_both_lines():
    assert problems("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n") == [
        "file.yaml:3  b.c: the key 'c' stands here twice, first in line 2",
        "file.yaml:4  a: the key 'a' stands here twice, first in line 1",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file.yaml:1  the file is empty; expected a mapping with data, backbone, streams ..."),
        ("# only a comment\n", "file.yaml:1  the file is empty; expected a mapping with data, backbone, streams ..."),
        ("\n- a\n", "file.yaml:2  this is no recipe; expected a mapping with data, backbone, streams ..."),
        ("a: !!int 3\n", "file.yaml:1  a: tags such as !!int are not part of recipes"),
        (
            "a: !!python/object:os.system {}\n",
            "file.yaml:1  a: tags such as !!python/object:os.system are not part of recipes",
        ),
        ("? [a]\n: 1\n", "file.yaml:1  a key must be plain text"),
        (
            "a: &x {b: 1}\nc:\n  <<: *x\n",
            "file.yaml:3  c.<<: merging (<<) is not part of recipes; name an entry by `like:` or an alias",
        ),
        ("a: &x [*x]\n", "file.yaml:1  a.0: an alias stands inside its own anchor"),
    ],
)
def test_what_recipes_do_not_have(text, said):
    assert problems(text) == [said]


def test_aliases_cannot_blow_a_recipe_up():
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = problems("\n".join(levels))
    assert "aliases blow this up to over 100000 entries" in problem


def test_what_is_too_long_or_too_deep_is_no_recipe():
    assert problems(f"a: {'x' * 1_000_000}") == [
        "file.yaml:1  this is no recipe: it has 1,000,003 characters, and the longest may have 1,000,000"
    ]
    assert read_yaml(f"a:\n  {'[' * 49}{']' * 49}", "file.yaml").data
    (problem,) = problems(f"a:\n  {'[' * 60}{']' * 60}")
    assert problem.startswith("file.yaml:2  a.0.0.0.")
    assert problem.endswith(": this stands more than 50 levels deep")
    assert problems(f"a: {'[' * 100_000}") == ["file.yaml:1  the brackets are nested too deeply"]


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NAN", "1e999", "-1.0e+400"])
def test_no_value_is_without_end(text):
    assert problems(f"a:\n- {{b: {text}}}") == [f"file.yaml:2  a.0.b: {text} is no finite number"]
    with pytest.raises(ValueError, match="is no finite number"):
        read_value(text)
    assert read_value(f"'{text}'") == text


def test_values_of_overrides():
    assert read_value("{use: sgd, lr: 1e-3}") == {"use": "sgd", "lr": 0.001}
    assert read_value("") is None
    assert read_value("~/photos") == "~/photos"
    with pytest.raises(ValueError, match="a `\\[` is not closed"):
        read_value("[1, 2")
    with pytest.raises(ValueError, match="stands here twice"):
        read_value("{a: 1, a: 2}")
