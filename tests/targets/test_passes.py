"""Each pass over an ONNX graph does what it ensures, and refuses what it requires in words that name it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from instanseg_export.targets.onnx.passes import (
    AddSettings,
    HideStages,
    LoopsForScans,
    NameAxes,
    SetHeader,
    StripDescriptions,
)


def small_model() -> ir.Model:
    """An image and a setting in, a stage and a result out, with a branch, a weight, and remarks everywhere."""
    then = helper.make_graph(
        [helper.make_node("Add", ["stage", "weight"], ["more"], doc_string="deep")],
        "then",
        [],
        [helper.make_tensor_value_info("more", TensorProto.FLOAT, None)],
    )
    otherwise = helper.make_graph(
        [helper.make_node("Identity", ["stage"], ["same"])],
        "otherwise",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Mul", ["image", "gain"], ["stage"], name="first", doc_string="made by /home/somebody"),
        helper.make_node("ReduceMax", ["stage"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "gain"], ["high"]),
        helper.make_node("If", ["high"], ["result"], then_branch=then, else_branch=otherwise),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["s0", 3, "s1", "s2"]),
            helper.make_tensor_value_info("gain", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("stage", TensorProto.FLOAT, ["s0", 3, "s1", "s2"]),
            helper.make_tensor_value_info("result", TensorProto.FLOAT, ["s0", 3, "s1", "u0"]),
        ],
        initializer=[helper.make_tensor("weight", TensorProto.FLOAT, [], [1.0])],
        value_info=[helper.make_tensor_value_info("high", TensorProto.BOOL, [])],
        doc_string="a graph",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, doc_string="a model")
    helper.set_model_props(model, {"source": "/home/somebody"})
    for node in model.graph.node:
        node.metadata_props.add(key="trace", value="line 3")
    model.graph.input[0].metadata_props.add(key="trace", value="line 3")
    return ir.from_proto(model)


def proto(model: ir.Model) -> onnx.ModelProto:
    written = ir.to_proto(model)
    onnx.checker.check_model(written, full_check=True)
    return written


def run(model: ir.Model, **inputs: np.ndarray) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, inputs)
    return found


IMAGE = np.full((1, 3, 2, 2), 0.5, np.float32)


def test_a_setting_may_be_left_out_and_given() -> None:
    model = AddSettings({"gain": np.array(4.0, np.float32)})(small_model()).model
    assert (run(model, image=IMAGE)[1] == 2.0).all()
    assert (run(model, image=IMAGE, gain=np.array(0.25, np.float32))[1] == 1.125 - 1.0).all()
    assert [value.name for value in model.graph.inputs] == ["image", "gain"]


@pytest.mark.parametrize(
    ("defaults", "fact"),
    [
        ({"absent": np.array(1.0, np.float32)}, "absent is no input"),
        ({"weight": np.array(1.0, np.float32)}, "weight is no input"),
        ({"gain": np.array(1)}, "gain is not a scalar of type int64"),
        ({"image": IMAGE}, "image is not a scalar"),
    ],
)
def test_what_is_no_setting_is_refused(defaults: dict[str, np.ndarray], fact: str) -> None:
    with pytest.raises(ir.passes.PreconditionError, match=f"AddSettings: {fact}"):
        AddSettings(defaults)(small_model())
    with pytest.raises(ir.passes.PreconditionError, match="without a default"):
        AddSettings({"gain": np.array(1.0, np.float32)})(
            AddSettings({"gain": np.array(1.0, np.float32)})(small_model())
        )


def test_stages_are_hidden_and_stay_readable() -> None:
    model = HideStages(["result"])(small_model()).model
    assert [value.name for value in model.graph.outputs] == ["result"]
    written = proto(model)
    written.graph.output.append(onnx.ValueInfoProto(name="stage"))
    session = ort.InferenceSession(written.SerializeToString(), providers=["CPUExecutionProvider"])
    gain = np.array(4.0, np.float32)
    np.testing.assert_array_equal(session.run(["stage"], {"image": IMAGE, "gain": gain})[0], IMAGE * 4)
    assert [value.name for value in HideStages(["result", "stage"])(small_model()).model.graph.outputs] == [
        "result",
        "stage",
    ]
    with pytest.raises(ir.passes.PreconditionError, match="HideStages: the graph has no output labels"):
        HideStages(["labels"])(small_model())


def test_axes_are_named_wherever_their_symbol_stands() -> None:
    model = NameAxes(("batch", "channels", "height", "width"))(small_model()).model
    shapes = {value.name: list(value.shape or ()) for value in [*model.graph.inputs, *model.graph.outputs]}
    assert shapes["image"] == shapes["stage"] == ["batch", 3, "height", "width"]
    assert shapes["result"] == ["batch", 3, "height", "u0"], "what is no axis of the image keeps its symbol"
    with pytest.raises(ir.passes.PreconditionError, match="NameAxes: the first input has not the axes"):
        NameAxes(("batch", "channels", "depth", "height", "width"))(small_model())


def test_descriptions_go_and_the_graph_stays() -> None:
    before = small_model()
    expected = run(before, image=IMAGE, gain=np.array(4.0, np.float32))
    written = proto(StripDescriptions()(before).model)
    for text in (b"somebody", b"line 3", b"deep", b"a graph", b"a model"):
        assert text not in written.SerializeToString()
    assert not written.graph.value_info
    assert written.graph.node[0].name == "first", "names stay"
    for found, value in zip(run(before, image=IMAGE, gain=np.array(4.0, np.float32)), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def test_the_header_says_what_the_file_is() -> None:
    written = proto(SetHeader("1.2.3", "image in, label map out")(small_model()).model)
    assert (written.producer_name, written.producer_version, written.ir_version) == ("instanseg-export", "1.2.3", 10)
    assert written.doc_string == "image in, label map out"


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (AddSettings({"gain": np.array(1.0, np.float32)}), "gain has no default"),
        (HideStages(["result"]), "the outputs are not result"),
        (NameAxes(("batch", "channels", "height", "width")), "the axis batch is called s0"),
        (StripDescriptions(), "there is a description left"),
        (SetHeader("1.2.3", "words"), "the header is not as given"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_pass_that_does_nothing_is_found_out(
    broken: ir.passes.PassBase, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(broken), "call", lambda self, model: ir.passes.PassResult(model, modified=False))
    with pytest.raises(ir.passes.PostconditionError, match=f"{type(broken).__name__}: {text}"):
        broken(small_model())


def _scanning_model() -> ir.Model:
    """Add an outer value to each row of an image and stack the results; count the rows on the way."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["count", "one"], ["next"]),
            helper.make_node("Add", ["row", "outer"], ["sum"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("row", TensorProto.FLOAT, [3]),
        ],
        [
            helper.make_tensor_value_info("next", TensorProto.INT64, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [3]),
        ],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["image"], ["outer"], keepdims=0),
            helper.make_node(
                "Scan", ["start", "image"], ["rows", "stacked"], name="scan", body=body, num_scan_inputs=1
            ),
            helper.make_node("Relu", ["stacked"], ["result"]),
        ],
        "main",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor_value_info("rows", TensorProto.INT64, []),
            helper.make_tensor_value_info("result", TensorProto.FLOAT, ["n", 3]),
        ],
        initializer=[
            helper.make_tensor("start", TensorProto.INT64, [], [0]),
            helper.make_tensor("one", TensorProto.INT64, [], [1]),
        ],
    )
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_scans_become_loops_with_the_same_results(rows: int) -> None:
    image = np.random.default_rng(0).uniform(-1, 1, (rows, 3)).astype(np.float32)
    before = run(_scanning_model(), image=image)
    model = _scanning_model()
    assert LoopsForScans()(model).modified
    assert [node.op_type for node in model.graph].count("Loop") == 1
    after = run(model, image=image)
    assert before[0] == rows
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not LoopsForScans()(model).modified


def test_a_scan_backwards_is_refused() -> None:
    model = _scanning_model()
    scan = next(node for node in model.graph if node.op_type == "Scan")
    scan.attributes["scan_input_directions"] = ir.AttrInt64s("scan_input_directions", [1])
    with pytest.raises(ir.passes.PreconditionError, match="LoopsForScans: scan has scan_input_directions"):
        LoopsForScans()(model)
