"""Names and units stand in pictures as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from rankhub_counting.evaluation.scatter import scatter as scatter_of_counts
from rankhub_counting.overlay import overlay
from rankhub_quality.evaluation.scatter import scatter as scatter_of_scores
from rankhub_ranking.picture import chart, pixels_of, without_formulas

ODD = ["price_$5^_$.png", "$_^$", r"$\frac{$", "$$", r"a\$b$c$"]


@pytest.mark.parametrize("text", ODD)
def test_a_dollar_begins_no_formula_in_any_picture(text):
    three = np.array([1.0, 2.0, 300.0])
    image, density = torch.zeros(3, 50, 60, dtype=torch.uint8), torch.rand(5, 6)
    assert overlay(image, density, 3.0, 2.0, np.ones((3, 2)), unit=text, name=text).shape[2] == 3
    assert scatter_of_counts(text, three, three + 1, text, 3.0).shape[2] == 3
    assert scatter_of_scores(text, text, three, three, [text, "blur", text], (three, three)).shape[2] == 3


def test_it_stands_there_as_it_is_and_numbers_at_axes_are_still_set():
    axes, canvas = chart(4.0, 3.0, "$x$")
    plain = pixels_of(canvas)
    axes.set_title("x")
    assert not np.array_equal(plain, pixels_of(canvas))  # with its dollars
    figure, axes = pyplot.subplots()
    axes.plot([1, 10, 100], label="$a$")
    axes.set_yscale("log")
    legend = axes.legend()
    without_formulas(figure)
    figure.canvas.draw()
    assert all(label.get_parse_math() for label in axes.get_yticklabels(which="both"))
    assert not legend.get_texts()[0].get_parse_math()
    pyplot.close(figure)
