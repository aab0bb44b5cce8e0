"""Where the secrets come from that a description only names: its text can be kept in a repository, they cannot."""

import os
from collections.abc import Mapping
from typing import Protocol


class Credentials(Protocol):
    """A keeper of secrets: keys, tokens, passwords, each by the name that descriptions give it."""

    def secret(self, name: str) -> str:
        """The secret of that name.

        Errors: LookupError if there is none.
        """


class NotSet(LookupError):
    """A secret that may be read, and is not there. The message says where it was looked for, going on from its name."""


class GivenCredentials:
    """Secrets that the program has at hand."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(sorted(self._secrets))})"

    def secret(self, name: str) -> str:
        """The secret of that name. Errors: LookupError if there is none."""
        return self._secrets[name]


class EnvironmentCredentials:
    """Secrets from variables of the environment, and only from those given: descriptions may be written by others.

    Shape:  a secret has the name of its variable. A variable that is empty counts as not set.
    """

    def __init__(self, *variables: str, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is the process's own, unless another is given."""
        self._variables = frozenset(variables)
        self._environment = os.environ if environment is None else environment

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(sorted(self._variables))})"

    def secret(self, name: str) -> str:
        """The value of that variable. Errors: LookupError if it may not be read, NotSet if it may and is not there."""
        if name not in self._variables:
            raise LookupError(name)
        if not (value := self._environment.get(name, "")):
            raise NotSet("is not set: there is no such variable in the environment, or it is empty")
        return value
