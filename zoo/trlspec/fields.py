"""Every setting of TRL's `GRPOConfig` in exactly one group, and what its value may be.

`RESULT_BEARING` settings are what a recipe states and a manifest may change. All others are refused
with a reason: `OWNED` is said elsewhere or decided by zoo, `DANGEROUS` spoils a trial without a
word, `NEUTRAL` bears on speed, memory or logs alone, `IDLE` does nothing here. A test fails on a
setting of a newer TRL that is in no group. Traps are numbered as TRL 1.16 was found to have them;
places are lines of TRL 1.16 and transformers 5.17. Pure data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RESULT_BEARING: frozenset[str] = frozenset(
    _words("""
    learning_rate lr_scheduler_type lr_scheduler_kwargs warmup_steps
    optim optim_args optim_target_modules weight_decay
    adam_beta1 adam_beta2 adam_epsilon max_grad_norm bf16 fp16
    temperature top_p top_k min_p repetition_penalty max_completion_length shuffle_dataset
    beta use_bias_correction_kl sync_ref_model ref_model_mixup_alpha ref_model_sync_steps
    num_iterations epsilon epsilon_high delta importance_sampling_level off_policy_mask_threshold
    scale_rewards multi_objective_aggregation loss_type mask_truncated_completions
    sapo_temperature_neg sapo_temperature_pos
    vespo_k_neg vespo_k_pos vespo_lambda_neg vespo_lambda_pos
    top_entropy_quantile entropy_coef use_adaptive_entropy entropy_coef_min entropy_coef_max
    entropy_coef_delta entropy_target
    vllm_importance_sampling_correction vllm_importance_sampling_mode
    vllm_importance_sampling_clip_max vllm_importance_sampling_clip_min
    disable_dropout cast_lm_head_to_fp32 router_aux_loss_coef
    """)
)


def _by_name(groups: dict[str, str]) -> dict[str, str]:
    return {name: reason for reason, names in groups.items() for name in _words(names)}


OWNED: dict[str, str] = _by_name(
    {
        "zoo writes to its own run directory and to no hub": """
            output_dir run_name project push_to_hub hub_always_push hub_model_id hub_private_repo
            hub_revision hub_strategy hub_token log_completions_hub_repo
            trackio_bucket_id trackio_space_id trackio_static_space_id""",
        "use `batch: {prompts, num_generations, updates}`": """
            num_generations generation_batch_size steps_per_generation
            gradient_accumulation_steps dataloader_drop_last""",
        "set `batch.micro_batch` where a loss depends on it; elsewhere it "
        "belongs to the compute profile (`--on`)": "per_device_train_batch_size",
        "set `rounds`": "max_steps num_train_epochs",
        "set `seeds: [0, 1, 2]`": "seed data_seed",
        "use `evaluate`; TRL's own evaluation samples as training does and mixes up several "
        "sets": """
            eval_strategy eval_steps eval_delay eval_on_start eval_accumulation_steps
            eval_do_concat_batches eval_use_gather_object do_eval do_predict num_generations_eval
            per_device_eval_batch_size batch_eval_metrics prediction_loss_only
            bf16_full_eval fp16_full_eval include_for_metrics""",
        "set `final`, how a trial's number is formed; the best one on a test is never it": """
            load_best_model_at_end metric_for_best_model greater_is_better""",
        "zoo saves at the end of a round: TRL would save inside a generation buffer, and training "
        "that goes on from there is another run": """
            save_strategy save_steps save_total_limit save_only_model save_on_each_node
            enable_jit_checkpoint resume_from_checkpoint ignore_data_skip
            restore_callback_states_from_checkpoint""",
        "zoo logs every round itself": """
            logging_steps logging_strategy logging_first_step logging_nan_inf_filter report_to
            log_completions log_level log_level_replica log_multimodal log_on_each_node
            log_unique_prompts num_completions_to_print disable_tqdm
            include_num_input_tokens_seen""",
        "the model comes from its card, in float32": "model_init_kwargs",
        "set on the model's card, with a full commit": "trust_remote_code",
        "a reward card is one function; combine parts in the card": "reward_weights",
        "a base model gets plain text; use a prompt card": "chat_template_kwargs",
    }
)

DANGEROUS: dict[str, str] = _by_name(
    {
        # traps 2 and 3: a seed makes a group's completions equal (advantage 0, loss 0); stop
        # strings make every stopped completion count as cut (grpo_trainer.py:2301)
        "a seed in it makes all completions of a group equal and a stop string makes them count as "
        "cut; use temperature, top_p and the model card's stop_ids": "generation_kwargs",
        "it forces the format that rewards are there to teach": "vllm_structured_outputs_regex",
        "rewards read the reference from the columns that it removes": "remove_unused_columns",
        # grpo_config.py:__post_init__ overwrites clip_max with it
        "deprecated, and it overrides vllm_importance_sampling_clip_max silently; set that one": (
            "vllm_importance_sampling_cap"
        ),
        "noise in the embeddings makes trainer and engine two policies": "neftune_noise_alpha",
        "halving the batch when memory runs out splits groups": "auto_find_batch_size",
        "data loaders that race change the order of prompts": "dataloader_in_order",
    }
)

NEUTRAL: dict[str, str] = _by_name(
    {
        "placement belongs to the compute profile (`--on`)": """
            use_cpu use_vllm vllm_mode vllm_model_impl vllm_gpu_memory_utilization
            vllm_tensor_parallel_size vllm_enable_sleep_mode vllm_max_model_length
            vllm_server_base_url vllm_server_host vllm_server_port vllm_server_timeout
            vllm_group_port use_transformers_continuous_batching use_transformers_paged
            transformers_continuous_batching_config cache_implementation use_cache
            fsdp fsdp_config deepspeed ds3_gather_for_generation accelerator_config
            parallelism_config local_rank ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb
            ddp_find_unused_parameters ddp_static_graph ddp_timeout
            gradient_checkpointing gradient_checkpointing_kwargs
            torch_compile torch_compile_backend torch_compile_mode torch_empty_cache_steps tf32
            full_determinism use_liger_kernel liger_kernel_config pad_to_multiple_of
            dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers
            dataloader_prefetch_factor dataloader_multiprocessing_context
            debug skip_memory_metrics""",
    }
)

IDLE: dict[str, str] = _by_name(
    {
        "TRL's GRPO does nothing with it": """
            label_names label_smoothing_factor length_column_name train_sampling_strategy
            average_tokens_across_devices do_train""",
        "no model of zoo calls tools": "max_tool_calling_iterations",
    }
)

FROM_CARD_ALLOWED = ("beta", "max_completion_length")

NOT_NULL = {
    "bf16": "null means true to TRL, unless fp16 is",  # base_config.py:__post_init__
    "max_completion_length": "a response without a limit never ends",
    "shuffle_dataset": "set true or false",
}
MEANT = {"bf16": True}  # what a default of null means

CHOICES: dict[str, tuple[str, ...]] = {
    # grpo_trainer.py:_compute_loss
    "loss_type": ("dapo", "grpo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"),
    "scale_rewards": ("group", "batch", "none"),
    "importance_sampling_level": ("token", "sequence"),
    "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
    "vllm_importance_sampling_mode": (
        *("token_truncate", "token_mask", "sequence_truncate", "sequence_mask"),
    ),
    # trainer_utils.py:SchedulerType, less those that wait for an evaluation of TRL's own
    # (reduce_lr_on_plateau, greedy)
    "lr_scheduler_type": _words(
        """constant constant_with_warmup linear cosine cosine_with_restarts cosine_with_min_lr
        cosine_warmup_with_min_lr polynomial inverse_sqrt warmup_stable_decay"""
    ),
    # training_args.py:OptimizerNames, less those that cannot accumulate gradients (lomo, adalomo,
    # *_layerwise), keep other weights for evaluation than for training (schedule_free_*), or need
    # other hardware (adamw_torch_xla, adamw_torch_npu_fused)
    "optim": _words(
        """adamw_torch adamw_torch_fused adafactor sgd adagrad rmsprop
        adamw_anyprecision adamw_torch_4bit adamw_torch_8bit ademamix ademamix_8bit
        adamw_bnb_8bit adamw_8bit lion_8bit lion_32bit paged_adamw_32bit paged_adamw_8bit
        paged_ademamix_32bit paged_ademamix_8bit paged_lion_32bit paged_lion_8bit
        rmsprop_bnb rmsprop_bnb_8bit rmsprop_bnb_32bit galore_adamw galore_adamw_8bit
        galore_adafactor apollo_adamw grokadamw stable_adamw"""
    ),
}


@dataclass(frozen=True, slots=True)
class Range:
    """Limits of a number, in the words of JSON Schema."""

    minimum: float | None = None
    exclusiveMinimum: float | None = None
    maximum: float | None = None
    exclusiveMaximum: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies inside."""
        return (
            (self.minimum is None or value >= self.minimum)
            and (self.exclusiveMinimum is None or value > self.exclusiveMinimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.exclusiveMaximum is None or value < self.exclusiveMaximum)
        )

    def as_schema(self) -> dict[str, float]:
        """The limits by their names in JSON Schema."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        words = (
            ("of at least", self.minimum),
            ("above", self.exclusiveMinimum),
            ("at most", self.maximum),
            ("below", self.exclusiveMaximum),
        )
        return "a number " + " and ".join(f"{w} {n:g}" for w, n in words if n is not None)


LARGEST = 10**9
"""What no whole number exceeds."""
_POSITIVE, _NOT_NEGATIVE, _FROM_ONE = Range(exclusiveMinimum=0), Range(0), Range(1)
_SHARE, _BELOW_ONE = Range(0, maximum=1), Range(0, exclusiveMaximum=1)
RANGES: dict[str, Range] = {
    **dict.fromkeys(
        _words("""learning_rate adam_epsilon temperature repetition_penalty epsilon epsilon_high
        off_policy_mask_threshold sapo_temperature_neg sapo_temperature_pos vespo_lambda_neg
        vespo_lambda_pos vllm_importance_sampling_clip_max"""),
        _POSITIVE,
    ),
    **dict.fromkeys(
        _words("""weight_decay max_grad_norm warmup_steps top_k beta entropy_coef entropy_coef_min
        entropy_coef_max entropy_coef_delta entropy_target vespo_k_neg vespo_k_pos
        vllm_importance_sampling_clip_min router_aux_loss_coef"""),
        _NOT_NEGATIVE,
    ),
    **dict.fromkeys(("max_completion_length", "num_iterations", "ref_model_sync_steps"), _FROM_ONE),
    **dict.fromkeys(("min_p", "ref_model_mixup_alpha", "top_entropy_quantile"), _SHARE),
    **dict.fromkeys(("adam_beta1", "adam_beta2"), _BELOW_ONE),
    "top_p": Range(exclusiveMinimum=0, maximum=1),
    "delta": Range(exclusiveMinimum=1),
}
