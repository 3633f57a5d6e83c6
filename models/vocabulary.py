"""The closed vocabulary of what a detector may say. A model with any other output does not load (SCOPE).

Held in code so that no configuration can add a trait, an identity or an appearance to it.
"""

from __future__ import annotations

COCO_80: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

HAZARD_CLASSES: tuple[str, ...] = ("fire", "smoke", "water", "person-down", "head", "face-for-blurring")

CLASSES: frozenset[str] = frozenset(COCO_80) | frozenset(HAZARD_CLASSES)

PEOPLE: frozenset[str] = frozenset({"person", "person-down"})
VEHICLES: frozenset[str] = frozenset({"bicycle", "car", "motorcycle", "bus", "train", "truck"})
