"""Placement of a trial: number of GPUs, tensor parallelism, micro-batch, and whether it fits.

The effective batch is the manifest's and never moves: micro-batch, accumulation and GPUs only split
it, and a batch that does not divide evenly is refused. Plan and trainer use the same function, so
that trials run as planned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from zoo.catalog import Batch, ComputeProfile, Geometry
from zoo.resources import memory as parts
from zoo.resources.lengths import expected
from zoo.resources.memory import GIB, Memory
from zoo.trials.trial import Trial
from zoo.trlspec.validation import has_entropy_bonus

PROMPT_TOKENS = 1024
"""Tokens for a prompt where prompts were not measured, and the minimum of an engine: the study's
limit (sh:L25)."""
GPUS = (1, 2, 4, 8, 16, 32, 64, 128)  # 128: the study's largest (Mistral-Small-24B, I#69)
USABLE = 0.90  # of the card; the rest is fragmentation and error of this model
ENGINE_SHARE = 0.25  # of the card at most for vLLM's weights, else more tensor parallelism
SEQUENCES = 64  # that an engine should hold at once, of this many tokens or the expected ones
SEQUENCE_TOKENS = 2048
TYPICAL_PROMPT = 256  # tokens; the study drops prompts above 1,024 characters
NO_LIMIT = 2**31  # context of a model that states none
SMALL = 50e6  # parameters up to which everything has room
STEP = 0.05  # step of vLLM's share of the GPU's memory


@dataclass(frozen=True, slots=True)
class Placement:
    """How one trial lies on the hardware of one profile."""

    profile: str
    gpu: str
    """Kind of GPU; "" on a CPU."""
    gpus: int
    """GPUs a trial; 0 on a CPU."""
    gpus_per_node: int
    processes: int
    """Processes of the trainer: one per GPU, on a CPU the profile's number."""
    tensor_parallel: int
    micro_batch: int
    """Completions of one forward pass on one GPU."""
    accumulation: int
    """Forward passes an update on one GPU."""
    utilisation: float
    """vLLM's share of the card's memory; 0 where transformers generates."""
    generation_batch: int
    """Completions that transformers generates at a time; 0 where vLLM generates."""
    memory: Memory | None
    """Of each GPU; None = not modelled (a CPU, or a card without geometry)."""
    usable_gib: float
    fits: bool | None
    """Whether it fits the profile; None = unknown."""
    why: str

    @property
    def nodes(self) -> int:
        """Nodes that a trial spans, 1 or more."""
        return max(1, math.ceil(self.gpus / self.gpus_per_node))

    @property
    def where(self) -> str:
        """`CPU`, `1 GPU`, `4 GPUs of one node` or `16 GPUs of 2 nodes`."""
        if not self.gpus:
            return "CPU" if self.processes == 1 else f"CPU, {self.processes} processes"
        if self.gpus == 1:
            return "1 GPU"
        nodes = "one node" if self.nodes == 1 else f"{self.nodes} nodes"
        return f"{self.gpus} GPUs of {nodes}"

    @property
    def proof(self) -> str:
        """That the effective batch is the manifest's, spelt out."""
        total = self.micro_batch * self.accumulation * self.processes
        over = f" x {_gpus(self.gpus)}" if self.gpus else ""
        if not self.gpus and self.processes > 1:
            over = f" x {self.processes} processes"
        split = f"micro {self.micro_batch} x accum {self.accumulation}{over}"
        return f"{split} = {total:,} completions an update"


def place(
    trial: Trial, profile: ComputeProfile, gpus: int | None = None, *, prompt: int | None = None
) -> Placement:
    """The smallest number of GPUs from the profile's `gpus_per_trial` on (or just `gpus`) on which
    the trial fits, with its placement. `prompt`: tokens of its longest prompt; None = not measured,
    `PROMPT_TOKENS` are assumed.

    Where the model's geometry or the GPU is not stated, micro-batch and vLLM's share are the
    profile's own; a CPU's memory is not modelled, so only pocket models are known to fit there.
    Where no number of GPUs is enough, the last one tried, with the reason.
    """
    geometry, gpu = trial.model.geometry, profile.gpu
    if profile.device == "cpu":
        small = 0 < trial.model.parameters <= SMALL
        return _as_told(trial, profile, 0, True if small else None, "memory not modelled")
    least = max(1, math.ceil(profile.gpus_per_trial))
    if gpu is None or geometry is None:
        lacking = "profile states no GPU" if gpu is None else "model card states no geometry"
        return _as_told(trial, profile, gpus or least, None, f"not known: the {lacking}")
    search = _Search(trial, profile, geometry, gpu.memory_gib, prompt)
    wider = tuple(number for number in GPUS if number > least)
    return search.best((gpus,) if gpus else (least, *wider))


