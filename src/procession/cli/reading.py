"""The options that say which files are read and how, for every verb that reads a project."""

from __future__ import annotations

from procession.cli.templates import add_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_file_options(parser: argparse.ArgumentParser, *, dest: str = "file") -> None:
    """`-f`, those for templates, `--cwd` and `--name`, for words from `with_plain_vars`."""
    add = parser.add_argument
    add(
        "-f",
        "--file",
        "--config",
        dest=dest,
        metavar="FILE",
        action="append",
        default=[],
        help="the project's file, `-` for standard input; again for more, each laid over those "
        "before it (default: procession.yaml, procession.yml or drekar-launch.yaml in this folder)",
    )
    add_options(parser)
    add(
        "--cwd",
        metavar="DIR",
        help="relative paths are meant from here, not the files' folders, and a project without a "
        "name of its own is called after it",
    )
    add("--name", metavar="NAME", help="call the project NAME, whatever the files say")


def files_of(
    parser: argparse.ArgumentParser, files: Sequence[str], config_j2: str | None
) -> tuple[str, ...]:
    """The files that were named; ends with a usage error for a template beside others."""
    if files and config_j2 is not None:
        parser.error("one file is read with --config-j2: name several by -f, as NAME.j2")
    return tuple(files) if config_j2 is None else (config_j2,)


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Which tasks: `--only`, `--except`, `--no-deps`."""
    add = parser.add_argument
    add(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="just these tasks, by name, replica or tag (again, or comma-separated, for more), and "
        "what they depend on",
    )
    add(
        "--except",
        dest="without",
        metavar="NAME",
        action="append",
        default=[],
        help="without these, by name, replica or tag; what depends on them does not wait for them",
    )
    add("--no-deps", action="store_true", help="with --only: these alone, whatever they depend on")


def needed_of(parser: argparse.ArgumentParser, only: Sequence[str], *, no_deps: bool) -> bool:
    """Whether what the chosen tasks need runs too; ends with a usage error where none are chosen
    that could do without."""
    if no_deps and not only:
        parser.error("`--no-deps` goes with `--only`: these tasks alone, whatever they depend on")
    return not no_deps


def names_of(parser: argparse.ArgumentParser, option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The names that an option gives; ends with a usage error where it gives none."""
    names = tuple(word for part in given for word in part.split(",") if word)
    if given and not names:  # an unset variable in a script must not start everything
        parser.error(f"{option} names nothing: give names or tags of tasks, with commas between")
    return names
