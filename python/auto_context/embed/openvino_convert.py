"""Making OpenVINO's copy of a model. Needs torch and transformers, which running the copy does not."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auto_context.embed import openvino_backend
from auto_context.embed.environment import import_openvino
from auto_context.embed.model import ModelSpec
from auto_context.embed.openvino_backend import MIXED_GROUP
from auto_context.embed.torch_backend import embed, load_network

_INT8_MAX = 127


def convert(spec: ModelSpec, copy: Path, precision: str) -> None:
    """Write a model's copy: pooling and normalisation are part of the network.

    Args:
        spec: the model.
        copy: the folder, replaced if it is there.
        precision: as of ``OpenVinoBackend``.
    """
    openvino = import_openvino(converter=True)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = load_network(spec, torch.float32)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return embed(self.network, input_ids, attention_mask, spec.pooling)

    network = Whole()
    example = torch.ones((2, 8), dtype=torch.int64)
    with torch.inference_mode():
        model = openvino.convert_model(network, example_input={"input_ids": example, "attention_mask": example})
    model.reshape({0: [-1, -1], 1: [-1, -1]})
    # Elsewhere first: a copy that is in use is never written to.
    fresh = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
    fresh.mkdir(parents=True)
    try:
        openvino.save_model(model, str(fresh / "model.xml"), compress_to_fp16=precision != "fp32")
        if precision == "mixed":
            _coarsen(openvino, fresh)
        parameters = sum(item.numel() for name, item in network.named_parameters() if "embedding" not in name.lower())
        openvino_backend.write_manifest(fresh, parameters)
        shutil.rmtree(copy, ignore_errors=True)
        os.replace(fresh, copy)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _coarsen(openvino: Any, copy: Path) -> None:
    """Make the weights of the feed-forward layers int8, with a scale for each ``MIXED_GROUP`` inputs of each output.

    Of attention they stay: for a tenth of the time they would double the error. OpenVINO multiplies such
    weights with activations that it quantises as they come, in groups as well, so that one large value, which encoders
    are known for (https://arxiv.org/abs/2109.12948), spoils its own group only.
    """
    operators = openvino.opset13
    model = openvino.Core().read_model(str(copy / "model.xml"))
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul" or "att" in node.get_friendly_name():
            continue
        source = node.input_value(1).get_node()
        # Kept as fp16, and made fp32 when it is read.
        constant = source.input_value(0).get_node() if source.get_type_name() == "Convert" else source
        if constant.get_type_name() != "Constant" or not node.get_transpose_b():
            continue
        weights = constant.data.astype(np.float32)
        if weights.ndim != 2 or weights.shape[1] % MIXED_GROUP:  # noqa: PLR2004 - outputs and inputs
            continue
        groups = weights.reshape(len(weights), -1, MIXED_GROUP)
        scales = np.maximum(np.abs(groups).max(2, keepdims=True) / _INT8_MAX, np.finfo(np.float16).tiny)
        coarse = np.round(groups / scales).astype(np.int8)
        product = operators.multiply(operators.convert(operators.constant(coarse), "f32"), operators.constant(scales))
        flat = operators.reshape(product, operators.constant(np.array(weights.shape, np.int64)), special_zero=False)
        node.input(1).replace_source_output(flat.output(0))
    # All of it is fp16 or int8 by now; beside the other, which is still read from.
    openvino.save_model(model, str(copy / "coarse.xml"), compress_to_fp16=False)
    for kind in ("xml", "bin"):
        os.replace(copy / f"coarse.{kind}", copy / f"model.{kind}")
