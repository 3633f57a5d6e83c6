"""The bootstrap under a plain Python, in a copy of its files: no network, the package index is a stub at its boundary."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.streams.worker_kit import eventually

ROOT = Path(__file__).resolve().parents[2]
PLAIN = getattr(sys, "_base_executable", sys.executable)  # the Python that the environment was made with

# Stands in place of the environment's Python: pip and npm are the boundary, the rest of what it is asked is small.
STUB = """#!/bin/sh
case "$*" in
  "-c import sys, pip"*) [ -e "{root}/no-pip" ] && exit 1; echo 3 11;;
  "-m pip"*)
    echo "pip $*" >> "{root}/said"
    [ -e "{root}/hang" ] && {{ echo $$ > "{root}/hanging"; exec sleep 60; }}
    if [ -e "{root}/fail" ]; then
      for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo "noise $n"; done; echo "ERROR: no route to host"; exit 1
    fi
    echo "Collecting one==1.0"; echo "Requirement already satisfied: two in here"; echo "Installing collected packages: one";;
  "-m cli"*) shift 2; echo "cli $* PYTHONPATH=$PYTHONPATH" >> "{root}/said";;
  *) echo "asked: $*" >> "{root}/said"; exit 9;;
esac
"""
NPM = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "npm $*" >> "{root}/said"
mkdir -p node_modules/lib && echo code > node_modules/lib/a.js
"""


