"""The static site: its pages lead where they say, show what a package says as text, and run nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from instanseg_export import OutputError, PublishError, SettingError, publish
from instanseg_export.exported_model import open_model
from instanseg_export.publishing import package as package_module
from instanseg_export.publishing.package import PublishedPackage
from instanseg_export.publishing.site.build import BROWSER_FOLDER, add_model, finish_site
from instanseg_export.publishing.site.pages import render_model
from instanseg_export.runtimes.build import CACHE_VARIABLE
from support.web_page import LACKING

URL = "https://example.com/models"


class Page(HTMLParser):
    """The tags of a page, and what they point to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def tested_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each export runs the zoo's test, and tests/publishing/test_package.py that it is asked for."""
    monkeypatch.setattr(package_module, "_test", lambda package, shown: None)


@pytest.fixture
def site(demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    if not LACKING:
        monkeypatch.setenv(CACHE_VARIABLE, str(request.getfixturevalue("web_page")))
    done = publish([demo_package], to="folder", output=tmp_path / "site", url=f"{URL}/", title="Ours & theirs")
    assert (done.outcome, done.written) == ("written", tmp_path / "site")
    return tmp_path / "site"


def pages_of(site: Path) -> list[Path]:
    """The pages themselves; those that run a model in the browser have tests of their own."""
    return sorted(path for path in site.rglob("*.html") if BROWSER_FOLDER not in path.parts)


def check_links(site: Path) -> None:
    """Whatever a page points to is on the site, or is an address with https."""
    pages = pages_of(site)
    assert pages
    for path in pages:
        for link in Page(path).links:
            if "://" in link:
                assert link.startswith("https://")
            elif not link.startswith("#"):
                target = (path.parent / unquote(link)).resolve()
                assert target.is_file(), f"{path}: {link}"
                assert target.is_relative_to(site.resolve())


def test_a_site_has_cards_pages_downloads_and_an_index_for_programs(site: Path, package: PublishedPackage) -> None:
    check_links(site)
    index = Page(site / "index.html")
    assert "Ours & theirs" in index.text
    assert package.content["description"] in index.text
    (row,) = json.loads((site / "index.json").read_text())["models"]
    archive = site / row["archive"]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == row["sha256"]
    assert archive.stat().st_size == row["size"]
    with open_model(archive) as model:
        assert model.name == "nuclei_dsb2018"
        assert model.changed == ()
    folder = archive.parent
    assert {file.name for file in package.files} <= {path.name for path in folder.iterdir()}
    text = Page(folder / "index.html").text
    for words in ("What to expect", "10.48550/arXiv.2408.15954", "Apache-2.0", "instanseg-export contributors"):
        assert words in text
    (entry,) = json.loads((site / "model-index.json").read_text())
    assert entry["url"] == f"{URL}/models/nuclei_dsb2018/0.1.0/nuclei_dsb2018-0.1.0.zip"
    assert (site / entry["url"].removeprefix(f"{URL}/")) == archive


def test_pages_run_nothing_and_load_nothing_from_elsewhere(site: Path) -> None:
    for path in pages_of(site):
        page = Page(path)
        assert not {"script", "iframe", "object", "embed", "form", "base"}.intersection(page.tags)
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
        assert "default-src 'none'" in path.read_text()


def test_the_same_packages_give_the_same_bytes(site: Path, demo_package: Path, tmp_path: Path) -> None:
    publish(demo_package, to="folder", output=tmp_path / "again", url=URL, title="Ours & theirs")
    for path in site.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(site)).read_bytes(), path


