"""Reads the settings file and the environment: the only module that does."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from configs import checks, schema, toml_lines
from configs.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process was started with. `assets` is a folder of further models, footage and maps, if there is one."""

    assets: Path | None
    test_redis: str
    test_postgres: str
    strict_tests: bool


def environment(variables: Mapping[str, str] | None = None) -> Environment:
    values = os.environ if variables is None else variables
    named = values.get("CALLOUT_ASSETS", "")
    beside = ROOT.parent / "shared"
    assets = Path(named) if named else beside if beside.is_dir() else None
    return Environment(
        assets=assets,
        test_redis=values.get("CALLOUT_TEST_REDIS", ""),
        test_postgres=values.get("CALLOUT_TEST_POSTGRES", ""),
        strict_tests=values.get("CALLOUT_TEST_STRICT", "") == "1",
    )


def load(path: Path) -> schema.Settings:
    """Reads a settings file. Raises ConfigError with file and line for anything that is not right in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(str(path), "no such file. Start from configs/site.example.toml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> schema.Settings:
    """The same for a text; `name` stands in the errors. Relative paths in it are left as they are."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(f"{name}:{line}" if line else name, f"not valid TOML: {error}") from None
    reader = _Reader(name, toml_lines.key_lines(text))
    settings = reader.table(schema.Settings, raw, ())
    for path, message in checks.problems(settings):
        raise reader.error(path, message)
    return settings


_T = TypeVar("_T")


class _Reader:
    def __init__(self, name: str, lines: dict[toml_lines.Path, int]) -> None:
        self._name = name
        self._lines = lines

    def error(self, path: toml_lines.Path, message: str) -> ConfigError:
        return ConfigError(f"{self._name}:{toml_lines.line_of(self._lines, path)}", message)

    def table(self, kind: type[_T], raw: Any, path: toml_lines.Path) -> _T:
        if not isinstance(raw, dict):
            raise self.error(path, f"`{_dotted(path)}` must be a table, not {_word(raw)}")
        known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # every schema class is a dataclass
        hints = typing.get_type_hints(kind)
        for key in raw:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                advice = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(known))}"
                raise self.error((*path, key), f"unknown key `{key}` in `{_dotted(path) or 'the file'}`; {advice}")
        values: dict[str, Any] = {}
        for name, spec in known.items():
            if name in raw:
                values[name] = self.value(hints[name], raw[name], (*path, name))
            elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
                raise self.error(path, f"`{_dotted(path)}` lacks the key `{name}`")
        return kind(**values)

    def value(self, hint: Any, raw: Any, path: toml_lines.Path) -> Any:
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.table(hint, raw, path)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is tuple:
            return self.sequence(arguments, raw, path)
        if origin is Literal:
            if raw in arguments:
                return raw
            near = difflib.get_close_matches(str(raw), [str(a) for a in arguments], n=1, cutoff=0.5)
            advice = f"; did you mean `{near[0]}`?" if near else ""
            raise self.error(path, f"`{_dotted(path)}` is `{raw}`; it may be {', '.join(map(str, arguments))}{advice}")
        if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
            return float(raw)
        if isinstance(raw, hint) and not (hint is int and isinstance(raw, bool)):
            return raw
        raise self.error(path, f"`{_dotted(path)}` must be {_NAMES.get(hint, hint.__name__)}, not {_word(raw)}")

    def sequence(self, arguments: tuple[Any, ...], raw: Any, path: toml_lines.Path) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise self.error(path, f"`{_dotted(path)}` must be a list, not {_word(raw)}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(self.value(arguments[0], item, (*path, index)) for index, item in enumerate(raw))
        if len(raw) != len(arguments):
            raise self.error(path, f"`{_dotted(path)}` must have {len(arguments)} values, not {len(raw)}")
        return tuple(self.value(hint, item, path) for hint, item in zip(arguments, raw, strict=True))


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _word(raw: Any) -> str:
    return f"`{raw}`" if isinstance(raw, str | int | float | bool) else f"a {type(raw).__name__}"


def _dotted(path: toml_lines.Path) -> str:
    return ".".join(str(part) if isinstance(part, str) else f"[{part + 1}]" for part in path).replace(".[", "[")


def resolve(settings_path: Path, relative: str) -> Path:
    """A path named in a settings file: relative to that file."""
    given = Path(relative).expanduser()
    return given if given.is_absolute() else settings_path.parent / given
