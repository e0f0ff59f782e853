"""The `zoo` command. Reads words, calls one function, prints text; every import that costs time is
inside its command.

Exit status: 0 done, 1 some trials failed or what lies on disk cannot be used, 2 bad input, 3
(`plan --detailed-exitcode`) there is work, 130 and 143 stopped by a signal.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from zoo import __version__
from zoo.cli.card_groups import card_groups
from zoo.cli.follow_commands import COMMANDS as FOLLOWING
from zoo.cli.measuring_commands import COMMANDS
from zoo.cli.option_groups import (
    cards_option,
    look_option,
    order_option,
    profile_option,
    run_options,
    which_plan,
)
from zoo.cli.tend_commands import COMMANDS as TENDING

if TYPE_CHECKING:
    from zoo.planning.options import PlanOptions

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="zoo %(version)s")
def cli() -> None:
    """Zero-RL studies from one YAML manifest: plan, sweep, compare.

    MANIFEST and NAME are a file, or the name of one in ./experiments. A name means its sweep as it
    last started, with its --set, --cards and --reward (a line lists them); for plan, show and sweep
    a path means the file as it is now. NAME.rehearsal is the rehearsal. Runs are kept in ./runs
    (ZOO_RUNS moves it), reports in ./sweeps (ZOO_SWEEPS).
    """


@cli.command()
@click.argument("name")
@click.option("--model", metavar="A,B", help="Model cards, folders, or hf:org/name@commit.")
@click.option("--data", metavar="A,B", help="Data cards, or jsonl and parquet files.")
@click.option("--reward", metavar="A,B", help="Reward cards, or FILE.py of your own.")
@click.option("--recipe", help="Recipe card. [default: fits the models]")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    help="Length of training. [default: 20 of pocket, else 100]",
)
@cards_option
def init(name: str, **options: Any) -> int:
    """Write a commented manifest experiments/NAME.yaml to start from.

    On a terminal it prompts for model, data and reward where not given. Overwrites nothing.
    """
    from zoo.cli.init import Options, run

    return run(name, Options(**options))


@cli.command()
@click.argument("manifest")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--explain", metavar="ID", help="Why one trial runs, and its resolved inputs.")
@click.option("--diff", is_flag=True, help="Only what changed since the sweep last started.")
@click.option("--all", "all_", is_flag=True, help="A line for every trial, by name.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 if there is work left.")
@click.option("--simulate", is_flag=True, help="The sweep in simulated time: hours, idle GPUs.")
@click.option("--svg", metavar="FILE", help="With --simulate: draw it, in the order of --order.")
@order_option
@profile_option
@look_option
@which_plan
def plan(manifest: str, words: PlanOptions, look: int | None, **how: Any) -> int:
    """Show what a MANIFEST runs, why, and what it costs. Runs and writes nothing.

    --simulate runs what is left in simulated time on the GPUs of the profile, in each order that
    `zoo sweep` has, with the cost model's hours, and prints the least hours that any order takes.
    """
    from zoo.cli.plan import PlanFormat, show

    if how["svg"] is not None and not how["simulate"]:
        raise click.UsageError("--svg is for --simulate")
    return show(manifest, replace(words, look=look), PlanFormat(**how))


@cli.command()
@click.argument("manifest")
@click.option("--trial", default="0", metavar="N|ID", help="Which one. [default: 0, the first]")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@which_plan
def show(manifest: str, words: PlanOptions, trial: str, json_: bool) -> int:
    """Print one trial of a MANIFEST fully resolved, each value with its origin."""
    from zoo.cli.show import show as show_trial

    return show_trial(manifest, words, trial, json_=json_)


@cli.command()
@cards_option
def schema(cards: tuple[str, ...]) -> int:
    """Print the JSON Schema of manifests, for editors; --cards adds the names of more cards."""
    from zoo.cli.schema_command import show

    return show(cards)


@cli.command()
@click.argument("manifest")
@run_options
@click.option("--relock", is_flag=True, help="Accept cards and digests that moved since the lock.")
@click.option(
    "--retrain",
    is_flag=True,
    help="Also train finished trials again that only training again would change.",
)
@profile_option
@look_option
@which_plan
def sweep(manifest: str, words: PlanOptions, look: int | None, **how: Any) -> int:
    """Run what is left of a MANIFEST, then write its report. Finished trials are never redone.

    Interrupted trials continue from their newest checkpoint. Ctrl-C waits until the running rounds
    have ended and are saved; a second one does not wait. Where a manifest adds seeds in looks,
    further looks follow while a sealed claim is undecided; --look N runs that look alone. With
    executor slurm it submits a job for each trial without one, and returns.
    """
    from zoo.cli.sweep import SweepOptions, run

    return run(manifest, replace(words, look=look), SweepOptions(**how))


@cli.command()
@click.argument("name")
@click.option(
    "--rounds", type=click.IntRange(min=1), required=True, metavar="N", help="Rounds in all."
)
@run_options
@profile_option
@which_plan
def extend(name: str, rounds: int, words: PlanOptions, **how: Any) -> int:
    """Run a sweep to more rounds: finished trials continue under their ids.

    They continue from their last checkpoint, which `keep_extendable: true` in the profile keeps,
    if no setting depends on the number of rounds. Results of fewer rounds are kept. Refuses,
    with the reason, if a finished trial cannot continue; --only leaves it out.
    """
    from zoo.cli.extend import run
    from zoo.cli.sweep import SweepOptions

    return run(name, rounds, words, SweepOptions(extend=True, **how))


@cli.command()
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md"]),
    default="html",
    show_default=True,
    help="report.html, or report.md with links to the figures.",
)
@which_plan
def report(name: str, words: PlanOptions, form: Literal["html", "md"]) -> int:
    """Write the report of a sweep, finished or not.

    Figures (SVG, PDF, CSV), tables (CSV, LaTeX, Markdown), methods and sources are written to
    sweeps/NAME/report.
    """
    from zoo.cli.sweep import report as write

    return write(name, words, form)


@cli.command()
@click.argument("name")
@click.argument("other", required=False)
@click.option("--by", metavar="AXIS", help="Only the effects of this axis. [default: all axes]")
@click.option("--metric", metavar="M", help="Of cells and effects. [default: the first claim's]")
@click.option(
    "--across",
    multiple=True,
    type=click.Choice(["stacks", "decodings", "graders", "problems", "finals"]),
    help="What NAME and OTHER may differ in; the table notes it.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@which_plan
def compare(name: str, other: str | None, words: PlanOptions, **how: Any) -> int:
    """Judge a sweep: cell means over seeds, effects by axis, and a verdict for each claim.

    With OTHER (a sweep, or its folder): both side by side, and OTHER minus NAME over equal cells.

    A sealed claim is supported, refuted or undecided once all trials that it compares have ended;
    sealed verdicts are corrected together. Runs and writes nothing.
    """
    from zoo.cli.compare import show

    return show([name, *filter(None, [other])], words, **how)


@cli.command()
@click.argument("name")
@click.argument("trial")
@click.argument("folder", metavar="DIR")
@click.option(
    "--round", "round_", type=click.IntRange(min=1), metavar="N", help="Weights after this round."
)
@which_plan
def export(name: str, trial: str, folder: str, round_: int | None, words: PlanOptions) -> int:
    """Write the trained model of a TRIAL into DIR, a new Hugging Face folder.

    Weights as safetensors, config, tokenizer, the end ids that the trial used, and a model card
    with recipe, data, scores and versions. Of the last round, or of any round whose weights are
    stored.
    """
    from zoo.cli.export_command import run

    return run(name, trial, folder, words, round_)


@cli.command()
@click.argument("name")
@click.argument("trial")
@click.argument("folder", metavar="DIR")
@profile_option
@which_plan
def eject(name: str, trial: str, folder: str, profile: str | None, words: PlanOptions) -> int:
    """Write a TRIAL as one script of plain TRL into DIR, a new folder.

    train.py has all settings, the reward and the order of training, and needs of zoo the grader
    alone; requirements.txt pins what it imports, problems.jsonl has the prompts. Its first rounds
    have the rewards of the trial.
    """
    from zoo.cli.eject_command import run

    return run(name, trial, folder, words, profile)


@cli.command()
@click.argument("name", required=False)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@which_plan
def ui(name: str | None, words: PlanOptions, port: int, host: str) -> int:
    """Serve the MLflow pages of all sweeps; with NAME, bring that one up to date first."""
    from zoo.cli.mlflow_commands import serve

    return serve(name, words, port, host)


@cli.command()
@click.argument("name")
@which_plan
def sync(name: str, words: PlanOptions) -> int:
    """Copy a sweep to MLflow from its run folders, at any time and as often as you like.

    Sends only what MLflow lacks. MLFLOW_TRACKING_URI names a server, else ./runs/mlflow.db is
    meant; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD its account.
    """
    from zoo.cli.mlflow_commands import sync as copy

    return copy(name, words)


@cli.command()
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--try", "try_", is_flag=True, help="Train a pocket model on each GPU, some minutes.")
@profile_option
@click.option("--keep", metavar="DIR", help="Keep the files of --try in DIR, a new folder.")
def doctor(json_: bool, try_: bool, profile: str | None, keep: str | None) -> int:
    """Check the installation and this machine; print how to fix problems.

    With --try it trains, kills and continues a pocket model through `zoo sweep`, one trial a GPU or
    one on a CPU, and checks engine and trainer, memory, checkpoints.
    """
    if try_:
        from zoo.doctor.doctor_try import run as run_try

        return run_try(profile, keep, json_)
    if profile is not None or keep is not None:
        raise click.UsageError("--on and --keep are for --try")
    from zoo.doctor.doctor import run

    return run(json_)


for command in (*COMMANDS, *FOLLOWING, *TENDING, *card_groups()):
    cli.add_command(command)


def main() -> NoReturn:
    """Entry of the console script: turns every expected error into one text and its status."""
    from zoo.errors import ZooError

    # Looking for plugins, pydantic reads what every installed package says of itself; zoo has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A large plan is some million objects that live to the end; looking for cycles among them again
    # and again took a fifth of the time of making it.
    gc.set_threshold(200_000, 20, 20)
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except ZooError as error:
        click.echo(f"zoo: {error}", err=True)
        status = error.exit_code
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stderr.close()
        status = 141
    except OSError as error:
        from zoo.planning.disk_errors import describe, exit_code

        if (fault := describe(error)) is None:
            raise
        click.echo(f"zoo: {fault}", err=True)
        status = exit_code(error)
    gc.freeze()  # nor when the process ends
    sys.exit(status or 0)


if __name__ == "__main__":
    main()
