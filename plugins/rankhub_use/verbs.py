"""The verbs as they are called: what is typed is read and checked before anything heavy is imported."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rankhub import UserError
from rankhub_train.together import by_first
from rankhub_train.waiting import spinning
from rankhub_use.options import read_options
from rankhub_use.processes import answering, working
from rankhub_use.shell import (
    BATCH,
    BatchOption,
    ForceOption,
    FromOption,
    JsonOption,
    ResumeOption,
    RunArgument,
    SafeOption,
    SetOption,
    SourcesArgument,
    number_option,
    say,
    talk_beside,
)
from rankhub_use.target import SCORES, TABLES, apart, checked, made


def audit(
    scorer: Annotated[str, typer.Argument(help="A run's folder, an .onnx file, or module:function.")],
    folder: Annotated[str, typer.Argument(help="Images, best pristine ones: a folder, a table, or a file.")],
    generator: Annotated[
        str | None, typer.Option(help="Who knows the order, such as distortions; default for a run: its recipe's.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the generator, such as set=live. May be repeated.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Of a run: the stream whose generator is taken.")] = None,
    output: Annotated[str | None, typer.Option(help="Of a run: which number, if there are several.")] = None,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Of a file or function: lower scores are better.")
    ] = False,
    limit: Annotated[int | None, number_option("--limit", int, 1, help="Images, spread over the folder.")] = None,
    seed: Annotated[int, number_option("--seed", int, help="Seed of what the generator draws.")] = 0,
    changes: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and figure, made if absent.")] = None,
    force: ForceOption = False,
    resume: ResumeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Test a scorer without labels: does it keep the orders that a generator knows?

    Versions of each image are made, such as ever blurrier ones. A share of 1 of the pairs is right where the better
    version always has the better score. Said too: ties, and how far a flip, JPEG of quality 95 and other images in the
    batch move a score.

    Example: rankhub audit mymetric:sharpness ~/photos --generator distortions --option set=live
    """
    checked("--out", out, force=force, resume=resume, folder=(SCORES, f"{SCORES}.json", "scores_skipped.csv", *TABLES))
    if out is not None and out.is_dir():
        checked("--out", out / SCORES, force=force)
    if option and generator is None:
        raise UserError("--option goes with --generator")
    with spinning():
        from rankhub_use.audit import run_audit, spread, summary_of, verdict
    from rankhub_use.ordered import orders_of, orders_of_run
    from rankhub_use.scorers import scorer_for
    from rankhub_use.sources import files_for

    talk = talk_beside(as_json)
    asked = scorer_for(scorer, lower_is_better, changes or [], output)
    if generator is not None:
        orders = orders_of([{"use": generator, **read_options(option or [])}])
    elif asked.run is not None:
        orders = orders_of_run(asked.run, stream)
    else:
        orders = orders_of([{"use": "distortions"}])
    files = spread(files_for([folder], None), limit)
    found = run_audit(asked, orders, files, talk, seed=seed, out=out, force=force, resume=resume)
    summary = summary_of(asked, orders, found)
    if as_json:
        return say({"out": None if out is None else str(out), **summary})
    for name in ("kinds", "invariance"):
        talk.table(summary[name])
        talk.line()
    talk.line(verdict(asked, found))
    if out is not None:
        talk.line(f"{found.images} images, {out}")


def embed(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="Folder for embeddings.npy and index.csv, made if absent; or x.parquet.")],
    sources: SourcesArgument = None,
    from_file: FromOption = None,
    output: Annotated[str, typer.Option(help="Which vectors: backbone, or HEAD.OUTPUT.")] = "backbone",
    normalize: Annotated[bool, typer.Option("--normalize", help="Divide each vector by its length.")] = False,
    changes: SetOption = None,
    batch_size: BatchOption = BATCH,
    force: ForceOption = False,
    resume: ResumeOption = False,
    as_json: JsonOption = False,
    safe_csv: SafeOption = False,
) -> None:
    """Write the feature vectors of images, by the recipe's `predict`: [n, d] float32, and whose they are.

    The same image gets the same vector whatever the others are, bit for bit. Files are called NAME.partial while they
    grow. Images that cannot be read are listed beside, and the rest is done.

    Example: rankhub embed runs/s2r2/2026-01-31_12-00-00 ~/photos --out vectors
    """
    from rankhub_use.vectors import EMBEDDINGS, INDEX, WRITTEN

    in_folder = out.suffix.lower() != ".parquet"
    checked("--out", out, force=force, resume=resume, folder=WRITTEN if in_folder else None)
    if in_folder:
        for name in (EMBEDDINGS, INDEX):
            checked("--out", out / name if out.is_dir() else None, force=force)
    with spinning():
        from rankhub_use.embed import Vectors
    from rankhub_use.sources import files_for

    with working(as_json) as (processes, talk):
        files = by_first(processes, lambda: files_for(sources or [], from_file))
        with answering(run, changes or [], processes) as trained:
            vectors = Vectors(trained, files, batch_size, output, normalize, processes)
            summary = vectors.write(out, talk, force=force, resume=resume, safe=safe_csv)
    if as_json and processes.first:
        say(summary)


