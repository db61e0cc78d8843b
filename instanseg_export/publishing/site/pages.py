"""The pages as HTML. Whatever a package says is text on them: it is escaped, and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import DictLoader, Environment, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from .model import SiteModel

__all__ = ["render_index", "render_model", "style"]

_TEMPLATES = ("page.html", "index.html", "model.html")


def _template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({name: _template(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["size"] = lambda count: f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
    return environment


def render_index(models: Sequence[SiteModel], title: str, *, qupath: bool) -> str:
    """Return the index of a site."""
    return _environment().get_template("index.html").render(models=models, title=title, qupath=qupath, root="")


def render_model(model: SiteModel, readme: str, root: str) -> str:
    """Return the page of a model.

    Args:
        model: to show.
        readme: of its package, in Markdown.
        root: the way from the page to the index.
    """
    text = Markup(_from_markdown(readme))  # safe, since HTML in it is escaped
    return _environment().get_template("model.html").render(model=model, text=text, root=root)


def style() -> str:
    """Return the style sheet of all pages."""
    return _template("style.css")


def _from_markdown(text: str) -> str:
    """Return Markdown as HTML: tags in it are shown, links that would run something and pictures stay text.

    Headings are one level lower, since the page has its own title; the text's own is left out.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        del tokens[:3]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    return str(parser.renderer.render(tokens, parser.options, {}))
