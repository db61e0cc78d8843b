"""Our networks against upstream's own modules: random weights, loaded through a run folder as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export import load_checkpoint
from support.training_runs import randomise, write_log
from support.upstream_models import BASE as SMALL

pytestmark = pytest.mark.peer

BASE: dict[str, Any] = {**SMALL, "layers": (4, 6, 8, 10)}

VARIANTS: dict[str, dict[str, Any]] = {
    "batch": {},
    "instance": {"norm": "INSTANCE"},
    "no norm": {"norm": None},
    "two structures": {"cells_and_nuclei": True},
    "two structures, multihead": {"cells_and_nuclei": True, "multihead": True, "norm": "INSTANCE"},
    "one structure, multihead": {"multihead": True},
    "coords 3, sigma 1": {"dim_coords": 3, "n_sigma": 1},
    "coords 4, sigma 4, seeds 2": {"dim_coords": 4, "n_sigma": 4, "dim_seeds": 2, "norm": None},
    "sigma 3, seeds 2, two structures": {"n_sigma": 3, "dim_seeds": 2, "cells_and_nuclei": True},
    "two levels": {"layers": (5, 7)},
    "three levels": {"layers": (3, 9, 4)},
    "five levels": {"layers": (4, 5, 6, 7, 8), "norm": "INSTANCE"},
    "wide classifier": {"mlp_width": 17},
    "feature engineering 2": {"feature_engineering": "2"},
    "feature engineering 3": {"feature_engineering": "3"},
    "feature engineering 7": {"feature_engineering": "7", "dim_coords": 3},
    "one channel": {"dim_in": 1},
    "six channels": {"dim_in": 6},
    "ChannelNet, batch": {"adaptor": "1"},
    "ChannelNet, instance": {"adaptor": "1", "norm": "INSTANCE", "cells_and_nuclei": True},
    "ChannelNet, no norm": {"adaptor": "1", "norm": None},
    "ChannelNet, ablated": {"adaptor": "1_ablated", "norm": "INSTANCE"},
    "ChannelNet, sum": {"adaptor": "sum", "norm": "BATCH"},
    "U-Net in front": {"adaptor": "InstanSeg_UNet"},
}


def upstream(variant: dict[str, Any]) -> torch.nn.Module:
    """Upstream's network, built by its own functions, with random numbers."""
    from instanseg.utils.loss.instanseg_loss import InstanSeg
    from instanseg.utils.model_loader import build_model_from_dict
    from instanseg.utils.models.ChannelInvariantNet import AdaptorNetWrapper, ChannelInvariantNet

    args = {**BASE, **variant}
    model = build_model_from_dict(args)
    method = InstanSeg(
        n_sigma=args["n_sigma"],
        feature_engineering_function=args["feature_engineering"],
        dim_coords=args["dim_coords"],
        dim_seeds=args["dim_seeds"],
        cells_and_nuclei=args["cells_and_nuclei"],
        device="cpu",
    )
    model = method.initialize_pixel_classifier(model, MLP_width=args["mlp_width"])
    if args.get("adaptor") == "sum":
        net = ChannelInvariantNet(norm=args["norm"], aggregation="sum")
        model = AdaptorNetWrapper(model, adaptornet=net, norm=args["norm"])
    elif args.get("adaptor") == "InstanSeg_UNet":
        model = AdaptorNetWrapper.__bases__[0](model, adaptor_net_str=args["adaptor"])
    elif args.get("adaptor"):
        model = AdaptorNetWrapper(model, adaptor_net_str=args["adaptor"], norm=args["norm"])
    randomise(model, seed=1)
    result: torch.nn.Module = model.eval().requires_grad_(False)
    return result


@pytest.mark.parametrize("name", VARIANTS)
def test_network_and_classifier_equal_upstreams(name: str, tmp_path: Path) -> None:
    variant = VARIANTS[name]
    theirs = upstream(variant)
    adaptor = variant.get("adaptor")
    log = {**BASE, **variant, "channel_invariant": adaptor is not None, "adaptor_net_str": adaptor or "1"}
    log = {**log, "layers": str(list(log["layers"]))}
    torch.save({"model_state_dict": theirs.state_dict()}, tmp_path / "model_weights.pth")
    write_log(tmp_path, {key: value for key, value in log.items() if key != "adaptor"})

    ours = load_checkpoint(tmp_path)

    any_channels = adaptor in ("1", "1_ablated", "sum")
    assert (ours.spec.channels is None) == any_channels
    assert len(ours.spec.structures) == (2 if log["cells_and_nuclei"] else 1)
    for shape in ((2, log["dim_in"], 32, 48), (1, 5 if any_channels else log["dim_in"], 48, 16)):
        image = torch.randn(shape, generator=torch.Generator().manual_seed(2))
        expected = theirs(image.clone())
        torch.testing.assert_close(ours.network(image), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    classifier: Any = getattr(theirs, "model", theirs).pixel_classifier
    features = torch.randn(50, classifier.fc1.in_features, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours.network.get_submodule("pixel_classifier")(features), classifier(features.clone()))


def test_guided_classifier_equals_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream's class insists on CUDA; here its own layers and its guide run on the CPU."""
    from instanseg.utils.loss import instanseg_loss

    from instanseg_export.families.instanseg.pixel_classifier import ConvProbabilityNet

    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_args, **_kwargs: self)
    theirs = instanseg_loss.ConvProbabilityNet(4, width=6).eval()
    monkeypatch.undo()
    randomise(theirs, seed=4)
    waves = torch.rand(5, 3) * 10
    theirs.positional_embedding_params = torch.nn.Parameter(waves)
    guide = instanseg_loss.guide_function
    monkeypatch.setattr(instanseg_loss, "guide_function", lambda p, width: guide(p, device="cpu", width=width))
    ours = ConvProbabilityNet(4, 6).eval()
    ours.load_state_dict(theirs.state_dict())
    windows = torch.randn(3, 4, 100, 100)
    torch.testing.assert_close(ours(windows), theirs(windows))
