"""The commands that ask: `tinycnn evaluate`, `predict`, `plot`, `summary`."""
import json
import sys
from pathlib import Path

import numpy as np

from .arguments import TRAINED, count, message, size, weights_file


# ---- evaluate --------------------------------------------------------------------------------------------------------

def add_evaluate(commands):
    """`tinycnn evaluate`."""
    p = commands.add_parser("evaluate", help="say how good a trained network is, class by class",
                            description="Try a trained network on the pictures of its data set.")
    p.add_argument("checkpoint", type=Path, help=TRAINED)
    p.add_argument("--split", choices=("validation", "test"), default="test", help="the part (default: %(default)s)")
    p.add_argument("--mirror", action="store_true", help="answer with the mean over each picture and its mirror image")
    p.add_argument("--json", action="store_true", help="print one JSON object, with the confusion matrix")
    p.set_defaults(run=evaluate, forwards=False)


def evaluate(args):
    """`tinycnn evaluate`: accuracy, loss and calibration, and precision, recall and F1 of every class."""
    from ..data import DataLoader
    from ..train import accuracy, calibration, confusion_matrix, load_model, per_class, predict, roc_auc, top_k_accuracy
    from ..train.recipes import RECIPES
    model, metadata = load_model(weights_file(args.checkpoint))
    if metadata.get("dataset") not in RECIPES:
        raise ValueError(f"{args.checkpoint}: the checkpoint names no known data set, got {metadata.get('dataset')!r}")
    _, validation, test = RECIPES[metadata["dataset"]].load()
    probabilities, truth = predict(model, DataLoader(test if args.split == "test" else validation, 500), args.mirror)
    answers, classes = probabilities.argmax(1), metadata["classes"]
    sure = probabilities[np.arange(len(truth)), truth]
    table = per_class(truth, answers, len(classes))
    result = {"dataset": metadata["dataset"], "split": args.split, "pictures": len(truth),
              "accuracy": accuracy(probabilities, truth), "top_3_accuracy": top_k_accuracy(probabilities, truth, 3),
              "loss": float(-np.log(np.maximum(sure, 1e-30)).mean()), "ece": calibration(probabilities, truth)["ece"],
              "auc": float(np.nanmean(roc_auc(probabilities, truth))),
              "classes": {name: {key: values[i].item() for key, values in table.items()} for i, name in enumerate(classes)}}
    if args.json:
        print(json.dumps({**result, "confusion": confusion_matrix(truth, answers, len(classes)).tolist()}, indent=2))
        return
    print(f"{result['dataset']}, {args.split}, {len(truth):,} pictures: accuracy {100 * result['accuracy']:.2f} %, "
          f"among the first three {100 * result['top_3_accuracy']:.2f} %, loss {result['loss']:.4f}, "
          f"mean AUC {result['auc']:.4f}, calibration error {100 * result['ece']:.2f} %")
    width = max(5, *map(len, classes))
    print(f"{'class':{width}}  precision  recall      F1  pictures")
    for name, row in result["classes"].items():
        print(f"{name:{width}}  {row['precision']:9.4f}  {row['recall']:6.4f}  {row['f1']:6.4f}  {row['support']:8,}")


# ---- predict ---------------------------------------------------------------------------------------------------------

def add_predict(commands):
    """`tinycnn predict`."""
    p = commands.add_parser("predict", help="name what picture files show",
                            description="Name what picture files show: one sign each, of any size and colour, dark on light "
                            "or light on dark.")
    p.add_argument("checkpoint", type=Path, help=TRAINED)
    p.add_argument("pictures", type=Path, nargs="+", metavar="picture", help="a picture file")
    p.add_argument("--json", action="store_true", help="print one JSON list with the probabilities of all classes")
    p.set_defaults(run=predict, forwards=False)


def predict(args):
    """`tinycnn predict`: one line a picture; a picture that cannot be read is reported, and the others go on."""
    from .. import from_numpy, no_grad
    from ..data.reading import read_picture
    from ..nn import functional as F
    from ..train import load_model
    model, metadata = load_model(weights_file(args.checkpoint))
    classes, format = metadata["classes"], metadata["format"]
    answers, failed = [], False
    for path in args.pictures:
        try:
            x = format.normalise(read_picture(path, format))
        except (OSError, ValueError) as error:
            print(f"tinycnn: error: {message(error)}", file=sys.stderr)
            failed = True
            continue
        with no_grad():
            probabilities = F.softmax(model(from_numpy(x[None])), 1).numpy()[0]
        best = int(probabilities.argmax())
        answers.append({"picture": str(path), "class": classes[best], "probability": float(probabilities[best]),
                        "probabilities": dict(zip(classes, probabilities.tolist()))})
        if not args.json:
            print(f"{path}: {classes[best]} ({100 * probabilities[best]:.1f} %)")
    if args.json:
        print(json.dumps(answers, indent=2))
    return int(failed)


# ---- plot ------------------------------------------------------------------------------------------------------------

def add_plot(commands):
    """`tinycnn plot`."""
    p = commands.add_parser("plot", help="draw the learning curves of one run, or of several in one figure",
                            description="Draw learning curves: of one run training and validation, of several runs one line "
                            "each.")
    p.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a folder that `tinycnn train` wrote, or a history.csv")
    p.add_argument("--out", type=Path, default=Path("curves.png"), help="the picture to write (default: %(default)s)")
    p.set_defaults(run=plot, forwards=False)


def plot(args):
    """`tinycnn plot`: the name of the picture on stdout."""
    from .. import viz
    from ..train import read_history
    histories = {str(run): read_history(run / "history.csv" if run.is_dir() else run) for run in args.runs}
    empty = [run for run, history in histories.items() if not history]
    if empty:
        raise ValueError(f"{empty[0]}: the run has no finished epoch yet")
    figure = viz.compare(histories) if len(histories) > 1 else viz.curves(*histories.values())
    figure.savefig(args.out)
    print(args.out)


# ---- summary ---------------------------------------------------------------------------------------------------------

def add_summary(commands):
    """`tinycnn summary`."""
    p = commands.add_parser("summary", help="show the layers, weights and multiply-adds of a network",
                            description="Show the layers of a network with their sizes. Without a name, list the networks.")
    p.add_argument("model", nargs="?", help="a name, a folder that `tinycnn train` wrote, or its model.safetensors")
    p.add_argument("--input-size", type=size, metavar="CxHxW", help="of the pictures (default: what the network expects)")
    p.add_argument("--num-classes", type=count, help="scores that the network gives (default: its own)")
    p.add_argument("--json", action="store_true", help="print one JSON object")
    p.set_defaults(run=summary, forwards=False)


def summary(args):
    """`tinycnn summary`: a table, or the list of names."""
    from ..models import example_inputs, get_model, list_models
    from ..nn.utils import skip_init
    from ..train import load_model
    from ..train import summary as summarise
    if args.model is None:
        print(json.dumps(list_models()) if args.json else "\n".join(list_models()))
        return
    source = weights_file(Path(args.model))
    if source.exists():
        model, metadata = load_model(source)
        input_size = args.input_size or (metadata["format"].channels, *metadata["format"].size)
    else:
        model = skip_init(get_model, args.model, **({"num_classes": args.num_classes} if args.num_classes else {}))
        inputs = example_inputs(args.model)
        if args.input_size and len(inputs) > 1:
            raise ValueError(f"summary: --input-size is for networks with one input, {args.model} has {len(inputs)}")
        input_size = args.input_size or inputs
    table = summarise(model, input_size)
    print(json.dumps(table.as_dict(), indent=2) if args.json else table)
