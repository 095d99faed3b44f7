"""Write the pages of leaders, followers and environments from their docstrings: ``python docs/generate.py``.

A page begins with what the source says: the docstring, the options with their defaults, the sizes of the game. Below
the mark END whatever is written by hand stays. A test fails where a page is not up to date.
"""

import importlib
import inspect
import re
import sys
import textwrap
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path

import results

import agents
import stackelberg_envs as se
from agents.followers import FOLLOWERS
from agents.leaders import LEADERS
from stackelberg_envs.docstrings import meanings_of
from stackelberg_envs.faces.ids import env_modules, id_of
from stackelberg_envs.validation import hints_of, words_for

REFERENCE = Path(__file__).parent / "reference"
START = "<!-- Written by docs/generate.py from the source named below; change it there. -->"
END = "<!-- End of what docs/generate.py writes; what follows is written by hand. -->"
#: Kinds of games, as a reader knows them.
GAMES = {
    "tabular": "tables",
    "vector": "vectors",
    "environment": "wrapped environments",
    "markov": "interacting followers",
}

#: Games that players are shown on, where that is neither the discrete toy nor the linear-quadratic game.
SHOWN_ON = {"soft_dqn": "TaxDesign", "tax_grid": "TaxDesign", "grid_value_iteration": "GuidedCartPole"}
SHOWN_ON["logit_equilibrium"] = "TollRouting"
#: Arguments of that game, where players are found on it with these only.
SHOWN_WITH = {"logit_equilibrium": " --set commuters=3"}
SCORE = (
    "A score is the share of the way from the start, 0, to the best known value, 1. "
    "[What was counted](../../explanation/benchmark-statistics.md)."
)
UNTUNED = "Without any option ([how](../../explanation/without-tuning.md)):"
AGAINST_SAC = (
    "Against `sac`, which goes on learning between the leader's updates, the leader's discounted return after 48,000 "
    "observed steps, with options that were chosen for the task, from a start that is worth about 8 "
    "([how](../measurements.md#games-of-vectors)):"
)

#: A line of a version history.
VERSION = re.compile(r"^v\d+: ", re.MULTILINE)
#: A page named in a docstring, from the root of the repository.
PAGE = re.compile(r"\bdocs/((?:[\w-]+/)*)([\w-]+)\.md\b")
ROLE = re.compile(r":(?:py:)?(?:func|class|meth|mod|data|attr):`~?([^`]+)`")
MATHS = re.compile(r":math:`([^`]+)`")
DISPLAY = re.compile(r"^\.\. math::[ ]*(?P<first>[^\n]*)\n(?P<text>(?:(?:[ ]{4}[^\n]*)?\n)*)", re.MULTILINE)
HEADING = re.compile(r"^(?P<heading>[A-Z][^\n|]*)\n(?P<text>(?: {4}[^\n]*\n?|\n(?= {4}))+)", re.MULTILINE)
ROW = re.compile(r"^\|(?P<name>[^|\n]+[^|\s-][^|\n]*)\|(?P<text>[^\n]+)\|$", re.MULTILINE)
SECTION = re.compile(r"^(?P<name>[A-Z]\w+)\n-{3,}\n(?P<text>.*?)(?=^[A-Z]\w+\n-{3,}$|\Z)", re.MULTILINE | re.DOTALL)


# --- docstrings ------------------------------------------------------------------------------------------


def markdown(text):
    """Return reStructuredText, as docstrings have it, as Markdown that reads well without Sphinx, too."""

    def display(match):
        lines = textwrap.dedent("\n".join([match["first"], textwrap.dedent(match["text"])])).strip()
        return f"$$\n{lines}\n$$\n\n"

    text = DISPLAY.sub(display, text.strip() + "\n").strip()
    text = MATHS.sub(r"$\1$", ROLE.sub(r"`\1`", text))
    return PAGE.sub(lambda match: f"[{match[2]}](../../{match[1]}{match[2]}.md)", text.replace("``", "`"))


def told(thing):
    """Return a docstring up to its first section, as Markdown."""
    return markdown(SECTION.sub("", inspect.getdoc(thing) or ""))


def cell(text):
    """Return text for one cell of a table."""
    return markdown(" ".join(text.split())).replace("|", r"\|")


def shown(value):
    """Return a default as one types it."""
    if inspect.isfunction(value) or inspect.isclass(value):
        return f"`{value.__name__}`"
    text = repr(value.tolist() if hasattr(value, "tolist") else value)
    return f"`{text}`" if len(text) <= 60 else "see the source"


# --- players ---------------------------------------------------------------------------------------------


