"""Memory of one GPU of a trial, by part: training, generation, and the peak of the two.

As zoo trains today: float32 weights, gradients and Adam under mixed precision (of all weights, or
with LoRA of the adapters), the reference model in float32 where there is a KL term, vLLM in the
same process, or transformers, which generates with the trainer's weights and needs no memory while
the trainer works. Over several GPUs trainer and reference are sharded (ZeRO-3, FSDP). Independent
of GPU cards, batches and manifests; called by `place`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from zoo.catalog import Geometry, Peft

GIB = 2**30

WEIGHT_BYTES = 4  # float32; TRL's default and zoo's (trl/trainer/utils.py:1332)
GRADIENT_BYTES = 4
ADAM_BYTES = 8  # two float32 moments
ADAM_8BIT_BYTES = 2
CONTEXT_GIB = 1.0  # CUDA context and NCCL: 0.6 to 1.5 GiB a process
ENGINE_GIB = 2.0  # vLLM's own activations and CUDA graphs
# transformers, not measured on a GPU: a cache that grows by copies of a layer, and an entry of
# the last logits while a token is drawn from them in float64.
GROWTH = 1.25
LOGIT_BYTES = 40

# Activations under gradient checkpointing, in bytes a token: 2 x hidden x (layers + 20): one 16-bit
# residual a layer, and what the layer in hand needs. Fitted to the estimates for micro-batches of
# 4 x 3,072 tokens, which it meets within 5 %; they are themselves good to 40 %.
LAYER_IN_HAND = 20
# Without it: 34 bytes x hidden a layer and token (arXiv:2205.05198 section 4.1, without the
# attention matrix, which flash attention does not store).
WHOLE_LAYER_BYTES = 34


@dataclass(frozen=True, slots=True)
class Memory:
    """GiB on each GPU, by part. `kv_cache` is reserved by the engine in addition to its weights;
    `asleep`: the engine releases weights and cache while the trainer works."""

    weights: float
    gradients: float
    optimiser: float
    reference: float
    """The frozen model of the KL term; 0 where beta is 0."""
    gathered: float
    """The largest block that a sharded trainer gathers; 0 on one GPU."""
    activations: float
    context: float
    engine_weights: float
    """vLLM's copy; with transformers, the cached casts of autocast."""
    kv_cache: float
    engine_other: float
    """vLLM's activations and CUDA graphs; with transformers, prompts and logits."""
    asleep: bool

    @property
    def persistent(self) -> float:
        """Constant memory of the trainer; TRL offloads none of it during generation."""
        return self.weights + self.gradients + self.optimiser + self.reference

    @property
    def engine(self) -> float:
        """Memory of generation in addition to the trainer's."""
        return self.engine_weights + self.kv_cache + self.engine_other

    @property
    def training(self) -> float:
        """Peak of forward, backward and update."""
        engine = 0.0 if self.asleep else self.engine
        return self.persistent + self.gathered + self.activations + self.context + engine

    @property
    def generation(self) -> float:
        """Peak while responses are sampled; weights reach the engine through the gathered block."""
        return self.persistent + self.gathered + self.context + self.engine

    @property
    def peak(self) -> float:
        """The larger of the two phases."""
        return max(self.training, self.generation)

    def parts(self) -> dict[str, float]:
        """Part -> GiB, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "asleep"}


def trainer_bytes(trained: float, adam: float = ADAM_BYTES, frozen: float = 0.0) -> float:
    """Bytes of weights, gradients and optimiser of so many trained parameters, 16 each (10 with
    8-bit Adam), and of the weights of frozen ones."""
    return trained * (WEIGHT_BYTES + GRADIENT_BYTES + adam) + WEIGHT_BYTES * frozen


def adam_bytes(optim: str) -> float:
    """Bytes a parameter of the optimiser's state, by TRL's `optim`."""
    return ADAM_8BIT_BYTES if "8bit" in optim else ADAM_BYTES


def activation_bytes(geometry: Geometry, tokens: int, checkpointing: bool = True) -> float:
    """Bytes of activations of one micro-batch of `tokens` tokens, padding counted. The output layer
    is fused with the loss, so no logits are stored."""
    if checkpointing:
        return 2.0 * tokens * geometry.hidden * (geometry.layers + LAYER_IN_HAND)
    return float(WHOLE_LAYER_BYTES * tokens * geometry.hidden * geometry.layers)


def kv_bytes(geometry: Geometry, tokens: int, tensor_parallel: int = 1) -> float:
    """Bytes of keys and values of `tokens` tokens on one of `tensor_parallel` GPUs; key heads are
    copied once there are more GPUs than heads."""
    return geometry.kv_bytes_per_token * tokens / min(tensor_parallel, geometry.kv_heads)


def generated_bytes(
    geometry: Geometry, tokens: int, prompt: int, width: int
) -> tuple[float, float]:
    """Bytes that transformers needs for one sequence of `tokens` tokens that begins with a prompt
    of `prompt`: keys and values, and the current layer with the logits of the next token. `width`:
    bytes of an activation, 2 or 4."""
    cache = GROWTH * kv_bytes(geometry, tokens) * width / 2
    layer = width * prompt * (LAYER_IN_HAND * geometry.hidden)
    return cache, float(layer + LOGIT_BYTES * geometry.vocab)


def layer_parameters(geometry: Geometry) -> int:
    """Parameters of one dense layer (attention, gated feed-forward, two norms); biases left out."""
    attention = 2 * geometry.hidden * geometry.head_dim * (geometry.heads + geometry.kv_heads)
    return attention + 3 * geometry.hidden * geometry.ffn + 2 * geometry.hidden


def adapter_parameters(geometry: Geometry, peft: Peft) -> int:
    """Parameters of LoRA adapters: r (inputs + outputs) for each linear layer that has one. Names
    that are none of a decoder's usual ones are left out."""
    hidden, ffn = geometry.hidden, geometry.ffn
    queries, keys = geometry.heads * geometry.head_dim, geometry.kv_heads * geometry.head_dim
    sizes = {
        "q_proj": hidden + queries,
        "k_proj": hidden + keys,
        "v_proj": hidden + keys,
        "o_proj": queries + hidden,
        "gate_proj": hidden + ffn,
        "up_proj": hidden + ffn,
        "down_proj": ffn + hidden,
    }
    chosen = peft.modules or tuple(sizes)
    return geometry.layers * peft.r * sum(sizes.get(name, 0) for name in chosen)


def dense_parameters(geometry: Geometry) -> int:
    """Parameters of a dense model of this geometry; biases left out."""
    embeddings = geometry.vocab * geometry.hidden * (1 if geometry.tied else 2)
    return embeddings + geometry.layers * layer_parameters(geometry) + geometry.hidden


def gathered_bytes(geometry: Geometry) -> float:
    """Bytes of the largest block that is gathered at once: a layer or the embedding."""
    embedding = geometry.vocab * geometry.hidden
    return WEIGHT_BYTES * max(float(embedding), float(layer_parameters(geometry)))
