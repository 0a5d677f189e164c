"""What the planted bugs are called: stable names, independent of whoever looks for them."""

from __future__ import annotations

WEIGHTS = {
    "abn-not-folded": "an in-place ABN's weight copied as it is, not |weight| + epsilon",
    "attention-untransposed": "packed projections of an attention split, but not transposed",
    "channels-transposed": "a square convolution's input and output channels exchanged",
    "embedding-transposed": "a square embedding transposed like a Linear",
    "gates-reordered": "the gates of a recurrent layer in another library's order",
    "input-channels-reversed": "the first convolution's colours reversed, BGR for RGB",
    "kernel-transposed": "a kernel's height and width exchanged",
    "linear-untransposed": "a square Linear copied as it is",
    "projections-exchanged": "two projections inside one attention exchanged",
    "scale-and-shift-exchanged": "a norm's weight and bias exchanged",
    "statistics-exchanged": "running mean and variance exchanged",
    "statistics-never-loaded": "running statistics left as they are in a fresh layer",
    "weights-exchanged": "two tensors, or all of two layers, exchanged",
    "weights-never-loaded": "a layer left as it was initialised",
    "weights-rounded": "a layer that went through float16",
}
SETTINGS = {
    "activation-different": "another activation function",
    "activation-slope": "another slope of the same activation",
    "bias-created": "a bias that torch's layer does not have, 0 at first",
    "bias-missing": "a layer built without the bias that torch's has",
    "bn-batch-statistics": "BN with the batch's statistics in evaluation",
    "bn-epsilon": "another epsilon of a BN",
    "ceil-mode": "ceil_mode on",
    "dilation": "another dilation",
    "dropout-mode": "dropout that scales in evaluation",
    "embedding-padding-row": "a padding row that is always zero",
    "gelu-approximate": "exact for tanh GELU, or the reverse",
    "group-norm-epsilon": "another epsilon of a GroupNorm",
    "groups": "another number of groups of a convolution",
    "layer-norm-epsilon": "another epsilon of a LayerNorm",
    "norm-groups": "another number of groups of a GroupNorm",
    "norm-kind": "another normalisation",
    "padding": "another padding",
    "padding-mode": "zeros for a reflected border",
    "pool-exclusive": "average pooling without its padding",
    "same-padding-dilation": "padding 'SAME', which forgets the dilation",
    "stride": "another stride",
    "time-major": "a recurrent layer along the batch",
}
FORWARD = {
    "activation-dropped": "an activation forgotten",
    "align-mode": "a resize with align_mode=1",
    "branch-dropped": "a summand or shortcut forgotten",
    "concat-order": "a concatenation in another order",
    "crop-shifted": "a crop at the other end",
    "dropout-on": "dropout that acts in evaluation",
    "function-dropped": "a function that is no activation forgotten",
    "input-normalisation": "other mean and deviation of the input",
    "layer-exchanged": "each of two layers called in the other's place",
    "layer-order": "layers in another order",
    "mask-dropped": "a mask forgotten",
    "mask-inverted": "a mask the wrong way round",
    "pad-order": "padding at the other ends",
    "pool-kind": "maximum for mean, or the reverse",
    "reduction-kind": "another reduction to one value",
    "reshape-order": "a reshape without its transposition",
    "resize-align-corners": "the other align_corners",
    "resize-mode": "bilinear for nearest, or the reverse",
    "resize-size": "a resize by a factor, not to a size",
    "scale-different": "another constant factor",
    "softmax-axis": "softmax over another axis",
    "state-taken": "another of a recurrent layer's states",
}
LOSS = {
    "class-weights-dropped": "class weights forgotten",
    "fuse-kernel": "the detail loss's kernel drawn at random",
    "ignore-index": "ignored labels that count in the mean",
    "label-smoothing-dropped": "label smoothing forgotten",
    "loss-reduction": "sum for mean",
    "loss-term-dropped": "a term forgotten",
    "loss-weight": "another weight of a term",
    "ohem-rule": "other hard pixels",
    "smooth-l1-delta": "Huber's delta for smooth_l1's beta",
}
TRAINING = {
    "bn-frozen": "BN in evaluation mode while training",
    "bn-momentum": "momentum as torch counts it",
    "clip-missing": "gradients not clipped",
    "clip-norm": "gradients clipped value by value",
    "clip-per-group": "gradients clipped by each group's norm",
    "decay-missing": "no weight decay",
    "decay-on-norms": "weight decay on norms and biases",
    "gradient-stopped": "a detached tensor",
    "gradients-not-cleared": "gradients that add up over steps",
    "group-learning-rate": "a group's rate forgotten, or taken for a rate where it is a factor",
    "layer-norm-frozen": "a LayerNorm frozen by stop_gradient, which changes its input's gradient",
    "nesterov": "Nesterov's momentum on, or off",
    "optimizer-defaults": "a setting of the optimizer left at Paddle's default",
    "optimizer-different": "another optimizer",
    "parameters-unfrozen": "parameters trained that torch leaves alone",
    "parameters-untrained": "parameters left out of the training",
    "schedule-different": "another course of the learning rate",
    "step-order": "the schedule's step before the optimizer's",
    "warm-up": "linear for exponential warm-up",
}
KINDS = {
    "weights": WEIGHTS,
    "settings": SETTINGS,
    "forward": FORWARD,
    "loss": LOSS,
    "training": TRAINING,
}
CAUSES = {slug: what for kind in KINDS.values() for slug, what in kind.items()}


def kind_of(cause: str) -> str:
    """Return which table a cause stands in.

    Raises:
        KeyError: it stands in none.
    """
    for kind, causes in KINDS.items():
        if cause in causes:
            return kind
    raise KeyError(cause)
