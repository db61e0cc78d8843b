"""The parity report. JSON is the source of its markdown and HTML."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ..errors import PackageError
from ..files import staged_files
from ..limits import MAX_REPORT_BYTES
from ..untrusted.boundary import first_problem
from ..untrusted.json_texts import load_json
from .records import ReportData
from .render import render_html, render_job_summary, render_junit, render_markdown, summarise

__all__ = ["Report"]


class Report(ReportData):
    """All results of one validation, in words and in files."""

    def summary(self) -> str:
        """Return the outcome in one paragraph of plain text. Without times: the same results give the same words."""
        return summarise(self)

    def write(self, folder: Path, *, for_ci: bool = False) -> list[Path]:
        """Write report.json, report.md and report.html into a folder, which is made if it is not there.

        Args:
            folder: to write to.
            for_ci: also write junit.xml, and summary.md for the page of a job.

        Returns:
            The files.

        Raises:
            OutputError: one of them exists, cannot be written, or the disk is full.
        """
        texts = {
            "report.json": self.model_dump_json(indent=1) + "\n",
            "report.md": render_markdown(self),
            "report.html": render_html(self),
        }
        if for_ci:
            texts |= {"junit.xml": render_junit(self), "summary.md": render_job_summary(self)}
        with staged_files(folder) as files:
            for name, text in texts.items():
                files.add(folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in texts]

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report.json.

        Raises:
            PackageError: it is missing or no such report.
        """
        content = load_json(
            path, "a parity report", PackageError, hint="Run validate again.", finite=False, limit=MAX_REPORT_BYTES
        )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise PackageError(
                f"{path} is not a parity report: {first_problem(error)}.", hint="Run validate again."
            ) from error
