from __future__ import annotations

import pytest

from vodiabot.protocol.dialects import (
    Dialect,
    from_server_header,
    resolve,
    resume_with_offer,
    role_of,
    role_while_offering,
)

CLASSIC, MODERN = Dialect.CLASSIC, Dialect.MODERN


@pytest.mark.parametrize(
    ("header", "dialect"),
    [
        ("Vodia-PBX/67.0", CLASSIC),
        ("Vodia-PBX/67", CLASSIC),
        ("Vodia-PBX/68.0.30", CLASSIC),
        ("vodia-pbx/5.5", CLASSIC),
        ("Vodia-PBX/69.5.3", MODERN),
        ("Vodia-PBX/70.1", MODERN),
        ("Vodia-PBX/100", MODERN),
        ("nginx", None),
        ("nginx/1.25 Vodia-PBX/70.1", MODERN),
        ("Vodia-PBX", None),
        ("Vodia-PBX/", None),
        ("Vodia-PBX/x69", None),
        ("Vodia-PBX/69x", None),
        ("Apache/70.1", None),
        ("", None),
        (None, None),
    ],
)
def test_the_version_tells_the_dialect(header: str | None, dialect: Dialect | None) -> None:
    assert from_server_header(header) is dialect


@pytest.mark.parametrize(
    ("setting", "header", "remembered", "dialect"),
    [
        ("classic", "Vodia-PBX/70.1", MODERN, CLASSIC),
        ("modern", "Vodia-PBX/67.0", CLASSIC, MODERN),
        ("auto", "Vodia-PBX/70.1", CLASSIC, MODERN),
        ("auto", "Vodia-PBX/67.0", None, CLASSIC),
        ("auto", None, CLASSIC, CLASSIC),
        ("auto", "nginx", MODERN, MODERN),
        ("auto", None, None, None),
    ],
)
def test_setting_then_version_then_memory(
    setting: str, header: str | None, remembered: Dialect | None, dialect: Dialect | None
) -> None:
    assert resolve(setting, header, remembered) is dialect


def sdp(setup: str) -> str:
    return "v=0\r\n" + (f"a=setup:{setup}\r\n" if setup else "")


@pytest.mark.parametrize(
    ("dialect", "setup", "label", "role"),
    [
        (CLASSIC, "actpass", "", "answer"),
        (CLASSIC, "actpass", "offer", "answer"),
        (CLASSIC, "passive", "", "answer"),
        (CLASSIC, "", "", "answer"),
        (MODERN, "actpass", "", "offer"),
        (MODERN, "actpass", "answer", "offer"),
        (MODERN, "", "", "offer"),
        (MODERN, "", "answer", "answer"),
        (MODERN, "active", "", "answer"),
        (None, "active", "", "answer"),
        (None, "passive", "offer", "answer"),
        (None, "actpass", "", "offer"),
        (None, "", "", "answer"),
        (None, "", "offer", "offer"),
    ],
)
def test_answer_or_offer_after_our_sdp_packet(
    dialect: Dialect | None, setup: str, label: str, role: str
) -> None:
    assert role_of(sdp(setup), dialect, label) == role


@pytest.mark.parametrize(
    ("dialect", "setup", "label", "code", "same", "role"),
    [
        (CLASSIC, "passive", "", None, True, "answer"),
        (MODERN, "active", "", None, True, "answer"),
        (CLASSIC, "actpass", "offer", 200, False, "offer"),
        (MODERN, "actpass", "answer", None, False, "answer"),
        (MODERN, "actpass", "", 200, False, "offer"),
        (CLASSIC, "actpass", "", 200, True, "answer"),
        (CLASSIC, "actpass", "", None, True, "offer"),
        (CLASSIC, "actpass", "", None, False, "answer"),
        (None, "actpass", "", None, False, "answer"),
    ],
)
def test_answer_or_offer_while_ours_is_out(
    dialect: Dialect | None, setup: str, label: str, code: int | None, same: bool, role: str
) -> None:
    assert role_while_offering(sdp(setup), dialect, label, code=code, same_transport=same) == role


def test_which_way_a_resume_goes() -> None:
    assert resume_with_offer(CLASSIC)
    assert resume_with_offer(None)
    assert not resume_with_offer(MODERN)


def test_the_other_dialect() -> None:
    assert CLASSIC.other is MODERN
    assert MODERN.other is CLASSIC
