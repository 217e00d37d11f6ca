"""The layer of several CRFs over one emission: one for each label, and each of them in
layers for entities inside of entities.

Entities of different labels may overlap. If each label has a CRF of its own, over the
tags "O", "B", "I", "E" and "S" (or "O", "B" and "I"), the best path of each is found
independently of the others, and the probability of all entities together is the product
of those of the labels: search, sums and loss are exact. The K CRFs share all layers
before them, and their emission scores are the output of one linear layer.

    emission scores (N, K · T):   CRF 0: T tags │ CRF 1: T tags │ … │ CRF K-1: T tags

`crfs_of` returns each of them with the interface of a `CRF` layer, so that everything
that computes with a `CRF` computes with them. A CRF of T tags takes time proportional
to T² for each unit, so K small ones take less than one with K · T tags would.
"""

from typing import Any

from thinc.api import Model, Ops
from thinc.types import Floats2d, Ints1d, Ragged

from .crf import SeqT, forward


def LabelCRFs(
    nC: int | None = None, nT: int | None = None, *, learned: bool = True
) -> Model[SeqT, SeqT]:
    """The scores of starts, transitions and ends of several CRFs. Use it as the last
    layer: it passes the emission scores on unchanged.

    nC: Number of CRFs, K.
    nT: Number of tags of each, T.
    learned: Train the parameters, see `CRF`.
    RETURNS: The layer, with the parameters starts (nC, nT), transitions (nC, nT, nT;
        from row to column) and ends (nC, nT), initialized with 0. The width of its
        input is nO = nC · nT.
    """
    nO = None if nC is None or nT is None else nC * nT
    return Model(
        "label_crfs",
        forward,
        init=init,
        dims={"nO": nO, "nC": nC, "nT": nT},
        params={"starts": None, "transitions": None, "ends": None},
        attrs={"learned": learned},
    )


def init(
    model: Model[SeqT, SeqT], X: SeqT | None = None, Y: SeqT | None = None
) -> None:
    """RAISES (ValueError): If the width of the sample is no multiple of nT."""
    sample = Y if Y is not None else X
    nT = model.get_dim("nT")
    if sample is not None:
        rows = sample.dataXd if isinstance(sample, Ragged) else sample[0]
        nO = rows.shape[1]
        if nO % nT:
            raise ValueError(
                f"{nO} emission scores for each unit are no multiple of the {nT} tags "
                f"of a CRF."
            )
        model.set_dim("nO", nO)
        model.set_dim("nC", nO // nT)
    nC = model.get_dim("nC")
    model.set_param("starts", model.ops.alloc2f(nC, nT))
    model.set_param("transitions", model.ops.alloc3f(nC, nT, nT))
    model.set_param("ends", model.ops.alloc2f(nC, nT))


class OneCRF:
    """One CRF of a `LabelCRFs` layer, with the interface of a `CRF` layer."""

    ops: Ops
    attrs: dict[str, Any]

    def __init__(self, layer: Model, k: int):
        """
        layer: A `LabelCRFs` layer.
        k: The number of the CRF.
        """
        self.layer = layer
        self.k = k
        self.ops = layer.ops
        self.attrs = layer.attrs
        n_tags = layer.get_dim("nT")
        #: Its columns in the emission scores of the layer.
        self.columns = slice(k * n_tags, (k + 1) * n_tags)

    @property
    def param_names(self) -> tuple[str, ...]:
        """starts, transitions and ends."""
        names: tuple[str, ...] = self.layer.param_names
        return names

    def get_param(self, name: str) -> Any:
        """starts (T,), transitions (T, T) or ends (T,)."""
        return self.layer.get_param(name)[self.k]

    def inc_grad(self, name: str, value: Any) -> None:
        """Add to the gradient of a parameter."""
        if not self.layer.has_grad(name):
            self.layer.set_grad(
                name, self.ops.xp.zeros_like(self.layer.get_param(name))
            )
        self.layer.get_grad(name)[self.k] += value

    def emissions(self, data: Floats2d, lengths: Ints1d) -> Ragged:
        """Its part of the emission scores of a batch.

        data: (N, K · T) the emission scores of the layer.
        lengths: (B,) length of each sequence.
        RETURNS: (N, T).
        """
        return Ragged(data[:, self.columns], lengths)


def crfs_of(layer: Model) -> list[OneCRF]:
    """The K CRFs of a `LabelCRFs` layer."""
    return [OneCRF(layer, k) for k in range(layer.get_dim("nC"))]
