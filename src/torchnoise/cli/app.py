"""The commands and their flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from . import say

app = typer.Typer(
    name="torchnoise",
    help="Noise injection as regularisation for PyTorch: see which noise helps.",
    epilog="Example:  torchnoise compare",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# typer keeps click, whose errors these are, under different names in different versions
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; every error of its user is one line."""
    try:
        status = app(args=None if arguments is None else list(arguments), prog_name="torchnoise", standalone_mode=False)
    except UsageError as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message:
            say(" ".join(message.split()))
        return 2
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        say("interrupted")
        return 130
    return status if isinstance(status, int) else 0


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"torchnoise {__version__}")
        raise typer.Exit(0)


@app.callback()
def torchnoise(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and leave.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Noise injection as regularisation for PyTorch: see which noise helps."""


@app.command(epilog="Example:  torchnoise compare --noises gaussian_input,dropout --seeds 10")
def compare(
    noises: Annotated[
        str | None,
        typer.Option(help="Noises to try, separated by commas. All of them, if left out.", metavar="A,B"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Paired runs of each; more seeds, narrower intervals.")] = 5,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data.", show_default="25")] = None,
    seed: Annotated[int, typer.Option(help="Master seed: the split and every run follow from it.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for report.html, results.json and runs.jsonl.")] = Path(
        "torchnoise-compare"
    ),
    jobs: Annotated[
        int | None,
        typer.Option(help="Processes at a time; results do not depend on it.", show_default="one for each core"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the report's path only.")] = False,
) -> int:
    """Train a model clean and with each noise: which noise helps, how surely, at what cost.

    Runs with the same seed start from the same weights and see the same batches.
    Strengths and the winner are chosen on validation data; the test set is scored
    once. Interrupted, the same command goes on where it was.
    """
    from .compare import run_compare

    return run_compare(noises, seeds, epochs, seed, out, jobs, quiet)
