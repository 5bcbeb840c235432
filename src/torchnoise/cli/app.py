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


@app.command(epilog="Example:  torchnoise sites mlp examples/plans/mnist.yaml")
def sites(
    model: Annotated[
        str,
        typer.Argument(
            help="mlp or cnn; package.module:name of a model or of a function that makes one; the folder of a "
            "Transformers model, or its name on the hub.",
            metavar="MODEL",
        ),
    ],
    plan: Annotated[Path | None, typer.Argument(help="A plan file.", metavar="PLAN", show_default=False)] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="The Transformers class to build, such as AutoModelForSequenceClassification; names depend on it.",
            metavar="CLASS",
            show_default="what the model's configuration says",
        ),
    ] = None,
) -> int:
    """List what plans can name in a model; or, with PLAN, what that plan matches there.

    Exit status: 0 if all of the plan matches, 1 if not, 2 if it cannot be read.
    """
    from .sites import run_sites

    return run_sites(model, plan, task)


@app.command(epilog="Example:  torchnoise schema > plan.schema.json")
def schema() -> None:
    """Print the JSON Schema of plan files, by which editors complete and check them."""
    from ..plans import part

    print(part("schema").schema_text())


@app.command(epilog="Example:  torchnoise train examples/plans/gaussian_input.yaml --data digits --epochs 20")
def train(
    plan: Annotated[Path, typer.Argument(help="A plan file.", metavar="PLAN", show_default=False)],
    data: Annotated[
        str, typer.Option(help="digits; a CSV file with a header (.csv, .csv.gz); a folder with MNIST's files.")
    ] = "digits",
    target: Annotated[str | None, typer.Option(help="The CSV column to learn.", metavar="COLUMN")] = None,
    model: Annotated[
        str, typer.Option(help="mlp, cnn, or package.module:function, which gives a model.", metavar="MODEL")
    ] = "mlp",
    epochs: Annotated[int, typer.Option(help="Passes over the training data; may grow later.")] = 10,
    lr: Annotated[float, typer.Option(help="AdamW's learning rate.")] = 1e-3,
    batch_size: Annotated[int, typer.Option(help="Examples in a batch, over all processes.")] = 64,
    seed: Annotated[
        int | None, typer.Option(help="Of split, weights, order and noise.", show_default="the plan's, or 0")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for model, history and checkpoints.")] = Path("torchnoise-train"),
    weight_decay: Annotated[float, typer.Option(help="AdamW's weight decay.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="Of the learning rate: constant, linear, cosine.")] = "cosine",
    warmup: Annotated[int, typer.Option(help="Steps in which the learning rate rises.")] = 0,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient; noise comes after it.")] = None,
    accumulate: Annotated[int, typer.Option(help="Batches in a step.")] = 1,
    precision: Annotated[str | None, typer.Option(help="no, bf16 or fp16.", show_default="no")] = None,
    early_stopping: Annotated[int | None, typer.Option(help="Epochs without a better validation loss.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps; after each epoch anyway.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Stay on the CPU.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder only.")] = False,
) -> int:
    """Train a model with a plan's noise; write model.safetensors, history.json, history.png.

    The weights are those of the epoch with the best validation loss; the test part
    is scored once, with them. Interrupted or killed, the same command goes on
    where it was, and ends with the same bits.
    """
    from .train import Wishes, run_train

    how = {"weight_decay": weight_decay, "scheduler": schedule, "warmup": warmup, "clip_grad_norm": clip}
    how |= {"accumulate": accumulate, "precision": precision, "early_stopping": early_stopping}
    how |= {"checkpoint_every": checkpoint_every, "cpu": cpu}
    return run_train(Wishes(plan, data, target, model, epochs, lr, batch_size, seed, out, how, quiet))
