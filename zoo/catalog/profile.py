"""Compute profiles: where trials run and what that costs. Nothing here is part of an id."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.catalog.cards import MAX_COUNT, Card, Count, Part

Engine = Literal["vllm", "transformers"]
"""What generates responses."""


class Gpu(Part):
    """One kind of GPU."""

    name: str
    memory_gib: Annotated[float, Field(gt=0, le=1e6)]
    speed: Annotated[float, Field(ge=1e-3, le=1e3)] = 1.0
    """Tokens a second relative to an H100 SXM, for the cost model."""
    usd_per_hour: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """Price; None = costs are given in GPU-hours only."""
    usd_source: str = ""


SlurmWord = Annotated[str, Field(pattern=r"^[^\s\"'`$;\\\\]+$", max_length=200)]
"""A value in a `#SBATCH` line."""
Line = Annotated[str, Field(pattern=r"^[^\r\n]+$", max_length=2000)]


class SlurmOptions(Part):
    """What jobs request from Slurm, beside the nodes, CPUs and GPUs of each trial."""

    partition: SlurmWord | None = None
    account: SlurmWord | None = None
    qos: SlurmWord | None = None
    time: Annotated[str, Field(pattern=r"^(\d+(:\d\d){0,2}|\d+-\d+(:\d\d){0,2})$")] | None = None
    """Time limit of a job, as sbatch reads it (`12:00:00`, `2-00`); a trial that needs longer is
    saved, requeued and continued. None = the partition's."""
    constraint: SlurmWord | None = None
    extra: list[Annotated[str, Field(pattern=r"^--?[A-Za-z][^\r\n]*$", max_length=2000)]] = []
    """Further options of sbatch for the jobs of trials, one each (`--mem-per-gpu=100G`); they
    override those that zoo sets."""
    setup: list[Line] = []
    """Lines of bash before a job's program starts (`module load cuda`)."""
    python: Line | None = None
    """The command that runs Python on a compute node, with all of zoo installed; None = the
    interpreter that submits."""
    report_partition: SlurmWord | None = None
    """Partition of the last job, which needs no GPU; None = `partition`."""

    @property
    def limit_s(self) -> int | None:
        """The time limit in seconds; None = not stated."""
        if self.time is None:
            return None
        days, _, clock = self.time.rpartition("-")
        parts = [int(part) for part in clock.split(":")]
        if days or len(parts) == 3:
            hours, minutes, seconds = [*parts, 0, 0][:3]
        else:
            hours, minutes, seconds = 0, *[*parts, 0][:2]
        return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


SLURM_MARGIN_S = 60
"""Between the end of a trial's grace and a job's time limit: to record and requeue."""


class ComputeProfile(Card):
    """Where trials run.

    `env` is set in every trial process. `micro_batch` is the most completions of one forward pass
    (unless the recipe pins its own), `generation_batch` the most that transformers generates at a
    time and `vllm_gpu_memory_utilization` the share of the card that vLLM gets; where `gpu` is
    stated, all three give way to what fits (`zoo.resources`).
    """

    form: Literal["profile/1"] = Field(alias="schema")
    device: Literal["cpu", "cuda"] = "cpu"
    executor: Literal["ray", "local", "slurm"] = "ray"
    address: Annotated[str, Field(pattern=r"^(auto|[A-Za-z0-9.\[\]:-]+:[0-9]{1,5})$")] | None = None
    """Of a running Ray cluster that this machine is a node of: `auto`, or `host:port` of its head;
    None = Ray is started on this machine."""
    gpu: Gpu | None = None
    gpus: Annotated[int, Field(ge=0, le=MAX_COUNT)] | None = None
    """All GPUs together; None = those of this machine."""
    gpus_per_node: Count = 8
    concurrency: Count = 1
    cpus_per_trial: Annotated[float, Field(ge=0, le=MAX_COUNT)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0, le=MAX_COUNT)] = 0
    """The least that a trial gets; where it needs more to fit, it gets more."""
    processes_per_trial: Count = 1
    """Processes of a trial that share its work on a CPU; on GPUs a trial has one a GPU."""
    nodes_per_trial: Count = 1
    """Nodes over which these are spread on a cluster without GPUs; with GPUs it follows from
    `gpus_per_node`."""
    micro_batch: Count = 16
    gradient_checkpointing: bool = False
    trim_padding: bool = True
    """Whether completions of like length share a forward pass, as wide as the longest of them and
    not of the round; loss and gradient differ by rounding only."""
    engine: Engine = "vllm"
    """What generates responses, in training and evaluation: vLLM, or `transformers` with the
    trainer's own weights, slower, where vLLM does not run."""
    generation_batch: Count = 64
    """Of the engine `transformers`: completions that are generated at a time."""
    engine_dtype: Literal["float32", "bfloat16", "auto"] = "float32"
    """Precision of vLLM's weights; the trainer's are float32."""
    vllm_gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.3
    vllm_enable_sleep_mode: bool = False
    save_every: Count | None = None
    """Rounds from one checkpoint to the next; None = the fewest that limit saving to 5 % of the
    time, at most 30 minutes of work lost by a crash."""
    keep: Annotated[str, Field(pattern=r"^(last|all|every:[1-9][0-9]{0,5})$")] = "last"
    """Which checkpoints stay: `last` (the newest two), `every:N` (also those at rounds that N
    divides) or `all`."""
    keep_extendable: bool = False
    """Keep optimiser and position of finished trials as well, so that they can be extended."""
    grace_s: Annotated[float, Field(gt=0, le=86_400)] = 20.0
    """Seconds from SIGTERM to the end of a trial, in which its round may end and be saved."""
    silence_s: Annotated[float, Field(ge=0, le=1e6)] = 600.0
    """Least seconds without a sign of life after which a trial in training counts as hung, is ended
    and tried once more; where its own rounds are long, ten of them; 0 = never."""
    warm_starts: bool = False
    """Whether processes of trials are forked by a server that has imported the trainer, which saves
    each 10 s and more; on a CPU only."""
    env: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    slurm: SlurmOptions = SlurmOptions()
    """Of the executor `slurm`."""

    @model_validator(mode="after")
    def _time_to_save(self) -> ComputeProfile:
        least, limit = self.grace_s + SLURM_MARGIN_S, self.slurm.limit_s
        if limit is not None and limit < 2 * least:
            raise ValueError(
                f"`slurm.time` of {limit} s leaves no time to train: {least:g} s of it are for "
                "saving (`grace_s` and a margin); at least twice that"
            )
        return self

    @model_validator(mode="after")
    def _forks_only_without_cuda(self) -> ComputeProfile:
        if self.warm_starts and self.device == "cuda":
            raise ValueError(
                "`warm_starts` is for `device: cpu`: CUDA does not survive a fork; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _nodes_share_processes_evenly(self) -> ComputeProfile:
        if self.nodes_per_trial > 1 and (self.device != "cpu" or not self.address):
            raise ValueError("`nodes_per_trial` is for CPUs of a Ray cluster; leave it out")
        if self.processes_per_trial % self.nodes_per_trial:
            raise ValueError("`processes_per_trial` must be a multiple of `nodes_per_trial`")
        return self

    @model_validator(mode="after")
    def _settings_of_vllm_need_it(self) -> ComputeProfile:
        if self.engine == "vllm":
            return self
        for name in ("engine_dtype", "vllm_gpu_memory_utilization", "vllm_enable_sleep_mode"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` is for `engine: vllm`; leave it out")
        return self
