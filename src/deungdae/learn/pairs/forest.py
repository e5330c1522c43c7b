"""Trees that LightGBM grew, as a file that ONNX Runtime reads."""

from __future__ import annotations

from typing import Any

import numpy as np


def onnx_of(model: Any, classes: list[int], kinds: int, looks: int, told: str) -> bytes:
    """Return a LightGBM Booster as ONNX: looks float32[n, looks] -> shares float32[n, 1 + kinds].

    classes: which of the 1 + kinds shares each of the model's classes is; the others get none. Of
    one kind there are three shares, the last 0: ONNX Runtime takes two for one and its opposite.
    told: what stands in the file beside the trees. Raises ValueError where `onnx` is missing.
    """
    try:
        from onnx import TensorProto, helper  # noqa: PLC0415 — for who trains
    except ImportError as error:
        raise ValueError("training needs onnx: pip install 'deungdae[train]'") from error
    count = max(1 + kinds, 3)
    trees = _Trees()
    grown = model.dump_model()["tree_info"]
    for number, tree in enumerate(grown):
        trees.add(tree["tree_structure"], number, classes[number % len(classes)])
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["looks"],
        ["label", "shares"],
        domain="ai.onnx.ml",
        classlabels_int64s=list(range(count)),
        base_values=[0.0 if each in classes else -1e4 for each in range(count)],
        post_transform="SOFTMAX",
        **trees.columns,
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "pairs",
        [value("looks", TensorProto.FLOAT, [None, looks])],
        [
            value("label", TensorProto.INT64, [None]),
            value("shares", TensorProto.FLOAT, [None, count]),
        ],
    )
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    file = helper.make_model(graph, opset_imports=versions, ir_version=8)
    helper.set_model_props(file, {"deungdae": told})
    return bytes(file.SerializeToString())


class _Trees:
    """The nodes of all trees, in the columns of ONNX's TreeEnsembleClassifier."""

    def __init__(self) -> None:
        nodes = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                 "falsenodeids")  # fmt: skip
        self.columns: dict[str, list[Any]] = {f"nodes_{name}": [] for name in nodes}
        leaves = ("treeids", "nodeids", "ids", "weights")
        self.columns |= {f"class_{name}": [] for name in leaves}

    def add(self, node: dict[str, Any], tree: int, kind: int) -> None:
        """Take in a tree, as LightGBM tells it."""
        self._next = 0
        self._grow(node, tree, kind)

    def _grow(self, node: dict[str, Any], tree: int, kind: int) -> int:
        """Take in a node with all below it, and return its number."""
        number, self._next = self._next, self._next + 1
        at = len(self.columns["nodes_treeids"])
        if "leaf_value" in node:
            self._put("nodes", tree, number, 0, 0.0, "LEAF", 0, 0)
            self._put("class", tree, number, kind, float(node["leaf_value"]))
            return number
        limit = _rounded_down(node["threshold"])
        self._put("nodes", tree, number, node["split_feature"], limit, "BRANCH_LEQ", 0, 0)
        self.columns["nodes_truenodeids"][at] = self._grow(node["left_child"], tree, kind)
        self.columns["nodes_falsenodeids"][at] = self._grow(node["right_child"], tree, kind)
        return number

    def _put(self, what: str, *values: object) -> None:
        names = [name for name in self.columns if name.startswith(what)]
        for name, value in zip(names, values, strict=True):
            self.columns[name].append(value)


def _rounded_down(limit: float) -> float:
    """Return the largest float32 that is not above: so each float32 stays on its side."""
    near = np.float32(limit)
    return float(near if float(near) <= limit else np.nextafter(near, np.float32(-np.inf)))
