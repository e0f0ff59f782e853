"""Which reasoning behaviours responses show, by keywords or by a judge model, and whether they grow
in training beyond what length and accuracy explain. Reads stored responses; samples nothing.
"""
