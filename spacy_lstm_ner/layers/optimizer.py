"""An optimizer for a pretrained transformer with new layers on it."""

from typing import Any

from thinc.api import Optimizer
from thinc.types import FloatsXd


class TransformerAdam(Optimizer):
    """Adam with two learning rates, see `transformer_adam`."""

    def __init__(self, learn_rate: Any, *, head_factor: float, **settings: Any):
        super().__init__(learn_rate, **settings)
        self.head_factor = head_factor

    def __call__(
        self,
        key: tuple[int, str],
        weights: FloatsXd,
        gradient: FloatsXd,
        *,
        lr_scale: float = 1.0,
    ) -> tuple[FloatsXd, FloatsXd]:
        """Update weights.

        key: The id of the layer, and the name of its parameter.
        weights: The weights.
        gradient: Their gradient, of the same shape.
        lr_scale: The learning rate is multiplied by it.
        RETURNS: The new weights, and the gradient set to zeros.
        """
        # PyTorch names a parameter by its path in the module, "layer.0.weight".
        if "." not in key[1]:
            lr_scale *= self.head_factor
        updated: tuple[FloatsXd, FloatsXd]
        updated = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        return updated


def transformer_adam(
    learn_rate: Any,
    *,
    head_factor: float = 20.0,
    L2: Any = 0.01,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    eps: Any = 1e-8,
    grad_clip: Any = 1.0,
    L2_is_weight_decay: bool = True,
    use_averages: bool = False,
) -> Optimizer:
    """`spacy-lstm-ner.TransformerAdam.v1`: Adam with two learning rates. That of
    pretrained weights has to be small, so that training does not destroy them, but with
    such a rate new layers learn slowly.

    learn_rate: The learning rate of the weights of the transformer, a number or a
        schedule.
    head_factor: All other weights have a learning rate that is so many times higher.
    L2: Weight decay. This argument and those below are those of `Adam.v1` of Thinc.
    beta1: Decay rate of the mean of the gradients.
    beta2: Decay rate of the mean of their squares.
    eps: Added to the denominator.
    grad_clip: Maximum norm of the gradient of a parameter.
    L2_is_weight_decay: Whether L2 is weight decay, as in AdamW.
    use_averages: Has to be false: averages would not include the transformer.
    RETURNS: The optimizer.
    RAISES (ValueError): If the factor is not positive, or `use_averages` is set.
    """
    if not head_factor > 0:
        raise ValueError(f"head_factor = {head_factor} has to be above 0.")
    if use_averages:
        raise ValueError(
            "use_averages has to be false with a transformer: spaCy would evaluate and "
            "save the averages of some weights with the last values of others."
        )
    return TransformerAdam(
        learn_rate,
        head_factor=head_factor,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        L2_is_weight_decay=L2_is_weight_decay,
        use_averages=use_averages,
    )
