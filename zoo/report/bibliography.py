"""BibTeX entries of what a study rests on: the study that it follows, the software that ran, and
the papers that its cards name as their source."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zoo.findings.collect import Results
from zoo.trials.trial import Trial

SOFTWARE = {
    "trl": (
        "misc",
        "{TRL}: Transformers Reinforcement Learning",
        "von Werra, Leandro and Belkada, Younes and Tunstall, Lewis and Beeching, Edward and "
        "Thrush, Tristan and Lambert, Nathan and Huang, Shengyi and Rasul, Kashif and "
        "Gallou{\\'e}dec, Quentin",
        "2020",
        "howpublished = {\\url{https://github.com/huggingface/trl}}",
    ),
    "vllm": (
        "inproceedings",
        "Efficient Memory Management for Large Language Model Serving with {PagedAttention}",
        "Kwon, Woosuk and Li, Zhuohan and Zhuang, Siyuan and Sheng, Ying and Zheng, Lianmin and "
        "Yu, Cody Hao and Gonzalez, Joseph E. and Zhang, Hao and Stoica, Ion",
        "2023",
        "booktitle = {Proceedings of the 29th Symposium on Operating Systems Principles}",
    ),
    "ray": (
        "inproceedings",
        "Ray: A Distributed Framework for Emerging {AI} Applications",
        "Moritz, Philipp and Nishihara, Robert and Wang, Stephanie and Tumanov, Alexey and Liaw, "
        "Richard and Liang, Eric and Elibol, Melih and Yang, Zongheng and Paul, William and "
        "Jordan, Michael I. and Stoica, Ion",
        "2018",
        "booktitle = {13th USENIX Symposium on Operating Systems Design and Implementation}",
    ),
    "mlflow": (
        "article",
        "Accelerating the Machine Learning Lifecycle with {MLflow}",
        "Zaharia, Matei and Chen, Andrew and Davidson, Aaron and Ghodsi, Ali and Hong, Sue Ann "
        "and Konwinski, Andy and Murching, Siddharth and Nykodym, Tomas and Ogilvie, Paul and "
        "Parkhe, Mani and Xie, Fen and Zumar, Corey",
        "2018",
        "journal = {IEEE Data Engineering Bulletin}",
    ),
}
"""Key -> kind, title, authors, year, further fields."""
LORA = "2106.09685"
PAPERS = {
    LORA: (
        "{LoRA}: Low-Rank Adaptation of Large Language Models",
        "Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi "
        "and Wang, Shean and Wang, Lu and Chen, Weizhu",
    ),
    "2503.18892": (
        "SimpleRL-Zoo: Investigating and Taming Zero Reinforcement Learning for Open Base Models "
        "in the Wild",
        "Zeng, Weihao and Huang, Yuzhen and Liu, Qian and Liu, Wei and He, Keqing and Ma, Zejun "
        "and He, Junxian",
    ),
    "2402.03300": (
        "{DeepSeekMath}: Pushing the Limits of Mathematical Reasoning in Open Language Models",
        "Shao, Zhihong and Wang, Peiyi and Zhu, Qihao and Xu, Runxin and Song, Junxiao and Bi, "
        "Xiao and Zhang, Haowei and Zhang, Mingchuan and Li, Y. K. and Wu, Y. and Guo, Daya",
    ),
    "2103.03874": (
        "Measuring Mathematical Problem Solving With the {MATH} Dataset",
        "Hendrycks, Dan and Burns, Collin and Kadavath, Saurav and Arora, Akul and Basart, Steven "
        "and Tang, Eric and Song, Dawn and Steinhardt, Jacob",
    ),
    "2110.14168": (
        "Training Verifiers to Solve Math Word Problems",
        "Cobbe, Karl and Kosaraju, Vineet and Bavarian, Mohammad and Chen, Mark and Jun, Heewoo "
        "and Kaiser, Lukasz and Plappert, Matthias and Tworek, Jerry and Hilton, Jacob and "
        "Nakano, Reiichiro and Hesse, Christopher and Schulman, John",
    ),
    "2107.03374": ("Evaluating Large Language Models Trained on Code", "Chen, Mark and others"),
    "2501.12948": (
        "{DeepSeek-R1}: Incentivizing Reasoning Capability in {LLMs} via Reinforcement Learning",
        "{DeepSeek-AI}",
    ),
    "2502.03373": (
        "Demystifying Long Chain-of-Thought Reasoning in {LLMs}",
        "Yeo, Edward and Tong, Yuxuan and Niu, Morry and Neubig, Graham and Yue, Xiang",
    ),
    "2503.14476": (
        "{DAPO}: An Open-Source {LLM} Reinforcement Learning System at Scale",
        "Yu, Qiying and others",
    ),
    "2503.20783": (
        "Understanding {R1-Zero}-Like Training: A Critical Perspective",
        "Liu, Zichen and Chen, Changyu and Li, Wenjun and Qi, Penghui and Pang, Tianyu and Du, "
        "Chao and Lee, Wee Sun and Lin, Min",
    ),
    "2504.16084": ("{TTRL}: Test-Time Reinforcement Learning", "Zuo, Yuxin and others"),
    "2506.10947": (
        "Spurious Rewards: Rethinking Training Signals in {RLVR}",
        "Shao, Rulin and others",
    ),
    "2507.10532": (
        "Reasoning or Memorization? Unreliable Results of Reinforcement Learning Due to Data "
        "Contamination",
        "Wu, Mingqi and others",
    ),
}
"""arXiv id -> title, authors."""
ALWAYS = ("2503.18892", "2402.03300")  # the study, and where GRPO comes from
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def bibliography(results: Results) -> str:
    """The entries as one file. A simulated study names its software as well: the text does."""
    entries = [_paper(number) for number in cited(results)]
    entries += [_software(key) for key in SOFTWARE]
    return "\n".join(entries)


def cited(results: Results) -> list[str]:
    """Papers by arXiv id: what every study rests on, then what this one's cards name."""
    found: dict[str, None] = dict.fromkeys(ALWAYS)
    if any(e.samples > 1 for e in results.headline):
        found["2107.03374"] = None
    if any(o.trial.peft for o in results.outcomes):
        found[LORA] = None
    for outcome in results.outcomes:
        for source in _sources(outcome.trial):
            found |= dict.fromkeys(_ARXIV.findall(source))
    return list(found)


def _sources(trial: Trial) -> Iterable[str]:
    yield trial.model.source
    yield trial.reward.source
    for card in (trial.data, *(e.benchmark for e in trial.evaluations)):
        yield card.source
        yield from (used.source for used in card.uses)


def key_of(number: str) -> str:
    """Key of a paper's entry."""
    return f"arxiv-{number}"


def _paper(number: str) -> str:
    title, authors = PAPERS.get(number, (f"arXiv:{number}", ""))
    fields = [f"title = {{{title}}}"]
    fields += [f"author = {{{authors}}}"] if authors else []
    fields += [
        f"year = {{20{number[:2]}}}",
        f"eprint = {{{number}}}",
        "archivePrefix = {arXiv}",
    ]
    return f"@misc{{{key_of(number)},\n  " + ",\n  ".join(fields) + "\n}\n"


def _software(key: str) -> str:
    kind, title, authors, year, more = SOFTWARE[key]
    fields = (f"title = {{{title}}}", f"author = {{{authors}}}", f"year = {{{year}}}", more)
    return f"@{kind}{{{key},\n  " + ",\n  ".join(fields) + "\n}\n"
