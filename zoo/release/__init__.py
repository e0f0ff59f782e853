"""A trial's trained weights for others: a clean Hugging Face folder and its model card."""
