"""A trial for others: its weights as a Hugging Face folder, its training as a script."""