def options_table(config):
    """Return the options of a leader or follower as a table."""
    texts, hints = meanings_of(config), hints_of(config)
    rows = ["| option | default | takes | meaning |", "| --- | --- | --- | --- |"]
    for item in fields(config):
        factory = item.default_factory
        default = item.default if factory is MISSING else factory()
        takes = words_for(hints[item.name]).replace("'", '"').replace("|", r"\|")
        said = "required" if default is MISSING else shown(default)
        rows.append(f"| `{item.name}` | {said} | {takes} | {cell(texts.get(item.name, ''))} |")
    return "\n".join(rows) if len(rows) > 2 else "It has no options."


@cache
def kinds_and_commitments():
    """Return the kind and the commitment of each of this package's games."""
    made = [se.make_game(name) for name in se.registered_ids() if name.startswith("stackelberg/")]
    # Interacting followers have no id of their own.
    made.append(se.make_game("stackelberg/TollRouting-v0", commuters=2))
    return [(game.kind, game.commitment) for game in made]


def levels_of(kind):
    """Return the levels of information a leader needs, over all commitments of this package's games."""
    on, config = [commitment for each, commitment in kinds_and_commitments() if each in kind.kinds], kind.Config()
    levels = {kind.information, *(kind.required_information(commitment, config) for commitment in on)}
    return " to ".join(f"`{level.name}`" for level in sorted(levels))


def classes_of(registry, name):
    """Return the classes registered under a name, each with the games it is for."""
    found = registry.named(name)
    return [(" and ".join(GAMES[word] for word in sorted(kind.kinds, reverse=True)), kind) for kind in found]


