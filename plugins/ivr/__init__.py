"""A telephone menu: keys lead to people, announcements and other menus; 0, or no key at all, to the operator."""

from dataclasses import dataclass, field

from vodiabot import Bot, Call, NotAllowed, SoundFile, SpokenText, Text, TransferFailed, hookimpl

CAPABILITIES = {"answer", "transfer"}


@dataclass
class Sound:
    play: SoundFile | None = None
    """A sound file, relative to bot.toml."""
    say: SpokenText = ""
    """A text to be spoken, where there is no file."""

    def __post_init__(self) -> None:
        self.sounds = [self.play] if self.play else [Text(self.say)] if self.say else []


@dataclass
class Choice(Sound):
    to: str = ""
    """The number to which the caller is transferred, after the sound if there is one."""
    menu: str = ""
    """The menu that comes next; without it, and without `to`, the same again."""


@dataclass
class Menu(Sound):
    keys: dict[str, Choice] = field(default_factory=dict)
    """What each key does; also keys in a row, such as "12"."""


@dataclass
class Config:
    menus: dict[str, Menu]
    """`[plugin.ivr.menus.NAME]`, with its keys; a call begins with `main`."""
    greeting: Sound = field(default_factory=Sound)
    """Before the first menu."""
    sorry: Sound = field(default_factory=Sound)
    """Before a menu is played again: after a wrong key, after none, and if nobody can be reached."""
    operator: str = ""
    """Who gets those who press 0, or nothing. Without one, who presses nothing is hung up on in the end."""
    timeout: float = 5.0
    """Seconds to press a key, from the end of the menu on."""
    retries: int = 2
    """How often a menu is played again to those who press nothing, or a wrong key."""

    def __post_init__(self) -> None:
        wrong = []
        for name, menu in {"main": Menu(), **self.menus}.items():
            if not menu.keys or not all(keys and set(keys) <= set("0123456789*#") for keys in menu.keys):
                wrong.append(ValueError(f"menus.{name}: it needs keys, and those of a telephone: 0 to 9, * and #"))
            if missing := {choice.menu for choice in menu.keys.values()} - {"", *self.menus}:
                wrong.append(ValueError(f"menus.{name}: there is no menu {' or '.join(sorted(missing))}"))
        if wrong:
            raise ExceptionGroup("menus", wrong)


@hookimpl
async def answer_call(call: Call, bot: Bot, config: Config) -> None:
    await call.answer()
    before, menu, operator = config.greeting.sounds, config.menus["main"], Choice(to=config.operator)
    for _ in range(30):  # a line that nobody listens on must not stay up for ever
        keys = {"0": operator, **menu.keys} if config.operator else menu.keys
        prompts = {"prompt": [*before, *menu.sounds], "retry_prompt": [*config.sorry.sounds, *menu.sounds]}
        pressed = await call.gather(allowed=set(keys), timeout=config.timeout, retries=config.retries, **prompts)
        choice = keys.get(pressed, operator)
        before, menu = choice.sounds, config.menus.get(choice.menu, menu)
        if choice is operator and not config.operator:
            break
        if choice.to:
            try:
                await call.play(before)
                await call.transfer(choice.to)  # the call is then over: what comes next raises CallEnded, a normal end
            except (TransferFailed, NotAllowed) as exc:
                bot.log.warning("a caller could not be transferred", to=choice.to, why=str(exc))
                before = config.sorry.sounds
