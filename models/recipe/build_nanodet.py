#!/usr/bin/env python3
"""build_nanodet.py RAW.onnx OUT.onnx [SIDE]: tf2onnx's NanoDet-g → the graph that Callout runs, still in float.

in : images uint8 [N, SIDE, SIDE, 3], BGR, letterboxed at the top left, pad 0
out: boxes float32 [N, A, 4] x1 y1 x2 y2 in letterbox pixels, scores float32 [N, A, 80]; no suppression

What it does: keeps only what the three head convolutions (124 channels: 80 classes, 4 sides × 11 bins) need; folds each
Pad into the convolution or pooling behind it; puts normalisation in front and decoding behind. A side is the mean of its
11 bins under softmax, times the stride (Li et al. 2020, Generalized Focal Loss, arXiv:2006.04388).

Not run here since it was written anew; see README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # type: ignore[import-not-found,unused-ignore] # only in the recipe's own environment
import onnxruntime
from onnx import TensorProto, helper, numpy_helper  # type: ignore[import-not-found,unused-ignore] # as above

TRAINED_SIDE = 416
CLASSES, BINS = 80, 11
HEAD_CHANNELS = CLASSES + 4 * BINS
MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
DEVIATION_BGR = np.array([57.375, 57.12, 58.395], np.float32)


class Build:
    """The new graph as it grows: nodes in order, weights by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, np.ndarray[Any, Any]] = {}

    def add(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def weight(self, name: str, value: Any) -> str:
        self.weights[name] = np.asarray(value)
        return name


def heads_of(graph: Any, initial: dict[str, np.ndarray[Any, Any]]) -> list[str]:
    return [n.output[0] for n in graph.node if n.op_type == "Conv" and initial[n.input[1]].shape[0] == HEAD_CHANNELS]


def needed_for(graph: Any, wanted: list[str]) -> list[Any]:
    """The nodes that `wanted` depends on, in the graph's order."""
    maker = {output: node for node in graph.node for output in node.output}
    needed, open_names = set(), list(wanted)
    while open_names:
        node = maker.get(open_names.pop())
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            open_names.extend(node.input)
    return [node for node in graph.node if id(node) in needed]


def feature_sides(model: Any, heads: list[str]) -> dict[str, int]:
    """Head → side of its feature map at the trained size."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_tensor_value_info(head, TensorProto.FLOAT, None) for head in heads)
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    zeros = np.zeros((1, 3, TRAINED_SIDE, TRAINED_SIDE), np.float32)
    maps = session.run(heads, {model.graph.input[0].name: zeros})
    return {head: int(values.shape[2]) for head, values in zip(heads, maps, strict=True)}


def front(build: Build) -> None:
    build.add("Cast", ["images"], ["as_float"], to=TensorProto.FLOAT)
    build.add("Sub", ["as_float", build.weight("mean", MEAN_BGR)], ["centred"])
    build.add("Mul", ["centred", build.weight("inverse_deviation", 1 / DEVIATION_BGR)], ["scaled"])
    build.add("Transpose", ["scaled"], ["picture"], perm=[0, 3, 1, 2])


def body(build: Build, nodes: list[Any], initial: dict[str, np.ndarray[Any, Any]], picture: str) -> None:
    padded: dict[str, str] = {}
    for node in nodes:
        if node.op_type == "Pad":
            if initial[node.input[1]].tolist() != [0, 0, 1, 1, 0, 0, 1, 1]:
                raise SystemExit(f"{node.name}: padding other than one pixel on each side")
            padded[node.output[0]] = node.input[0]
            continue
        inputs = ["picture" if name == picture else name for name in node.input]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if inputs[0] in padded:
            if node.op_type not in {"Conv", "MaxPool"}:
                raise SystemExit(f"{node.name}: a {node.op_type} behind a Pad cannot take it over")
            inputs[0] = padded[inputs[0]]
            inputs[0] = "picture" if inputs[0] == picture else inputs[0]
            attributes.pop("auto_pad", None)
            attributes["pads"] = [1, 1, 1, 1]
        if node.op_type == "Resize":
            inputs = [inputs[0], "", inputs[2]]
            attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        build.weights.update({name: initial[name] for name in inputs if name in initial})
        build.add(node.op_type, inputs, list(node.output), **attributes)


def back(build: Build, sides: dict[str, int], side: int) -> int:
    """Decoding; returns the number of cells."""
    centres, strides, flat = [], [], []
    for head, size in sorted(sides.items(), key=lambda item: -item[1]):
        stride = TRAINED_SIDE // size
        cells = side // stride
        ys, xs = np.mgrid[0:cells, 0:cells]
        centres.append((np.stack((xs, ys), axis=2).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full((cells * cells, 1), stride))
        build.add("Reshape", [head, build.weight("head_shape", np.array([0, HEAD_CHANNELS, -1], np.int64))], [f"cells_{stride}"])
        build.add("Transpose", [f"cells_{stride}"], [f"rows_{stride}"], perm=[0, 2, 1])
        flat.append(f"rows_{stride}")
    centre_name = build.weight("centre", np.concatenate(centres)[None].astype(np.float32))
    stride_name = build.weight("stride", np.concatenate(strides)[None].astype(np.float32))
    build.add("Concat", flat, ["rows"], axis=1)
    build.add("Split", ["rows", build.weight("parts", np.array([CLASSES, 4 * BINS], np.int64))], ["logits", "bins"], axis=2)
    build.add("Sigmoid", ["logits"], ["scores"])
    build.add("Reshape", ["bins", build.weight("bins_shape", np.array([0, -1, 4, BINS], np.int64))], ["bins_4"])
    build.add("Softmax", ["bins_4"], ["shares"], axis=3)
    build.add("MatMul", ["shares", build.weight("bin_values", np.arange(BINS, dtype=np.float32))], ["sides_in_strides"])
    build.add("Mul", ["sides_in_strides", stride_name], ["sides"])
    build.add("Split", ["sides", build.weight("halves", np.array([2, 2], np.int64))], ["left_top", "right_bottom"], axis=2)
    build.add("Sub", [centre_name, "left_top"], ["low"])
    build.add("Add", [centre_name, "right_bottom"], ["high"])
    build.add("Concat", ["low", "high"], ["boxes"], axis=2)
    return int(build.weights["centre"].shape[1])


def main(source: Path, target: Path, side: int) -> None:
    model = onnx.load(str(source))
    initial = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    heads = heads_of(model.graph, initial)
    build = Build()
    front(build)
    body(build, needed_for(model.graph, heads), initial, model.graph.input[0].name)
    cells = back(build, feature_sides(model, heads), side)
    graph = helper.make_graph(
        build.nodes,
        "nanodet_g",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", side, side, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", cells, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", cells, CLASSES]),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in build.weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, str(target))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else TRAINED_SIDE)
