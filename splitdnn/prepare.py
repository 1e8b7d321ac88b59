"""`splitdnn prepare`: the bundle that the settings name is in the cache afterwards, so that edge and cloud need no torch."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

from shared.errors import SettingsError, SplitDNNError
from shared.network.choice import CLOUD, NAMED_SECONDS, NetworkChoice
from shared.network.find import find_bundle
from shared.observing.logs import configure_logs
from shared.process.settings import CommonSettings, make_parser, parse_flags, print_error, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


_log = logging.getLogger("splitdnn.prepare")


def main(arguments: Sequence[str]) -> int:
    """Find or make the bundle and print its folder. Exit status 0; 2 with one line on stderr if it cannot be made."""
    # As for an interrupt: a bundle that is half made is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = make_parser(
        "splitdnn prepare",
        "Make the bundle of the network that the settings name, unless it is in the cache, and print its folder.",
        CommonSettings,
    )
    try:
        given = parse_flags(parser, arguments)
        show = given.pop("print_config")
        settings = read_settings(CommonSettings, given)
        if show:
            print(settings.printable())
            return 0
        configure_logs(settings.log_level, settings.log_format)
        return _prepare(settings)
    except SplitDNNError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        return 130


def _prepare(settings: CommonSettings) -> int:
    if settings.model == CLOUD:
        _log.info("nothing to make: an edge with --model %s fetches its cloud's bundle", CLOUD)
        return 0
    if not settings.cache_dir:
        raise SettingsError("--cache-dir is empty; accepted: the folder that edge and cloud read")
    choice = NetworkChoice(
        settings.model, settings.weights, settings.seed, settings.labels, settings.recipe, settings.task
    )
    bundle = find_bundle(choice, settings.cache_dir, patience_s=NAMED_SECONDS)
    model = bundle.model
    _log.info("%s, weights %s, fingerprint %s", model.name, model.weights, model.fingerprint.hex())
    print(bundle.folder)
    return 0
