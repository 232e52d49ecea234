"""The lifecycle node: parameters, states and diagnostics; frames are handled by ``Serving``."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from mtshare_ros.errors import one_line
from mtshare_ros.manifest import BundleError
from mtshare_ros.ros import diagnostics, parameter_values
from mtshare_ros.ros.forward_log import ForwardLog
from mtshare_ros.ros.opening import Opener, bundle_folder
from mtshare_ros.ros.parameters import ParameterError
from mtshare_ros.ros.report import Reporter
from mtshare_ros.ros.serving import Serving
from mtshare_ros.ros.statistics import Statistics

SUCCESS = TransitionCallbackReturn.SUCCESS
EXIT_PATIENCE = 1.0
"""Time that the node waits for a bundle being opened when it is to end, in seconds."""


class PerceptionNode(LifecycleNode):
    """Camera frames in; depth, labels and normals out.

    Configuring starts to open the bundle and returns; topics appear when it is open. Activated
    before that, the node takes frames as soon as it can. If the bundle can't be opened, or too
    many frames fail in a row, the node goes back to ``unconfigured``, with the cause in its
    diagnostics.
    """

    def __init__(self, **options: Any) -> None:
        """Create the node; with ``autostart`` it configures and activates itself.

        Args:
            options: Passed on to ``LifecycleNode``.

        Raises:
            ParameterError: A parameter given at the start can't be taken.
        """
        super().__init__("perception_node", **options)
        self._state = "unconfigured"
        self._cause: str | None = None
        self._opener: Opener | None = None
        self._abandoned: list[Opener] = []
        self._serving: Serving | None = None
        self._statistics = Statistics()
        self._counts_before: dict[str, int] = {}
        self._reporter = Reporter(self.get_logger())
        self._forward_log = ForwardLog(self.get_logger())
        try:
            self._values = parameter_values.declare(self)
        except ParameterError:
            self.destroy_node()
            raise
        self._forward_log.start()
        self.add_on_set_parameters_callback(self._on_parameters)
        self._opened = self.create_guard_condition(self._on_opened)
        self._gave_up = self.create_guard_condition(self._on_gave_up)
        self._publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Steady: diagnostics go on while a simulation or a bag is paused.
        self.create_timer(
            self._values["diagnostics_period"],
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.create_service(Trigger, "~/reset", self._on_reset)
        self._autostarting = self._values["autostart"]
        if self._autostarting:
            self.trigger_configure()

    def close(self) -> bool:
        """Stop working; return whether no thread is left, so that the process may end."""
        self._forward_log.stop()
        if self._serving is not None:
            self._serving.stop()
        self._abandon_opener()
        deadline = time.monotonic() + EXIT_PATIENCE
        return all(
            [opener.abandon(max(0.0, deadline - time.monotonic())) for opener in self._abandoned]
        )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to open the bundle."""
        self._cause = None
        self._statistics, self._counts_before = Statistics(), {}
        self._opener = Opener(
            bundle_folder(self._values["bundle"]),
            self._values["backend"],
            self._values["threads"],
            self._values["precision"],
            on_finished=self._opened.trigger,
        )
        self._state = "inactive"
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take frames, at once or when the bundle is open."""
        self._autostarting = False
        if self._serving is not None:
            self._serving.start()
        self._state = "active"
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop taking frames; an ERROR if the node is left because of a failure."""
        if self._serving is not None:
            self._serving.stop()
        self._state = "inactive"
        super().on_deactivate(state)
        return SUCCESS if self._cause is None else TransitionCallbackReturn.ERROR

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the bundle and destroy its topics."""
        self._close_serving()
        self._state = "unconfigured"
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the bundle for good."""
        self._close_serving()
        self._state = "finalized"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Recover to ``unconfigured``; the node can be configured again."""
        self._close_serving()
        self._state = "unconfigured"
        return SUCCESS

    def _close_serving(self) -> None:
        # A start by itself ends where somebody else takes the node over.
        self._autostarting = False
        self._abandon_opener()
        if self._serving is not None:
            self._serving.close()
            self._serving = None

    def _abandon_opener(self) -> None:
        """Want nothing of an opener any more; its thread goes on, and ``close`` waits for it."""
        self._abandoned = [opener for opener in self._abandoned if not opener.abandon(0.0)]
        if self._opener is not None:
            opener, self._opener = self._opener, None
            if not opener.abandon(0.0):
                self._abandoned.append(opener)

    def _on_opened(self) -> None:
        opener = self._opener
        # The guard may have been triggered before the node was cleaned up.
        if opener is None or not opener.finished:
            return
        self._opener = None
        if opener.engine is None:
            self._abandon(str(opener.error))
            return
        try:
            self._serving = Serving(
                self,
                opener.engine,
                self._values,
                self._statistics,
                self._reporter,
                on_give_up=self._gave_up.trigger,
            )
        except (BundleError, ParameterError) as error:
            self._abandon(str(error))
            return
        except Exception as error:
            # Anything, like a QoS override that rclpy refuses: the node reports it and lives.
            self.get_logger().debug(traceback.format_exc())
            self._abandon(f"topics not created: {type(error).__name__}: {one_line(error)}")
            return
        manifest = opener.engine.manifest
        self.get_logger().info(
            f"bundle {manifest.name} on {opener.engine.name}, tasks "
            f"{', '.join(t.name for t in manifest.tasks)}: {manifest.description}"
        )
        if self._state == "active":
            self._serving.start()
        elif self._autostarting:
            self.trigger_activate()

    def _on_gave_up(self) -> None:
        serving = self._serving
        # Somebody may have paused the node or cleaned it up since.
        if serving is not None and serving.gave_up is not None and self._state == "active":
            self._abandon(serving.gave_up)

    def _abandon(self, cause: str) -> None:
        self._cause = " ".join(cause.split())
        self.get_logger().error(self._cause)
        if self._state == "active":
            self.trigger_deactivate()
        else:
            self.trigger_cleanup()

    def _on_parameters(self, changes: Sequence[Any]) -> SetParametersResult:
        try:
            values = parameter_values.changed(
                self._values,
                {change.name: change.value for change in changes},
                configured=self._state != "unconfigured",
            )
            if self._serving is not None:
                self._serving.apply(values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values = values
        return SetParametersResult(successful=True)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._serving is not None
        if self._serving is not None:
            self._serving.reset("requested")
            response.message = "the cache is dropped before the next frame"
        else:
            response.message = "no bundle is open"
        return response

    def _publish_diagnostics(self) -> None:
        summary = self._statistics.summary()
        status = diagnostics.status(
            self.get_fully_qualified_name(),
            self._condition(),
            summary,
            self._counts_before,
        )
        self._counts_before = summary.counts
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _condition(self) -> diagnostics.Condition:
        folder = str(bundle_folder(self._values["bundle"]))
        serving = self._serving
        if serving is None:
            state = self._state if self._opener is None else "opening"
            progress = None if self._opener is None else self._opener.progress
            return diagnostics.Condition(
                state, folder, self._values["backend"], self._cause, progress=progress
            )
        return diagnostics.Condition(
            self._state,
            f"{serving.engine.manifest.name} ({folder})",
            serving.engine.name,
            self._cause,
            serving.computing(),
            serving.camera_info_state,
        )
