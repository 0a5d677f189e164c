"""Recipes: small TOML files read into typed, frozen values; what does not fit is refused."""

from stdc_port.training.recipe.differences import differences
from stdc_port.training.recipe.loading import load_recipe, recipe_from, recipe_names
from stdc_port.training.recipe.values import (
    DataRecipe,
    EvaluationRecipe,
    OptimizerRecipe,
    RateRecipe,
    Recipe,
    TrainRecipe,
)

__all__ = [
    "DataRecipe",
    "EvaluationRecipe",
    "OptimizerRecipe",
    "RateRecipe",
    "Recipe",
    "TrainRecipe",
    "differences",
    "load_recipe",
    "recipe_from",
    "recipe_names",
]
