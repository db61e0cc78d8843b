"""Runs the steps of a composite action as a runner does: each in a bash of its own, with the runner's files between.

Steps that use other people's actions are not run: they are evaluated and listed.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Ran", "run_action"]

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|==|!=|&&|\|\||[A-Za-z_][\w.-]*)")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


@dataclass
class Ran:
    """What an action did.

    Attributes:
        success: whether every step that ran ended with 0.
        outputs: of the action.
        summary: what it wrote to the job's summary.
        printed: by each step that ran a script, by its name.
        status: with which each of these ended.
        seconds: that each of these took.
        used: what other actions were given, by their name without the commit.
    """

    success: bool = True
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    printed: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)


def run_action(
    folder: Path, inputs: Mapping[str, str], *, workspace: Path, temporary: Path, environment: Mapping[str, str]
) -> Ran:
    """Run an action's steps.

    Args:
        folder: with the action.yml.
        inputs: that the caller gives; the others have their defaults.
        workspace: the folder in which steps run.
        temporary: an empty folder for the runner's files.
        environment: of the steps.

    Raises:
        KeyError: an expression names what there is not.
    """
    action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    declared = action["inputs"]
    if unknown := set(inputs) - set(declared):
        raise KeyError(f"no inputs {unknown}")
    given = {name: str(inputs.get(name, one.get("default", ""))) for name, one in declared.items()}
    if missing := [name for name, one in declared.items() if one.get("required") and name not in inputs]:
        raise KeyError(f"inputs {missing} are required")
    (temporary / "runner").mkdir()
    values = {f"inputs.{name}": value for name, value in given.items()}
    values |= {"github.action_path": str(folder), "runner.temp": str(temporary / "runner"), "runner.os": "Linux"}
    ran = Ran()
    files = {name: temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")}
    for place, step in enumerate(action["runs"]["steps"]):
        # Without a status function, a condition holds only where all went well before.
        if not ran.success or not _evaluate(str(step.get("if", "'true'")), values):
            continue
        if "uses" in step:
            ran.used[step["uses"].partition("@")[0]] = _filled(step.get("with", {}), values)
            continue
        for name, file in files.items():
            if name != "GITHUB_STEP_SUMMARY":
                file.write_text("")
        start = time.perf_counter()
        done = _run_step(
            step, values, place, workspace, temporary, {**environment, **{n: str(f) for n, f in files.items()}}
        )
        ran.seconds[step["name"]] = time.perf_counter() - start
        ran.printed[step["name"]], ran.status[step["name"]] = done.stdout, done.returncode
        ran.success = done.returncode == 0
        for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
    ran.summary = (
        files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") if files["GITHUB_STEP_SUMMARY"].exists() else ""
    )
    ran.outputs = {name: _fill(one["value"], values) for name, one in action["outputs"].items()}
    return ran


def _run_step(
    step: Mapping[str, Any],
    values: Mapping[str, str],
    place: int,
    workspace: Path,
    temporary: Path,
    environment: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    assert step["shell"] == "bash", "a composite action's scripts say in which shell they run"
    assert "${{" not in step["run"], "values reach a script by its environment, never by its text"
    script = temporary / f"step-{place}.sh"
    script.write_text(step["run"], encoding="utf-8")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],  # what "shell: bash" stands for
        cwd=workspace,
        env={
            **environment,
            **_filled(step.get("env", {}), values),
            "RUNNER_TEMP": values["runner.temp"],
            "RUNNER_OS": values["runner.os"],
            "CI": "true",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _filled(texts: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    return {name: _fill(text, values) for name, text in texts.items()}


def _fill(text: object, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda match: _evaluate(match[1], values), str(text))


def _evaluate(expression: str, values: Mapping[str, str]) -> str:
    """Return the value of an expression of names, texts, comparisons, && and ||; empty is false, as for a runner."""
    bare = expression.strip().removeprefix("${{").removesuffix("}}")
    tokens = _TOKEN.findall(bare)
    assert "".join(tokens) == re.sub(r"\s(?=(?:[^']*'[^']*')*[^']*$)", "", bare), f"cannot read {expression!r}"

    def operand() -> str:
        word = tokens.pop(0)
        if word.startswith("'"):
            return str(word[1:-1].replace("''", "'"))
        known = word in values or re.fullmatch(r"steps\.[\w-]+\.outputs\.[\w-]+", word)
        if not known:
            raise KeyError(word)
        return values.get(word, "")

    def comparison() -> str:
        left = operand()
        while tokens and tokens[0] in ("==", "!="):
            equal = tokens.pop(0) == "=="
            left = "true" if (left == operand()) == equal else ""
        return left

    def conjunction() -> str:
        left = comparison()
        while tokens and tokens[0] == "&&":
            tokens.pop(0)
            right = comparison()
            left = right if left else left
        return left

    left = conjunction()
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        right = conjunction()
        left = left or right
    assert not tokens, f"cannot read {expression!r}"
    return left
