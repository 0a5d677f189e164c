"""From two trainings that part to diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.causes.gradients import examine as gradients
from parity.causes.settings import MEASURED
from parity.causes.training import norms
from parity.causes.training.course import recorded
from parity.causes.training.explain import explained, follows
from parity.causes.training.facts import FACTS, Fact
from parity.causes.training.places import listed, places
from parity.parameter_gradients import CANCELLED
from parity.record import NetworkError
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from parity.backends import FloatType
    from parity.causes.training.course import Course, Courses, Reference
    from parity.causes.training.explanation import Decay, Explanation
    from parity.passes import Carried
    from parity.training import Training

#: Steps that are looked at, at least; and after the first that differs.
FEWEST, AFTER = 5, 3


def examine(
    weights: Carried,
    training: Training,
    dtype: FloatType,
    paths: Mapping[str, str],
    first: int,
    steps: int,
) -> list[Diagnosis]:
    """Train both networks again, and explain what paddle's steps did.

    Args:
        weights: Makes the copies.
        training: What was done with both networks.
        dtype: The precision to do it in.
        paths: Paddle's path by torch's.
        first: The first step that differs.
        steps: How many were made.
    """
    networks = weights.copies(dtype)
    watches = [norms.NormWatch(network) for network in networks]
    count = min(steps, max(FEWEST, first + AFTER))
    try:
        courses = recorded(networks, training, dtype, weights.keys, count)
    except NetworkError:
        return []
    finally:
        for watch in watches:
            watch.close()
    modules = dict(networks[0].named_modules())
    ours, theirs = (watch.found for watch in watches)
    found = [*norms.examine(modules, ours, theirs, paths), *_optimizer(courses)]
    return found or gradients.examine(gradients.of_training(weights, training, dtype, paths))


def _optimizer(courses: Courses) -> Iterator[Diagnosis]:
    reference = courses.reference
    if reference is None or not follows(courses):
        return
    small = CANCELLED[courses.dtype] * max((c.slope for c in courses.theirs), default=0.0)
    untrained = [c for c in courses.theirs if _left_out(c, courses.ours[c.name], reference, small)]
    yield from _parameters(courses, reference, untrained)
    asked = [c for c in courses.theirs if c.name in reference.group_of and c not in untrained]
    found = explained(courses, asked)
    if found is not None:
        yield from _told(found, reference)


def _left_out(theirs: Course, ours: Course, reference: Reference, small: float) -> bool:
    """Whether paddle's optimizer is what keeps a parameter from being trained."""
    if theirs.name not in reference.group_of or not theirs.still or ours.still:
        return False
    # Where the gradient is rounding, the update may be lost.
    return theirs.slope > small or not theirs.trains


def _parameters(
    courses: Courses, reference: Reference, untrained: Sequence[Course]
) -> Iterator[Diagnosis]:
    names = [*courses.ours]
    for path, members in places([c.name for c in untrained], names):
        frozen = any(not c.trains for c in untrained if c.name in members)
        why = "stop_gradient is True" if frozen else "no group of paddle's optimizer has them"
        evidence = f"{listed(members)} stay as they were, torch trains them: {why}"
        yield _diagnosis("parameters-untrained", path, evidence)
    changed = [c.name for c in courses.theirs if not c.still and c.name not in reference.group_of]
    for path, members in places([n for n in changed if courses.ours[n].still], names):
        evidence = f"{listed(members)} change, and no group of torch's optimizer has them"
        yield _diagnosis("parameters-unfrozen", path, evidence, path=path)


def _told(found: Explanation, reference: Reference) -> Iterator[Diagnosis]:
    steps = len(found.rates.base)
    proof = (
        f"so all updates of {len(found.courses)} parameters in {steps} steps are predicted to "
        f"{max(found.left, 1e-16):.0e} of their size; torch's settings are off by "
        f"{found.before:.0e}"
    )
    variant = found.variant
    if variant.cause:
        evidence = f"{variant.words}; {proof}"
        yield _diagnosis(variant.cause, "", evidence, mend=variant.mend)
    if found.decays:
        yield _decayed(found.decays, proof)
    yield from _rates(found, reference, proof)


def _decayed(decays: Sequence[Decay], proof: str) -> Diagnosis:
    if all(not d.found for d in decays):
        cause = "decay-missing"
    elif all(not d.wanted for d in decays):
        vectors = all(len(d.course.shape) <= 1 for d in decays)
        cause = "decay-on-norms" if vectors else "decay-added"
    else:
        cause = "decay-different"
    found, wanted = (
        ", ".join(f"{value:.6g}" for value in dict.fromkeys(values))
        for values in ([d.found for d in decays], [d.wanted for d in decays])
    )
    members = list(dict.fromkeys(d.course.name for d in decays))
    evidence = f"the decay of {listed(members)} is {found}, torch's {wanted}; {proof}"
    return _diagnosis(cause, "", evidence, wanted=wanted)


def _rates(found: Explanation, reference: Reference, proof: str) -> Iterator[Diagnosis]:
    rates = found.rates
    if rates.factors:
        members = list(dict.fromkeys(found.courses[place].name for place in rates.factors))
        factors = dict.fromkeys(f"{factor:.6g}" for factor in rates.factors.values())
        evidence = f"the rate of {listed(members)} is {', '.join(factors)} of torch's; {proof}"
        ratios = (reference.rate(name, 0) / rates.wanted[0] for name in members if rates.wanted[0])
        ratio = " or ".join(dict.fromkeys(f"{one:.6g}" for one in ratios))
        yield _diagnosis("group-learning-rate", "", evidence, ratio=ratio)
    if rates.cause:
        numbers = " ".join(f"{rate:.4g}" for rate in rates.base)
        wanted = " ".join(f"{rate:.4g}" for rate in rates.wanted[: len(rates.base)])
        told = [f"paddle's rates are {numbers}, torch's {wanted}", rates.remark, proof]
        evidence = "; ".join(filter(None, told))
        start = rates.wanted[0] or max(rates.wanted)
        shares = ", ".join(f"{rate / start:.6g}" for rate in rates.wanted[: len(rates.base)])
        yield _diagnosis(rates.cause, "", evidence, rate=f"{start:.6g}", factors=shares)


def _diagnosis(cause: str, layer: str, evidence: str, mend: str = "", **values: Any) -> Diagnosis:
    fact = FACTS.get(cause, Fact(""))
    code = mend or fact.mend
    for name, value in values.items():
        code = code.replace(f"{{{name}!r}}", repr(value)).replace(f"{{{name}}}", str(value))
    return Diagnosis(cause, layer, evidence, code, fact.source or MEASURED)
