from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.store import jsontext

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
).filter(lambda value: value != {"non-finite": value})


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), plain, max_size=3))
def test_plain_values_come_back_as_they_were(value) -> None:
    assert jsontext.load(jsontext.dump(value)) == value


def test_what_is_not_finite_is_kept_in_strict_json() -> None:
    text = jsontext.dump({"loss": math.nan, "best": [math.inf, -math.inf], "f32": np.float32("nan")})
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    back = jsontext.load(text)
    assert math.isnan(back["loss"])
    assert math.isnan(back["f32"])
    assert back["best"] == [math.inf, -math.inf]


def test_numpy_scalars_become_numbers_and_tuples_lists() -> None:
    value = {"epoch": np.int64(3), "share": np.float64(0.1), "dead": np.bool_(True), "pair": (1, 2)}
    assert jsontext.load(jsontext.dump(value)) == {"epoch": 3, "share": 0.1, "dead": True, "pair": [1, 2]}


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError):
        jsontext.dump({"path": object()})


@pytest.mark.parametrize("text", ["[]", "3", "", "{", '{"a": {"non-finite": "x"}}'])
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsontext.load(text)
