"""Words of other trainers (verl, OpenRLHF, other versions of TRL) and what zoo has instead, or that
it is not there yet.

Known by the last parts of a dotted name, so `actor_rollout_ref.actor.kl_loss_coef`, `kl_loss_coef`
and `grpo.kl_loss_coef` have one answer. Words that are TRL's own fields are not here: `trl_table`
has a reason for each. Pure data, and one function.
"""

from __future__ import annotations

from zoo.catalog import Batch
from zoo.trlspec.fields import NEUTRAL, OWNED, RESULT_BEARING


def _by_name(groups: dict[str, str]) -> dict[str, str]:
    return {name: answer for answer, names in groups.items() for name in names.split()}


ANSWERS: dict[str, str] = _by_name(
    {
        # not there
        "LoRA is `peft: {r, alpha, dropout, target_modules}` in a manifest or recipe, and each of "
        "them an axis, such as `peft.r`": """
            lora lora_r lora_rank lora_alpha lora_dropout lora_target_modules lora_path lora_config
            peft_config use_peft r alpha target_modules""",
        "quantised weights are not supported; LoRA without quantisation is `peft: {r: 16}`": """
            qlora use_qlora load_in_4bit load_in_8bit""",
        "TRL has no dynamic sampling, so groups that are all right or all wrong stay and teach "
        "nothing; near are a larger `batch.num_generations` and an easier or harder bucket, and "
        "train/frac_reward_zero_std counts them; the recipe `dapo` has the rest of DAPO": """
            dynamic_sampling use_dynamic_sampling filter_groups filter_groups.enable
            dynamic_filtering max_num_gen_batches""",
        "zoo trains by GRPO alone, without a critic; `grpo.loss_type`, `grpo.scale_rewards` and "
        "`grpo.importance_sampling_level` have its variants": """
            adv_estimator advantage_estimator algorithm algo critic critic_model value_model
            value_coef vf_coef cliprange_value gamma lam gae_lambda ppo rloo reinforce""",
        "a KL term in the reward is not supported; grpo.beta weighs the one in the loss": """
            use_kl_in_reward kl_in_reward kl_penalty kl_ctrl kl_target""",
        "the only KL term is the one in the loss, weighted by grpo.beta; beta: 0 turns it off": (
            "use_kl_loss kl_loss kl_loss_type kl_estimator"
        ),
        # elsewhere
        "the reward cards correctness-overlong (DAPO's) and cosine punish length; they are values "
        "of the axis `reward`": """
            overlong_buffer overlong_buffer.enable overlong_buffer_cfg overlong_penalty
            overlong_penalty_factor soft_overlong_punishment length_penalty""",
        "use the axis `reward`: a card, or your own file by `--reward FILE.py`": """
            reward_fn reward_funcs reward_function reward_model custom_reward_function""",
        "use the axis `model`": "model_name_or_path model_name model_path pretrain",
        "use the axis `data`": """
            dataset dataset_name dataset_path train_files train_file prompt_data""",
        "set `batch.num_generations`": """
            group_size rollout_n rollout.n num_rollouts n_samples n_samples_per_prompt
            n_resp_per_prompt num_return_sequences""",
        "set `batch.prompts`": """
            train_batch_size rollout_batch_size global_batch_size gen_batch_size
            num_unique_prompts_rollout""",
        "set `batch.updates`, the updates a round": """
            ppo_mini_batch_size mini_batch_size num_minibatches train_prompt_mini_bsz""",
        "set `batch.micro_batch` where a loss depends on it; elsewhere it belongs to the "
        "compute profile (`--on`)": """
            micro_batch_size micro_train_batch_size ppo_micro_batch_size
            ppo_micro_batch_size_per_gpu""",
        "set `rounds`": """
            epochs num_epochs total_epochs steps num_steps total_training_steps max_train_steps
            num_episodes total_episodes""",
        "use `evaluate`": """
            test_freq val_before_train val_kwargs val_files eval_files eval_dataset
            eval_temperature""",
        "zoo keeps the weights after the last round": "save_freq checkpoint_freq",
        "set `seeds: [0, 1, 2]`": "random_seed",
        "placement belongs to the compute profile (`--on`)": """
            gpu_memory_utilization tensor_model_parallel_size tensor_parallel_size
            n_gpus_per_node nnodes num_gpus zero_stage param_offload optimizer_offload
            enforce_eager ulysses_sequence_parallel_size rollout.name""",
        "prompts are never cut; a data card leaves out long ones (`filters`)": """
            max_prompt_length prompt_max_len""",
        "zoo takes TRL's names: grpo.NAME and batch.NAME; `zoo show MANIFEST` prints them all": """
            actor_rollout_ref actor rollout ref""",
        # under another name
        "set warmup_steps: a number below 1 is a share of all updates": """
            warmup_ratio lr_warmup_steps lr_warmup_steps_ratio lr_warmup_ratio""",
        "set learning_rate": "lr actor_learning_rate",
        "set beta": "kl_coef kl_loss_coef init_kl_coef kl_beta",
        "set epsilon": "clip_ratio clip_ratio_low clip_eps eps_clip cliprange clip_range",
        "set epsilon_high": "clip_ratio_high eps_clip_high clip_higher",
        "set delta: an upper limit of the ratio": "clip_ratio_c dual_clip",
        "set entropy_coef": "entropy_coeff entropy_loss_coef",
        "set max_completion_length": """
            max_response_length response_length generate_max_len max_new_tokens""",
        "set num_iterations": "ppo_epochs",
        "set loss_type: dapo (token-mean), grpo (seq-mean-token-mean) or dr_grpo": (
            "loss_agg_mode use_token_level_loss token_level_loss"
        ),
        "set scale_rewards: none (without the deviation) or group": (
            "norm_adv_by_std_in_grpo advantage_normalization normalize_advantages"
        ),
        "set max_grad_norm": "grad_clip clip_grad",
    }
)


def answer(name: str) -> str:
    """What to say instead of a dotted name that no manifest takes; empty where nobody knows.

    A setting of TRL's without its part (`learning_rate`) is told with it.
    """
    parts = name.split(".")
    found = next((ANSWERS[key] for key in _keys(parts) if key in ANSWERS), "")
    if not found and parts[0] != "grpo" and parts[-1] in RESULT_BEARING:
        found = f"set {parts[-1]}"
    if not found and parts[0] != "grpo":
        found = (OWNED | NEUTRAL).get(parts[-1], "")
    if not found and parts[0] != "batch" and parts[-1] in Batch.model_fields:
        return f"set batch.{parts[-1]}"
    word = found.removeprefix("set ").split(":")[0]
    if parts[0] != "grpo" and word in RESULT_BEARING:
        return found.replace("set ", "set grpo.", 1)
    return found


def _keys(parts: list[str]) -> list[str]:
    """`a.b.c` -> `b.c`, `c`, `b`, `a`."""
    return [".".join(parts[-2:]), *reversed(parts)]
