"""Generated street scenes in the Cityscapes layout: numpy and Pillow, deterministic by seed.

They stand in for Cityscapes where nobody may download it. What is drawn is simple, yet a class is
seldom settled by colour alone: cars, clothes and house fronts share their paints, road and pavement
differ in grain, light and haze move every value.
"""

from stdc_port.training.scenes.street import Scene, draw_scene
from stdc_port.training.scenes.writing import SceneSet, write_scenes

__all__ = ["Scene", "SceneSet", "draw_scene", "write_scenes"]
