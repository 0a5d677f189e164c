"""The catalogue of silent differences between torch and Paddle, measured where it is run.

Importing this package loads neither framework; the families under it load both.
"""
