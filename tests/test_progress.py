"""Long work is counted in one place, however many functions it runs through."""

from __future__ import annotations

from instanseg_export.progress import Steps


def test_steps_are_counted_as_they_begin_and_end() -> None:
    seen: list[tuple[str, int, int]] = []
    steps = Steps(lambda what, done, total: seen.append((what, done, total)), 2)
    steps.start("read")
    steps.start("write")
    steps.expect(2)
    steps.end("first image")
    steps.end("second image")
    steps.tell("done")
    assert seen == [
        ("read", 0, 2),
        ("write", 1, 2),
        ("first image", 3, 4),
        ("second image", 4, 4),
        ("done", 4, 4),
    ]


def test_no_more_is_done_than_there_is() -> None:
    seen: list[tuple[int, int]] = []
    steps = Steps(lambda what, done, total: seen.append((done, total)), 1)
    steps.end("one")
    steps.end("another that nobody expected")
    assert seen == [(1, 1), (1, 1)]


def test_nobody_need_listen() -> None:
    Steps().end("unheard")
