"""`python -m edge`: wires settings, model, source, uplink and pipeline together."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, TextIO

from edge.config import EdgeSettings
from shared.errors import SplitDNNError
from shared.logs import configure_logs
from shared.settings import add_flags, parse_flags, print_error, read_settings
from shared.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.metrics import EdgeMetrics
    from edge.plan import Plan
    from edge.results import Record
    from shared.models import Model

_log = logging.getLogger("edge")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a source to its end. Exit status 0; 2 if it cannot start or its source breaks down."""
    parser = argparse.ArgumentParser(
        prog="python -m edge",
        exit_on_error=False,  # one line, as every other error
        allow_abbrev=False,
        description="Read video, run the head of a network, send what crosses, print classes.",
    )
    parser.add_argument("--print-config", action="store_true", help="show the effective settings and exit")
    parser.add_argument(
        "--list-split-points", action="store_true", help="show where the model can be cut and exit"
    )
    add_flags(parser, EdgeSettings)
    try:
        given = parse_flags(parser, arguments)
        show_config, show_points = given.pop("print_config"), given.pop("list_split_points")
        settings = read_settings(EdgeSettings, given)
        if show_config:
            print(settings.printable())
            return 0
        configure_logs(settings.log_level, settings.log_format)
        threads = limit_threads(settings.threads)
        if show_points:
            _list_split_points(settings)
            return 0
        return asyncio.run(_run(settings, threads))
    except (SplitDNNError, argparse.ArgumentError) as error:
        print_error(error)
        return 2
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _list_split_points(settings: EdgeSettings) -> None:
    from edge.plan import describe_split_points  # noqa: PLC0415
    from shared.models import load_model  # noqa: PLC0415
    from shared.partition import Partition  # noqa: PLC0415

    # Where a network can be cut does not depend on its weights, so nothing is fetched for the default choice.
    weights = "random" if settings.weights == "auto" else settings.weights
    model = load_model(settings.model, weights)
    print(describe_split_points(Partition(model.network, model.preprocessing.tensor_shape)))


async def _run(settings: EdgeSettings, threads: int) -> int:
    with contextlib.ExitStack() as ends:  # what was opened is closed, however far the start came
        return await _start(settings, threads, ends)


async def _start(settings: EdgeSettings, threads: int, ends: contextlib.ExitStack) -> int:
    # Only now: torch and OpenCV read the thread settings when they are imported.
    from edge.metrics import EdgeMetrics  # noqa: PLC0415
    from edge.pipeline import Pipeline  # noqa: PLC0415
    from edge.preprocess import Preprocess  # noqa: PLC0415
    from edge.reconnect import Reconnecting  # noqa: PLC0415
    from edge.results import STDOUT, Results, ResultsFile  # noqa: PLC0415
    from edge.sources import open_source  # noqa: PLC0415
    from edge.status import serve_status  # noqa: PLC0415
    from edge.summary import Summary  # noqa: PLC0415
    from edge.uplink import Uplink  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = EdgeMetrics()
    source = open_source(
        settings.source, open_timeout_s=settings.open_timeout_s, read_timeout_s=settings.read_timeout_s
    )
    ends.callback(source.close)
    live = None
    if source.live:
        source = live = Reconnecting(source, up=metrics.source_up, reconnects=metrics.source_reconnects)
        ends.callback(live.close)
    else:
        source.open()  # a wrong path is said before the model takes its time to load
    server, status_port = serve_status(metrics, settings.status_address, settings.status_port)
    ends.callback(server.stop)
    # On a thread, as all that takes long: /healthz answers meanwhile.
    model, plan = await asyncio.to_thread(_load, settings, threads, metrics)

    summary = Summary()
    sinks: list[Callable[[Record], None]] = [summary]
    file = (
        ResultsFile(settings.results, metrics.result_errors, append=source.live) if settings.results else None
    )
    if file:
        ends.callback(file.close)
        sinks.append(file)
    # Where records go to stdout, people read on stderr.
    people = sys.stderr if settings.results == STDOUT else sys.stdout
    printer = _printer(settings, people)
    if printer:
        sinks.append(printer)

    preprocess = Preprocess(model.preprocessing, grayscale=settings.grayscale)
    uplink = Uplink(
        settings.cloud_url, model, metrics, in_flight=settings.in_flight, deadline_s=settings.deadline_s
    )
    async with uplink:
        if plan.codec:
            await uplink.check()
        if live:
            await asyncio.to_thread(live.open)
        else:
            metrics.source_up.set(1)
        metrics.running.set(1)
        metrics.state = "running"
        pipeline = Pipeline(
            settings,
            model,
            plan,
            preprocess,
            source,
            uplink,
            Results(sinks),
            metrics,
            secrets.randbits(32),
        )
        _log.info(
            "%s -> %s %s -> %s; metrics on port %d",
            source.name,
            plan.split_point.name,
            plan.codec.name if plan.codec else "(nothing travels)",
            settings.cloud_url,
            status_port,
        )
        start = time.monotonic()
        calls = (pipeline.stop, live.stop) if live else (pipeline.stop,)
        stopping = asyncio.create_task(_stop_on(stop, *calls))
        try:
            await pipeline.run()
        finally:
            seconds = time.monotonic() - start
            stopping.cancel()
            metrics.source_up.set(0)
            metrics.running.set(0)
            metrics.state = "finished"
            if printer and hasattr(printer, "close"):
                printer.close()
            print(f"\n{summary.text(pipeline.dropped, seconds)}", file=people, flush=True)
    if settings.at_end == "stay" and not stop.is_set():
        _log.info("the source has ended; staying for the metrics to be read (SIGTERM ends it)")
        await stop.wait()
    return 0


def _load(settings: EdgeSettings, threads: int, metrics: EdgeMetrics) -> tuple[Model, Plan]:
    from edge.agreement import agreed_weights  # noqa: PLC0415
    from edge.plan import make_plan  # noqa: PLC0415
    from shared.engines import TorchEngine  # noqa: PLC0415
    from shared.models import load_model  # noqa: PLC0415
    from shared.partition import Partition  # noqa: PLC0415
    from shared.telemetry import export_build_info  # noqa: PLC0415

    engine = TorchEngine(settings.device, threads)
    weights, seed = agreed_weights(settings)
    model = load_model(settings.model, weights, seed=seed, labels=settings.labels)
    partition = Partition(model.network, model.preprocessing.tensor_shape)
    plan = make_plan(partition, engine, settings.split_point, settings.codec)
    export_build_info(
        metrics.registry,
        "edge",
        model=model.name,
        weights=model.weights,
        fingerprint=model.fingerprint.hex(),
        device=str(engine.device),
    )
    _log.info("%s, weights %s, fingerprint %s", model.name, model.weights, model.fingerprint.hex())
    return model, plan


def _printer(settings: EdgeSettings, out: TextIO) -> Callable[[Record], None] | None:
    from edge.printer import ProgressPrinter, print_frame  # noqa: PLC0415

    if settings.show == "frames":
        return partial(print_frame, out=out)
    return ProgressPrinter(out) if settings.show == "changes" else None


async def _stop_on(stop: asyncio.Event, *calls: Callable[[], None]) -> None:
    await stop.wait()
    _log.info("stopping: answering the frames already read")
    for call in calls:
        call()


if __name__ == "__main__":
    sys.exit(main())
