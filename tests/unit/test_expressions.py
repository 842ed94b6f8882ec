"""No regular expression takes quadratic time, and the search for such finds them."""

from __future__ import annotations

import re

import pytest
from expressions import Expression, hurtful, measured, quadratic


@pytest.mark.parametrize("pattern", [r"(\w+\.)*x", r" *= *(?!=).+", r"[a-z]+(-[a-z]+)*/", r"/*$"])
def test_a_quadratic_expression_is_recognised(pattern: str) -> None:
    expression = Expression("here", re.compile(pattern), "search")
    assert any(measured(expression, *text).is_quadratic for text in hurtful(expression.pattern))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_expression_of_the_package_is_quadratic() -> None:
    count, found = quadratic()
    assert count > 50
    assert [f"{growth.expression.place}: {growth.repeated}" for growth in found] == []
