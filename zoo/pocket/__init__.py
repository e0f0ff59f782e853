"""The embedded zoo: three tiny base models and the arithmetic that they half know.

`problems` makes the problems (pure, seeded, light), `corpus` writes the pretraining text,
`tokenizer` and `pretrain` rebuild the shipped weights. No other package depends on how pocket
models were trained.
"""
