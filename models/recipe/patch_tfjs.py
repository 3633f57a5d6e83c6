#!/usr/bin/env python3
"""patch_tfjs.py IN.json OUT.json: adds to a TensorFlow.js graph the attributes that tf2onnx 1.17 asks for.

Not run here since it was written anew; see README.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def patch(graph: dict[str, Any]) -> None:
    """_FusedConv2D lacks the types of its extra arguments, TopKV2 those of its indices."""
    for node in graph["modelTopology"]["node"]:
        attributes = node.setdefault("attr", {})
        inputs = [name for name in node.setdefault("input", []) if not name.startswith("^")]
        if node["op"] == "_FusedConv2D":
            declared = int(attributes.get("num_args", {}).get("i", 0))
            extra = max(declared, len(inputs) - 2)  # beyond the picture and the kernel: bias, slope
            attributes["num_args"] = {"i": str(extra)}
            attributes["TArgs"] = {"list": {"type": ["DT_FLOAT"] * extra}}
            attributes.setdefault("num_host_args", {"i": "0"})
        elif node["op"] == "TopKV2":
            attributes.setdefault("index_type", {"type": "DT_INT32"})
            attributes.setdefault("Tk", {"type": "DT_INT32"})


def main(source: Path, target: Path) -> None:
    graph = json.loads(source.read_text(encoding="utf-8"))
    patch(graph)
    target.write_text(json.dumps(graph), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
