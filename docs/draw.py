"""Draws the figures of the pages that are generated: ``python docs/draw.py [NAME ...]``, all of them without a name.

The package has a sign. An environment has a film, in which the follower that it suggests answers the best known
commitment, and a figure of what leaders reach on it; a leader has a figure of what it reaches where. The numbers are
those of the leaderboard's archives. Figures of runs and of measurements have commands of their own: the table is in
docs/explanation/testing.md.
"""

import io
import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from results import environments, leaders, loses, losses, of_environment, of_leader

import stackelberg_envs as se
from agents import follower_names
from agents.pictures.episodes import episode, named_commitment
from agents.pictures.figures import LEARNED, MUTED, new_figure
from agents.runs.files import write_atomically
from stackelberg_envs.pictures.canvas import FOLLOWER, GRID, STRONGEST, WHITE, Canvas
from stackelberg_envs.pictures.film import encoded

DOCS = Path(__file__).parent
FIGURES = DOCS / "figures"
#: Steps of a film: as many as fit into so many bytes.
STEPS, MOST_BYTES = (100, 60, 40, 24, 12, 6), 300_000
FPS = 8
#: Scores below are drawn at the border, and said to be so.
LOWEST = -0.25


# --- films -----------------------------------------------------------------------------------------------


def pictures(spec_id, steps):
    """Return the pictures of an environment's film, that many steps of it."""
    entry = se.spec(spec_id)
    game = entry.make()
    return episode(game, named_commitment(game), steps=steps, renderer=entry.renderer)


def film(spec_id):
    """Return the film of an environment."""
    shown = pictures(spec_id, STEPS[0])
    made = (encoded(shown[: steps + 2], ".gif", FPS) for steps in STEPS)
    return next(data for data in made if len(data) <= MOST_BYTES)


def two_roads():
    """Return the film of the tutorial on environments."""
    game = runpy.run_path(str(DOCS / "recipes" / "two_roads.py"))["make_game"]()
    toll = se.best_commitment(game).commitment
    shown = [picture for seed in range(3) for picture in episode(game, toll, steps=4, seed=seed)[1:]]
    return encoded(shown, ".gif", 2)


# --- results ---------------------------------------------------------------------------------------------


def chart(panels):
    """Return a figure: in each panel a line per row, on which each seed is a dot and their median a bar."""
    panels = ranked(panels)
    longest = max(len(rows) for rows in panels.values())
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure = new_figure((7.2, lines * (0.9 + 0.21 * longest)))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, rows) in zip(grid.ravel(), panels.items(), strict=False):
        draw_panel(axes, title, rows)
    return figure


def ranked(panels):
    """Return the panels with the same rows in the same order, those with the best medians on top; tasks keep theirs."""
    names = dict.fromkeys(name for rows in panels.values() for name in rows)
    if len(panels) > 1 or "" not in panels:
        worth = {name: np.mean([np.median(rows[name]) for rows in panels.values() if name in rows]) for name in names}
        names = sorted(names, key=lambda name: -worth[name])
    return {title: {name: rows.get(name, []) for name in names} for title, rows in panels.items()}


def draw_panel(axes, title, rows):
    """Draw one task, or one leader."""
    for line, scores in enumerate(rows.values()):
        seen = np.maximum(np.array(scores), LOWEST)
        axes.plot(seen, np.full(len(seen), line), "o", color=LEARNED, alpha=0.35, markersize=5, markeredgewidth=0)
        if len(seen):
            axes.plot([np.median(seen)] * 2, [line - 0.33, line + 0.33], color="black", linewidth=2)
    for place, label in ((0.0, "start"), (1.0, "best known")):
        axes.axvline(place, color=MUTED, linewidth=1, linestyle="--", zorder=0)
        axes.text(place, -0.75, label, color=MUTED, fontsize=8, ha="center", va="bottom")
    axes.set(xlim=(LOWEST - 0.06, 1.12), ylim=(len(rows) - 0.4, -0.7))
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, fontsize=9, loc="left", pad=14)


def losses_chart(name):
    """Return a figure of what a follower loses after each announcement of one commitment, a line per seed."""
    found = losses(name)
    figure = new_figure((7.2, 2.6))
    axes = figure.add_subplot()
    steps = np.arange(1, found.shape[1] + 1)
    axes.plot(steps, found.T, color=LEARNED, linewidth=0.8, alpha=0.4)
    axes.plot(steps, np.median(found, axis=0), color="black", linewidth=2, label=f"median of {len(found)} seeds")
    axes.set_xlabel("announcements of the same commitment", fontsize=8)
    axes.set_ylabel("loss, reward units", fontsize=8)
    axes.set_ylim(bottom=0.0)
    axes.tick_params(labelsize=8)
    axes.grid(color="#E4E4E4", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def png(figure):
    """Return a figure as the bytes of a file, the same bytes for the same figure."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    return file.getvalue()


# --- logo ------------------------------------------------------------------------------------------------


def logo():
    """Return the sign of the package: what the leader announces, around a follower."""
    canvas = Canvas(96, 96)
    canvas.rectangle(0, 0, 96, 96, WHITE)
    canvas.ring((48, 48), 44, [0.7, 0.3], [STRONGEST, GRID])
    canvas.disc((48, 48), 30, WHITE)
    canvas.disc((48, 48), 22, FOLLOWER)
    pixels = canvas.finish()
    # White is left out, for pages with a dark ground.
    seen = np.where((pixels == 255).all(axis=2), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.dstack([pixels, seen])).save(file, format="PNG", optimize=True)
    return file.getvalue()


# --- all of them -----------------------------------------------------------------------------------------


def figures():
    """Return path -> function that returns the bytes of the file."""
    found = {FIGURES / "logo.png": logo, FIGURES / "two_roads.gif": two_roads}
    for name, spec_id in environments().items():
        found[FIGURES / "environments" / f"{name}.gif"] = lambda spec_id=spec_id: film(spec_id)
        if told := of_environment(spec_id):
            found[FIGURES / "environments" / f"{name}.png"] = lambda told=told: png(chart(told))
    for name in leaders():
        found[FIGURES / "leaders" / f"{name}.png"] = lambda name=name: png(chart({"": of_leader(name)}))
    for name in filter(loses, follower_names()):
        found[FIGURES / "followers" / f"{name}.png"] = lambda name=name: png(losses_chart(name))
    return found


def main(names):
    """Draw the figures with these names, or all."""
    for path, draw in figures().items():
        if not names or path.stem in names:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, draw())
            sys.stdout.write(f"drawn: {path.relative_to(DOCS)}, {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
