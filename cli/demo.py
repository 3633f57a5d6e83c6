"""`callout demo`: the whole job on this machine, with real video: virtual cameras, detection, console, responders.

Everything it makes lies in var/demo. `--fresh` begins anew.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import re
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli import demo_responders, logs
from cli.camera import port_number
from cli.serve import child, serve
from cli.site import Site, SiteError, claim, open_site, release
from cli.user import open_accounts
from configs.layout import Layout
from configs.settings import ROOT, environment
from streams import transcode
from streams.clip_file import ClipError
from streams.supervisor import Child
from web.accounts import make_password

CONTENT = ROOT / "configs" / "demo"
SIMULATED = "sim-"  # accounts of phones that nobody holds


@dataclass(frozen=True, slots=True)
class Clip:
    """A camera of the demo and the file that plays on it; `asset` is looked for in the assets folder."""

    camera: str
    shipped: Path | None = None
    asset: str = ""


CLIPS = (
    Clip("campus", shipped=CONTENT / "campus.mp4"),
    Clip("house", asset="footage/furg_house6.mp4"),
    Clip("works", asset="footage/intel_preview_worker-zone-detection.gif"),
    Clip("carpark", asset="footage/intel_car-detection.mp4"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port_number, help="the page's port (default 8080, or the next free one)")
    parser.add_argument("--data", type=Path, default=ROOT / "var" / "demo", help="where everything is kept (default var/demo)")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier demo: its incidents, clips and passwords")
    parser.add_argument("--shipped-only", action="store_true", help="only the clip that comes with the project")
    parser.add_argument("--no-responders", action="store_true", help="no simulated responders: answer on the phone page yourself")
    parser.add_argument(
        "--acceptance", type=float, default=0.85, help="how often a simulated responder accepts, 0 to 1 (default 0.85)"
    )
    parser.add_argument(
        "--pace", type=float, default=1.0, help="simulated responders move this much faster than real (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    logs.to_terminal()
    if not 0 <= args.acceptance <= 1 or args.pace <= 0:
        print("callout: --acceptance is 0 to 1, --pace more than 0", file=sys.stderr)
        return 2
    return _demo(args)


def _demo(args: argparse.Namespace) -> int:
    data: Path = args.data.resolve()
    web_port = _page_port(args.port)
    handles = _own(data, fresh=args.fresh)  # before anything is written: another demo may be running on it
    try:
        clips = _clips(args.shipped_only, data / "cache")
        camera_port = _free_port(8554)
        site = write_site(data, sorted(clips), web_port=web_port, camera_port=camera_port)
        before = (_cameras(site, clips, camera_port),)
        after = () if args.no_responders else (_responders(site, args),)
    except BaseException:
        release(handles)
        raise
    welcome = lambda address: _welcome(address, _passwords(site), sorted(clips), site)  # noqa: E731  # a name for what it is
    return serve(site, before=before, after=after, announce=welcome, claimed=handles)


def _own(data: Path, *, fresh: bool) -> tuple[int, ...]:
    """The demo's folder, empty when `fresh`, and claimed for this process."""
    if fresh and data.exists():
        if not (data / "site.toml").exists():
            raise SiteError(f"{data} is not a demo's folder (no site.toml in it): --fresh does not delete it")
        handles = claim(Layout(data))
        try:
            shutil.rmtree(data)
        finally:
            release(handles)
    return claim(Layout(data))


def write_site(data: Path, cameras: list[str], *, web_port: int, camera_port: int) -> Site:
    """Fills the demo's settings in and writes them as a settings file like any other."""
    parts = [CONTENT / "site.toml", *(CONTENT / "cameras" / f"{name}.toml" for name in cameras)]
    text = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    values = {"web_port": str(web_port), "port": str(camera_port), "root": _in_quotes(ROOT), "data": _in_quotes(data)}
    text = re.sub(r"\{(web_port|port|root|data)\}", lambda found: values[found[1]], text)
    scratch = data / "site.toml.new"
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(data / "site.toml")
    return open_site(data / "site.toml")


def _in_quotes(path: Path) -> str:
    """A path as the inside of a TOML text: its escapes are those of JSON."""
    return json.dumps(str(path), ensure_ascii=False)[1:-1]


