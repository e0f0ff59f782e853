"""The methods of a study as text that a paper can take over: from manifest, cards and records.

Each sentence says only what is on file; what is not (a commit that is not pinned, a stack that no
record has) is said to be missing. Citations are keys of the bibliography.
"""

from __future__ import annotations

from zoo.errors import listed
from zoo.findings.collect import Results
from zoo.findings.format import TIMES
from zoo.findings.view import decoding_words
from zoo.grading import GRADER_VERSION
from zoo.judging.judge import SEALED
from zoo.report.bibliography import LORA, key_of
from zoo.report.methods import stacks
from zoo.store.stack import package_version
from zoo.trials.metrics import last_k
from zoo.trials.trial import Trial

SETTINGS = {
    "learning_rate": "learning rate",
    "beta": "KL coefficient",
    "epsilon": "clip range",
    "temperature": "sampling temperature",
    "max_completion_length": "longest response (tokens)",
    "loss_type": "loss",
    "scale_rewards": "reward scaling",
}
"""TRL's name -> words; what varies by trial is listed with all its values."""


def paragraphs(results: Results) -> list[str]:
    """The methods, a paragraph each: training, evaluation, statistics, software."""
    trials = [o.trial for o in results.outcomes]
    found = [
        _training(results, trials),
        _evaluation(results),
        _statistics(results),
        _stack(results),
    ]
    if results.made_up:
        found.insert(
            0,
            "These numbers are simulated or from a rehearsal; they are no evidence about the "
            "models named.",
        )
    return found


def _training(results: Results, trials: list[Trial]) -> str:
    models = listed(dict.fromkeys(_model(trial) for trial in trials))
    told = [f"We start from {models}."]
    trained = [trial for trial in trials if trial.trainer != "external"]
    if not trained:
        return f"{told[0]} Nothing is trained: checkpoints of others are evaluated."
    told.append(f"Training data: {listed(dict.fromkeys(_data(t) for t in trained))}.")
    recipes = listed(dict.fromkeys(t.recipe for t in trained))
    told.append(
        f"Models are trained by GRPO [{key_of('2402.03300')}] as TRL [trl] has it, with responses "
        f"sampled by vLLM [vllm], by the recipe {recipes}: "
        f"{_rounds(results, trained)}; {_settings(trained)}."
    )
    if adapted := [t for t in trained if t.peft]:
        told.append(_adapters(adapted, all_=len(adapted) == len(trained)))
    rewards = dict.fromkeys(
        f"{t.reward.name} (kind {t.reward.kind}, answers by {t.reward.extract})" for t in trained
    )
    prompts = listed(dict.fromkeys(t.prompt.name for t in trained))
    told.append(f"Rewards: {listed(rewards)}. Prompts: {prompts}.")
    seeds = ", ".join(map(str, sorted({t.seed for t in trials})))
    told.append(
        f"Each of the {len(results.answer.numbers.cells)} cells is trained with seeds {seeds}."
    )
    return " ".join(told)


def _adapters(adapted: list[Trial], *, all_: bool) -> str:
    """Which trials train adapters, and of which size."""
    said = [t.peft for t in adapted if t.peft]
    ranks = "/".join(str(r) for r in sorted({p.r for p in said}))
    alphas = "/".join(dict.fromkeys(_number(p.alpha) for p in said))
    layers = listed(dict.fromkeys(", ".join(p.modules) or "all linear layers" for p in said))
    who = "All trials" if all_ else f"{len(adapted)} trials"
    return (
        f"{who} train LoRA adapters [{key_of(LORA)}] of rank {ranks} (alpha {alphas}) on {layers}; "
        "responses are sampled from merged weights."
    )


def _model(trial: Trial) -> str:
    card = trial.start
    if card.repo:
        commit = f"commit {card.revision}" if card.revision else "commit not pinned"
        return f"{card.name} ({card.repo}, {commit})"
    digest = trial.base_digest or trial.model_digest
    return f"{card.name} (files with digest {digest})"


def _data(trial: Trial) -> str:
    n = trial.data.stated_size
    size = f"{n:,} problems, " if n else ""
    return f"{trial.data.name} ({size}digest {trial.data_digest})"


def _rounds(results: Results, trained: list[Trial]) -> str:
    sizes = [
        f"{b.prompts:,} prompts {TIMES} {b.num_generations} responses "
        f"({b.updates} update{'s' * (b.updates > 1)})"
        for b in dict.fromkeys(t.batch for t in trained)
    ]
    return f"{results.experiment.rounds} rounds of {' or '.join(sizes)}"


def _settings(trained: list[Trial]) -> str:
    told: list[str] = []
    for name, words in SETTINGS.items():
        values = dict.fromkeys(_number(t.grpo[name]) for t in trained if name in t.grpo)
        if values:
            told.append(f"{words} {'/'.join(values)}")
    return ", ".join(told)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _evaluation(results: Results) -> str:
    told: list[str] = []
    for e in results.headline:
        size = f"the first {e.problems}" if e.problems else f"all {e.benchmark.n or ''}".strip()
        samples = f", {e.samples} responses a problem" if e.samples > 1 else ""
        told.append(
            f"{e.benchmark.name} ({size} problems, digest {e.digest}; "
            f"{decoding_words(e.decoding)}{samples}; answers by {e.benchmark.extract})"
        )
    if not told:
        return "No evaluation reaches the last round."
    graders = {m.grader for o in results.outcomes for m in o.measured}
    k = last_k(results.experiment.final)
    final = "the last evaluation" if k == 1 else f"the mean of the last {k} evaluations"
    return (
        f"Base and trained models are evaluated on {'; '.join(told)}. Both answer the same "
        f"problems under the same decoding. A final number is {final}, never the best one. "
        f"Answers are graded by zoo's grader (version "
        f"{', '.join(sorted(graders)) or GRADER_VERSION}); "
        "responses that it cannot score are counted apart."
    )


def _statistics(results: Results) -> str:
    claims = results.experiment.claims
    sealed = sum(results.standing.get(claim.id) == SEALED for claim in claims)
    told = (
        "A cell's mean is over trials that ended and did not collapse; its interval is Student's "
        "at 95 % over training seeds, with a variance floor of half the typical variance of the "
        "study's cells. Differences are judged by Welch's t with the same floor and "
        "Satterthwaite's degrees of freedom, rates by an exact test."
    )
    if claims:
        told += (
            f" {sealed} of {len(claims)} claims were sealed before their trials ran; their "
            "verdicts are corrected together by Holm's procedure."
        )
    return told


def _stack(results: Results) -> str:
    found = stacks(results)
    told = "; ".join(found) if found else "no record names a stack yet"
    return (
        f"The study is run by zoo {package_version('zoo')}, which places trials by Ray [ray] or as "
        f"local processes and mirrors them to MLflow [mlflow]. Software of the trials: {told}."
    )
