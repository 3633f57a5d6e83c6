"""`bench pipeline`: CPU of the whole stream and vision path against bare decoding and bare inference, on the same live cameras.

ratio = bound / ours, where bound = decode + achieved rate × inference. The two sides run in turn, several times, each in a
process of its own; figures are medians. A ratio above 1.05 is a measuring error and fails like one below the bar.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from configs.settings import ROOT
from streams import clip_file
from streams.clip_file import ClipError

BAR, TOO_GOOD = 0.75, 1.05
CLIP = ROOT / "configs" / "demo" / "campus.mp4"


def run(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="callout bench pipeline", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, default=CLIP, help="H.264 file that the cameras play")
    parser.add_argument("--model", default="nanodet_g_416_int8")
    parser.add_argument("--rate", type=float, default=4.0, help="inferences a second to aim at")
    parser.add_argument("--break", dest="defect", choices=("slow", "miscount"), default="", help="plant a defect that must fail")
    args = parser.parse_args(argv)
    try:
        clip_file.load(args.clip)
    except ClipError as error:
        print(f"callout: {error}", file=sys.stderr)
        return 2
    server, urls = _cameras(args.clip, args.cameras)
    try:
        rounds = [_round(urls, args) for _ in range(args.rounds)]
    finally:
        server.terminate()
        server.wait(5)
    return _tell(rounds, args)


def _round(urls: list[str], args: argparse.Namespace) -> dict[str, float]:
    mine = _side("ours", urls=urls, seconds=args.seconds, model=args.model, rate=args.rate, defect=args.defect)
    bare = _side("bound", urls=urls, seconds=args.seconds, model=args.model)
    rate = mine["rate"] * (3.0 if args.defect == "miscount" else 1.0)
    bound = bare["decode_cpu_s"] + rate * bare["infer_cpu_s"]
    return {
        "ours": mine["cpu_s_per_camera_s"],
        "bound": bound,
        "ratio": bound / mine["cpu_s_per_camera_s"],
        "rate": rate,
        "fps": mine["fps"],
        "bound_fps": bare["fps"],
        "dropped": mine["dropped"],
        "decode": bare["decode_cpu_s"],
        "infer": bare["infer_cpu_s"],
        "infer_inside": mine["infer_cpu_s"],
        "sightings": mine["sightings"],
    }


def _tell(rounds: list[dict[str, float]], args: argparse.Namespace) -> int:
    print(f"{'round':<7}{'ours':>10}{'bound':>10}{'ratio':>8}{'rate/s':>8}{'fps':>7}{'dropped':>9}   CPU s per camera-second")
    for index, row in enumerate(rounds, start=1):
        print(_row(str(index), row))
    middle = {key: statistics.median(row[key] for row in rounds) for key in rounds[0]}
    print(_row("median", middle))
    alike = abs(middle["fps"] - middle["bound_fps"]) <= 0.05 * middle["bound_fps"]
    good = BAR <= middle["ratio"] <= TOO_GOOD and alike
    ratios = [row["ratio"] for row in rounds]
    verdict = "met" if good else "MISSED"
    print(f"ratio {middle['ratio']:.3f} (of {min(ratios):.3f} to {max(ratios):.3f}), bar {BAR} to {TOO_GOOD}: {verdict}")
    if not alike:
        print(f"the two sides decoded different numbers of frames: {middle['fps']:.1f} and {middle['bound_fps']:.1f} a second")
    if args.json:
        result: dict[str, Any] = {
            "bench": "pipeline",
            "cameras": args.cameras,
            "seconds": args.seconds,
            "rounds": args.rounds,
            "cpu_s_per_camera_s": round(middle["ours"], 5),
            "bound_cpu_s_per_camera_s": round(middle["bound"], 5),
            "ratio": round(middle["ratio"], 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
            "rate": round(middle["rate"], 2),
            "fps": round(middle["fps"], 2),
            "frames_dropped": int(sum(row["dropped"] for row in rounds)),
            "bar": BAR,
            "met": good,
        }
        print(json.dumps(result))
    return 0 if good else 1


def _row(name: str, row: dict[str, float]) -> str:
    costs = f"{row['ours']:>10.4f}{row['bound']:>10.4f}{row['ratio']:>8.3f}"
    counts = f"{row['rate']:>8.2f}{row['fps']:>7.1f}{row['dropped']:>9.0f}"
    infer = f"inference {row['infer'] * 1000:.1f} ms (in the worker {row['infer_inside'] * 1000:.1f})"
    parts = f"decode {row['decode']:.4f}, {infer}, {row['sightings']:.0f} sightings"
    return f"{name:<7}{costs}{counts}   {parts}"


def _side(name: str, **settings: Any) -> dict[str, float]:
    argv = [sys.executable, "-m", "cli.pipeline_side", name, json.dumps(settings)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=settings["seconds"] + 60)
    if done.returncode != 0:
        raise RuntimeError(f"the {name} side of the bench ended with {done.returncode}:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _cameras(clip: Path, count: int) -> tuple[subprocess.Popen[str], list[str]]:
    """A virtual camera process on a free port: `count` cameras that play the same file."""
    words = [f"cam{index}={clip}" for index in range(count)]
    argv = [sys.executable, "-m", "cli", "camera", "play", *words, "--port", "0"]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    assert server.stdout is not None
    urls = [server.stdout.readline().split()[0] for _ in range(count)]
    threading.Thread(target=server.stdout.read, daemon=True).start()
    return server, urls
