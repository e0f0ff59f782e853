"""Cards of the study's base models and a few small ones, with geometry from their public
`config.json`, and trials on them: for tests of memory, hours and disk."""

from __future__ import annotations

from itertools import product
from typing import Any

from zoo.catalog import (
    Batch,
    BenchmarkCard,
    ComputeProfile,
    DataCard,
    Geometry,
    Gpu,
    ModelCard,
    PocketSource,
    PromptCard,
    RewardCard,
)
from zoo.catalog.model_card import ResponseLength
from zoo.manifest.schema import Decoding
from zoo.trials.trial import Evaluation, Trial

# Geometry from `config.json`; context, cap and KL of the study (the small ones: a choice); mean
# tokens of a response at the start and over the first 100 rounds, read off the study's figure 1
# (14B and Math-7B are guesses; 0 = not stated).
TABLE = """
name             layers hidden heads kv hd   ffn  vocab tied  parameters context  cap beta base mean
qwen2.5-0.5b          24    896    14  2  64  4864 151936 1    494032768   32768 8192 1e-4  400  734
qwen2.5-1.5b          28   1536    12  2 128  8960 151936 1   1543714304   32768 8192 1e-4  380  852
qwen2.5-3b            36   2048    16  2 128 11008 151936 1   3085938688   32768 8192 1e-4    0    0
qwen2.5-7b            28   3584    28  4 128 18944 152064 0   7615616512  131072 8192 1e-4  720  830
qwen2.5-math-7b       28   3584    28  4 128 18944 152064 0   7615616512    4096 3072 1e-4  850  850
qwen2.5-14b           48   5120    40  8 128 13824 152064 0  14770033664  131072 8192 1e-4  580  770
qwen2.5-32b           64   5120    40  8 128 27648 152064 0  32763876352  131072 8192 1e-3  450  706
llama-3.1-8b          32   4096    32  8 128 14336 128256 0   8030261248  131072 8192 1e-4  410 1395
mistral-7b            32   4096    32  8 128 14336  32000 0   7241732096   32768 8192 1e-4  490 4145
mistral-small-24b     40   5120    32  8 128 32768 131072 0  23572403200   32768 8192 1e-3  580 3516
deepseek-math-7b      30   4096    32 32 128 11008 102400 0   6910365696    4096 3072 1e-4  310  793
llama-3.2-1b          16   2048    32  8  64  8192 128256 1   1235814400  131072 8192 1e-4  400  700
llama-3.2-3b          28   3072    24  8 128  8192 128256 1   3212749824  131072 8192 1e-4    0    0
olmo-2-1b             16   2048    16 16 128  8192 100352 0   1484916736    4096 3072 1e-4  400  700
smollm2-1.7b          24   2048    32 32  64  8192  49152 1   1711376384    8192 4096 1e-4  400  700
"""
ROWS = {line.split()[0]: line.split()[1:] for line in TABLE.split("\n")[2:-1]}
STUDY = (
    *("mistral-7b", "llama-3.1-8b", "deepseek-math-7b", "mistral-small-24b", "qwen2.5-0.5b"),
    *("qwen2.5-1.5b", "qwen2.5-7b", "qwen2.5-14b", "qwen2.5-32b", "qwen2.5-math-7b"),
)
NAMES = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab", "tied")
H100 = Gpu(name="H100 SXM 80 GB", memory_gib=79.6)


def model(name: str) -> ModelCard:
    """Card of a model by name."""
    row = ROWS[name]
    base, mean = map(float, row[-2:])
    return ModelCard(
        schema="model/1",
        name=name,
        parameters=int(row[8]),
        geometry=Geometry.model_validate(dict(zip(NAMES, map(int, row[:8]), strict=True))),
        repo=f"somebody/{name}",
        context=int(row[9]),
        prompt="simple",
        cap=int(row[10]),
        beta=float(row[11]),
        response=ResponseLength(base=base, trained=mean) if base else None,
    )


def geometry(name: str) -> Geometry:
    """Geometry of a model by name."""
    found = model(name).geometry
    assert found is not None
    return found


def profile(gpus: int | None = 8, gpu: Gpu | None = H100, **more: Any) -> ComputeProfile:
    """A GPU profile as zoo ships them: sleep mode, checkpointing, bfloat16 engine."""
    said = {
        "schema": "profile/1",
        "name": f"{gpus or 'any'}-gpus",
        "device": "cuda",
        "gpu": gpu,
        "gpus": gpus,
        "gradient_checkpointing": True,
        "engine_dtype": "bfloat16",
        "vllm_enable_sleep_mode": True,
    }
    return ComputeProfile(**said | more)


def reward(name: str) -> RewardCard:
    """A reward card; `box-...` ones need a box."""
    return RewardCard(schema="reward/1", name=name, kind="matrix", needs_box="box" in name)


def bench(name: str, n: int, samples: int = 1) -> BenchmarkCard:
    """A benchmark of n problems."""
    pocket = PocketSource(level="easy", split="benchmark", n=n)
    return BenchmarkCard(schema="benchmark/1", name=name, pocket=pocket, n=n, samples=samples)


# The six of the study; AIME also at 32 samples.
SIX = (
    *(bench("gsm8k", 1319), bench("math500", 500), bench("minerva", 272)),
    *(bench("olympiadbench", 675), bench("aime24", 30, 32), bench("amc23", 40)),
)


def evaluations(rounds: tuple[int, ...]) -> tuple[Evaluation, ...]:
    """The six benchmarks at temperature 1.0 and up to 16,000 tokens."""
    sampled = Decoding(temperature=1.0, top_p=0.95, max_tokens=16000)
    return tuple(
        Evaluation(
            benchmark=card,
            digest="unpinned",
            problems=None,
            decoding_name="t1.0",
            decoding=sampled,
            rounds=rounds,
            samples=card.samples,
        )
        for card in SIX
    )


def trial(
    card: ModelCard | str,
    *,
    reward_name: str = "correctness",
    data: str = "simplerl-hard",
    rounds: int = 100,
    batch: Batch | None = None,
    measured: tuple[Evaluation, ...] = (),
    seed: int = 0,
    **grpo: Any,
) -> Trial:
    """A trial at the study's batch, without the checks of a manifest."""
    card = model(card) if isinstance(card, str) else card
    pocket = PocketSource(level="easy", split="train", n=8000)
    settings = {"beta": card.beta, "max_completion_length": card.cap, "loss_type": "dapo"}
    return Trial.model_construct(
        id=f"{card.name}.{reward_name}.{data}.s{seed}",
        cell={"model": card.name, "reward": reward_name, "data": data},
        seed=seed,
        rounds=rounds,
        trainer="trl",
        recipe="simplerl-zoo",
        model=card,
        data=DataCard(schema="data/1", name=data, pocket=pocket),
        reward=reward(reward_name),
        prompt=PromptCard(schema="prompt/1", name="simple", template="{problem}"),
        grpo=settings | grpo,
        batch=batch or Batch(prompts=1024, num_generations=8, updates=4),
        evaluations=measured,
        final="last",
    )


def full_grid(
    rewards: tuple[str, ...] = ("correctness", "box-graded", "box-strict"),
) -> list[Trial]:
    """The study's ten models x three rewards x three buckets x three seeds, 100 rounds, the six
    benchmarks every ten rounds."""
    measured = evaluations(tuple(range(0, 101, 10)))
    buckets = ("simplerl-easy", "simplerl-medium", "simplerl-hard")
    return [
        trial(card, reward_name=r, data=d, seed=seed, measured=measured)
        for card, r, d, seed in product(map(model, STUDY), rewards, buckets, range(3))
    ]