def test_only_an_unchanged_site_is_replaced(site: Path, demo_package: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        publish(demo_package, to="folder", output=site)
    publish(demo_package, to="folder", output=site, overwrite=True)
    assert not (site / "model-index.json").exists(), "nothing of the old one is left"
    (site / "CNAME").write_text("example.com")
    with pytest.raises(OutputError, match="CNAME"):
        publish(demo_package, to="folder", output=site, overwrite=True)
    assert (site / "CNAME").read_text() == "example.com"


def test_a_fault_leaves_no_half_site(demo_package: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="given twice"):
        publish([demo_package, demo_package / "nuclei_dsb2018.zip"], to="folder", output=tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def test_models_and_versions_side_by_side(package: PublishedPackage, tmp_path: Path) -> None:
    """Also names that need care in addresses."""
    site, scratch = tmp_path / "site", tmp_path / "scratch"
    site.mkdir()
    scratch.mkdir()
    contents = [{"version": "0.1.0"}, {"version": "0.2.0"}, {"name": "Cells (v2) + more", "version": "1.0.0+x"}]
    models = [
        add_model(site, replace(package, content={**package.content, **changes}), scratch, None) for changes in contents
    ]
    finish_site(site, models, title="Models", url=URL)
    check_links(site)
    assert len(json.loads((site / "model-index.json").read_text())) == 3
    assert len({model.place for model in models}) == 3
    assert list(scratch.iterdir()) == []


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_what_a_package_says_is_text(package: PublishedPackage, tmp_path: Path) -> None:
    content = {
        **package.content,
        "description": HOSTILE,
        "license": HOSTILE,
        "tags": [HOSTILE],
        "authors": [{"name": HOSTILE, "affiliation": HOSTILE}],
        "cite": [{"text": HOSTILE, "doi": f"10.1234/{HOSTILE}"}, {"text": "x", "url": "javascript:alert(1)"}],
    }
    site, scratch = tmp_path / "site", tmp_path / "scratch"
    site.mkdir()
    scratch.mkdir()
    model = add_model(site, replace(package, content=content), scratch, None)
    readme = (
        f"# {HOSTILE}\n\n[a](javascript:alert(1)) ![b](https://example.com/track.png) <b onclick=x>c</b>\n\n{HOSTILE}"
    )
    page = site / model.place / "index.html"
    page.write_text(render_model(model, readme, "../../../"))
    finish_site(site, [model], title=HOSTILE, url=None)
    for path in (page, site / "index.html"):
        found = Page(path)
        assert "alert(1)" in found.text
        assert not {"script", "b"}.intersection(found.tags)
        assert not [name for name in found.attributes if name.startswith("on")]
        assert not [link for link in found.links if link.startswith("javascript")]
        assert found.tags.count("img") == 1, "the cover; pictures from elsewhere are links"


def test_a_page_for_the_browser_is_linked_only_if_there_is_one(package: PublishedPackage, tmp_path: Path) -> None:
    def write(source: Path, folder: Path) -> None:
        folder.mkdir()
        shutil.copy(source / "model.onnx", folder)
        (folder / "index.html").write_text("<!doctype html><title>try</title>")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name, hook, expected in (("with", write, 1), ("without", None, 0), ("nothing", lambda a, b: None, 0)):
        site = tmp_path / name
        site.mkdir()
        model = add_model(site, package, scratch, hook)
        finish_site(site, [model], title="Models", url=None)
        check_links(site)
        for path in (site / "index.html", site / model.place / "index.html"):
            assert sum("browser/" in link for link in Page(path).links) == expected
        assert ("browser" in json.loads((site / "index.json").read_text())["models"][0]) == bool(expected)


@pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}")
def test_each_model_has_a_page_for_the_browser(site: Path) -> None:
    (row,) = json.loads((site / "index.json").read_text())["models"]
    assert "<script" in (site / row["browser"]).read_text(encoding="utf-8")


def test_a_model_without_a_page_for_the_browser_is_on_the_site_all_the_same(
    demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where there is no Node to build one with."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = publish(demo_package, to="folder", output=tmp_path / "site")
    assert any("Install Node" in note for note in done.notes)
    check_links(tmp_path / "site")
    assert not list((tmp_path / "site").rglob(BROWSER_FOLDER))


def test_a_file_in_the_place_of_a_page(package: PublishedPackage, tmp_path: Path) -> None:
    for name in ("index.html", "SHA256SUMS", "browser/x"):
        files = (replace(package.files[0], name=name), *package.files[1:])
        with pytest.raises(PublishError, match="the site has its own"):
            add_model(tmp_path / name.partition("/")[0], replace(package, files=files), tmp_path, None)


@pytest.mark.parametrize("options", [{"tag": "v1"}, {"dry_run": True}, {"id": "affable-shark"}, {"abort": True}])
def test_options_of_other_destinations(options: dict[str, object], demo_package: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="means nothing with --to folder"):
        publish(demo_package, to="folder", output=tmp_path / "site", **options)  # type: ignore[arg-type]
    with pytest.raises(PublishError, match="no address of a site"):
        publish(demo_package, to="folder", output=tmp_path / "site", url="javascript:alert(1)")
    assert list(tmp_path.iterdir()) == []
