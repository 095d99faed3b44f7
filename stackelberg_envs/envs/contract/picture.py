"""The picture of a contract: the tree of outcomes, what each success pays, and what the agent did."""

from __future__ import annotations

from stackelberg_envs.envs.contract.tree import answers
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GRID,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TARGET,
    WALL,
    WHITE,
    Canvas,
    Frame,
    Pixels,
    Point,
    Renderer,
    blend,
    returns_line,
    titled,
)
from stackelberg_envs.pictures.gauges import commitment_line

__all__ = ["contract"]

HEIGHT, WIDTH = 460, 760
#: Where the tree is drawn, and where the efforts are listed.
TOP, LEFT, TALL, WIDE, LIST = 96.0, 40.0, 270.0, 400.0, 510.0
#: Stages up to which there is room for words in the tree.
MOST_TOLD = 3
#: And for a line of all bonuses.
MOST_NAMED = 2
#: Radius of a node: the largest, and as a part of the room between ends.
LARGEST, PART = 15.0, 0.35
#: Efforts that are listed.
MOST_EFFORTS = 8


def _places(stages: int) -> list[Point]:
    """Return where nodes stand, level by level from the left."""
    return [
        (TOP + TALL * (index + 0.5) / 2**level, LEFT + WIDE * level / stages)
        for level in range(stages + 1)
        for index in range(2**level)
    ]


def _pixels(frame: Frame) -> Pixels:
    facts = frame.game.facts
    canvas, places = titled(frame, HEIGHT, WIDTH), _places(facts["num_stages"])
    here = 0 if frame.states[0] is None else int(frame.states[0])
    path = {here}
    while min(path) > 0:
        path.add((min(path) - 1) // 2)
    for node in range(1, len(places)):
        start, end = places[(node - 1) // 2], places[node]
        colour = TARGET if node % 2 else MUTED
        gone = node in path
        canvas.line(start, end, 5 if gone else 1.5, colour if gone else blend(WHITE, colour, 0.5))
    _draw_nodes(canvas, frame, places, here)
    _list_efforts(canvas, frame)
    key = "up, green: success; down, grey: failure; orange: what success pays; in nodes: the best effort"
    canvas.text(HEIGHT - 64, MARGIN, key, MUTED, SMALL)
    if facts["num_stages"] <= MOST_NAMED:
        canvas.text(HEIGHT - 36, MARGIN, commitment_line(frame), INK, SMALL)
    return canvas.finish()


def _draw_nodes(canvas: Canvas, frame: Frame, places: list[Point], here: int) -> None:
    facts, stages = frame.game.facts, frame.game.facts["num_stages"]
    radius = min(LARGEST, PART * TALL / 2**stages)
    best = None if frame.x is None else answers(frame.x, facts["success"], facts["cost"])[0]
    working = len(places) // 2
    for node, place in enumerate(places):
        colour = FOLLOWER if node == here and frame.x is not None else WALL if node < working else GRID
        canvas.disc(place, radius, colour)
        if best is not None and node < working and stages <= MOST_TOLD:
            canvas.text(place[0] - 6, place[1], str(best[node]), WHITE, SMALL, "middle")
        if frame.x is not None and node % 2 and stages <= MOST_TOLD:
            told = f"{frame.x[(node - 1) // 2]:.3g}"
            if node < working:
                canvas.text(place[0] - radius - 13, place[1], told, STRONGEST, SMALL, "middle")
            else:
                canvas.text(place[0] - 5, place[1] + radius + 5, told, STRONGEST, SMALL)


def _list_efforts(canvas: Canvas, frame: Frame) -> None:
    """List how likely each effort succeeds and what it costs; the last one chosen is framed."""
    facts = frame.game.facts
    canvas.text(TOP, LIST, "effort", MUTED, SMALL)
    canvas.text(TOP, LIST + 60, "succeeds", MUTED, SMALL)
    canvas.text(TOP, LIST + 180, "costs", MUTED, SMALL)
    record = frame.records[0]
    chosen = (
        record["follower_action"] if record["played"] and record["state"] < len(frame.game.commitment.low) else None
    )
    rows = zip(facts["success"][:MOST_EFFORTS], facts["cost"], strict=False)
    for effort, (success, cost) in enumerate(rows):
        top = TOP + 26 + 28 * effort
        canvas.rectangle(top - 2, LIST + 60, 16, 70, GRID)
        canvas.rectangle(top - 2, LIST + 60, 16, 70 * float(success), TARGET)
        canvas.text(top, LIST + 10, str(effort), INK, SMALL)
        canvas.text(top, LIST + 138, f"{success:.0%}", INK, SMALL)
        canvas.text(top, LIST + 180, f"{cost:.3g}", INK, SMALL)
        if effort == chosen:
            canvas.frame(top - 7, LIST - 2, 26, 232, FOLLOWER, 2)


def _text(frame: Frame) -> str:
    """Return the contract, what has happened, and the effort."""
    facts, record = frame.game.facts, frame.records[0]
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame), commitment_line(frame)]
    if frame.x is None:
        return "\n".join(lines)
    best, worth = answers(frame.x, facts["success"], facts["cost"])
    lines.append(f"the job is worth {worth[0]:+.4g} to an agent without errors, who begins with effort {best[0]}")
    if frame.states[0] is not None:
        lines.append(f"history: {facts['states'][int(frame.states[0])]}")
    if record["played"] and record["state"] < len(best):
        lines.append(f"effort {record['follower_action']} at {facts['states'][record['state']]}")
    return "\n".join(lines)


#: A contract for a person: the tree, the bonuses, the efforts.
contract = Renderer(_pixels, _text)