def fits_each(
    trial: Trial, profiles: Iterable[ComputeProfile], prompt: int | None = None
) -> dict[str, Placement]:
    """Profile -> placement: whether a trial fits each compute card."""
    return {profile.name: place(trial, profile, prompt=prompt) for profile in profiles}


def micro_batch(batch: Batch, limit: int, gpus: int = 1) -> int:
    """Completions of one forward pass: the batch's own where it is pinned, else the largest divisor
    of one GPU's share of an update that is at most `limit`."""
    if batch.micro_batch:
        return batch.micro_batch
    share = batch.per_update // gpus
    return max(n for n in range(1, max(1, min(limit, share)) + 1) if share % n == 0)


def longest_sequence(trial: Trial, context: int | None, prompt: int | None = None) -> int:
    """Tokens of the longest sequence that the engine is sized for: training or evaluation,
    whichever needs more, within the model's context. `prompt`: tokens of the longest prompt, None
    where it was not measured."""
    longest = max([trial.cap, *(e.decoding.max_tokens or trial.cap for e in trial.evaluations)])
    return min(context or NO_LIMIT, longest + max(PROMPT_TOKENS, prompt or 0))


def geometry(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> dict[str, str]:
    """The part of a placement that affects a trial's numbers: training continues under another one
    only on request. The micro-batch belongs to it where a loss is averaged over one. `prompt`:
    tokens of the longest prompt, where it was measured."""
    placed = place(trial, profile, prompt=prompt)
    found = {
        "device": profile.device,
        "engine_dtype": profile.engine_dtype,
        "gpus": str(placed.gpus),
    }
    if placed.processes > max(1, placed.gpus):
        found["processes"] = str(placed.processes)
    by_pass = (
        trial.grpo.get("loss_type") == "bnpo"
        or (has_entropy_bonus(trial.grpo) and trial.entropy_mean == "micro_batch")
        or float(trial.grpo.get("top_entropy_quantile") or 1) < 1
    )
    return found | ({"micro_batch": str(placed.micro_batch)} if by_pass else {})


ONE_PROCESS = "with LoRA (`peft.r`) a trial trains in one process, on one GPU"


def _as_told(
    trial: Trial, profile: ComputeProfile, gpus: int, fits: bool | None, why: str
) -> Placement:
    """A placement by the profile's own numbers."""
    processes = gpus or profile.processes_per_trial
    uneven = uneven_split(trial.batch, processes, "GPU" if gpus else "process")
    if wide := ONE_PROCESS if trial.peft and processes > 1 else uneven:
        fits, why = False, wide
    share = trial.batch.per_update // processes
    micro = micro_batch(trial.batch, profile.micro_batch, processes)
    return Placement(
        profile=profile.name,
        gpu=profile.gpu.name if profile.gpu else "",
        gpus=gpus,
        gpus_per_node=profile.gpus_per_node,
        processes=processes,
        tensor_parallel=1,
        micro_batch=micro,
        accumulation=max(1, share // micro),
        utilisation=profile.vllm_gpu_memory_utilization if profile.engine == "vllm" else 0.0,
        generation_batch=profile.generation_batch if profile.engine != "vllm" else 0,
        memory=None,
        usable_gib=0.0,
        fits=fits,
        why=why,
    )


def uneven_split(batch: Batch, parts: int, what: str = "GPU") -> str:
    """Why an update does not split evenly over so many GPUs or processes; empty where it does."""
    update, micro = batch.per_update, batch.micro_batch
    if update % (parts * (micro or 1)) == 0:
        return ""
    pinned = f", in micro-batches of {micro}" if micro else ""
    return (
        f"{update:,} completions an update do not split evenly over {_count(parts, what)}{pinned}"
    )


class _Search:
    """The search for one trial on one kind of GPU. An *engine* is (tensor parallelism, share of the
    card for vLLM)."""

    def __init__(
        self,
        trial: Trial,
        profile: ComputeProfile,
        geometry: Geometry,
        total_gib: float,
        prompt: int | None,
    ) -> None:
        self.batch, self.profile, self.geometry = trial.batch, profile, geometry
        self.total, self.usable = total_gib, USABLE * total_gib
        size = trial.model.parameters or parts.dense_parameters(geometry)
        self.trains = trial.trainer != "external"
        self.lora, frozen = trial.peft is not None and self.trains, 0
        self.parameters = size if self.trains else 0
        if self.lora and trial.peft is not None:
            frozen, self.parameters = size, parts.adapter_parameters(geometry, trial.peft)
        self.frozen = parts.WEIGHT_BYTES * frozen / GIB
        self.adam = parts.adam_bytes(str(trial.grpo.get("optim", "")))
        beta = float(trial.grpo.get("beta", 0.0))
        self.reference = parts.WEIGHT_BYTES if beta > 0 and not self.lora else 0
        held = parts.trainer_bytes(self.parameters, self.adam, frozen)
        held += self.reference * self.parameters
        self.persistent = held / GIB
        self.gathered = parts.gathered_bytes(geometry) / GIB if self.trains else 0.0
        self.own = profile.engine == "transformers"  # generates with its own weights
        mixed = bool(trial.grpo.get("bf16") or trial.grpo.get("fp16"))
        engine_bytes = 4 if profile.engine_dtype == "float32" else 2
        if self.own:
            engine_bytes = 2 * mixed + 4 * (not self.trains)
        self.engine_weights = engine_bytes * size / GIB
        if self.own and self.lora:  # merged weights, beside the frozen ones
            merged = geometry.layers * parts.layer_parameters(geometry)
            self.engine_weights += parts.WEIGHT_BYTES * merged / GIB
        context, lengths = trial.model.context or NO_LIMIT, expected(trial)
        trained = trial.cap + (PROMPT_TOKENS if prompt is None else prompt)
        padded = min(context, trained)
        row = parts.activation_bytes(geometry, padded, profile.gradient_checkpointing)
        self.each = row / GIB if self.trains else 0.0  # activations of one completion
        self.served = longest_sequence(trial, context, prompt)
        asked = min(self.served, PROMPT_TOKENS if prompt is None else prompt)
        held = parts.generated_bytes(geometry, self.served, asked, 2 if mixed else 4)
        self.generated = held[0] / GIB, held[1] / GIB  # one completion: cache, and all else
        typical = max(SEQUENCE_TOKENS, TYPICAL_PROMPT + max(lengths.base, lengths.trained))
        self.typical = min(self.served, math.ceil(typical))

    def best(self, numbers: tuple[int, ...]) -> Placement:
        """The first number of GPUs that is enough, or the last one over which an update splits."""
        short, last = "", numbers[0]
        for gpus in numbers:
            if self.lora and gpus > 1:
                short = "; ".join(filter(None, (short, ONE_PROCESS)))
                break
            if uneven := uneven_split(self.batch, gpus):
                short = short or uneven
                continue
            last, engine = gpus, self._engine(gpus)
            peak = self._peak(gpus, engine)
            if peak <= self.usable:
                return self._placement(gpus, engine, short, enough=True)
            short = f"{_gpus(gpus)} too few: {peak:.1f} GiB on each, {self.usable:.1f} usable"
        return self._placement(last, self._engine(last), short, enough=False)

    def _engine(self, gpus: int) -> tuple[int, float]:
        """The narrowest engine that fits, with the profile's share of the GPU if that fits, else
        with the share that is needed; if none fits, the one that lacks least."""
        if self.own:
            return 1, 0.0
        engines = [(w, share) for w in self._widths(gpus) for share in self._shares(gpus, w)]
        fitting = (engine for engine in engines if self._peak(gpus, engine) <= self.usable)
        return next(fitting, None) or min(engines, key=lambda engine: engine[1])

    def _widths(self, gpus: int) -> list[int]:
        """Tensor parallelism that GPUs, node and query heads allow, from the first at which vLLM's
        weights take at most a quarter of the card."""
        options = [
            width
            for width in GPUS
            if gpus % width == 0 == self.geometry.heads % width
            and width <= self.profile.gpus_per_node
        ]
        most = (ENGINE_SHARE if self.trains else USABLE) * self.total
        return [w for w in options if self.engine_weights / w <= most] or options[-1:]

    def _shares(self, gpus: int, width: int) -> tuple[float, float]:
        """Shares of the GPU's memory to try for an engine: the profile's if it is enough, and the
        needed one."""
        at_once = min(SEQUENCES, self.batch.completions * width // gpus)
        tokens = max(self.served, at_once * self.typical)
        cache = parts.kv_bytes(self.geometry, tokens, width) / GIB
        need = (self.engine_weights / width + cache + parts.ENGINE_GIB) / self.total
        need = round(math.ceil(need / STEP - 1e-9) * STEP, 2)
        return max(need, self.profile.vllm_gpu_memory_utilization), need

    def _shards(self, gpus: int) -> int:
        """Number of GPUs over which weights, gradients and optimiser are sharded: all, except where
        transformers generates: it uses the trainer's weights, so each GPU has them in full."""
        return 1 if self.own else gpus

    def _exchanged(self, gpus: int) -> float:
        """GiB of a GPU for the parts of others: the largest block where weights are sharded, else
        the buckets in which gradients are averaged."""
        buckets = parts.GRADIENT_BYTES * self.parameters / GIB
        return 0.0 if gpus == 1 else buckets if self.own else self.gathered

    def _constant(self, gpus: int) -> float:
        """GiB that both phases need."""
        held = self.persistent / self._shards(gpus)
        return held + self._exchanged(gpus) + parts.CONTEXT_GIB

    def _trainer_room(self, gpus: int, share: float) -> float:
        """GiB left for activations."""
        awake = 0.0 if self.profile.vllm_enable_sleep_mode else share * self.total
        return self.usable - self._constant(gpus) - awake

    def _peak(self, gpus: int, engine: tuple[int, float]) -> float:
        """Peak GiB with the smallest micro-batch."""
        smallest = (self.batch.micro_batch or 1) * self.each
        training = self.usable - self._trainer_room(gpus, engine[1]) + smallest
        if self.own:
            generation = self._constant(gpus) + self.engine_weights + sum(self.generated)
        else:
            generation = self._constant(gpus) + engine[1] * self.total
        return max(training, generation)

    def _generation_batch(self, gpus: int) -> int:
        """Completions that transformers generates at a time; 0 where vLLM generates."""
        if not self.own:
            return 0
        room = self.usable - self._constant(gpus) - self.engine_weights
        return max(1, min(self.profile.generation_batch, int(room / sum(self.generated))))

    def _memory(self, gpus: int, engine: tuple[int, float], micro: int) -> Memory:
        (width, share), each = engine, self.parameters / self._shards(gpus) / GIB
        cache = share * self.total - self.engine_weights / width - parts.ENGINE_GIB
        other, at_once = parts.ENGINE_GIB, self._generation_batch(gpus)
        if self.own:
            cache, other = (at_once * part for part in self.generated)
        return Memory(
            weights=parts.WEIGHT_BYTES * each + self.frozen,
            gradients=parts.GRADIENT_BYTES * each,
            optimiser=self.adam * each,
            reference=self.reference * each,
            gathered=self._exchanged(gpus),
            activations=micro * self.each,
            context=parts.CONTEXT_GIB,
            engine_weights=self.engine_weights / width,
            kv_cache=cache,
            engine_other=other,
            asleep=self.own or self.profile.vllm_enable_sleep_mode,
        )

    def _placement(
        self, gpus: int, engine: tuple[int, float], short: str, *, enough: bool
    ) -> Placement:
        profile = self.profile
        limit = int(self._trainer_room(gpus, engine[1]) / self.each) if self.trains else 1
        micro = micro_batch(self.batch, min(profile.micro_batch, limit), gpus)
        memory = self._memory(gpus, engine, micro)
        there = profile.gpus is None or gpus <= profile.gpus
        if enough:
            held = f"{memory.peak:.1f} of {self.usable:.1f} GiB"
            lacking = f"needs {_gpus(gpus)}, the profile has {profile.gpus}"
            short = "; ".join(filter(None, (held if there else lacking, short)))
        return Placement(
            profile=profile.name,
            gpu=profile.gpu.name if profile.gpu else "",
            gpus=gpus,
            gpus_per_node=profile.gpus_per_node,
            processes=gpus,
            tensor_parallel=engine[0],
            micro_batch=micro,
            accumulation=self.batch.per_update // gpus // micro,
            utilisation=engine[1],
            generation_batch=self._generation_batch(gpus),
            memory=memory,
            usable_gib=self.usable,
            fits=enough and there,
            why=short,
        )


def _gpus(count: int) -> str:
    return _count(count, "GPU")


def _count(count: int, what: str) -> str:
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{count} {what if count == 1 else plural}"
