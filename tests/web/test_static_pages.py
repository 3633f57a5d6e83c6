"""What can be held of the pages without a browser: complete dictionaries, our own files alone, pinned packages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
STATIC = WEB / "static"
PAGES = sorted(STATIC.glob("*.html"))
SCRIPTS = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
SHEETS = sorted((STATIC / "css").glob("*.css"))
OURS = [path for path in SCRIPTS if not path.name.startswith("i18n.en") and not path.name.startswith("i18n.zh")]
IMPORT = re.compile(r"""(?:^(?:import|export)\b[^;"]*?\bfrom |^import |\bimport\()"([^"]+)\"""", re.MULTILINE)


def dictionary(language: str) -> dict[str, str]:
    text = (STATIC / "lib" / f"i18n.{language}.js").read_text()
    words: dict[str, str] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return words


def import_map(page: Path) -> dict[str, str]:
    found = re.search(r'<script type="importmap">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found, f"{page.name} has no import map"
    imports: dict[str, str] = json.loads(found[1])["imports"]
    return imports


def test_both_dictionaries_have_the_same_keys_and_places_for_values() -> None:
    en, zh = dictionary("en"), dictionary("zh")
    assert set(en) == set(zh)
    for key, text in en.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", zh[key])), key
        assert text.strip(), key
        assert zh[key].strip(), key


def test_no_key_is_twice_in_a_dictionary() -> None:
    for language in ("en", "zh"):
        keys = re.findall(r'^  "([^"]+)":', (STATIC / "lib" / f"i18n.{language}.js").read_text(), re.MULTILINE)
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
def test_every_text_that_a_module_names_is_in_the_dictionary(script: Path) -> None:
    en = dictionary("en")
    source = script.read_text()
    assert [key for key in re.findall(r'\bt\(\s*"([^"]+)"', source) if key not in en] == []
    for prefix in re.findall(r"\bt\(`([^`$]+)\$\{", source):
        assert any(key.startswith(prefix) for key in en), prefix


def test_every_state_and_hazard_of_dispatch_has_a_word() -> None:
    from dispatch import assignment, incident, unit

    en = dictionary("en")
    assert [state for state in incident.State if f"state.{state}" not in en] == []
    assert [state for state in assignment.State if f"assignment.{state}" not in en] == []
    assert [state for state in unit.State if f"unit.{state}" not in en] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_names_only_our_own_files_and_has_no_inline_script_but_the_import_map(page: Path) -> None:
    html = page.read_text()
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert address.startswith("/static/"), address
        assert "vendor" in address or (STATIC / address.removeprefix("/static/")).is_file(), address
    assert [kind for kind in re.findall(r"<script([^>]*)>", html) if "src=" not in kind] == [' type="importmap"']
    assert "style=" not in html
    assert import_map(page) == import_map(PAGES[0])


@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
def test_a_module_imports_only_what_is_there(script: Path) -> None:
    mapped = import_map(PAGES[0])
    for name in IMPORT.findall(script.read_text()):
        if name.startswith(("/static/", "./")):
            target = STATIC / name.removeprefix("/static/") if name.startswith("/") else script.parent / name
            assert target.is_file(), f"{script.name}: {name}"
        else:
            assert name in mapped, f"{script.name}: {name}"


@pytest.mark.parametrize("file", [*PAGES, *SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_nothing_is_fetched_from_anywhere_else(file: Path) -> None:
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[\w.]+", file.read_text()) == []


def test_what_the_import_map_names_is_what_the_bootstrap_copies() -> None:
    copied = {entry["to"] for entry in json.loads((WEB / "vendor.json").read_text())["files"]}
    for address in import_map(PAGES[0]).values():
        assert address.removeprefix("/static/vendor/") in copied
    for name in copied:
        folder = name.split("/")[0]
        assert any(other.startswith(f"{folder}/LICENSE") for other in copied), f"{folder} comes without its licence"


def test_the_lock_pins_every_package_by_integrity_and_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    for path, package in packages.items():
        if path:
            assert package["integrity"].startswith("sha512-"), path
            assert "resolved" not in package, path
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert packages[f"node_modules/{name}"]["version"] == version
