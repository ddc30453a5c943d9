"""What waits for a plugin: in order, bounded; state coalesces, calls are never lost."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot import events
from vodiabot.plugins.mailbox import BEHIND, Mailbox, Post


def account(number: str, *changed: str, **fields: Any) -> Post:
    state = events.Account(account=number, **fields)
    event = events.AccountChanged(account=state, changed=changed or ("dnd",))
    return Post("account_changed", {"account": state, "event": event})


def domain_call(id_: str, state: str, *changed: str) -> Post:
    info = events.DomainCallInfo(id=id_, state=state)
    event = events.DomainCallChanged(call=info, changed=changed or ("state",))
    return Post("domain_call_changed", {"domain_call": info, "event": event})


def domain_call_over(id_: str) -> Post:
    info = events.DomainCallInfo(id=id_, state="connected")
    return Post("domain_call_ended", {"domain_call": info, "event": events.DomainCallEnded(call=info)})


def call(call_id: str) -> Post:
    return Post("call_ended", {"event": events.CallEnded(call_id=call_id, reason="hangup")})


async def emptied(mailbox: Mailbox) -> list[Post]:
    return [await mailbox.take() for _ in range(len(mailbox))]


async def test_a_plugin_that_keeps_up_hears_every_step() -> None:
    mailbox = Mailbox()
    for state in ("alerting", "ringing", "connected"):
        assert mailbox.put(domain_call("1", state))
    assert [post.arguments["domain_call"].state for post in await emptied(mailbox)] == [
        "alerting",
        "ringing",
        "connected",
    ]
    assert mailbox.coalesced == 0


async def test_of_a_plugin_that_is_behind_the_newest_state_takes_the_place_of_the_older() -> None:
    mailbox = Mailbox(behind=3)
    for post in (account("40", "dnd", dnd=True), call("a"), account("41"), call("b")):
        mailbox.put(post)
    mailbox.put(account("40", "registered", registered=True))
    mailbox.put(account("40", "name", name="Ann"))
    posts = await emptied(mailbox)
    assert [p.arguments["event"].call_id if p.hook == "call_ended" else "account" for p in posts] == [
        "account",
        "a",
        "account",
        "b",
    ]
    newest = posts[0].arguments
    assert newest["account"] is newest["event"].account
    assert newest["account"].name == "Ann"
    assert newest["event"].changed == ("dnd", "registered", "name"), "what it was never told is not forgotten"
    assert mailbox.coalesced == 2


async def test_a_new_account_stays_new_and_one_that_is_gone_is_gone() -> None:
    mailbox = Mailbox(behind=0)
    mailbox.put(account("40", "added"))
    mailbox.put(account("40", "dnd"))
    mailbox.put(account("41", "dnd"))
    mailbox.put(account("41", "removed"))
    assert [post.arguments["event"].changed for post in await emptied(mailbox)] == [("added",), ("removed",)]


async def test_a_call_with_the_id_of_one_that_is_over_is_another_call() -> None:
    mailbox = Mailbox(behind=0)
    for post in (domain_call("1", "connected"), domain_call_over("1"), domain_call("1", "alerting", "added")):
        mailbox.put(post)
    mailbox.put(domain_call("1", "ringing"))
    posts = await emptied(mailbox)
    assert [(p.hook, p.arguments["domain_call"].state) for p in posts] == [
        ("domain_call_changed", "connected"),
        ("domain_call_ended", "connected"),
        ("domain_call_changed", "ringing"),
    ]


async def test_what_was_taken_out_is_not_replaced_any_more() -> None:
    mailbox = Mailbox(behind=0)
    mailbox.put(account("40", "dnd", dnd=True))
    taken = await mailbox.take()
    mailbox.put(account("40", "dnd", dnd=False))
    assert taken.arguments["account"].dnd
    assert len(mailbox) == 1


async def test_who_waits_for_his_own_post_gets_it() -> None:
    mailbox = Mailbox(behind=0)
    waits = account("40", "dnd")
    waits.done = trio.Event()
    mailbox.put(waits)
    mailbox.put(account("40", "name"))
    assert len(mailbox) == 2


posts = st.one_of(
    st.builds(account, st.sampled_from("45"), st.sampled_from(["dnd", "name"])),
    st.builds(domain_call, st.sampled_from("12"), st.sampled_from(["ringing", "connected"])),
    st.builds(domain_call_over, st.sampled_from("12")),
    st.builds(call, st.uuids().map(str)),
    st.just("frame").map(
        lambda text: Post("frame_received", {"frame": events.FrameReceived(extension="45", text=text)})
    ),
)


@settings(max_examples=200)
@given(st.lists(st.one_of(posts, st.none()), max_size=60), st.integers(1, 8), st.integers(0, 10))
def test_whatever_comes_calls_are_whole_and_in_order_and_the_newest_state_is_told(
    script: list[Post | None], size: int, behind: int
) -> None:
    """None: the plugin takes one out."""
    put: list[Post] = []
    got: list[Post] = []
    refused: list[Post] = []
    mailbox = Mailbox(size=size, behind=behind)

    async def play() -> None:
        for step in script:
            if step is not None:
                (put if mailbox.put(step) else refused).append(step)
            elif len(mailbox):
                got.append(await mailbox.take())
            assert len(mailbox) <= size
        got.extend(await emptied(mailbox))

    trio.run(play)
    firm = {"call_ended", "domain_call_ended"}
    assert [p for p in got if p.hook in firm] == [p for p in put if p.hook in firm]
    assert all(p.hook in firm for p in refused), "state is never a reason for quarantine"
    if not mailbox.skipped:
        assert _last_of_each(got) == _last_of_each(put)


def _last_of_each(told: list[Post]) -> dict[Any, Any]:
    last: dict[Any, Any] = {}
    for post in told:
        event = post.arguments.get("event")
        if post.hook == "account_changed":
            last[event.account.account] = event.account
        elif post.hook.startswith("domain_call"):
            last[event.call.id] = (post.hook, event.call)
    return last


def test_being_behind_is_more_than_a_moments_worth() -> None:
    assert BEHIND >= 10
