def mine(texts, answers):
    return 1.0