def player_page(registry, name):
    """Return the generated part of the page of a leader or follower: a section for each class of its name."""
    found = classes_of(registry, name)
    module = sys.modules[found[0][1].__module__]
    text = [f"# {name}", told(module), f"## Run it\n\n{running(registry, name)}"]
    for games, kind in found:
        if len(found) > 1:
            text.append(f"## On games of {games}")
        text.append(told(kind))
        rows = {"games of": games, "class": f"`{kind.__module__}.{kind.__qualname__}`"}
        if registry is LEADERS:
            rows = {"level of information": levels_of(kind), **rows}
            rows["learns from play under earlier commitments"] = "yes" if kind.off_policy else "no"
        text.append("\n".join(["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())]))
        level = "###" if len(found) > 1 else "##"
        text.append(f"{level} Options\n\n{options_table(kind.Config)}")
    text += leader_results(name) if registry is LEADERS else follower_results(name)
    return "\n\n".join(text)


def follower_results(name):
    """Return the section on what a follower loses, none where nothing is known."""
    if (words := results.told_losses(name)) is None:
        return []
    text = ["## How near it comes", words]
    if results.loses(name):
        text.append(f"![What {name} loses, after each announcement](../../figures/followers/{name}.png)")
    return text


def game_for(registry, name):
    """Return the id of a game to show a player on: small, and one that it takes."""
    ids = {results.name_of(spec_id): spec_id for spec_id in results.environments().values()}
    kinds = set().union(*(kind.kinds for kind in registry.named(name)))
    return ids[SHOWN_ON.get(name, "DiscreteToy" if "tabular" in kinds else "BilevelLqr")]


def running(registry, name):
    """Return code that runs a player, in a shell and, where it needs no extra and little time, in Python."""
    spec_id, role, extra = game_for(registry, name), registry.role, SHOWN_WITH.get(name, "")
    shell = f"```console\n$ stackelberg run {spec_id}{extra} --{role} {name} --output runs/{name}\n```"
    if registry is not LEADERS:
        return shell
    return f"""```python
import agents

record = agents.run("{spec_id}", leader="{name}", updates=10, steps_per_update=500)
print(f"J = {{record.leader_value:.2f}}, from {{record.start_value:.2f}}; best known {{record.best_known:.2f}}")
```

{shell}"""


# --- environments ----------------------------------------------------------------------------------------


def environment_page(module):
    """Return the page of an environment: film, spaces, code, what its docstring says, arguments, sizes and results."""
    made_in = importlib.import_module(f"stackelberg_envs.envs.{module}")
    spec_id = id_of(module)
    title, _, body = (inspect.getdoc(made_in) or "").partition("\n")
    title, _, summary = title.partition(":")
    body = HEADING.sub(lambda match: f"## {match['heading']}\n\n{inspect.cleandoc(match['text'])}\n\n", body + "\n")
    body = ROW.sub(lambda match: f"| {match['name'].strip()} | {cell(match['text'])} |", body)
    story, history = markdown(body).split("\n## Version history\n")
    summary = summary.strip()
    return "\n\n".join(
        [
            f"# {title}",
            f"{summary[:1].upper() + summary[1:] if summary else title}",
            environment_film(title, spec_id),
            f"Id `{spec_id}`, module `stackelberg_envs.{module}`.",
            spaces(module),
            f"## Make it and step it\n\n{stepping(module)}",
            f"## The story\n\n{story.strip()}",
            f"## Make the game\n\n{arguments(made_in)}",
            f"## In numbers\n\n{numbers(se.make_game(spec_id))}",
            *environment_results(spec_id),
            "## Version history\n\n" + VERSION.sub(r"* \g<0>", history.strip()),
        ]
    )


def file_of(spec_id):
    """Return the name of an environment's figures."""
    return next(name for name, found in results.environments().items() if found == spec_id)


def environment_film(title, spec_id):
    """Return the film, and how one makes it."""
    known = "best_commitment" in se.make_game(spec_id).facts
    told = "the best known commitment" if known else "the commitment that leaders start from"
    return (
        f"![{title}: an episode under {told}](../../figures/environments/{file_of(spec_id)}.gif)\n\n"
        f"An episode under {told}, played by the follower's best answer: `stackelberg render {spec_id}`."
    )


def spaces(module):
    """Return what a reader of PettingZoo's pages looks for first: import, agents, spaces, and how an episode goes."""
    env = getattr(se, module).parallel_env()
    env.reset(seed=0)
    leader, *followers = env.possible_agents
    layout = ", ".join(f"`{name}` {told_part(part)}" for name, part in env.observation_layout.items())
    rows = {
        "import": f"`from stackelberg_envs import {module}`",
        "agents": f"`{leader}`; {', '.join(f'`{name}`' for name in followers)}",
        "parallel, turn by turn": "`parallel_env()`, `env()`",
        f"action of `{leader}`": told_box(env.action_space(leader)),
        f"action of `{followers[0]}`": told_box(env.action_space(followers[0])),
        "observation of either": f"shape {env.observation_space(leader).shape}: {layout}",
        "an episode": f"one round in which `{leader}` commits, then up to {env.game.horizon} of play",
        "pictures": ", ".join(f"`{mode}`" for mode in env.metadata["render_modes"]),
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())])


def told_part(part):
    """Return which entries a slice takes."""
    return f"{part.start}" if part.stop == part.start + 1 else f"{part.start} to {part.stop - 1}"


def told_box(space):
    """Return a space by its kind, shape and bounds."""
    if not hasattr(space, "low"):
        return f"one of {told_space(space)}" if hasattr(space, "n") else f"{told_space(space)}, one of each"
    bounds = [f"{value:.4g}" for value in (space.low.min(), space.high.max())]
    return f"numbers of shape {space.shape}, from {bounds[0]} to {bounds[1]}"


def stepping(module):
    """Return code that makes an environment and plays an episode."""
    return f"""```python
from stackelberg_envs import {module}

env = {module}.parallel_env(render_mode="rgb_array")
observations, infos = env.reset(seed=42)
while env.agents:
    # The first round is the leader's commitment; in the others its action is ignored.
    actions = {{agent: env.action_space(agent).sample() for agent in env.agents}}
    observations, rewards, terminations, truncations, infos = env.step(actions)
picture = env.render()
env.close()
```

The [other interfaces](../interfaces.md) are made alike: `env()` in turns, `followers_env()` and `follower_env()` for
learners of a best response, `leader_env()` for black-box optimisers, `vector_env()` for many copies at once."""


def environment_results(spec_id):
    """Return the sections on what leaders reach, none where nothing was recorded."""
    text = ["## What leaders reach", SCORE]
    rows, panels = results.untuned_on(spec_id), results.of_environment(spec_id)
    if rows:
        text.append(f"{UNTUNED}\n\n{results.untuned_table(rows)}")
    if panels:
        steps, seeds = results.budget(next(iter(panels)))
        name = file_of(spec_id)
        text.append(f"{archived()} Runs had {steps} each; the table has medians of {seeds} seeds.")
        text.append(f"![What each leader reaches, a dot per seed](../../figures/environments/{name}.png)")
        text.append(results.medians(panels))
    if results.name_of(spec_id) == "GuidedCartPole":
        text.append(f"{AGAINST_SAC}\n\n{results.against_sac()}")
    return text if len(text) > 2 else []


def archived():
    """Return where the numbers of the leaderboard are from."""
    return (
        f"On the [leaderboard](../../leaderboard/index.md), as recorded on {results.when()}, with the default options "
        "of then; leaders have changed since."
    )


def leader_results(name):
    """Return the section on what a leader reaches, none where nothing was recorded."""
    text = ["## What it reaches", SCORE]
    if rows := results.untuned_of(name):
        text.append(f"{UNTUNED}\n\n{results.untuned_table(rows)}")
    if found := results.of_leader(name):
        text.append(archived())
        text.append(f"![What {name} reaches on each task, a dot per seed](../../figures/leaders/{name}.png)")
        text.append(results.spread(found))
    return text if len(text) > 2 else []


def arguments(module):
    """Return how to make the game, and its arguments as a table."""
    made = f'game = se.make_game("{id_of(module.__name__.rpartition(".")[2])}")'
    texts, hints = meanings_of(module.make_game), hints_of(module.make_game)
    rows = ["| argument | default | takes | meaning |", "| --- | --- | --- | --- |"]
    for name, parameter in inspect.signature(module.make_game).parameters.items():
        default = "required" if parameter.default is parameter.empty else shown(parameter.default)
        takes = words_for(hints.get(name)).replace("'", '"').replace("|", r"\|") if name in hints else ""
        rows.append(f"| `{name}` | {default} | {takes} | {cell(texts.get(name, ''))} |")
    return f"```python\nimport stackelberg_envs as se\n\n{made}\n```\n\n" + "\n".join(rows)


def told_space(space):
    """Return a space in words that do not depend on the versions of Gymnasium and NumPy."""
    if space is None:
        return "none"
    if hasattr(space, "nvec"):
        return " x ".join(str(int(n)) for n in space.nvec)
    if hasattr(space, "n"):
        return str(int(space.n))
    bounds = ([f"{bound:.4g}" for bound in bounds.ravel()] for bounds in (space.low, space.high))
    low, high = (each[0] if len(set(each)) == 1 else f"({', '.join(each)})" for each in bounds)
    return f"vectors of {space.shape[0]}, from {low} to {high}"


def told_sizes(game):
    """Return what `scale_rewards` divides by, as far as the game states it."""
    stated = game.facts.get("typical")
    if stated is None:
        return "that of its largest ones"
    return f"leader {stated['leader_reward']:g}, follower {stated['follower_reward']:g} per step"


def numbers(game):
    """Return the sizes, spaces and facts of a game with its default arguments."""
    commitment, known = game.commitment, game.facts.get("best_known")
    if hasattr(game, "state_space"):
        sizes = {
            "states": told_space(game.state_space),
            "leader's actions": told_space(game.leader_action_space),
            "follower's actions": told_space(game.follower_action_space),
            "exact solution": "yes" if game.has_solution else "none: values are means over play",
        }
    else:
        S, A, B = game.shape
        sizes = {"states": S, "leader's actions": A, "follower's actions": B, "exact solution": "yes"}
    rows = {
        **sizes,
        "contexts": game.num_contexts,
        "commitment": f"shape {commitment.shape}, entries from {commitment.low.min():g} to {commitment.high.max():g}",
        "what it changes": ", ".join(f"`{name}`" for name in sorted(commitment.changes)),
        "parametrisation": f"`{commitment.parametrisation}`",
        "typical size of rewards": told_sizes(game),
        "`facts`": ", ".join(f"`{name}`" for name in game.facts) or "none",
        "best known value": "not recorded" if known is None else f"{known:.6g} ([how found](../best-known-values.md))",
    }
    lead = "With default arguments. What the `facts` are for: [the facts of a game](../facts.md).\n\n"
    return lead + "\n".join(["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())])


# --- pages -----------------------------------------------------------------------------------------------


def pages():
    """Return path -> generated text of every page."""
    found = {REFERENCE / "environments" / f"{module}.md": environment_page(module) for module in env_modules()}
    for folder, registry, names in (
        ("leaders", LEADERS, agents.leader_names()),
        ("followers", FOLLOWERS, agents.follower_names()),
    ):
        found |= {REFERENCE / folder / f"{name}.md": player_page(registry, name) for name in names}
    return {path: f"{START}\n\n{text}\n\n{END}\n" for path, text in found.items()}


def merged(path, text):
    """Return the page with its generated part made new and its written part as it was."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    return text + before.partition(END + "\n")[2]


def outdated():
    """Return path -> text of the pages that are not what the source says, and the pages of what is gone."""
    new = {path: merged(path, text) for path, text in pages().items()}
    stale = {path: text for path, text in new.items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    folders = {path.parent for path in new}
    gone = [path for folder in folders for path in folder.glob("*.md") if path not in new and path.stem != "index"]
    return stale, gone


def main():
    """Write the pages, and say which were written and which belong to what is gone."""
    stale, gone = outdated()
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    for path in [*stale, *gone]:
        sys.stdout.write(
            f"{'gone, to be deleted' if path in gone else 'written'}: {path.relative_to(REFERENCE.parent)}\n"
        )


if __name__ == "__main__":
    main()
