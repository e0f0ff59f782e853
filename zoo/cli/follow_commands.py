"""Commands that follow a sweep: `zoo status|logs`. Imports that cost time are inside each command,
as in `zoo.cli.main`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo.cli.option_groups import which_plan

if TYPE_CHECKING:
    from zoo.planning.options import PlanOptions


@click.command()
@click.argument("name")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Again every 2 s, until the sweep ends.")
@which_plan
def status(name: str, words: PlanOptions, json_: bool, watch: bool) -> int:
    """Show the state of each trial of a sweep, and its process.

    With --watch: redrawn in place on a terminal, else a line for what changed, until no process
    runs the sweep; Ctrl-C ends it before (exit code 130) and does not touch the sweep.
    """
    from zoo.cli.status import show
    from zoo.cli.status import watch as show_again

    if watch:
        if json_:
            raise click.UsageError("--watch is for people; call --json again and again instead")
        return show_again(name, words)
    return show(name, words, json_=json_)


@click.command()
@click.argument("name")
@click.argument("trial")
@click.option("-n", "lines", type=click.IntRange(min=1), help="Only the last N lines.")
@click.option(
    "-f", "--follow", is_flag=True, help="Print rounds and log as they come, until the trial ends."
)
@which_plan
def logs(name: str, trial: str, words: PlanOptions, lines: int | None, follow: bool) -> int:
    """Print the log of a TRIAL (its name or id, or a part that matches only one).

    With --follow: a line for each round so far, the last 10 lines of the log (-n N: the last N),
    then both as they come. A line divides launches. While the sweep runs it waits for a trial that
    has yet to start or may be tried again; it ends with the trial or the sweep, or at Ctrl-C (exit
    code 130).
    """
    from zoo.cli.logs import show

    return show(name, trial, words, lines, follow=follow)


COMMANDS = (status, logs)
