"""The embedded zoo: three tiny base models and the arithmetic that they half know.

`problems` makes the problems (pure, seeded, light), `corpus` writes the pretraining text,
`tokenizer` and `pretrain` rebuild the shipped weights. Nothing outside this package knows how a
pocket model came to be.
"""
