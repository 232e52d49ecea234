"""Rooms whose things and camera move, without rendering them."""

import numpy as np

from mtshare_ros.simulator.movement.movers import Movement, free_space, movers
from mtshare_ros.simulator.movement.trajectories import camera_path, start_pose
from mtshare_ros.simulator.room import make_room
from mtshare_ros.simulator.scene import compile_scene

RATE = 30


def moved(kind, seed, frames):
    """Return room, poses, and the movers' discs (frames, m, 3), without rendering."""
    rng = np.random.default_rng(seed)
    room = make_room(seed)
    scene = compile_scene(room)
    space = free_space(room.plan)
    pose = start_pose(rng, room)
    path = camera_path(kind, rng, pose, space)
    movement = Movement(rng, scene, space, pose)
    poses, discs = [pose], [movement.discs()]
    for _ in range(frames):
        poses.append(path.step(movement.discs()))
        movement.step(path.disc())
        discs.append(movement.discs())
    return scene, poses, np.array(discs)


def positions(poses):
    return np.array([pose.position for pose in poses])


def standing_clearance(scene, points):
    """Return the distances (n,) of points (n, 2) to furniture and walls as they are drawn."""
    room, moving = scene.room, set(movers(scene.room.plan))
    points = np.asarray(points, float)
    best = (np.array(room.plan.half) - np.abs(points)).min(axis=1)
    data, model = scene.data, scene.model
    for index, placed in enumerate(room.plan.placed):
        label = placed.thing.label
        if index in moving or label in ("floor", "ceiling", "wall", "door", "window"):
            continue
        for geom in np.flatnonzero(model.geom_bodyid == scene.bodies[index]):
            centre = data.geom_xpos[geom]
            # What hangs overhead blocks no one.
            if centre[2] > 1.5:
                continue
            away = np.column_stack([points - centre[:2], np.zeros(len(points))])
            outside = np.abs(away @ data.geom_xmat[geom].reshape(3, 3)) - model.geom_aabb[geom, 3:]
            best = np.minimum(best, np.linalg.norm(np.maximum(outside, 0.0), axis=1))
    return best
