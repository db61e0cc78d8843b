"""What a card says, as Markdown: it shows as it was written, in the zoo's reader and in QuPath's, and does nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from instanseg_export.untrusted.boundary import plain
from instanseg_export.untrusted.markdown import entries, escape, link, without_html

# QuPath's viewer knows CommonMark, the zoo GitHub's tables and strike-through as well.
READERS = [MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"])]

SYNTAX = "\\`*_{}[]()<>#+-.!|~&$=:\"'/ \n\t\r0123456789ab\u202e\x1b"
TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet=SYNTAX, max_size=60))

NASTY = [
    "a | b",
    "<script>alert(1)</script>",
    "<!-- comment",
    "`code` and ``more",
    "](https://example.com) [x]",
    "![x](cover.png)",
    "two\n\n# headings",
    "two\n---",
    "*bold* _thin_ __both__",
    "snake_case_name",
    "1. one",
    "2) two",
    "- dash",
    "+ plus",
    "> quote",
    "# heading",
    "===",
    "~~gone~~",
    "&lt;b&gt; &#60; &copy;",
    "https://example.com/a_b_",
    "<https://example.com>",
    "trailing backslash \\",
    "    indented",
    "[ref]: https://example.com",
    "\x1b[31mred",
    "a\u202eb",
    "$x$",
    "\ud800",
]


def _tokens(reader: MarkdownIt, markdown: str) -> Iterator[Token]:
    for token in reader.parse(markdown):
        yield token
        yield from token.children or ()


def _shown(reader: MarkdownIt, markdown: str) -> str:
    return "".join(token.content for token in _tokens(reader, markdown) if token.type in ("text", "text_special"))


def _assert_shows_as_written(text: str) -> None:
    line = escape(text)
    assert "\n" not in line
    for reader in READERS:
        for around in ("{}", "- **Name:** {}", "x ({}) y"):
            kinds = {token.type for token in _tokens(reader, around.format(line))}
            allowed = {
                "paragraph_open",
                "paragraph_close",
                "inline",
                "text",
                "text_special",
                "strong_open",
                "strong_close",
            }
            allowed |= (
                {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
                if "*" in around
                else set()
            )
            assert kinds <= allowed, (text, line, kinds)
        assert _shown(reader, line) == plain(text, 10_000)


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts_show_as_written(text: str) -> None:
    _assert_shows_as_written(text)


@given(TEXTS)
def test_any_text_shows_as_written(text: str) -> None:
    _assert_shows_as_written(text)


@given(TEXTS, st.text(alphabet="abc/?&=%()[]<>\"'`|\\é", max_size=30))
def test_a_link_is_one_link(text: str, path: str) -> None:
    for reader in READERS:
        tokens = list(_tokens(reader, f"see {link(text, f'https://example.com/{path}')} end"))
        (opened,) = [token for token in tokens if token.type == "link_open"]
        assert str(opened.attrs["href"]).startswith("https://example.com/")
        assert not any(token.type.startswith("html") for token in tokens)
        assert [token.content for token in tokens if token.type == "text"][-1] == " end"


@pytest.mark.parametrize(
    "text",
    ["<script>x</script>", "<img src=x onerror=y>", "a\n\n<div>\n<script>", "<!-- x", "<?php", "`<b>", "</p>", "<!X>"],
)
def test_html_in_documentation_is_text(text: str) -> None:
    for reader in READERS:
        assert not any(token.type.startswith("html") for token in _tokens(reader, without_html(text)))


def test_documentation_stays_markdown() -> None:
    text = "## A heading\n\n- *a* `b` <https://example.com> 1 < 2 [c](https://example.com)\n"
    assert without_html(text) == text


def test_entries_are_a_list() -> None:
    assert entries([("a", "b"), ("c", "")]) == "- **a:** b\n- **c**"
