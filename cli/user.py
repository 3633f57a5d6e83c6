"""`callout user add|password|list`: the people who work with Callout. A password is typed or made, never an argument."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import get_args

from cli.site import Site, SiteError, open_site
from configs.schema import Account, Role
from web.accounts import FILE, AccountError, Accounts, make_password
from web.accounts_store import AccountsStoreError
from web.problems import Text


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True)
    for name, text in (("list", "who there is"), ("add", "add a person"), ("password", "set somebody's password")):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("--config", type=Path, required=True, metavar="SITE.toml")
        if name != "list":
            sub.add_argument("name")
            sub.add_argument("--make", action="store_true", help="make a password and print it once, in place of asking for one")
        if name == "add":
            sub.add_argument("--role", required=True, choices=get_args(Role))
            sub.add_argument("--display", default="")
            sub.add_argument("--jurisdiction", default="")
            sub.add_argument("--groups", nargs="*", default=[], help="camera groups that this person may see")


def run(args: argparse.Namespace) -> int:
    site = open_site(args.config)
    site.layout.make()
    accounts = open_accounts(site)
    try:
        accounts.ensure_all(site.settings.account)
        if args.what == "list":
            for account in accounts.list():
                place = f"{account.jurisdiction or '(none)':<14} cameras: {', '.join(account.groups) or 'none'}"
                print(f"{account.name:<20} {account.role:<14} {place}")
            return 0
        word = make_password() if args.make else _ask()
        if args.what == "add":
            accounts.add(Account(args.name, args.role, args.display, args.jurisdiction, tuple(args.groups)), word)
        else:
            accounts.set_password(args.name, word)
    except (AccountError, AccountsStoreError) as error:
        print(f"callout: {error}", file=sys.stderr)
        return 1
    finally:
        accounts.close()
    ended = " Open sessions of this account have ended." if args.what == "password" else ""
    print(f"{args.name}: {f'password {word} (shown this once)' if args.make else 'done'}.{ended}")
    return 0


def open_accounts(site: Site) -> Accounts:
    """Raises SiteError when the file is damaged or the disk is full."""
    try:
        return Accounts.open(site.layout.root, session_s=site.settings.web.session_hours * 3600)
    except AccountsStoreError as error:
        raise SiteError(f"the accounts in {site.layout.root / FILE} cannot be used: {error}") from error


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    word = getpass.getpass("New password: ")
    if word != getpass.getpass("Again: "):
        raise AccountError(Text("the two differ; nothing was changed", "两次输入不一致；未作更改"))
    return word
