#!/usr/bin/env python3
"""quantize_nanodet.py FLOAT.onnx OUT.onnx FOOTAGE_FOLDER [SIDE]: static int8 with calibration.

Per-channel weights of 7 bits (`reduce_range`: exact on processors without VNNI too), activations uint8 by minimum and
maximum. Softmax and the decoding behind the heads stay in float: they cost little and would lose pixels.

Not run here since it was written anew; see README.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import onnx  # type: ignore[import-not-found,unused-ignore] # only in the recipe's own environment
from calibration import Pictures, letterboxed  # type: ignore[import-not-found,unused-ignore] # beside this script
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

CLIPS = {
    "intel_one-by-one-person.mp4": 16,
    "intel_car-detection.mp4": 10,
    "bikes.mp4": 16,
    "intel_preview_people-detection.gif": 6,
    "intel_preview_store-aisle-detection.gif": 10,
    "intel_preview_worker-zone-detection.gif": 10,
    "intel_preview_person-bicycle-car-detection.gif": 10,
}
TAIL_NODES = 19  # from the first head's Reshape on: the decoding


def main(source: Path, target: Path, footage: Path, side: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(str(prepared)).graph.node
        tail = {node.name for node in nodes[-TAIL_NODES:]}
        in_float = [n.name for n in nodes if n.op_type == "Softmax" or (n.op_type in {"Concat", "Add"} and n.name in tail)]
        quantize_static(
            str(prepared),
            str(target),
            Pictures("images", [picture[None] for picture in letterboxed(footage, CLIPS, side)]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "LeakyRelu", "MaxPool", "Concat", "Add", "Softmax"],
            nodes_to_exclude=in_float,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 416)
