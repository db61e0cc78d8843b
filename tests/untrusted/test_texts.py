"""YAML and JSON of any kind end as plain data or as one error of ours, at once and in little memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.errors import CardError, SettingError
from instanseg_export.plain_text import controls
from instanseg_export.untrusted.json_texts import load_json, load_json_text
from instanseg_export.untrusted.yaml_texts import load_yaml, load_yaml_text
from support.hostile_checkpoints.yamls import YAMLS, yaml_laugh

FILE = Path("file")
WHAT = "a card"

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_what_json_writes_is_read(value: Any) -> None:
    try:
        text = json.dumps(value)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(CardError, match="surrogate"):
            load_json_text(text, FILE, WHAT, CardError)
        return
    assert load_json_text(text, FILE, WHAT, CardError) == value


@given(PLAIN)
def test_what_yaml_writes_is_read(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert load_yaml_text(text, FILE, WHAT, CardError) == value


@given(st.text() | st.binary() | st.text(alphabet='{}[]<>&*!?|-:,"\\\n #%0e\t', max_size=60))
def test_any_other_text_ends_in_one_error(text: str | bytes) -> None:
    for load in (load_yaml_text, load_json_text):
        try:
            load(text, FILE, WHAT, CardError)
        except CardError as error:
            message = error.message + error.hint
        else:
            message = str(FILE)
        assert str(FILE) in message
        assert controls(message) == ""


@pytest.mark.parametrize("title", YAMLS)
def test_hostile_yaml(title: str) -> None:
    content = YAMLS[title]
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        shown = repr(load_yaml_text(data, FILE, WHAT, CardError))
    except CardError as error:
        shown = error.message[:600]
    assert len(shown) <= 5 * len(data) + 600


@pytest.mark.parametrize("merge", [True, False])
def test_laughs_are_counted_before_they_are_built(merge: bool) -> None:
    with pytest.raises(CardError, match="more than 100,000 values"):
        load_yaml_text(yaml_laugh(merge), FILE, WHAT, CardError)


def test_what_people_write_is_read() -> None:
    text = """
    base: &base {a: 1, when: 2001-01-01}
    derived: {<<: *base, b: [1.5, yes, ~, "text"]}
    1: one
    """
    assert load_yaml_text(text, FILE, WHAT, CardError) == {
        "base": {"a": 1, "when": "2001-01-01"},
        "derived": {"a": 1, "when": "2001-01-01", "b": [1.5, True, None, "text"]},
        "1": "one",
    }


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[1e999]", "1e999 is no finite number"),
        ("[NaN]", "NaN is no finite number"),
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        ("[" + "9" * 6000 + "]", "a number has 6,000 digits"),
        ("[" * 100_000, "nested in more than 64 levels"),
        ("[" + "0," * 1_000_001 + "0]", "more than 1,000,000 values"),
        ('["\\ud800"]', "half of a surrogate pair"),
        ('"' + '\\"' * 500_000, "line 1, column 1: Unterminated string"),
        (b"\xff\xfe[\0]\0", "text in UTF-16"),
        (b"[\xff]", "not text in UTF-8"),
        (b"[]\0", "zero bytes"),
        ("", "line 1, column 1"),
    ],
)
def test_hostile_json(text: str | bytes, fact: str) -> None:
    with pytest.raises(CardError, match=fact):
        load_json_text(text, FILE, WHAT, CardError)


def test_numbers_that_are_not_finite_pass_where_they_may() -> None:
    assert str(load_json_text("[1e999, NaN]", FILE, WHAT, CardError, finite=False)) == "[inf, nan]"
    assert str(load_yaml_text("[.inf, .nan]", FILE, WHAT, CardError, finite=False)) == "[inf, nan]"
    with pytest.raises(CardError, match=r"line 1, column 2.*\.inf is no finite number"):
        load_yaml_text("[.inf]", FILE, WHAT, CardError)


def test_files_are_measured_first(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(50_000_000_000)
    for load in (load_yaml, load_json):
        with pytest.raises(CardError, match="50,000,000,000 bytes, too many for a card"):
            load(large, WHAT, CardError)
        with pytest.raises(CardError, match="There is no file"):
            load(tmp_path / "gone", WHAT, CardError)
        with pytest.raises(CardError, match="is a folder"):
            load(tmp_path, WHAT, CardError)
    (tmp_path / "mark").write_bytes(b"\xef\xbb\xbf{}")
    assert load_json(tmp_path / "mark", WHAT, CardError) == load_yaml(tmp_path / "mark", WHAT, CardError) == {}


def test_a_user_can_raise_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "[" * 100 + "]" * 100
    with pytest.raises(CardError, match="64 levels"):
        load_json_text(deep, FILE, WHAT, CardError)
    monkeypatch.setenv("INSTANSEG_EXPORT_LIMITS", "2")
    assert load_json_text(deep, FILE, WHAT, CardError)
    for text in ("0", "nan", "-1", "1e9", "much", "\x1b[31m"):
        monkeypatch.setenv("INSTANSEG_EXPORT_LIMITS", text)
        with pytest.raises(SettingError, match="INSTANSEG_EXPORT_LIMITS"):
            load_json_text(deep, FILE, WHAT, CardError)
