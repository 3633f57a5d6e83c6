"""models/manifest.toml as frozen data. Anything unexpected in it is an error: an unknown key too."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from models.errors import BadManifest, UnknownModel
from models.vocabulary import CLASSES, COCO_80

FOLDER = Path(__file__).resolve().parent
DEFAULT_PATH = FOLDER / "manifest.toml"

Task = Literal["objects", "faces"]
Dtype = Literal["uint8", "float32"]
Layout = Literal["nhwc", "nchw"]
Colour = Literal["bgr", "rgb"]
DecodeKind = Literal["boxes_and_scores", "yolox", "centerface"]
SourceKind = Literal["shipped", "assets", "https"]
Shape = tuple[int | str, ...]  # a number is fixed; a name ("N", "H/4") is free


@dataclass(frozen=True, slots=True)
class Source:
    """One place where the file may be. `where` is relative to models/ (shipped) or to the assets folder, or an https URL.

    `bytes` bounds a download; 0 for files.
    """

    kind: SourceKind
    where: str
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Input:
    """What the network takes. The picture lies at the top left of the letterbox, `pad` fills the rest.

    A free height and width (`longest_px` > 0): the longer side becomes `longest_px`, the other the smallest multiple of
    `multiple_px` that holds the picture.
    """

    name: str
    dtype: Dtype
    shape: Shape
    layout: Layout
    colour: Colour
    pad: int
    longest_px: int = 0
    multiple_px: int = 0

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of a fixed input; (0, 0) of a free one."""
        height, width = self.shape[1:3] if self.layout == "nhwc" else self.shape[2:4]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else (0, 0)


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Decode:
    kind: DecodeKind
    nms_iou: float
    strides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Per-label limits. `floor`: what a detector returns at all. `alarm`: what may start a track, and so an alarm."""

    floor: tuple[tuple[str, float], ...]
    alarm: tuple[tuple[str, float], ...]

    def floor_for(self, label: str) -> float:
        return _for(self.floor, label)

    def alarm_for(self, label: str) -> float:
        return _for(self.alarm, label)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    name: str
    task: Task
    title: str
    licence: str
    card: str
    classes: tuple[str, ...]
    sha256: tuple[str, ...]
    sources: tuple[Source, ...]
    input: Input
    outputs: tuple[Output, ...]
    unused_outputs: tuple[str, ...]
    decode: Decode
    scores: Scores


@dataclass(frozen=True, slots=True)
class Manifest:
    models: tuple[ModelEntry, ...]
    folder: Path  # shipped sources are relative to it

    def entry(self, name: str) -> ModelEntry:
        """Raises UnknownModel, which lists the names that there are."""
        for model in self.models:
            if model.name == name:
                return model
        raise UnknownModel(name, (model.name for model in self.models))


def load(path: Path = DEFAULT_PATH) -> Manifest:
    """Raises BadManifest with the model's name and the key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadManifest(str(path), str(error)) from None
    models = tuple(_entry(table, number) for number, table in enumerate(raw.pop("model", ()), 1))
    if raw:
        raise BadManifest("top", f"unknown {', '.join(sorted(raw))}")
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise BadManifest("name", f"given twice: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
    return Manifest(models=models, folder=path.resolve().parent)


def outside_vocabulary(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that Callout may not have (SCOPE): a model with any of them does not load."""
    return tuple(label for label in classes if label not in CLASSES)


def _for(limits: tuple[tuple[str, float], ...], label: str) -> float:
    default = 1.0
    for name, value in limits:
        if name == label:
            return value
        if name == "default":
            default = value
    return default


def _entry(raw: Any, number: int) -> ModelEntry:
    table = _Table(raw, f"model {number}")
    name = table.text("name")
    table.where = name
    declared = table.take("classes")
    classes = COCO_80 if declared == "coco_80" else tuple(str(label) for label in declared)
    if foreign := outside_vocabulary(classes):
        raise BadManifest(f"{name}.classes", f"outside the closed vocabulary (models/vocabulary.py): {', '.join(foreign)}")
    hashes = tuple(str(digest) for digest in table.take("sha256"))
    if not hashes or any(len(digest) != 64 or set(digest) - set("0123456789abcdef") for digest in hashes):
        raise BadManifest(f"{name}.sha256", "must be a list of 64-digit lower-case hexadecimal hashes")
    outputs = tuple(_output(item, name) for item in table.take("output"))
    entry = ModelEntry(
        name=name,
        task=cast(Task, table.one_of("task", Task)),
        title=table.text("title"),
        licence=table.text("licence"),
        card=table.text("card"),
        classes=classes,
        sha256=hashes,
        sources=tuple(_source(item, name) for item in table.take("sources")),
        input=_input(table.take("input"), name),
        outputs=outputs,
        unused_outputs=tuple(str(o) for o in table.take("unused_outputs", ())),
        decode=_decode(table.take("decode"), name),
        scores=_scores(table.take("scores"), name),
    )
    table.nothing_left()
    if entry.task == "faces" and classes != ("face-for-blurring",):
        raise BadManifest(f"{name}.classes", "a model for faces says face-for-blurring and nothing else")
    return entry


def _source(raw: Any, name: str) -> Source:
    table = _Table(raw, f"{name}.sources")
    size = int(table.take("bytes", 0))
    kinds = [kind for kind in get_args(SourceKind) if kind in table.raw]
    if len(kinds) != 1:
        raise BadManifest(table.where, f"each source is one of {', '.join(get_args(SourceKind))}")
    where = table.text(kinds[0])
    table.nothing_left()
    if kinds[0] == "https" and (not where.startswith("https://") or size <= 0):
        raise BadManifest(table.where, "a download needs an https:// address and its size in bytes")
    if kinds[0] != "https" and (Path(where).is_absolute() or ".." in Path(where).parts):
        raise BadManifest(table.where, f"{where!r} must stay inside its folder")
    return Source(kind=cast(SourceKind, kinds[0]), where=where, bytes=size)


def _input(raw: Any, name: str) -> Input:
    table = _Table(raw, f"{name}.input")
    if table.text("letterbox") != "top-left":
        raise BadManifest(f"{name}.input.letterbox", "only top-left is built")
    result = Input(
        name=table.text("name"),
        dtype=cast(Dtype, table.one_of("dtype", Dtype)),
        shape=tuple(table.take("shape")),
        layout=cast(Layout, table.one_of("layout", Layout)),
        colour=cast(Colour, table.one_of("colour", Colour)),
        pad=int(table.take("pad")),
        longest_px=int(table.take("longest_px", 0)),
        multiple_px=int(table.take("multiple_px", 0)),
    )
    table.nothing_left()
    if result.size_px == (0, 0) and not (result.longest_px > 0 and result.multiple_px > 0):
        raise BadManifest(f"{name}.input", "a free height and width need longest_px and multiple_px")
    return result


def _output(raw: Any, name: str) -> Output:
    table = _Table(raw, f"{name}.output")
    result = Output(name=table.text("name"), shape=tuple(table.take("shape")))
    table.nothing_left()
    return result


def _decode(raw: Any, name: str) -> Decode:
    table = _Table(raw, f"{name}.decode")
    result = Decode(
        kind=cast(DecodeKind, table.one_of("kind", DecodeKind)),
        nms_iou=float(table.take("nms_iou")),
        strides=tuple(int(s) for s in table.take("strides", ())),
    )
    table.nothing_left()
    return result


def _scores(raw: Any, name: str) -> Scores:
    table = _Table(raw, f"{name}.scores")
    limits = {key: tuple((str(k), float(v)) for k, v in table.take(key).items()) for key in ("floor", "alarm")}
    table.nothing_left()
    for key, pairs in limits.items():
        if "default" not in dict(pairs) or not all(0 < value < 1 for _, value in pairs):
            raise BadManifest(f"{name}.scores.{key}", "needs a default, and every limit between 0 and 1")
    return Scores(floor=limits["floor"], alarm=limits["alarm"])


class _Table:
    """Takes keys out of a table one by one; what is left at the end was not expected."""

    def __init__(self, raw: Any, where: str) -> None:
        if not isinstance(raw, dict):
            raise BadManifest(where, "must be a table")
        self.raw: dict[str, Any] = dict(raw)
        self.where = where

    def take(self, key: str, default: Any = None) -> Any:
        if key not in self.raw and default is None:
            raise BadManifest(self.where, f"{key} is missing")
        return self.raw.pop(key, default)

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value:
            raise BadManifest(self.where, f"{key} must be a text")
        return value

    def one_of(self, key: str, literal: Any) -> str:
        value = self.text(key)
        if value not in get_args(literal):
            raise BadManifest(self.where, f"{key} is {value!r}; it may be {', '.join(get_args(literal))}")
        return value

    def nothing_left(self) -> None:
        if self.raw:
            raise BadManifest(self.where, f"unknown {', '.join(sorted(self.raw))}")
