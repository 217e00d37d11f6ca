"""The LSTMs that are compared, each as a call without arguments.

The call does not include what is done only once: initializing weights, converting the
input, and sorting and packing sequences for PyTorch. This module imports PyTorch and
Thinc, so only the processes that measure import it.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import thinc.api
import torch
from thinc.api import Model, PyTorchRNNWrapper, with_padded
from thinc.types import Ragged
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_sequence

from spacy_lstm_ner.layers import LSTM, TorchLSTM

from .cases import Case
from .process import thread_limit

if threads := thread_limit():
    torch.set_num_threads(threads)


Call = Callable[[], Any]


def arrays(case: Case, width: int) -> list[np.ndarray]:
    """Random sequences, the longest first: so the layers of PyTorch need no sorting,
    and for the others the order does not matter."""
    rng = np.random.default_rng(0)
    lengths = sorted(case.lengths, reverse=True)
    return [rng.standard_normal((n, width), dtype="float32") for n in lengths]


def ragged(case: Case, width: int) -> Ragged:
    rows = arrays(case, width)
    lengths = np.array([len(array) for array in rows], dtype="int32")
    return Ragged(np.concatenate(rows), lengths)


def tensors(case: Case, width: int) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays(case, width)]


def thinc_call(make_layer: Callable[[Case], Model], case: Case) -> Call:
    """A Thinc layer on a ragged batch."""
    X, dY = ragged(case, case.inputs), ragged(case, case.width)
    model = make_layer(case).initialize(X=X)
    if case.task == "inference":
        return partial(model.predict, X)

    def train() -> Ragged:
        _, backprop = model.begin_update(X)
        return backprop(dY)

    return train


def lstm(case: Case) -> Model:
    return LSTM(case.width, case.inputs, bi=case.directions == 2)


def torch_lstm(case: Case) -> Model:
    return TorchLSTM(case.width, case.inputs, bi=case.directions == 2)


def thinc_lstm(case: Case) -> Model:
    layer = thinc.api.LSTM(case.width, case.inputs, bi=case.directions == 2)
    padded: Model = with_padded(layer)
    return padded


def wrapped_torch(case: Case) -> Model:
    padded: Model = with_padded(PyTorchRNNWrapper(bare_torch(case)))
    return padded


def bare_torch(case: Case) -> torch.nn.LSTM:
    return torch.nn.LSTM(case.inputs, case.units, bidirectional=case.directions == 2)


def torch_packed(case: Case) -> Call:
    """`torch.nn.LSTM` on a packed batch, packed beforehand."""
    layer = bare_torch(case)
    data, sizes, *_ = pack_sequence(tensors(case, case.inputs))
    dY = pack_sequence(tensors(case, case.width)).data
    return _torch_call(
        case, layer, data, dY, lambda X: layer(PackedSequence(X, sizes))[0].data
    )


def torch_padded(case: Case) -> Call:
    """`torch.nn.LSTM` on a padded batch, padded beforehand. It is fast, but with two
    directions its results are wrong, because it reads the padding, too."""
    layer = bare_torch(case)
    X = pad_sequence(tensors(case, case.inputs))
    dY = pad_sequence(tensors(case, case.width))
    return _torch_call(case, layer, X, dY, lambda X: layer(X)[0])


def _torch_call(
    case: Case,
    layer: torch.nn.LSTM,
    X: torch.Tensor,
    dY: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor],
) -> Call:
    leaves = [X, *layer.parameters()]

    def infer() -> torch.Tensor:
        with torch.inference_mode():
            return forward(X)

    def train() -> tuple[torch.Tensor, ...]:
        gradients: tuple[torch.Tensor, ...]
        gradients = torch.autograd.grad(forward(X), leaves, dY)
        return gradients

    if case.task == "inference":
        return infer
    X.requires_grad_()
    return train


def matrix_products(case: Case) -> Call:
    """The matrix products that any LSTM needs, each over all steps at once. An LSTM
    cannot be as fast, since each step depends on the previous one."""
    rng = np.random.default_rng(0)
    n = sum(case.lengths)
    products = []
    for nI in (case.inputs, case.units) * case.directions:
        X, W, dY = (
            rng.standard_normal(shape, dtype="float32")
            for shape in ((n, nI), (nI, 4 * case.units), (n, 4 * case.units))
        )
        pairs = [(X, W)]
        if case.task == "training":
            pairs += [(dY, W.T), (X.T, dY)]
        products += [(a, b, np.empty_like(a @ b)) for a, b in pairs]

    def multiply() -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    return multiply


def onnx_runtime(case: Case) -> Call | None:
    """ONNX Runtime on a padded batch with lengths; None for training, or if it is not
    installed (`pip install onnxruntime onnx`)."""
    if case.task != "inference" or not (find_spec("onnxruntime") and find_spec("onnx")):
        return None
    import onnxruntime
    from onnx import TensorProto, helper

    D, nI, nH = case.directions, case.inputs, case.units
    rng = np.random.default_rng(0)

    def tensor(name: str, *shape: int) -> Any:
        values = rng.standard_normal(shape, dtype="float32") * 0.1
        return helper.make_tensor(name, TensorProto.FLOAT, shape, values.ravel())

    node = helper.make_node(
        "LSTM",
        ["X", "W", "R", "B", "lengths"],
        ["Y"],
        hidden_size=nH,
        direction="bidirectional" if D == 2 else "forward",
    )
    graph = helper.make_graph(
        [node],
        "lstm",
        [
            helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, None, nI]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, [None]),
        ],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [
            tensor("W", D, 4 * nH, nI),
            tensor("R", D, 4 * nH, nH),
            tensor("B", D, 8 * nH),
        ],
    )
    opset = [helper.make_opsetid("", 14)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_limit() or 0
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = arrays(case, nI)
    X = pad_sequence([torch.from_numpy(array) for array in rows]).numpy()
    inputs = {"X": X, "lengths": np.array([len(a) for a in rows], dtype="int32")}
    return partial(session.run, None, inputs)


#: Each makes a call for a case, or returns None if it cannot.
CANDIDATES: dict[str, Callable[[Case], Call | None]] = {
    "LSTM": partial(thinc_call, lstm),
    "TorchLSTM": partial(thinc_call, torch_lstm),
    "with_padded(thinc LSTM)": partial(thinc_call, thinc_lstm),
    "with_padded(torch.nn.LSTM)": partial(thinc_call, wrapped_torch),
    "torch.nn.LSTM packed": torch_packed,
    "torch.nn.LSTM padded": torch_padded,
    "ONNX Runtime": onnx_runtime,
    "matrix products": matrix_products,
}
