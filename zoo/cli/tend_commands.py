"""Commands that tend sweeps and their files: `zoo stop|void|prune`. Imports that cost time are
inside each command, as in `zoo.cli.main`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.option_groups import which_plan

if TYPE_CHECKING:
    from zoo.planning.options import PlanOptions


@click.command()
@click.argument("name")
@click.option(
    "--now", is_flag=True, help="Within the profile's grace; at once if stopping already."
)
def stop(name: str, now: bool) -> int:
    """End a running sweep from another terminal, as Ctrl-C in its own does.

    Its trials end their rounds and save; waits until the sweep has ended. --now gives them the
    profile's `grace_s` as SIGTERM does, and ends them at once where the sweep is being stopped
    already. The jobs of a sweep that was submitted to Slurm are cancelled. Exit code 0 where the
    sweep has ended or was not running, 1 where it runs on another host. Ctrl-C here ends the
    waiting only.
    """
    from zoo.executors.slurm import cancel
    from zoo.upkeep.stop import run

    return run(name, click.echo, cancel, now=now)


@click.command()
@click.argument("name")
@click.argument("trials", metavar="TRIAL...", nargs=-1, required=True)
@click.option("--why", metavar="TEXT", help="The reason, which status and report show.")
@click.option("--undo", is_flag=True, help="Count them again.")
@which_plan
def void(
    name: str, trials: tuple[str, ...], words: PlanOptions, why: str | None, undo: bool
) -> int:
    """Set trials of a sweep aside: kept and shown with the reason, counted nowhere.

    TRIAL is a name or id, a part that matches only one, a number from 0, or a pattern such as
    '*box*'. A void trial is in no mean, comparison, claim, CSV or notebook, and no sweep runs it;
    MLflow has a tag. The report lists it. A claim sealed before gets its numbers without a verdict.
    `zoo sweep --retrain` trains a void trial that had ended again from round 0, and the new
    training counts. A trial that another sweep has, too, is void there as well.
    """
    from zoo.upkeep.voiding import run

    if undo == (why is not None):
        raise click.UsageError("give --why TEXT, or --undo")
    click.echo("\n".join(run(name, trials, words, why)))
    return 0


@click.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--yes", is_flag=True, help="Delete without asking, for scripts.")
@click.option(
    "--keep",
    multiple=True,
    type=click.Choice(["leftovers", "checkpoints"]),
    help="Leave these.",
)
@click.option("--weights", is_flag=True, help="Also the weights of finished trials.")
@click.option("--orphans", is_flag=True, help="Also checkpoints of trials that no manifest names.")
def prune(names: tuple[str, ...], yes: bool, **how: Any) -> int:
    """Show what takes room in the run store and is not needed, then delete it if you confirm.

    Leftovers of what broke off, checkpoints of finished trials, and with --weights their weights;
    of the sweeps NAME, or of all. Never a record, journal, evaluation or completion, and nothing
    that a running sweep uses. Says what each deletion forecloses. Without a terminal and --yes it
    deletes nothing.
    """
    from zoo.executors.slurm import has_jobs
    from zoo.upkeep import pruning

    made = pruning.plan(names, pruning.PruneOptions(**how), has_jobs)
    for line in pruning.text(made):
        click.echo(line)
    if not made.chosen:
        click.echo("nothing to delete")
    elif yes or (sys.stdin.isatty() and click.confirm("Delete what is not kept?")):
        pruning.delete(made, click.echo)
    else:
        click.echo("nothing was deleted; --yes deletes what is not kept")
    return 0


COMMANDS = (stop, void, prune)
