"""A trained network as one ONNX file that holds all that is needed to judge."""

from __future__ import annotations

import io
import warnings

import msgspec
import onnx
import torch
from torch import nn

from .inspector import KEY, Recipe
from .network import FILL

OPSET = 17


def exported(network: nn.Module, recipe: Recipe) -> bytes:
    """Return the ONNX file of a network with its recipe in the metadata: the same each time."""
    sight = recipe.sight
    height, width = (2 * FILL, 3 * FILL) if sight.size == (0, 0) else sight.size
    example = torch.rand(1, sight.channels, height, width)
    any_size = {"image": {2: "height", 3: "width"}, "heat": {2: "rows", 3: "columns"}}
    file = io.BytesIO()
    with warnings.catch_warnings():  # the exporter that replaces this one needs another package
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval().to(memory_format=torch.contiguous_format),
            (example,),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logit", "heat"],
            dynamic_axes=any_size if sight.size == (0, 0) else None,
        )
    model = onnx.load_from_string(file.getvalue())
    onnx.helper.set_model_props(model, {KEY: msgspec.json.encode(recipe).decode()})
    content: bytes = model.SerializeToString(deterministic=True)
    return content
