"""A report as JUnit XML, which CI systems show as tests: a suite for each runtime, a case for each image."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from ...plain_text import escaped
from ..records import ReportData, Result, RuntimeRecord, Status

__all__ = ["render_junit"]

_NO_TEXT = dict.fromkeys([0xFFFE, 0xFFFF], "\ufffd")
"""Characters that no XML may hold, beside controls."""


def render_junit(report: ReportData) -> str:
    """Return the report as JUnit XML.

    What was not run is a skipped case. Where a runtime rounds on purpose, so that it fails no report, its failures are
    skipped cases too. Files of reduced precision, files that were changed and the baseline are suites of their own.
    """
    suites = ElementTree.Element("testsuites", name=_text(f"Parity of {report.model}"))
    for runtime in report.runtimes:
        _suite(suites, runtime.label, _cases(runtime, report.results_of(runtime.name, runtime.device)))
    precisions = [
        (
            f"{one.file} in {one.runtime}" if one.runtime else one.file,
            "not run" if one.status == "failed" and one.allowed else one.status,
            one.why,
            0.0,
        )
        for one in report.precisions
    ]
    _suite(suites, "Reduced precision", precisions)
    _suite(suites, "Files as packaged", [(name, "failed", "its SHA-256 is another", 0.0) for name in report.changed])
    if report.baseline is not None:
        drifts = [(one.sentence, "failed", f"{one.kind} drifted", 0.0) for one in report.baseline.drifts]
        whole = (f"{report.baseline.compared} results", "failed" if drifts else "passed", "some drifted", 0.0)
        _suite(suites, "Baseline", [whole, *drifts])
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


_Case = tuple[str, Status, str, float]
"""Its name, how it ended, why, and the seconds that it took."""


def _cases(runtime: RuntimeRecord, results: Iterable[Result]) -> list[_Case]:
    cases: list[_Case] = []
    for result in results:
        tolerated = result.status == "failed" and not runtime.exact and not runtime.reference
        status: Status = "not run" if tolerated else result.status
        cases.append((result.image, status, result.why or runtime.why, min(result.run_s, default=0.0)))
    return cases


def _suite(suites: ElementTree.Element, name: str, cases: Iterable[tuple[str, str, str, float]]) -> None:
    cases = list(cases)
    if not cases:
        return
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=_text(name),
        tests=str(len(cases)),
        failures=str(sum(status == "failed" for _, status, _, _ in cases)),
        skipped=str(sum(status == "not run" for _, status, _, _ in cases)),
        errors="0",
        time=f"{sum(seconds for *_, seconds in cases):.3f}",
    )
    for title, status, why, seconds in cases:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_text(name), name=_text(title), time=f"{seconds:.3f}"
        )
        if status != "passed":
            outcome = ElementTree.SubElement(
                case, "failure" if status == "failed" else "skipped", message=_text(why or status)
            )
            outcome.text = _text(why)


def _text(words: str) -> str:
    return escaped(words).translate(_NO_TEXT)
