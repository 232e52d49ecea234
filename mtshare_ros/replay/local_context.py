"""A ROS context that is seen on this machine only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from mtshare_ros.ros.middleware import environment


@contextmanager
def local_context(domain_id: int) -> Iterator[Context]:
    """Yield a ROS context that was created with the variables of ``middleware.environment``."""
    variables = environment()
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    context = Context()
    try:
        # Signals stay with the caller: Ctrl-C is a KeyboardInterrupt here.
        rclpy.init(
            context=context, domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO
        )
        yield context
    finally:
        context.try_shutdown()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