def _clips(shipped_only: bool, cache: Path) -> dict[str, Path]:
    """The files to play: the shipped one, and those of the assets folder, as a camera would send them (H.264, short GOP)."""
    assets = None if shipped_only else environment().assets
    found: dict[str, Path] = {}
    for clip in CLIPS:
        if clip.shipped is not None:
            found[clip.camera] = clip.shipped
        elif assets is not None and (assets / clip.asset).is_file():
            cache.mkdir(parents=True, exist_ok=True)
            try:
                found[clip.camera] = transcode.served(assets / clip.asset, cache, _progress(clip.camera))
            except ClipError as error:
                print(f"callout: camera {clip.camera} is left out: {error}", file=sys.stderr)
    return found


def _passwords(site: Site) -> dict[str, str]:
    """Passwords of people's accounts that have none yet. Made in the moment in which they are shown, so that a start that fails
    takes none with it."""
    accounts = open_accounts(site)
    try:
        made = {account.name: make_password() for account in site.settings.account if not account.name.startswith(SIMULATED)}
        return {a.name: made[a.name] for a in site.settings.account if a.name in made and accounts.ensure(a, made[a.name])}
    finally:
        accounts.close()


def _phones(site: Site) -> dict[str, str]:
    """Fresh passwords for the simulated phones, each time: nobody needs to know them."""
    accounts = open_accounts(site)
    try:
        made = {account.name: make_password() for account in site.settings.account if account.name.startswith(SIMULATED)}
        for account in site.settings.account:
            if account.name in made:
                accounts.ensure(account)
                accounts.set_password(account.name, made[account.name])
        return made
    finally:
        accounts.close()


def _cameras(site: Site, clips: dict[str, Path], port: int) -> Child:
    words = [f"{name}={path}" for name, path in sorted(clips.items())]
    argv = (sys.executable, "-m", "cli", "camera", "play", *words, "--port", str(port), "--child")
    return Child("virtual-cameras", argv, site.layout.root / "logs" / "virtual-cameras.log")


def _responders(site: Site, args: argparse.Namespace) -> Child:
    site.layout.make()
    demo_responders.write_secrets(site.layout.run / demo_responders.SECRETS, _phones(site))
    seed = random.SystemRandom().randrange(2**31)
    words = ("responders", "--acceptance", str(args.acceptance), "--pace", str(args.pace), "--seed", str(seed))
    return child(site, "responders", *words)


def _free_port(first: int) -> int:
    """The first free port from `first` on; RTSP clients like the usual one, and nobody types this one in."""
    for port in range(first, first + 50):
        if _bindable(port) is None:
            return port
    raise SiteError(f"no free port between {first} and {first + 49} on 127.0.0.1")


def _page_port(asked: int | None) -> int:
    """The port as asked for; without one the first free from 8080 on; for 0 any. Fixed now: it stands in the settings."""
    if asked is None:
        return _free_port(8080)
    if asked == 0:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            return int(probe.getsockname()[1])
    fault = _bindable(asked)
    if fault == errno.EACCES:
        raise SiteError(f"port {asked} may not be opened by this user. Take one above 1023 with --port")
    if fault is not None:
        raise SiteError(f"port {asked} is in use. Choose another with --port, or leave it out for the next free one")
    return asked


def _bindable(port: int) -> int | None:
    """None when the port can be opened, else the system's error number."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno
    return None


def _progress(name: str) -> Callable[[float], None]:
    def show(share: float) -> None:
        if sys.stderr.isatty():
            print(
                f"\r\033[K  camera {name}: preparing its clip {share:.0%}",
                end="" if share < 1 else "\n",
                file=sys.stderr,
                flush=True,
            )

    return show


def _welcome(address: str, people: dict[str, str], cameras: list[str], site: Site) -> None:
    bold, dim, end = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
    print(f"\n{bold}  Callout is running: {site.settings.site.name}{end}\n")
    print(f"  {bold}Console{end}  {address}/        sign in as operator or commander")
    print(f"  {bold}Phone{end}    {address}/r       sign in as responder, on a phone-sized window")
    print(f"  {bold}Record{end}   {address}/audit   sign in as auditor")
    print(f"  {bold}Public{end}   {address}/public  no sign-in\n")
    if people:
        print("  Passwords, shown this once:")
        for name, word in people.items():
            print(f"    {name:<10} {bold}{word}{end}")
    else:
        print("  Passwords are those of the first start. Forgotten? ./callout demo --fresh, or")
        print(f"  ./callout user password --config {os.path.relpath(site.path)} operator")
    print(f"\n  {dim}Cameras: {', '.join(cameras)}. Everything is kept in {site.layout.root}. Ctrl-C ends it.{end}\n", flush=True)
