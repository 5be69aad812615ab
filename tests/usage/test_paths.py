"""Exact JSON paths: what they find, and that they find nothing else."""

from typing import Any

import pytest

from mitmeter.usage.paths import Key, dig, listed, only, path, walk

CHOICES = {"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        pytest.param("", (), id="the document itself"),
        pytest.param("usage", ("usage",), id="a member"),
        pytest.param("usage.a.b", ("usage", "a", "b"), id="nested members"),
        pytest.param("choices[].delta.content", ("choices", "[]", "delta", "content"), id="each element"),
        pytest.param("content[]", ("content", "[]"), id="the elements themselves"),
        pytest.param("a[].b[].c", ("a", "[]", "b", "[]", "c"), id="twice"),
    ],
)
def test_path(text: str, steps: tuple[str, ...]) -> None:
    assert path(text) == steps


@pytest.mark.parametrize(
    ("document", "text", "value"),
    [
        pytest.param({"a": {"b": 1}}, "a.b", 1, id="found"),
        pytest.param({"a": {"b": None}}, "a.b", None, id="null"),
        pytest.param({"a": {}}, "a.b", None, id="missing"),
        pytest.param({"a": "b"}, "a.b", None, id="a step is a string"),
        pytest.param({"a": [{"b": 1}]}, "a.b", None, id="a step is an array"),
        pytest.param(None, "a", None, id="no document"),
        pytest.param([1], "a", None, id="an array"),
        pytest.param({"x": {"a": {"b": 1}}}, "a.b", None, id="a look-alike deeper"),
        pytest.param({"a.b": 1}, "a.b", None, id="a name with a dot"),
        pytest.param({"A": {"b": 1}}, "a.b", None, id="another case"),
        pytest.param({"a": False}, "a", False, id="false is a value"),
    ],
)
def test_dig(document: Any, text: str, value: Any) -> None:
    assert dig(document, path(text)) == value


@pytest.mark.parametrize(
    ("document", "text", "found"),
    [
        pytest.param(CHOICES, "choices[].delta.content", [((1,), "b"), ((0,), "a")], id="keys are the elements' index"),
        pytest.param({"c": [{"t": 1}, {"t": 2}]}, "c[].t", [((0,), 1), ((1,), 2)], id="keys are places without index"),
        pytest.param({"c": [{"t": None}, {}, 7, "x"]}, "c[].t", [], id="nulls and others are passed over"),
        pytest.param({"c": ["x", None, "y"]}, "c[]", [((0,), "x"), ((2,), "y")], id="elements themselves"),
        pytest.param({"c": {"t": 1}}, "c[].t", [], id="an object is no array"),
        pytest.param({"a": [{"b": [{"c": 1}, {"c": 2}]}]}, "a[].b[].c", [((0, 0), 1), ((0, 1), 2)], id="twice"),
        pytest.param({"c": [{"index": "7", "t": 1}]}, "c[].t", [((0,), 1)], id="an index that is no number"),
        pytest.param({"a": 1}, "", [((), {"a": 1})], id="the document itself"),
        pytest.param({"a": {"b": 0}}, "a.b", [((), 0)], id="zero is a value"),
        pytest.param("text", "a", [], id="no object"),
    ],
)
def test_walk(document: Any, text: str, found: list[tuple[Key, Any]]) -> None:
    assert list(walk(document, path(text))) == found


def test_only_takes_the_named_members_that_are_not_null() -> None:
    document = {"eval_count": 3, "prompt_eval_count": None, "model": "m", "nested": {"n": 1, "text": "t"}}
    assert only(document, ("eval_count", "prompt_eval_count", "nested.n")) == {"eval_count": 3, "nested": {"n": 1}}


def test_only_takes_of_elements_what_is_named_together() -> None:
    results = [{"text": "a", "in": 1, "out": 2}, {"text": "b", "in": 3}]
    taken = only({"results": results, "other": []}, ("results[].in", "results[].out", "other[].n"))
    assert taken == {"results": [{"in": 1, "out": 2}, {"in": 3}]}


@pytest.mark.parametrize(
    ("items", "values"),
    [
        pytest.param([], {}, id="empty"),
        pytest.param([{"metric": "a", "value": 1}, {"metric": "b", "value": 2}], {"a": 1, "b": 2}, id="named"),
        pytest.param([{"metric": "a"}, {"value": 2}, {"metric": 3, "value": 1}, "x"], {"a": None}, id="odd ones"),
    ],
)
def test_listed(items: list[Any], values: dict[str, Any]) -> None:
    assert listed(items, "metric", "value") == values
