"""Commands that grade and evaluate outside a sweep: `zoo grade|audition|eval|behaviours|verify`.
Imports that cost time are inside each command, as in `zoo.cli.main`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.cli.option_groups import cards_option, which_plan

if TYPE_CHECKING:
    from zoo.planning.options import PlanOptions


@click.command()
@click.argument("name")
@click.option("--all", "all_", is_flag=True, help="Also scores of the current grader.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Symbolic workers.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@which_plan
def grade(name: str, words: PlanOptions, **how: Any) -> int:
    """Grade a sweep's stored completions again by the current grader, without sampling or training.

    Scores by another grader are computed again (the old ones are kept) and changed verdicts are
    listed; training rollouts are replayed, to check whether any reward changes. It can be
    interrupted and run again: finished work is kept.
    """
    from zoo.measuring.grade import GradeOptions, run

    return run(name, words, GradeOptions(**how))


@click.command("audition")
@click.argument("model", metavar="MODEL|FOLDER")
@click.option("--prompt", "prompts", multiple=True, help="[default: the card's, and the study's]")
@click.option("--data", multiple=True, help="Buckets. [default: easy, medium and hard]")
@click.option("--on", "benchmarks", multiple=True, help="Benchmarks to complete verbatim, too.")
@click.option("--problems", type=click.IntRange(min=2), default=32, show_default=True)
@click.option("--samples", type=click.IntRange(2, 64), default=4, show_default=True)
@click.option("--cap", type=click.IntRange(min=1), help="Longest response of the probe, in tokens.")
@click.option("--as", "as_", metavar="NAME", help="Name of the card. [default: the model's]")
@click.option(
    "--simulated", is_flag=True, help="Synthetic numbers, as a trial run; writes no card."
)
@click.option("--profile", metavar="PROFILE", help="Compute profile. [default: fits this machine]")
@cards_option
def audition_(model: str, **how: Any) -> int:
    """Probe a base model before training, and write a card with prompt, stop ids and cap.

    Over prompts, decodings and buckets: accuracy, boxes, how responses end, which tokens follow an
    answer, which bucket has groups to learn from, and whether questions are memorised. The
    card goes to ./cards/models, with its evidence; none is overwritten.
    """
    from zoo.measuring.audition import AuditionOptions, run

    return run(model, AuditionOptions(**how))


@click.command("eval")
@click.argument("what", nargs=-1, metavar="[MODEL|TRIAL|FOLDER]...")
@click.option("--on", multiple=True, required=True, metavar="A,B", help="Benchmark cards.")
@click.option(
    "--decoding",
    multiple=True,
    metavar="NAME|K=V,...",
    help="t0, t1.0, or temperature=T,top_p=P,max_tokens=N. [default: t1.0 and t0]",
)
@click.option("--samples", type=click.IntRange(1, 4096), help="Responses a problem, where sampled.")
@click.option("--problems", type=click.IntRange(min=1), help="Only the first N problems.")
@click.option("--prompt", help="Prompt card, of a model. [default: the model's]")
@click.option("--cap", type=click.IntRange(min=1), help="Longest response, of a model, in tokens.")
@click.option("--round", type=click.IntRange(min=0), help="Round of a trial. [default: its last]")
@click.option("--completions", multiple=True, metavar="FILE.jsonl", help="Completions to grade.")
@click.option("--name", help="What tables call those completions. [default: the file's name]")
@click.option(
    "--budget",
    "budgets",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="Also the accuracy where responses are cut after N tokens.",
)
@click.option(
    "--detail", is_flag=True, help="Add levels, sources, lengths, endings, majority votes."
)
@click.option("--csv", metavar="FILE", help="Write every number into a file.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Symbolic workers.")
@click.option("--simulated", is_flag=True, help="Synthetic numbers, to try the command.")
@click.option("--profile", metavar="PROFILE", help="Compute profile. [default: fits this machine]")
@cards_option
def eval_(
    what: tuple[str, ...],
    on: tuple[str, ...],
    decoding: tuple[str, ...],
    samples: int | None,
    problems: int | None,
    prompt: str | None,
    cap: int | None,
    round: int | None,
    simulated: bool,
    **how: Any,
) -> int:
    """Evaluate models, finished trials or folders of weights, as trials are evaluated.

    Evaluations that exist are reused, also those of a sweep. --completions grades responses that
    were generated elsewhere: a JSON object a line with `id` or `problem`, `completion`, and
    optionally `sample` and `finish`. Intervals are 95 %, over problems.
    """
    from zoo.measuring.eval_command import EvalOptions, run
    from zoo.planning.targets import Asked

    asked = Asked(on, decoding, problems, samples, prompt, cap, round=round, simulated=simulated)
    return run(what, asked, EvalOptions(**how))


@click.command()
@click.argument("name")
@click.option(
    "--on", metavar="BENCHMARK", help="[default: the largest that is evaluated at two rounds]"
)
@click.option("--decoding", help="[default: a sampled one]")
@click.option("--judge", metavar="MODEL", help="A judge model instead of keywords.")
@click.option("--endpoint", metavar="URL", help="Its OpenAI-compatible API, as https://host/v1.")
@click.option(
    "--key-variable",
    default="OPENAI_API_KEY",
    show_default=True,
    help="Environment variable with its API key; the key is never stored.",
)
@click.option(
    "--responses",
    type=click.IntRange(min=1),
    help="Only the first N responses of each set. [default: all; 200 with a judge]",
)
@click.option("--parallel", type=click.IntRange(1, 64), default=4, help="Calls at a time.")
@click.option(
    "--price",
    type=float,
    nargs=2,
    metavar="IN OUT",
    help="USD a million tokens, to estimate the cost.",
)
@click.option("--yes", is_flag=True, help="Call the judge without confirmation.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@which_plan
def behaviours(name: str, words: PlanOptions, **how: Any) -> int:
    """Show which reasoning behaviours a sweep's responses have, before and after training.

    Verification, backtracking, subgoal setting and enumeration, by keywords or by a judge model.
    Growth is reported over all responses, among correct ones, and among responses of similar
    length. The numbers are written to sweeps/NAME/behaviours.csv. Existing labels are reused.
    """
    from zoo.measuring.behaviours import BehavioursOptions, run

    return run(name, words, BehavioursOptions(**how))


@click.command()
@click.argument("cases", required=False)
@click.option("--gold", help="The reference of one pair (with --prediction).")
@click.option("--prediction", help="The response of one pair.")
@click.option("--extract", "rule", default="auto", show_default=True, help="Extraction rule.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Symbolic workers.")
def verify(
    cases: str | None, gold: str | None, prediction: str | None, rule: str, workers: int
) -> int:
    """Grade the rows of CASES (jsonl: gold, prediction), or one pair.

    CASES is a file, or `-` for standard input.
    """
    from zoo.cli.verify import run

    return run(cases, gold, prediction, rule, workers)


COMMANDS = (grade, audition_, eval_, behaviours, verify)
