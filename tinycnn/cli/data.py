"""`tinycnn data list` and `tinycnn data get NAME`: which data sets there are, and fetching them."""
import json
import sys
from pathlib import Path

SETS = {  # name: (class, pictures to train and to test, size, classes, megabytes to fetch)
    "digits": ("Digits", (1266, 353), "8x8", 10, 0),
    "shapes": ("Shapes", (840, 360), "any", 3, 0),
    "mnist": ("MNIST", (60_000, 10_000), "28x28", 10, 12),
    "fashion-mnist": ("FashionMNIST", (60_000, 10_000), "28x28", 10, 31),
    "kmnist": ("KMNIST", (60_000, 10_000), "28x28", 10, 21),
    "cifar10": ("CIFAR10", (50_000, 10_000), "32x32 RGB", 10, 170),
    "cifar100": ("CIFAR100", (50_000, 10_000), "32x32 RGB", 100, 169),
}


def add_data(commands):
    """`tinycnn data`."""
    p = commands.add_parser("data", help="list the data sets, or fetch one",
                            description="The data sets of pictures that come along, are drawn, or can be fetched. They lie "
                            "in the folder that the variable TINYCNN_DATA names, else in the user's cache.")
    actions = p.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="which data sets there are, and which are here")
    listing.add_argument("--json", action="store_true", help="print one JSON list")
    listing.set_defaults(run=list_data, forwards=False)
    get = actions.add_parser("get", help="fetch a data set, or write the shapes as files",
                             description="Fetch a data set and check it. Shapes are drawn: they are written as PNG files, "
                             "one folder a class. What is there already is only checked.")
    get.add_argument("name", choices=SETS, metavar="NAME", help=", ".join(SETS))
    get.add_argument("--folder", type=Path, help="where to put it (default: the data folder)")
    get.set_defaults(run=get_data, forwards=False)


def list_data(args):
    """`tinycnn data list`: one line a set."""
    from .. import data
    rows = []
    for name, (kind, (train, test), size, classes, megabytes) in SETS.items():
        place = getattr(data, kind).place() if megabytes else None
        rows.append({"name": name, "train": train, "test": test, "size": size, "classes": classes,
                     "place": None if place is None else str(place), "megabytes": megabytes})
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'name':13}  {'to train':>8}  {'to test':>7}  {'size':9}  classes  where")
    for row in rows:
        where = row["place"] or (f"tinycnn data get {row['name']} ({row['megabytes']} MB)" if row["megabytes"] else
                                 {"digits": "comes along", "shapes": "drawn when needed"}[row["name"]])
        print(f"{row['name']:13}  {row['train']:8,}  {row['test']:7,}  {row['size']:9}  {row['classes']:7}  {where}")
    print(f"data folder: {data.data_folder()}", file=sys.stderr)


def get_data(args):
    """`tinycnn data get`: fetch, check, and say where it is."""
    from .. import data
    kind, *_, megabytes = SETS[args.name]
    if args.name == "digits":
        print("digits: nothing to fetch, they come along")
        return
    root = args.folder or data.data_folder()
    if args.name == "shapes":
        parts = {split: data.Shapes(split=split) for split in ("train", "validation")}
        for split, part in parts.items():
            part.save(root / "shapes" / split)
        place = root / "shapes"
    else:
        dataset = getattr(data, kind)
        if dataset.place(root) is None:
            print(f"{args.name}: fetching about {megabytes} MB into {root}", file=sys.stderr)
        parts = {split: dataset(root, train=split == "train", download=True) for split in ("train", "test")}
        place = dataset.place(root)
    print(f"{args.name}: {' and '.join(f'{len(p):,} pictures ({split})' for split, p in parts.items())} in {place}")
