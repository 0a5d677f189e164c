"""Training of STDC in Paddle: recipes, data, the loop, evaluation and prediction.

Modules are imported where they are used: the schedule, the label table and the generated scenes
need numpy at most, so that a data worker never loads a framework that it does not use.
"""
