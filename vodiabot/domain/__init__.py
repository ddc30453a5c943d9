"""Accounts, presence and calls of the domain: messages in, changes out as events. Pure."""

from .state import Domain

__all__ = ["Domain"]