def evaluate(
    run: RunArgument,
    evaluators: Annotated[
        list[str] | None,
        typer.Option(
            "--evaluator", help="One of the recipe's, or another: '{use: knn, train: a, test: b}'. May be repeated."
        ),
    ] = None,
    changes: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, pictures and metrics.json; made.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the network of a run by the evaluators of its recipe, or by others, beside the reference rows.

    With other data (--set data.NAME.root=FOLDER), raw pixels are measured anew; what was measured before and after
    training stands beside, marked as that of the run's own data.

    Example: rankhub evaluate runs/s2r2/2026-01-31_12-00-00 --set data.test.root=~/others
    """
    if out is not None and out.exists() and not (out.is_dir() and (force or not any(out.iterdir()))):
        raise UserError(f"--out {out} is there already; name another folder, or --force to write into it")
    with spinning():
        from rankhub_use.evaluate import measure, write_found

    asked = [read_options([f"evaluator={text}"])["evaluator"] for text in evaluators or ()]
    with working(as_json) as (processes, talk), answering(run, changes or [], processes) as trained:
        rows, found = measure(trained, asked or None, talk)
    if not processes.first:
        return
    if not as_json:
        talk.table(rows)
    for label, result in found.items():
        for note in result.notes:
            talk.note(f"{label}: {note}")
    if out is not None:
        for path in write_found(out, rows, found):
            talk.line(str(path))
    if as_json:
        say({"rows": rows, "metrics": {label: dict(result.metrics) for label, result in found.items()}})


def predict(
    run: RunArgument,
    sources: SourcesArgument = None,
    from_file: FromOption = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .jsonl or .parquet; without it the table is printed.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for what a head draws onto each image, such as density; made if absent.")
    ] = None,
    changes: SetOption = None,
    batch_size: BatchOption = BATCH,
    force: ForceOption = False,
    resume: ResumeOption = False,
    as_json: JsonOption = False,
    safe_csv: SafeOption = False,
) -> None:
    """Score images with the network of a run, by the recipe's `predict`.

    The same image gets the same score whatever the others are, bit for bit. The file is written as NAME.partial while
    it grows, and gets its name when it is complete; NAME.json beside it says what a score means. Images that cannot be
    read are listed in STEM_skipped.csv, and the rest is done.

    Example: rankhub predict runs/quality/2026-01-31_12-00-00 ~/photos --out scores.csv
    """
    checked("--out", out, force=force, resume=resume)
    if out is None and resume:
        raise UserError("--resume goes with --out: what is printed cannot be gone on with")
    if out is None and as_json:
        raise UserError("--json goes with --out: without it the table is printed")
    with spinning():
        from rankhub_use.predict import Scores
    from rankhub_use.sources import files_for

    with working(out is None or as_json) as (processes, talk):
        files = by_first(processes, lambda: files_for(sources or [], from_file))
        if pictures is not None:
            apart("--pictures", pictures, sources or [], files)
        with answering(run, changes or [], processes) as trained:
            scores = Scores(trained, files, batch_size, pictures, processes)
            with nullcontext() if pictures is None else made("--pictures", pictures):
                if out is None:
                    return scores.print(talk, safe_csv)
                summary = scores.write(out, talk, force=force, resume=resume, safe=safe_csv)
    return say(summary) if as_json and processes.first else None
