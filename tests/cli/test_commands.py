"""The commands as people meet them: what is wrong is said in a line with what to do, never as a stack trace."""

from __future__ import annotations

import io
import os
import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cli.__main__ import COMMANDS, main
from cli.bench import BENCHES
from configs.layout import Layout
from dispatch.event import Event
from dispatch.store import Store
from dispatch.views import Actor
from streams.virtual_camera import Auth, Running
from streams.virtual_player import Faults
from tests.configs.test_settings import GOOD
from tests.streams import coded

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "Tr0ub4dor&3"
Said = pytest.CaptureFixture[str]


def _callout(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Through the command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environ},
    )  # fmt: skip


def _here(*words: str | Path) -> int:
    """The same without the process: what parses arguments may end by SystemExit."""
    try:
        return main([str(word) for word in words])
    except SystemExit as ended:
        return int(ended.code or 0)


def _is_for_people(text: str) -> bool:
    return "Traceback" not in text and "Error(" not in text and 'File "' not in text


def _file(folder: Path, text: str, name: str = "site.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded.make_file(tmp_path_factory.mktemp("clips") / "gate.mp4", frames=40, fps=20, gop=10)


# -- check-config ----------------------------------------------------------------------------------------------------------


def test_check_config_through_the_command_line(tmp_path: Path) -> None:
    good = _callout("check-config", str(_file(tmp_path, GOOD)))
    assert (good.returncode, good.stderr) == (0, "")
    assert "good. 1 cameras, 1 units, 1 accounts." in good.stdout
    wrong = _file(tmp_path, GOOD.replace("purpose =", "purpos ="), "wrong.toml")
    bad = _callout("check-config", str(wrong))
    assert (bad.returncode, bad.stdout) == (2, "")
    line = GOOD.splitlines().index('purpose = "Sees whether the gate burns."') + 1
    assert bad.stderr == f"callout: {wrong}:{line}: unknown key `purpos` in `camera[1]`; did you mean `purpose`?\n"


_BAD = {
    "not TOML": (GOOD + "\n[site\n", "not valid TOML"),
    "a number for a text": (GOOD.replace('name = "Here"', "name = 5"), "must be a text"),
    "an unknown hazard": (GOOD.replace('"intrusion"', '"protest"'), "it may be"),
    "no purpose": (GOOD.replace('purpose = "Sees whether the gate burns."', 'purpose = " "'), "needs a written purpose"),
    "a zone that crosses itself": (
        GOOD.replace("[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]", "[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]"),
        "crosses itself",
    ),
    "calibration on one spot": (
        GOOD.replace(
            'jurisdiction = "centre"\n\n[[camera.zones]]',
            'jurisdiction = "centre"\ncalibration = [' + "{ picture = [0.5, 0.5], ground = [60.17, 24.94] }, " * 4 + "]\n"
            "\n[[camera.zones]]",
        ),
        "gate",
    ),
    "a skill that nobody asks for": (GOOD.replace('account = "riku"', 'account = "riku"\nskills = ["frist_aid"]'), "first_aid"),
    "a map that is not there": (GOOD + '\n[map]\nosm = "nowhere.osm.pbf"\n', "nowhere.osm.pbf"),
    "footage kept too long": (GOOD + "\n[retention]\noutside_incident_hours = 80\n", "72"),
}


@pytest.mark.parametrize("case", _BAD)
def test_check_config_names_the_line_and_what_is_right(tmp_path: Path, capsys: Said, case: str) -> None:
    text, expected = _BAD[case]
    path = _file(tmp_path, text)
    assert _here("check-config", path) == 2
    said = capsys.readouterr().err
    assert re.match(rf"callout: {re.escape(str(path))}(:\d+)?: ", said), said
    assert expected in said
    assert _is_for_people(said)


def test_a_settings_file_that_is_not_there_or_no_text(tmp_path: Path, capsys: Said) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        for command in (["check-config"], ["serve", "--config"], ["user", "list", "--config"], ["audit", "verify", "--config"]):
            assert _here(*command, path) == 2
            said = capsys.readouterr().err
            assert str(path) in said
            assert _is_for_people(said)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x80")
    assert _here("check-config", tmp_path / "binary.toml") == 2
    assert _is_for_people(capsys.readouterr().err)


# -- camera ----------------------------------------------------------------------------------------------------------------


def test_camera_check_says_what_a_camera_sends(clip: Path, capsys: Said) -> None:
    with Running([clip], auth=Auth("admin", PASSWORD)) as camera:
        assert _here("camera", "check", camera.url("gate"), "--seconds", "1") == 0
    said = capsys.readouterr().out
    assert "h264 160×96" in said
    assert "no B-frames" in said
    assert PASSWORD not in said


def test_camera_check_says_why_not(clip: Path, capsys: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = probe.getsockname()[1]
    with Running([clip], auth=Auth("admin", "right")) as locked, Running([clip], faults=Faults(fin_after_s=0.0)) as leaving:
        cases = {
            f"rtsp://admin:{PASSWORD}@127.0.0.1:{locked.server.port}/gate": "refuses the user name or the password",
            f"rtsp://admin:{PASSWORD}@127.0.0.1:{nobody}/gate": "does not answer (connection refused)",
            leaving.url("nothing"): "has no such stream",
            f"rtsp://admin:{PASSWORD}@no-such-host.invalid/1": "host name is not known",
            "nonsense": "not",
            "http://127.0.0.1:9/x": "",
            str(clip): "callout camera play",
        }
        for url, expected in cases.items():
            assert _here("camera", "check", url, "--seconds", "1") == 1, url
            said = capsys.readouterr()
            assert expected in said.err
            assert said.err.startswith("callout: ")
            assert _is_for_people(said.err)
            assert PASSWORD not in said.err + said.out


def test_camera_play_errors_through_the_command_line(clip: Path, tmp_path: Path) -> None:
    text = _file(tmp_path, "hello", "notes.txt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = [
            ([str(clip), "--port", port], 1, f"cannot listen on 127.0.0.1:{port}"),
            ([str(tmp_path / "none.mp4"), "--port", "0"], 1, "there is no such file"),
            ([str(text), "--port", "0"], 1, "not a video"),
            ([str(clip), f"gate={clip}", "--port", "0"], 1, "already served as /gate"),
        ]
        for words, code, expected in cases:
            done = _callout("camera", "play", *words)
            assert done.returncode == code
            assert expected in done.stderr
            assert _is_for_people(done.stderr)


def test_camera_play_refuses_what_is_no_port_and_a_user_without_a_password(clip: Path, capsys: Said) -> None:
    for port in ("99999", "-1", "http"):
        assert _here("camera", "play", clip, "--port", port) == 2
        assert "port" in capsys.readouterr().err
    done = _callout("camera", "play", str(clip), "--port", "0", "--user", "admin")
    assert done.returncode == 1
    assert "CALLOUT_CAMERA_PASSWORD" in done.stderr


def test_camera_play_serves_and_ends_on_ctrl_c(clip: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "camera", "play", f"door={clip}", "--port", "0", "--user", "admin"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "CALLOUT_CAMERA_PASSWORD": "secret-1"},
    ) as playing:  # fmt: skip
        assert playing.stdout is not None
        url = playing.stdout.readline().split()[0]
        assert url.endswith("/door")
        assert "secret-1" not in url
        assert _here("camera", "check", url.replace("rtsp://", "rtsp://admin:secret-1@"), "--seconds", "0.5") == 0
        playing.send_signal(2)
        assert playing.wait(10) == 0


# -- the others ------------------------------------------------------------------------------------------------------------


def test_map_build_on_what_is_no_map(tmp_path: Path, capsys: Said) -> None:
    for name, content in (
        ("text.osm.pbf", b"hello"),
        ("cut.osm.pbf", (ROOT / "configs/demo/helsinki.osm.pbf").read_bytes()[:5000]),
    ):
        (tmp_path / name).write_bytes(content)
        assert _here("map", "build", tmp_path / name, "--out", tmp_path / "map") == 1
        said = capsys.readouterr().err
        assert name in said
        assert _is_for_people(said)
    assert _here("map", "build", tmp_path / "none.osm.pbf", "--out", tmp_path / "map") == 1
    assert "none.osm.pbf" in capsys.readouterr().err


def test_models_list_and_verify(capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLOUT_ASSETS", str(tmp_path))
    assert _here("models", "verify") == 0
    said = capsys.readouterr().out
    assert re.search(r"^nanodet_g_416_int8 +ready", said, re.MULTILINE)
    assert re.search(r"^yolox_nano_416 +(missing|ready)", said, re.MULTILINE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "yolox_nano_416.onnx").write_bytes(b"not the model")
    assert _here("models", "list") == 0
    assert "wrong_hash" in capsys.readouterr().out
    assert _here("models", "verify") == 1
    assert "was not loaded" in capsys.readouterr().out
    assert _here("models", "fetch", "no-such-model") == 1
    assert "There is no model 'no-such-model'" in capsys.readouterr().err


def test_user_add_password_list(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _file(tmp_path, GOOD + f'\n[data]\nfolder = "{tmp_path / "data"}"\n')
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough word\n"))
    assert _here("user", "add", "olga", "--role", "operator", "--config", config) == 0
    assert "a long enough word" not in capsys.readouterr().out
    assert _here("user", "password", "olga", "--make", "--config", config) == 0
    made = re.search(r"password (\S+) \(shown this once\)", capsys.readouterr().out)
    assert made is not None
    assert len(made[1]) >= 16
    assert _here("user", "list", "--config", config) == 0
    said = capsys.readouterr().out
    assert re.search(r"^olga +operator", said, re.MULTILINE)
    assert re.search(r"^riku +responder", said, re.MULTILINE)
    assert made[1] not in said

    for words, expected in {
        ("add", "olga", "--role", "operator", "--make"): "already",
        ("password", "nobody", "--make"): "no account `nobody`",
        ("add", "x" * 65, "--role", "operator", "--make"): "1 to 64",
    }.items():
        assert _here("user", *words, "--config", config) == 1
        said = capsys.readouterr().err
        assert expected in said
        assert _is_for_people(said)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert _here("user", "password", "olga", "--config", config) == 1
    assert _is_for_people(capsys.readouterr().err)
    (tmp_path / "data" / "accounts.db").write_bytes(b"this is no database, and never was one" * 50)
    assert _here("user", "list", "--config", config) == 1
    assert _is_for_people(capsys.readouterr().err)


def test_audit_verify_finds_what_was_changed_behind_its_back(tmp_path: Path, capsys: Said) -> None:
    config = _file(tmp_path, GOOD + f'\n[data]\nfolder = "{tmp_path / "data"}"\n')
    layout = Layout(tmp_path / "data")
    assert _here("audit", "verify", "--config", config) == 1  # nothing there yet, and it says so
    assert _is_for_people(capsys.readouterr().err)
    layout.make()
    _fill(layout.store)
    assert _here("audit", "verify", "--config", config) == 0
    assert str(layout.store) in capsys.readouterr().out
    with sqlite3.connect(layout.store) as tampering:
        for (trigger,) in tampering.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            tampering.execute(f"DROP TRIGGER {trigger}")
        tampering.execute("UPDATE audit SET detail = replace(detail, '2', '9') WHERE seq = 2")
    tampering.close()
    assert _here("audit", "verify", "--config", config) == 1
    said = capsys.readouterr().out
    assert "2" in said
    assert _is_for_people(said)
    layout.store.write_bytes(b"not a database" * 100)
    for beside in layout.root.glob("callout.db-*"):
        beside.unlink()
    assert _here("audit", "verify", "--config", config) == 1
    assert _is_for_people(capsys.readouterr().err)


def _fill(path: Path) -> None:
    with Store(path) as store:
        for number in range(1, 4):
            with store.write() as tx:
                tx.add_audit(
                    Event("camera.watched", f"camera-{number}", 1000.0 + number, Actor("olga", "operator"), {"n": number})
                )


# -- all of them -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BENCHES))
def test_every_bench_explains_itself(name: str, capsys: Said) -> None:
    assert _here("bench", name, "--help") == 0
    said = capsys.readouterr().out
    assert f"callout bench {name}" in said
    assert "--json" in said
    assert "--break" in said


def test_every_command_explains_itself_and_nonsense_is_refused(capsys: Said) -> None:
    assert _here("--help") == 0
    said = capsys.readouterr().out
    shown = [command.name for command in COMMANDS if command.name != "child"]
    assert all(re.search(rf"^ +{re.escape(name)}( |$)", said, re.MULTILINE) for name in shown)
    assert "child" not in said
    for name in shown:
        assert _here(name, "--help") == 0
        assert name in capsys.readouterr().out
    assert _here("dmeo") == 2
    assert _is_for_people(capsys.readouterr().err)
    assert _here() == 2
    capsys.readouterr()


def test_a_data_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path) -> None:
    blocked = _file(tmp_path, "a file, not a folder", "data")
    config = _file(tmp_path, GOOD + f'\n[data]\nfolder = "{blocked}/site"\n')
    for words in (["user", "list", "--config", str(config)], ["serve", "--config", str(config)]):
        done = _callout(*words)
        assert done.returncode == 1
        assert str(blocked) in done.stderr
        assert _is_for_people(done.stderr)
