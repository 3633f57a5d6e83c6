"""From a network's raw outputs to boxes: decoding, score floors, class-wise non-maximum suppression.

Everything here works on plain arrays: boxes are (n, 4) float32, x1 y1 x2 y2 in canvas pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

MOST_CANDIDATES = 1000  # the best-scored that suppression looks at; bounds its n² table, whatever the picture
LOG_SIZE_MAX = 10.0  # a box side of e^10 strides is already far beyond any canvas; above it float32 would overflow


def boxes_and_scores(boxes: Floats, scores: Floats, floors: Floats) -> tuple[Floats, Floats, Ints]:
    """Candidates of a graph that decodes by itself: (A, 4) and (A, C) → boxes, scores, class indices, unsuppressed.

    `floors` (C,) is the lowest score to keep of each class.
    """
    anchors, classes = np.divmod(np.flatnonzero(scores >= floors), scores.shape[1])  # 3× faster than nonzero of the table
    return boxes[anchors], scores[anchors, classes], classes


def yolox_grid(strides: Sequence[int], height: int, width: int) -> tuple[Floats, Floats]:
    """Cell corners (A, 2) and strides (A, 1), in the order in which YOLOX writes its cells."""
    corners, sizes = [], []
    for stride in strides:
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride]
        cells = np.stack((xs, ys), axis=2).reshape(-1, 2)
        corners.append(cells)
        sizes.append(np.full((len(cells), 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(sizes).astype(np.float32)


def yolox(output: Floats, grid: Floats, strides: Floats, floors: Floats) -> tuple[Floats, Floats, Ints]:
    """(A, 5 + C) → candidates. Centre = (xy + cell) · stride, size = exp(wh) · stride, score = objectness × class
    (Ge et al. 2021, YOLOX, arXiv:2107.08430)."""
    hopeful = np.flatnonzero(output[:, 4] >= floors.min())  # a score is at most its objectness
    rows = output[hopeful]
    scores = rows[:, 5:] * rows[:, 4:5]
    cells, classes = np.nonzero(scores >= floors)
    picked = hopeful[cells]
    centres = (output[picked, 0:2] + grid[picked]) * strides[picked]
    halves = np.exp(np.minimum(output[picked, 2:4], LOG_SIZE_MAX)) * strides[picked] / 2
    return np.concatenate((centres - halves, centres + halves), axis=1), scores[cells, classes], classes


def centerface(heat: Floats, size: Floats, offset: Floats, floor: float) -> tuple[Floats, Floats, Ints]:
    """(1, h, w), (2, h, w) log height and width over 4, (2, h, w) centre offset y, x → candidates, all of class 0
    (Xu et al. 2019, CenterFace, arXiv:1911.03599)."""
    ys, xs = np.nonzero(heat[0] >= floor)
    half_h, half_w = (np.exp(np.minimum(side[ys, xs], LOG_SIZE_MAX)) * 2 for side in size)
    centre_y = (ys + offset[0, ys, xs] + 0.5) * 4
    centre_x = (xs + offset[1, ys, xs] + 0.5) * 4
    boxes = np.stack((centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h), axis=1)
    return boxes.astype(np.float32), heat[0, ys, xs], np.zeros(len(ys), np.intp)


def suppress(boxes: Floats, scores: Floats, classes: Ints, iou_limit: float) -> Ints:
    """Greedy class-wise non-maximum suppression: indices of the kept boxes, best score first, ties by index.

    A box goes when a better one of its class overlaps it by more than `iou_limit`. Only the best MOST_CANDIDATES are
    looked at.
    """
    order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    if len(order) < 2:
        return order
    clash = (iou_table(boxes[order], boxes[order]) > iou_limit) & (classes[order][:, None] == classes[order][None, :])
    alive = np.ones(len(order), np.bool_)
    for rank in range(len(order) - 1):
        if alive[rank]:
            alive[rank + 1 :] &= ~clash[rank, rank + 1 :]
    return order[alive]


def iou_table(first: Floats, second: Floats) -> Floats:
    """(n, 4) × (m, 4) → (n, m) intersection over union, 0 for boxes without area."""
    a, b = np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)
    width = np.minimum(a[2][:, None], b[2]) - np.maximum(a[0][:, None], b[0])
    height = np.minimum(a[3][:, None], b[3]) - np.maximum(a[1][:, None], b[1])
    overlap = np.maximum(width, 0) * np.maximum(height, 0)
    union = area(first)[:, None] + area(second) - overlap
    iou: Floats = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return iou


def area(boxes: Floats) -> Floats:
    """(n, 4) → (n,), 0 for boxes turned inside out."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], boxes.dtype)