@dataclass(frozen=True)
class Copy:
    """A checkout's bootstrap files, with a stub of an environment."""

    root: Path

    @classmethod
    def make(cls, folder: Path, *, stub: bool = True) -> Copy:
        root = folder / "check out"  # with a blank: it must not matter
        for name in ("cli/bootstrap.py", "callout"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        (root / "requirements").mkdir()
        for group in ("run", "dev", "node"):
            (root / "requirements" / f"{group}.txt").write_text("# nothing\n" if not stub else "one==1.0\ntwo==2.0\n")
        (root / "web" / "static").mkdir(parents=True)
        (root / "web" / "package.json").write_text("{}")
        (root / "web" / "package-lock.json").write_text("{}")
        (root / "web" / "vendor.json").write_text(json.dumps({"files": [{"from": "lib/a.js", "to": "lib/a.js"}]}))
        copy = cls(root)
        copy.program("bin/npm", NPM)
        if stub:
            copy.program(".venv/bin/python", STUB)
        return copy

    def program(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(root=self.root))
        path.chmod(0o755)

    @property
    def said(self) -> list[str]:
        path = self.root / "said"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PLAIN, str(self.root / "cli" / "bootstrap.py"), *words],
            capture_output=True, text=True, timeout=60, check=False, env=self.environ(), cwd=self.elsewhere(),
        )  # fmt: skip

    def elsewhere(self) -> Path:
        """A folder to start it from, with a trap in it."""
        trap = self.root.parent / "elsewhere"
        (trap / "cli").mkdir(parents=True, exist_ok=True)
        (trap / "cli" / "__main__.py").write_text("print('the wrong cli')")
        return trap

    def environ(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "PIP_", "CALLOUT"))
        }
        return {**kept, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy.make(tmp_path)


def test_what_is_stale_is_brought_once_and_then_the_command_runs_at_once(copy: Copy) -> None:
    first = copy.run("demo", "--port", "0")
    assert first.returncode == 0, first.stderr
    lock = copy.root / "requirements" / "run.txt"
    assert [line.split()[0] for line in copy.said] == ["pip", "npm", "cli"]
    assert "--require-hashes" in copy.said[0]
    assert copy.said[0].endswith(f"-r {lock}")
    assert "--ignore-scripts" in copy.said[1]
    assert copy.said[2] == f"cli demo --port 0 PYTHONPATH={copy.root}"
    assert (copy.root / "web" / "static" / "vendor" / "lib" / "a.js").read_text() == "code\n"
    assert "ready in" in first.stderr

    (copy.root / "said").unlink()
    (copy.root / "bin" / "npm").unlink()
    second = copy.run("demo")
    assert second.returncode == 0
    assert second.stderr == ""  # nothing was done, nothing is said
    assert [line.split()[0] for line in copy.said] == ["cli"]

    (copy.root / "said").unlink()
    lock.write_text("one==1.1\n")
    assert copy.run("demo").returncode == 0
    assert [line.split()[0] for line in copy.said] == ["pip", "cli"]  # the front end is as it was


def test_the_tests_bring_their_tools_as_well(copy: Copy) -> None:
    assert copy.run("test").returncode == 0
    assert [Path(line.split()[-1]).name for line in copy.said if line.startswith("pip")] == ["run.txt", "dev.txt"]


def test_a_pip_that_fails_shows_its_last_lines_and_what_to_do_and_is_taken_up_again(copy: Copy) -> None:
    (copy.root / "fail").touch()
    failed = copy.run("demo")
    assert failed.returncode == 1
    assert "packages of requirements/run.txt could not be installed (exit 1)" in failed.stderr
    assert "ERROR: no route to host" in failed.stderr
    assert "Is the package index reachable?" in failed.stderr
    assert "noise 1\n" not in failed.stderr  # the end, not everything
    assert "Traceback" not in failed.stderr
    assert not any(line.startswith("cli") for line in copy.said)
    (copy.root / "fail").unlink()
    assert copy.run("demo").returncode == 0
    assert copy.said[-1].startswith("cli demo")


def test_an_installation_stopped_in_the_middle_is_taken_up_again(copy: Copy) -> None:
    (copy.root / "hang").touch()
    with subprocess.Popen(
        [PLAIN, str(copy.root / "cli" / "bootstrap.py"), "demo"],
        stderr=subprocess.PIPE, text=True, env=copy.environ(), start_new_session=True,
    ) as stopped:  # fmt: skip
        eventually((copy.root / "hanging").exists)
        os.killpg(stopped.pid, signal.SIGINT)  # Ctrl-C reaches the whole group
        assert stopped.wait(10) == 130
        assert stopped.stderr is not None
        said = stopped.stderr.read()
    assert "Run it again to go on" in said
    assert "Traceback" not in said
    assert not (copy.root / ".venv" / "callout-run").exists()
    (copy.root / "hang").unlink()
    assert copy.run("demo").returncode == 0
    assert (copy.root / ".venv" / "callout-run").exists()


def test_a_missing_python_is_noticed_though_the_stamps_are_fresh(copy: Copy) -> None:
    (copy.root / "requirements" / "run.txt").write_text("# nothing\n")
    assert copy.run("demo").returncode == 0
    (copy.root / ".venv" / "bin" / "python").unlink()
    (copy.root / ".venv" / "bin" / "python").symlink_to("/no/such/python")  # the system's was taken away
    done = copy.run("demo")
    assert "making it anew" in done.stderr
    assert "No module named cli.__main__" in done.stderr  # this copy has none: it came as far as that
    assert "Traceback" not in done.stderr


def test_a_real_environment_from_nothing(tmp_path: Path) -> None:
    copy = Copy.make(tmp_path, stub=False)
    copy.program(".venv/bin/python", STUB)  # left behind by one that was stopped before pip was in it
    (copy.root / "no-pip").touch()
    (copy.root / "cli" / "__main__.py").write_text("import sys; print('ran', sys.prefix, sys.argv[1:])")
    done = copy.run("check-config", "x.toml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1)[1].startswith(str(copy.root / ".venv"))
    assert "the environment is not whole" in done.stderr
    assert "making .venv with Python" in done.stderr
    again = copy.run("--help")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_folder_that_cannot_be_written_is_said_in_a_line(copy: Copy) -> None:
    (copy.root / ".bootstrap.lock").mkdir()
    done = copy.run("demo")
    assert done.returncode == 1
    assert ".bootstrap.lock" in done.stderr
    assert "Traceback" not in done.stderr


def _shims(copy: Copy, **programs: str) -> dict[str, str]:
    """A PATH on which every Python is as given, or a shim that fails."""
    folder = copy.root / "shims"
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        copy.program(f"shims/{name}", programs.get(name.replace(".", "_"), "#!/bin/sh\necho not installed >&2\nexit 127\n"))
    for name in ("dirname", "readlink", "env", "sh"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return {"PATH": str(folder), "HOME": str(copy.root)}


def test_callout_takes_a_python_that_works_not_one_that_is_only_named_so(tmp_path: Path) -> None:
    copy = Copy.make(tmp_path, stub=False)
    (copy.root / "cli" / "bootstrap.py").write_text("import sys; print('bootstrap', sys.argv[1:])")
    environ = _shims(copy, python3=f'#!/bin/sh\nexec "{PLAIN}" "$@"\n')
    link = tmp_path / "link"
    link.symlink_to(copy.root / "callout")
    for program in (copy.root / "callout", link):  # also through a link on PATH
        done = subprocess.run([str(program), "demo", "a b"], capture_output=True, text=True, env=environ, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (0, "bootstrap ['demo', 'a b']\n"), done.stderr
        assert done.stderr == ""


def test_callout_without_any_python_says_what_to_install(tmp_path: Path) -> None:
    copy = Copy.make(tmp_path, stub=False)
    environ = _shims(copy)
    done = subprocess.run(
        [str(copy.root / "callout"), "demo"], capture_output=True, text=True, env=environ, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "apt install python3" in done.stderr
    old = textwrap.dedent("""\
        #!/bin/sh
        exit 1
        """)  # what the version check of an old one gives
    chosen = subprocess.run(
        [str(copy.root / "callout"), "demo"],
        capture_output=True, text=True, timeout=30, check=False,
        env={**_shims_again(copy, old), "CALLOUT_PYTHON": PLAIN},
    )  # fmt: skip
    assert "needs Python" not in chosen.stderr


def _shims_again(copy: Copy, old: str) -> dict[str, str]:
    for name in ("python3.12", "python3"):
        copy.program(f"shims/{name}", old)
    (copy.root / "cli" / "bootstrap.py").write_text("")
    return {"PATH": str(copy.root / "shims"), "HOME": str(copy.root)}
