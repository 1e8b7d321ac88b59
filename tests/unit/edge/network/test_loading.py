"""A bundle is loaded for the edge, with an engine that is chosen anew only where that is worth it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kits import bundles
from kits.edge import settings_of

from edge.cameras.file import read_cameras
from edge.metrics import EdgeMetrics
from edge.network import loading
from edge.network.loading import heads_at_once, load
from edge.planning import choices
from shared.errors import EngineError, ModelError

pytestmark = pytest.mark.slow  # networks are compiled


@pytest.fixture
def asked(monkeypatch):
    """Engine and precision in the settings of each load."""
    found, usual = [], loading.load_network

    def spy(settings, *arguments, **options):
        found.append((settings.engine, settings.precision))
        return usual(settings, *arguments, **options)

    monkeypatch.setattr(loading, "load_network", spy)
    return found


def loaded(bundle, before=None, **settings):
    folder = bundle if isinstance(bundle, Path) else bundle.folder
    given = {
        "model": str(folder),
        "weights": "auto",
        "cache_dir": "",
        "cloud_url": "http://127.0.0.1:1",
    } | settings
    chosen = settings_of(**given)
    return load(chosen, read_cameras(chosen), 1, EdgeMetrics(), before=before)


def plans_of(found):
    (plans,) = found.plans.values()
    return plans


def sends_pictures(found):
    (choice,) = found.plans
    return found.sends_pictures(choice)


def test_what_frames_need_is_there(asked):
    bundle = bundles.tiny()
    found = loaded(bundle, precision="float32")
    assert (found.model.fingerprint, found.digest) == (bundle.model.fingerprint, bundle.manifest.digest)
    (plan,) = plans_of(found)
    pictures = bundles.recipe().normalise(bundles.pictures(1)[0])[None]
    (classes,) = plan.tail(plan.head((pictures,)))
    assert classes.shape == (1, bundles.CLASSES)
    assert (found.describe_plans(), sends_pictures(found)) == (f"{plan.split_point.name} int8+zstd", False)
    assert sends_pictures(loaded(bundle, split_point="input", codec="png"))


def test_a_network_of_the_same_graph_takes_the_engine_that_runs(asked):
    before = loaded(bundles.tiny(), precision="float32").engine
    found = loaded(bundles.tiny(seed=6), before)
    assert asked[1:] == [("openvino", "float32")]
    assert found.engine == before
    loaded(bundles.tiny(seed=6), before, precision="bfloat16", engine="openvino")
    assert asked[2:] == [("openvino", "bfloat16")], "the user's own choice"


def test_for_another_graph_it_is_chosen_anew(asked):
    before = loaded(bundles.tiny(), precision="float32").engine
    loaded(bundles.tiny(outputs=2), before)
    assert asked[1:] == [("auto", "auto")]


def test_where_that_engine_cannot_it_is_chosen_anew(asked, monkeypatch):
    before, usual = loaded(bundles.tiny(), precision="float32").engine, loading.load_network

    def failing(settings, *arguments, **options):
        if settings.precision == "float32":
            asked.append("refused")
            raise EngineError("not in float32")
        return usual(settings, *arguments, **options)

    monkeypatch.setattr(loading, "load_network", failing)
    assert loaded(bundles.tiny(seed=6), before)
    assert asked[1:] == ["refused", ("auto", "auto")]
    with pytest.raises(EngineError):
        loaded(bundles.tiny(outputs=2), before, precision="float32")


def test_a_folder_that_changes_meanwhile_gives_no_mixture(tmp_path, monkeypatch):
    """Its halves may be of both bundles."""
    folder, usual = tmp_path / "bundle", choices.make_plans
    shutil.copytree(bundles.tiny().folder, folder)

    def make_plans(*arguments, **options):
        plans = usual(*arguments, **options)
        folder.rename(tmp_path / "bundle.previous")
        shutil.copytree(bundles.tiny(seed=6).folder, folder)
        return plans

    monkeypatch.setattr(choices, "make_plans", make_plans)
    with pytest.raises(ModelError, match="it was changed while it was loaded"):
        loaded(folder, precision="float32")


def test_what_a_live_network_surveys_is_not_kept(tmp_path):
    source = "synthetic:fps=0,frames=12,width=64,height=48"
    settings = {"split_point": "auto", "source": source, "cache_dir": str(tmp_path), "precision": "float32"}
    before = loaded(bundles.tiny(), precision="float32").engine
    assert len(plans_of(loaded(bundles.tiny(), before, **settings))) > 3
    assert not list(tmp_path.glob("survey-*"))
    loaded(bundles.tiny(), **settings)
    assert list(tmp_path.glob("survey-*"))


@pytest.mark.parametrize(
    ("asked_for", "threads", "at_once"),
    [({}, 16, 1), ({"head_workers": 3}, 4, 3), ({"head_workers": 3}, 2, 2)],
)
def test_how_many_heads_run_at_once(asked_for, threads, at_once):
    """Never more than threads."""
    assert heads_at_once(settings_of(**asked_for), threads) == at_once


def test_heads_that_run_at_once_share_the_threads(asked):
    del asked
    folder = bundles.tiny().folder
    chosen = settings_of(
        model=str(folder),
        weights="auto",
        cache_dir="",
        cloud_url="http://127.0.0.1:1",
        head_workers=2,
        precision="float32",
    )
    found = load(chosen, read_cameras(chosen), 2, EdgeMetrics())
    (plan,) = plans_of(found)
    compiled = plan.head.requests.compiled
    assert (compiled.get_property("NUM_STREAMS"), compiled.get_property("INFERENCE_NUM_THREADS")) == (2, 2)
