"""What moves by itself over the floor, people and the robot, and what rolls, balls and boxes.

Positions are metres on the floor, headings radians counterclockwise from the x axis. Nothing here
ever enters an obstacle: a step that would is not taken.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtshare_ros.simulator.movement.free_space import NOBODY, Array, FreeSpace

STEP = 1 / 30
"""Time of one frame, seconds."""

AHEAD = np.arange(1, 7) * 0.25
"""Times for which a walker looks ahead, seconds."""

PATIENCE = 20
"""Frames without getting on after which a goal is given up."""

PROPOSALS = 24
"""Goals that are looked at before the one with the clearest way is taken."""

Goal = Callable[[], Array]
"""Returns a point ``(2,)`` of the floor to go to."""


class Walker:
    """Walks or drives to one goal after another, turning smoothly, around what is in its way.

    Attributes:
        at: ``(2,)`` position.
        heading: Direction of travel.
        pace: Present speed, m/s.
        radius: Distance that its centre keeps from everything, metres.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        space: FreeSpace,
        at: Array,
        heading: float,
        radius: float,
        goal: Goal,
        speed: float,
        turn_rate: float,
        longest_rest: int,
    ) -> None:
        """Stand at a point; ``speed`` m/s and ``turn_rate`` rad/s are its largest.

        It rests up to ``longest_rest`` frames at each goal.
        """
        self.at = np.asarray(at, float)
        self.heading = heading
        self.pace = 0.0
        # Where a room is so full that it starts nearer to something, it gets no nearer.
        self.radius = min(radius, space.clearance_at(self.at) - 1e-6)
        self._rng, self._space, self._goal = rng, space, goal
        self._turning = 0.0
        self._rest = 0
        self._longest_rest = longest_rest
        self._stuck = 0
        self._target = self._next_target(NOBODY)
        turns, speeds = np.linspace(-turn_rate, turn_rate, 9), np.array([0.0, 0.5, 1.0]) * speed
        self._choices = np.stack(np.meshgrid(speeds, turns), axis=-1).reshape(-1, 2)
        self._turn_rate = turn_rate

    def disc(self) -> tuple[float, float, float]:
        """Return centre and radius of the floor that it takes."""
        return float(self.at[0]), float(self.at[1]), self.radius

    def step(self, discs: Array) -> None:
        """Move on by one frame; ``discs`` ``(m, 3)`` is where the others are."""
        pace, turning = self._decide(discs)
        self.pace += float(np.clip(pace - self.pace, -1.5 * STEP, 1.0 * STEP))
        swing = 3.0 * self._turn_rate * STEP
        self._turning += float(np.clip(turning - self._turning, -swing, swing))
        self.heading += self._turning * STEP
        ahead = np.array([np.cos(self.heading), np.sin(self.heading)])
        there = self.at + self.pace * STEP * ahead
        if self.pace > 0 and self._space.clearance_at(there, discs) < self.radius:
            self.pace = 0.0
            return
        self.at = there

    def _decide(self, discs: Array) -> tuple[float, float]:
        """Return the speed and the rate of turn to aim at."""
        if self._rest > 0:
            self._rest -= 1
            return 0.0, 0.0
        self._stuck = self._stuck + 1 if self.pace < 0.05 and abs(self._turning) < 0.3 else 0
        arrived = np.linalg.norm(self._target - self.at) < 0.3
        if arrived or self._stuck > PATIENCE:
            self._target, self._stuck = self._next_target(discs), 0
            self._rest = int(self._rng.integers(self._longest_rest + 1)) if arrived else 0
        pace, turn = self._choices[:, :1], self._choices[:, 1:]
        # (choices, times): an arc for each choice, close enough by the heading at half time.
        along = self.heading + turn * AHEAD / 2
        x = self.at[0] + pace * AHEAD * np.cos(along)
        y = self.at[1] + pace * AHEAD * np.sin(along)
        points = np.stack([x, y], axis=-1)
        free = self._space.clearance(points.reshape(-1, 2), discs).reshape(x.shape).min(axis=1)
        to_go = self._target - points[:, -1]
        off = np.arctan2(to_go[:, 1], to_go[:, 0]) - (self.heading + turn[:, 0] * AHEAD[-1])
        off = np.abs((off + np.pi) % (2 * np.pi) - np.pi)
        score = 0.6 * np.minimum(free, 0.8) - np.linalg.norm(to_go, axis=1) - 0.4 * off
        score -= 0.1 * np.abs(turn[:, 0] - self._turning)
        possible = (free >= self.radius) | (pace[:, 0] == 0)
        best = int(np.argmax(np.where(possible, score, -np.inf)))
        return float(self._choices[best, 0]), float(self._choices[best, 1])

    def _next_target(self, discs: Array) -> Array:
        """Return a goal to which the straight way is clear, or clear for longest."""
        best, furthest = self.at, 0.0
        for _ in range(PROPOSALS):
            goal = self._goal()
            way = float(np.linalg.norm(goal - self.at))
            along = np.arange(0.1, way, 0.1)[:, None] / max(way, 1e-6)
            free = self._space.clearance(self.at + along * (goal - self.at), discs)
            blocked = np.flatnonzero(free < self.radius)
            if way > 0.6 and not len(blocked):
                return goal
            reach = 0.1 * int(blocked[0]) if len(blocked) else way
            if reach > furthest:
                best, furthest = self.at + (goal - self.at) * reach / way, reach
        return best


class Roller:
    """Rolls or slides until it stops, bounces off what it meets, and is pushed again.

    Attributes:
        at: ``(2,)`` position.
        moved: ``(2,)`` movement in the last frame, metres.
        radius: Radius of its footprint, metres.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        space: FreeSpace,
        at: Array,
        radius: float,
        goal: Goal,
        speed: float,
        friction: float,
    ) -> None:
        """Lie at a point; pushes give it up to ``speed`` m/s, which ``friction`` (1/s) ends."""
        self.at = np.asarray(at, float)
        self.moved = np.zeros(2)
        self.radius = min(radius, space.clearance_at(self.at) - 1e-6)
        self._rng, self._space, self._goal = rng, space, goal
        self._speed, self._friction = speed, friction
        self._velocity = np.zeros(2)
        self._rest = int(rng.integers(15))

    def disc(self) -> tuple[float, float, float]:
        """Return centre and radius of the floor that it takes."""
        return float(self.at[0]), float(self.at[1]), self.radius

    def step(self, discs: Array) -> None:
        """Move on by one frame; ``discs`` ``(m, 3)`` is where the others are."""
        self.moved = np.zeros(2)
        self._velocity *= 1 - self._friction * STEP
        if np.linalg.norm(self._velocity) < 0.06:
            self._velocity[:] = 0.0
            self._rest -= 1
            if self._rest < 0:
                self._rest = int(self._rng.integers(10, 60))
                way = self._goal() - self.at
                fast = self._speed * self._rng.uniform(0.5, 1.0)
                self._velocity = fast * way / max(float(np.linalg.norm(way)), 1e-6)
            return
        there = self.at + self._velocity * STEP
        if self._space.clearance_at(there, discs) < self.radius:
            normal = self._space.push(there, discs)
            into = float(self._velocity @ normal)
            # What is met head on throws it back; what it only brushes past stops it.
            self._velocity = self._velocity - 1.7 * into * normal if into < 0 else np.zeros(2)
            return
        self.moved, self.at = there - self.at, there
