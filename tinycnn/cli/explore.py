"""The command `tinycnn explore`: a page in the browser on which a network runs forward and backward."""
import sys
from pathlib import Path

from .arguments import TRAINED


def add_explore(commands):
    """`tinycnn explore`."""
    p = commands.add_parser("explore", help="see a network run forward and backward, on a page in the browser",
                            description="Open a page on which a network runs forward and backward on a picture that "
                            "you draw, drop or choose: every map, every number, where each gradient comes from, one step of "
                            "training, and what a mistake in a backward does. The page is served to this machine only, "
                            "until Ctrl-C.")
    p.add_argument("network", metavar="RUN|MODEL", help=f"{TRAINED}; or a name that `tinycnn summary` lists, with initial "
                   "weights; or FILE.py:NAME, a Module of your own or a function that makes one (the file is run)")
    p.add_argument("--dataset", help="the data set whose pictures it is shown (default: that it was trained on, or the "
                   "first whose pictures it takes)")
    p.add_argument("--save", type=Path, metavar="PAGE.html", help="write the page to one file, which works without a "
                   "server, and open nothing")
    p.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    p.set_defaults(run=explore, forwards=False)


def explore(args):
    """`tinycnn explore`: the address, or the file that was saved, on stdout."""
    import webbrowser

    from ..explore import Server, find, save
    subject = find(args.network, args.dataset)
    if subject.missing:
        print(f"tinycnn: {subject.missing}", file=sys.stderr)
    if args.save:
        save(subject, args.save)
        print(f"{args.save}: {args.save.stat().st_size:,} bytes")
        return
    with Server(subject) as server:
        print(server.address, flush=True)
        print("the page is served until Ctrl-C", file=sys.stderr)
        if not args.no_browser:
            webbrowser.open(server.address)
        server.serve_forever()
