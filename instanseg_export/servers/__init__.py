"""Files with which servers of other people run a package's ONNX files: Triton, and a small HTTP program."""

from .model_files import ServedFile, served_files
from .recipes import RECIPES, check_recipes, write_recipe
from .triton import triton_config

__all__ = ["RECIPES", "ServedFile", "check_recipes", "served_files", "triton_config", "write_recipe"]
