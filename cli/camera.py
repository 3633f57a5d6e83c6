"""`callout camera play FILE…`: files as a real RTSP camera. `callout camera check URL`: what a camera sends, or why not."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from cli import childhood, logs
from streams import clip_file, transcode
from streams.clip_file import Clip, ClipError
from streams.virtual_camera import Auth, Server, VirtualCameraError


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    play = commands.add_parser("play", help="serve video files over RTSP, looped, until Ctrl-C")
    play.add_argument("files", nargs="+", metavar="[NAME=]FILE", help="H.264 files; the path is rtsp://HOST:PORT/NAME")
    play.add_argument("--host", default="127.0.0.1")
    play.add_argument("--port", type=port_number, default=8554, help="0: any free port (default 8554)")
    play.add_argument("--user", default="", help="ask for this user; the password is read from CALLOUT_CAMERA_PASSWORD")
    play.add_argument("--transcode", action="store_true", help="make servable copies of files that a camera would not send")
    play.add_argument("--cache", type=Path, default=Path("var/cache"), help="where those copies are kept")
    play.add_argument("--from-start", action="store_true", help="each client sees the file from its beginning")
    play.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    check = commands.add_parser("check", help="open a camera and say what it sends")
    check.add_argument("url", metavar="URL", help="rtsp://user:password@host/path")
    check.add_argument("--seconds", type=float, default=5.0)


def port_number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 (any free one) to 65535")
    return number


def run(args: argparse.Namespace) -> int:
    if args.what == "check":
        from cli import camera_check

        return camera_check.run(args.url, args.seconds)
    if args.child:
        logs.to_file()
    else:
        logs.to_terminal()
    try:
        clips = _load(args)
        return asyncio.run(_serve(args, clips))
    except (ClipError, VirtualCameraError) as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1


def _load(args: argparse.Namespace) -> dict[str, Clip]:
    clips: dict[str, Clip] = {}
    for word in args.files:
        name, _, rest = word.rpartition("=") if "=" in word and not Path(word).exists() else ("", "", word)
        path = Path(rest)
        if args.transcode:
            args.cache.mkdir(parents=True, exist_ok=True)
            served = transcode.served(path, args.cache)
        else:
            served = path
        name = name or path.stem
        if name in clips:
            raise VirtualCameraError(
                f"{path}: another file is already served as /{name}. Give it a name of its own: other={path}"
            )
        clips[name] = clip_file.load(served, name)
    return clips


async def _serve(args: argparse.Namespace, clips: dict[str, Clip]) -> int:
    password = os.environ.get("CALLOUT_CAMERA_PASSWORD", "")
    if args.user and not password:
        raise VirtualCameraError("--user asks for a password: set CALLOUT_CAMERA_PASSWORD")
    auth = Auth(args.user, password) if args.user else None
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Server(clips, args.host, args.port, auth=auth, start="client" if args.from_start else "shared") as server:
        if args.child:
            stop = threading.Event()
            childhood.grow_up(stop)
            childhood.ready(port=server.port)
            threading.Thread(target=lambda: (stop.wait(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
        else:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, over.set)
            for name, clip in clips.items():
                print(f"{server.url(name, with_auth=False)}   {clip.size[0]}×{clip.size[1]}, {clip.fps:g} fps", flush=True)
            print("Ctrl-C ends it.", flush=True)
        await over.wait()
    return 0
