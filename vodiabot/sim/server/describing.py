"""What `vodiabot sim` prints: where it is, who may sign in, and what the numbers do."""

from __future__ import annotations

from ..config import Service, SimConfig

KINDS = {
    "tone": "a tone of {hz:g} Hz",
    "echo": "what you say comes back",
    "play": "plays {file}",
    "busy": "is busy",
    "reject": "refuses with {code}",
    "no-answer": "rings and is never answered",
    "ring": "rings for {seconds:g} s, then a tone of {hz:g} Hz",
    "early": "{seconds:g} s of early media, then a tone of {hz:g} Hz",
    "early-then-busy": "{seconds:g} s of early media, then busy",
    "direct-200": "answers without ringing, a tone of {hz:g} Hz",
    "cancel-crosses-answer": "calls you back; its cancel crosses your answer",
    "reoffer": "a tone of {hz:g} Hz, and a new offer after {seconds:g} s",
    "glare": "its new offer crosses your hold",
    "codec-mismatch": "refuses with 488",
    "media-stop": "its audio stops after {seconds:g} s",
    "bye": "hangs up after {seconds:g} s",
    "refuse-transfer": "refuses to be transferred to; the call comes back",
    "dtmf": "presses {digits} after {seconds:g} s",
    "silent": "is answered and sends no audio at all",
}
"""Kind of service → what a caller meets."""


def describe_service(service: Service) -> str:
    """In a few words."""
    text = KINDS.get(service.kind, service.kind)
    text = text.format_map(vars(service))
    faults = [f"{service.loss:g} % loss"] * bool(service.loss)
    faults += [f"{service.jitter_ms:g} ms jitter"] * bool(service.jitter_ms)
    return f"{text} (with {' and '.join(faults)})" if faults else text


def describe_config(config: SimConfig, urls: list[str]) -> list[str]:
    """Lines for a terminal."""
    lines = [
        f"Simulated PBX, dialect {config.dialect}, domain {config.domain}",
        *(f"  page and PBX   {url}" for url in urls),
        "",
        "Extensions",
        *(f"  {e.user:<5} password {e.password:<10} {e.name}".rstrip() for e in config.extensions),
    ]
    if config.groups:
        lines += ["Groups", *(f"  {g.number:<5} rings {', '.join(g.members)}" for g in config.groups)]
    if config.services:
        lines += ["Numbers", *(f"  {s.number:<5} {s.kind}: {describe_service(s)}" for s in config.services)]
    return [*lines, "Ctrl-C ends it."]
