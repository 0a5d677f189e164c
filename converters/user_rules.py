r"""What a user says about a checkpoint's keys, in a TOML file.

    [[rename]]
    pattern = 'backbone\.(.*)'
    to = '\1'

    [[drop]]
    pattern = 'head\..*'
    reason = "another number of classes"

    [[kind]]
    pattern = '.*\.token_table'
    kind = "embedding"

    [[tensor]]
    pattern = '.*\.lora_[AB]'
    kind = "parameter"

A pattern is a regular expression that must fit a whole key (``rename``, ``drop``, ``tensor``) or a
whole layer's path (``kind``). A tensor of a layer of one's own is a ``parameter``, copied as it is,
or laid out as the weight of a ``linear``; the norms of a weight norm (its ``g``) or spectral norm
(its ``u``) are ``norm_along_0``, ``norm_along_1`` and so on, by torch's axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.patterns import Patience
from converters.rule_tables import TABLES, UserRule, rows_of, tables_in
from converters.rules import ALONE, BY_KIND, NORM_KINDS


@dataclass(frozen=True)
class UserRules:
    """The rules of a file.

    Attributes:
        renames: the first whose pattern fits a key gives its name in the network.
        drops: keys left out, with the reason; they go by the key's name after renaming.
        kinds: kinds of layers, by path.
        tensors: of what kind of layer tensors could be the weight, by key.
    """

    renames: tuple[UserRule, ...] = ()
    drops: tuple[UserRule, ...] = ()
    kinds: tuple[UserRule, ...] = ()
    tensors: tuple[UserRule, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        renames: Mapping[str, str] | None = None,
        drops: Mapping[str, str] | None = None,
        kinds: Mapping[str, str] | None = None,
        tensors: Mapping[str, str] | None = None,
    ) -> UserRules:
        """Return rules from patterns, each with what then holds.

        Args:
            renames: replacement by pattern of a key.
            drops: reason by pattern of a key.
            kinds: kind by pattern of a layer's path.
            tensors: kind by pattern of a key.

        Raises:
            InputError: a pattern is none, or a kind is unknown.
        """
        tables = zip(TABLES, (renames, drops, kinds, tensors), strict=True)
        return from_tables(
            "rules",
            {
                name: [{"pattern": one, TABLES[name][0]: value} for one, value in rows.items()]
                for name, rows in tables
                if rows
            },
        )

    def applied(self, keys: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return keys by their new names, and of those the ones left out with the reason.

        Raises:
            InputError: two keys get the same name, or a rule fits no key.
        """
        names: dict[str, str] = {}
        fitted: set[UserRule] = set()
        for name, key in keys.items():
            new = self._renamed(name, fitted)
            if new in names:
                raise InputError(f"--rules: {names[new]!r} and {key!r} would both become {new!r}")
            names[new] = key
        dropped = {}
        for name in names:
            rule = next((one for one in self.drops if one.pattern.fullmatch(name)), None)
            if rule is not None:
                fitted.add(rule)
                dropped[name] = rule.value
        for rule in (*self.renames, *self.drops):
            if rule not in fitted:
                raise InputError(f"--rules: no key fits {rule.pattern.pattern!r}; correct it")
        return names, dropped

    def renamed(self, name: str) -> str:
        """Return a key's name in the network, whether or not there is such a key."""
        return self._renamed(name, set())

    def _renamed(self, name: str, fitted: set[UserRule]) -> str:
        for rule in self.renames:
            if match := rule.pattern.fullmatch(name):
                fitted.add(rule)
                return match.expand(rule.value)
        return name

    def kind_of(self, path: str) -> str | None:
        """Return the kind that the user gave to a layer, None if none."""
        return _first(self.kinds, path)

    def tensor_kind(self, key: str) -> str | None:
        """Return the kind that the user gave to a lone tensor, None if none."""
        return _first(self.tensors, key)

    def require_fitting(self, paths: Iterable[str], keys: Iterable[str]) -> None:
        """Refuse a kind for a layer or tensor that is not there.

        Raises:
            InputError: the pattern of a kind fits none of a network's layers or tensors.
        """
        tables = (("layer", self.kinds, tuple(paths)), ("key", self.tensors, tuple(keys)))
        for what, rules, known in tables:
            for rule in rules:
                if not any(rule.pattern.fullmatch(one) for one in known):
                    raise InputError(
                        f"--rules: no {what} fits {rule.pattern.pattern!r}; correct it"
                    )


def _first(rules: tuple[UserRule, ...], name: str) -> str | None:
    return next((rule.value for rule in rules if rule.pattern.fullmatch(name)), None)


def read_rules(path: Path) -> UserRules:
    """Read a file of rules.

    Raises:
        InputError: it cannot be read, or says something that is no rule.
    """
    return from_tables(path, tables_in(path))


def from_tables(where: object, tables: Mapping[str, Any]) -> UserRules:
    """Return the rules of a file's tables.

    Raises:
        InputError: they say something that is no rule.
    """
    for name in tables:
        if name not in TABLES:
            raise InputError(f"{where}: unknown table {name!r}; expected {', '.join(TABLES)}")
    patience = Patience()
    rules = UserRules(
        *(tuple(rows_of(where, name, tables.get(name, []), patience)) for name in TABLES)
    )
    for table, known, given in (
        ("kind", BY_KIND, rules.kinds),
        ("tensor", (*ALONE, *NORM_KINDS), rules.tensors),
    ):
        for rule in given:
            if rule.value not in known:
                raise InputError(
                    f"{where}: [[{table}]] unknown kind {rule.value!r}; known: {', '.join(known)}"
                )
    return rules
