"""What the pages say, happens: runs the Python snippets of `docs/` that are marked `<!-- run -->`.

A snippet ends in comments `# -> text`: the lines it prints, standard error among them. Times like
`0.5 s` may differ; all else must be as written. With `<!-- run: SIGTERM after serving -->` that
signal is sent once a line `serving` was printed; `status -15` says how it ends, if not with 0. Each
runs alone, in a folder and a process group of its own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
# lines a snippet may have
PAGES = {
    "why-stopping-is-hard.md": 15,
    "guide-shutdown.md": 20,
    "guide-executor.md": 20,
    "guide-python.md": 20,
}

MARKED = re.compile(
    r"^<!-- run(?:: (?P<signal>\w+) after (?P<ready>\w+)(?:, status (?P<status>-?\d+))?)? -->\n"
    r"```python\n(?P<code>.*?)^```$",
    re.M | re.S,
)
PROMISED = re.compile(r"^# -> (.*)$", re.M)
TIME_LIMIT = 20  # seconds; the slowest needs about one


class Snippet(NamedTuple):
    page: str
    line: int
    code: str
    signal: str | None
    ready: str | None
    status: int

    @property
    def promised(self) -> list[str]:
        return PROMISED.findall(self.code)

    def code_lines(self) -> list[str]:
        return [line for line in PROMISED.sub("", self.code).splitlines() if line.strip()]


def snippets_of(page: str) -> list[Snippet]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        Snippet(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["code"],
            found["signal"],
            found["ready"],
            int(found["status"] or 0),
        )
        for found in MARKED.finditer(text)
    ]


SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]


def run(snippet: Snippet, folder: Path) -> tuple[int, str]:
    file = folder / "snippet.py"
    file.write_text(snippet.code, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-u", str(file)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as program:
        assert program.stdout is not None
        try:
            before = ""
            if snippet.signal is not None:
                while not before.endswith(f"{snippet.ready}\n"):
                    line = program.stdout.readline()
                    assert line, f"ended before it was ready: {before}"
                    before += line
                program.send_signal(signal.Signals[snippet.signal])
            output, _ = program.communicate(timeout=TIME_LIMIT)
        except BaseException:
            os.killpg(program.pid, signal.SIGKILL)
            raise
    return program.returncode, before + output


def as_pattern(lines: list[str]) -> str:
    escaped = re.escape("".join(f"{line}\n" for line in lines))
    return re.sub(r"\d+\\\.\d+\\ s", r"\\d+\\.\\d+\\ s", escaped)


@pytest.mark.parametrize(
    "snippet", SNIPPETS, ids=[f"{s.page.removesuffix('.md')}-{s.line}" for s in SNIPPETS]
)
def test_a_snippet_does_what_its_page_says(snippet: Snippet, tmp_path: Path) -> None:
    status, output = run(snippet, tmp_path)
    assert re.fullmatch(as_pattern(snippet.promised), output), output
    assert status == snippet.status


@pytest.mark.quick
@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_snippets_and_none_escapes(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = snippets_of(page)
    assert (
        len(found) == text.count("<!-- run") > 0
    )  # a mark that the pattern misses would run never
    for snippet in found:
        assert snippet.promised, f"{page}:{snippet.line} prints nothing that could be checked"
        assert len(snippet.code_lines()) <= PAGES[page], f"{page}:{snippet.line} is long"


@pytest.mark.quick
def test_times_may_differ_and_nothing_else() -> None:
    pattern = as_pattern(["ended after 0.0 s", "status 0"])
    assert re.fullmatch(pattern, "ended after 12.3 s\nstatus 0\n")
    assert not re.fullmatch(pattern, "ended after 12.3 s\nstatus 1\n")
    assert not re.fullmatch(pattern, "ended after 12.3 s\nstatus 0\nand more\n")


@pytest.mark.quick
@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("*.md")))
def test_links_inside_the_docs_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        linked = DOCS / file if file else DOCS / page
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.M)
            assert anchor in {anchor_of(head) for head in heads}, target


def anchor_of(heading: str) -> str:
    """The anchor GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
