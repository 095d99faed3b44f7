"""The picture of preference design: the prompt, the answer so far, what people and the reward model say of it."""

from __future__ import annotations

from typing import NamedTuple

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.preference_design.answers import WORDS, words_of
from stackelberg_envs.envs.preference_design.preferences import Recorded, sigmoid
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GOAL,
    GRID,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TARGET,
    WHITE,
    Canvas,
    Colour,
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["COLOURS", "judged", "preference_design"]

#: Of each word.
COLOURS: tuple[Colour, ...] = (FOLLOWER, GOAL, (190, 80, 150), MUTED)
HEIGHT, PANEL = 430, 276
CARD, GAP, CARDS_TOP = 104, 10, 164
BARS_TOP, BAR = 108, 66
GAUGES_TOP, GAUGE = 268, 16


class _Scene(NamedTuple):
    """One moment in words."""

    prompt: str
    node: int
    is_sent: bool
    longest: int


def _scene(frame: Frame) -> _Scene:
    sent = len(frame.game.facts["preferences"].class_of)
    shown = [states[0] for states in (*frame.trail, frame.states) if states and states[0] not in (None, sent)]
    prompt = "" if frame.context is None else frame.game.facts["prompts"][frame.context]
    is_sent = bool(frame.states) and frame.states[0] == sent
    return _Scene(prompt, int(shown[-1]) if shown else 0, is_sent, frame.game.facts["longest"])


def judged(found: Recorded, prompt: int, node: int, x: Array) -> tuple[float, float]:
    """Return how often people, and the reward model, prefer an answer to a recorded one; both in [0, 1]."""
    kind = found.class_of[node]
    gaps = (found.counts[kind] - found.counts) @ x
    return float(found.preferred[prompt, kind] @ found.share), float(sigmoid(gaps) @ found.share)


def _pixels(frame: Frame) -> Pixels:
    scene = _scene(frame)
    left = 2 * MARGIN + max(4, scene.longest) * (CARD + GAP)
    canvas = titled(frame, HEIGHT, left + PANEL)
    _draw_talk(canvas, scene)
    _draw_gauges(canvas, frame, scene, left - MARGIN - GAP)
    _draw_model(canvas, frame, left + 2 * MARGIN)
    return canvas.finish()


def _draw_talk(canvas: Canvas, scene: _Scene) -> None:
    """Draw the prompt as a bubble, and under it the answer, a card for each word and an outline for each free place."""
    canvas.rectangle(76, MARGIN, 42, 300, blend(WHITE, FOLLOWER, 0.14))
    canvas.polygon([(118, MARGIN + 20), (118, MARGIN + 44), (130, MARGIN + 20)], blend(WHITE, FOLLOWER, 0.14))
    canvas.text(90, MARGIN + 14, f"user: {scene.prompt or 'has not asked yet'}")
    canvas.text(CARDS_TOP - 22, MARGIN, "the assistant's answer" + (", sent" if scene.is_sent else ""), MUTED, SMALL)
    words = words_of(scene.node)
    for place in range(scene.longest):
        left = MARGIN + place * (CARD + GAP)
        if place >= len(words):
            canvas.frame(CARDS_TOP, left, 50, CARD, GRID, 1.5)
            continue
        word = words[place]
        canvas.rectangle(CARDS_TOP, left, 50, CARD, COLOURS[word])
        canvas.text(CARDS_TOP + 19, left + CARD / 2, WORDS[word], WHITE, anchor="middle")


def _draw_gauges(canvas: Canvas, frame: Frame, scene: _Scene, width: float) -> None:
    """Draw how often the answer is preferred to a recorded one: by people, and as the reward model has it."""
    canvas.text(GAUGES_TOP - 30, MARGIN, "preferred to a recorded answer")
    shares: tuple[float | None, float | None] = (None, None)
    if scene.node and frame.x is not None and frame.context is not None:
        shares = judged(frame.game.facts["preferences"], frame.context, scene.node, frame.x)
    lines = (("by people", TARGET), ("as the reward model, which is the leader, expects", STRONGEST))
    for row, ((label, colour), share) in enumerate(zip(lines, shares, strict=True)):
        top = GAUGES_TOP + 62 * row
        canvas.text(top, MARGIN, label + ("" if share is None else f": {100 * share:.0f} %"), MUTED, SMALL)
        canvas.rectangle(top + 18, MARGIN, GAUGE, width, blend(WHITE, MUTED, 0.15))
        canvas.rectangle(top + 18, MARGIN, GAUGE, width * (share or 0.0), colour)
        canvas.line((top + 14, MARGIN + width / 2), (top + 22 + GAUGE, MARGIN + width / 2), 1.5, INK)
    canvas.text(GAUGES_TOP + 62 + 42, MARGIN + width / 2, "50 %", MUTED, SMALL, "middle")
    canvas.text(HEIGHT - 24, MARGIN, "the leader is paid for how well it expects what people say", MUTED, SMALL)


def _draw_model(canvas: Canvas, frame: Frame, left: float) -> None:
    """Draw the weight of each word: what the assistant is paid for saying it."""
    bound, half = float(frame.game.commitment.high[0]), 96.0
    canvas.text(80, left, "reward model: paid per word")
    for d, word in enumerate(WORDS):
        top, zero = BARS_TOP + d * BAR, left + half
        canvas.text(top, left, word, COLOURS[d])
        canvas.rectangle(top + 22, left, 18, 2 * half, blend(WHITE, MUTED, 0.15))
        if frame.x is not None:
            length = half * float(frame.x[d]) / bound
            canvas.rectangle(top + 22, zero + min(length, 0.0), 18, abs(length), COLOURS[d])
            canvas.text(top, left + 2 * half, f"{frame.x[d]:+.2f}", anchor="right")
        canvas.line((top + 19, zero), (top + 43, zero), 1.5, INK)
    end = BARS_TOP + len(WORDS) * BAR
    ends = (left, -bound, "left"), (left + half, 0.0, "middle"), (left + 2 * half, bound, "right")
    for place, number, anchor in ends:
        canvas.text(end - 14, place, f"{number:+g}" if number else "0", MUTED, SMALL, anchor)


def _text(frame: Frame) -> str:
    """Return prompt, answer, what is said of it, and the reward model, a line each."""
    scene = _scene(frame)
    answer = " ".join(WORDS[word] for word in words_of(scene.node)) or "nothing yet"
    lines = [frame.headline, returns_line(frame), f"prompt: {scene.prompt or 'none yet'}"]
    lines.append(f"answer: {answer}" + (" (sent)" if scene.is_sent else ""))
    if frame.x is None:
        return "\n".join([*lines, "reward model: not announced yet"])
    if scene.node and frame.context is not None:
        people, model = judged(frame.game.facts["preferences"], frame.context, scene.node, frame.x)
        lines.append(f"preferred to a recorded answer: by people {people:.3f}, by the reward model {model:.3f}")
    told = ", ".join(f"{word} {weight:+.3f}" for word, weight in zip(WORDS, frame.x, strict=True))
    return "\n".join([*lines, f"reward model: {told}"])


#: Preference design for a person: what was asked, what is answered, and who likes it how much.
preference_design = Renderer(_pixels, _text)
