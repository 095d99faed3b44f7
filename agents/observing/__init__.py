"""All that a leader ever sees: its brief and the trajectories.

May import: `learning`, and of the games what is data only.
To tell leaders one thing more, add a field to the brief and say from which level of information on it is there.
"""
