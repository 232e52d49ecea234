"""The lifecycle node: parameters, states and diagnostics; frames are handled by its cameras."""

from __future__ import annotations

import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.errors import one_line
from mtshare_ros.perception.camera.pictures import NOTICES_DAMAGE
from mtshare_ros.perception.serving.worker import FairWorker
from mtshare_ros.ros import parameter_values
from mtshare_ros.ros.cameras import Cameras
from mtshare_ros.ros.diagnostics import Condition, Health
from mtshare_ros.ros.node_log import ForwardLog, Reporter
from mtshare_ros.ros.opener import Opener, bundle_folder
from mtshare_ros.ros.parameter_values import frame_settings
from mtshare_ros.ros.parameters import ParameterError
from mtshare_ros.ros.process_usage import resident_mib
from mtshare_ros.ros.statistics import Statistics

SUCCESS = TransitionCallbackReturn.SUCCESS
EXIT_PATIENCE = 1.0
"""Time that the node waits for threads at work when it is to end, in seconds."""
WATCH_PERIOD = 0.1
"""Time between two looks at the frame in work, in seconds."""
STALLED = 2.0
"""Time for one frame from which the diagnostics say that the engine is at it, in seconds."""


class PerceptionNode(LifecycleNode):
    """Camera frames in; depth, labels and normals out.

    Configuring reads the bundle's manifest, starts to open the bundle and returns; topics appear
    when it is open. Activated before that, the node takes frames as soon as it can. If the bundle
    can't be opened, the engine hangs or too many frames fail in a row, the node goes back to
    ``unconfigured``, with the cause in its diagnostics.
    """

    def __init__(self, arguments: Sequence[str] | None = None, **options: Any) -> None:
        """Create the node; with ``autostart`` it configures and activates itself.

        Args:
            arguments: Those that ROS was started with; None for the process's.
            options: Passed on to ``LifecycleNode``.

        Raises:
            ParameterError: A parameter given at the start can't be taken.
        """
        super().__init__("perception_node", **options)
        self._state = "unconfigured"
        self._cause: str | None = None
        self._opener: Opener | None = None
        self._abandoned: list[Callable[[float], bool]] = []
        self._cameras: Cameras | None = None
        self._reporter = Reporter(self.get_logger())
        self._forward_log = ForwardLog(self.get_logger())
        try:
            self._values = parameter_values.declare(self, arguments or sys.argv)
        except ParameterError:
            self.destroy_node()
            raise
        self._forward_log.start()
        self._forget_frames()
        self.add_on_set_parameters_callback(self._on_parameters)
        self._opened = self.create_guard_condition(self._on_opened)
        self._gave_up = self.create_guard_condition(self._on_gave_up)
        self._health = Health(self)
        # Steady: diagnostics go on while a simulation or a bag is paused.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period = self._values["diagnostics_period"]
        self.create_timer(period, self._publish_diagnostics, clock=steady)
        self.create_timer(WATCH_PERIOD, self._watch, clock=steady)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self._autostarting = self._values["autostart"]
        if self._autostarting:
            self.trigger_configure()

    def close(self) -> bool:
        """Stop working; return whether no thread is left, so that the process may end."""
        self._forward_log.stop()
        deadline = time.monotonic() + EXIT_PATIENCE
        if self._cameras is not None:
            self._keep(self._cameras.stop(EXIT_PATIENCE))
        self._abandon_opener()
        return all([ended(max(0.0, deadline - time.monotonic())) for ended in self._abandoned])

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to open the bundle; FAILURE if its manifest can't be used."""
        self._cause = None
        self._forget_frames()
        folder = bundle_folder(self._values["bundle"])
        try:
            # Only what takes no time: checksums and graphs are for the opener's thread.
            manifest = load_manifest(folder, verify=False)
            frame_settings(manifest, self._values)
        except (BundleError, ParameterError, OSError) as error:
            self._autostarting = False
            self._note(f"bundle {folder} not opened: {one_line(error)}")
            return TransitionCallbackReturn.FAILURE
        self._opener = Opener(
            folder,
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
        if self._cameras is not None:
            self._cameras.start()
        self._state = "active"
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop taking frames; an ERROR if the node is left because of a failure."""
        if self._cameras is not None:
            timeout = self._values["engine_timeout"] if self._cause is None else EXIT_PATIENCE
            stuck = self._cameras.stop(timeout)
            self._keep(stuck)
            if stuck is not None and self._cause is None:
                self._note(f"the engine has not finished a frame within {timeout:g} s")
        self._state = "inactive"
        super().on_deactivate(state)
        return SUCCESS if self._cause is None else TransitionCallbackReturn.ERROR

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the bundle and destroy its topics."""
        self._close_cameras()
        self._state = "unconfigured"
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the bundle for good."""
        self._close_cameras()
        self._state = "finalized"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Recover to ``unconfigured``; the node can be configured again."""
        self._close_cameras()
        self._state = "unconfigured"
        return SUCCESS

    def _close_cameras(self) -> None:
        # A start by itself ends where somebody else takes the node over.
        self._autostarting = False
        self._abandon_opener()
        if self._cameras is not None:
            self._keep(self._cameras.close(EXIT_PATIENCE))
            self._cameras = None

    def _forget_frames(self) -> None:
        self._statistics = {camera: Statistics() for camera in self._values["cameras"]}

    def _keep(self, worker: FairWorker[Any, Any] | None) -> None:
        """Remember a worker that is still at a frame, for ``close`` to wait for."""
        if worker is not None:
            self._abandoned.append(worker.stop)

    def _abandon_opener(self) -> None:
        """Want nothing of an opener any more; its thread goes on, and ``close`` waits for it."""
        self._abandoned = [ended for ended in self._abandoned if not ended(0.0)]
        if self._opener is not None:
            opener, self._opener = self._opener, None
            if not opener.abandon(0.0):
                self._abandoned.append(opener.abandon)

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
            self._cameras = Cameras(
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
            self._cameras.start()
        elif self._autostarting:
            self.trigger_activate()

    def _on_gave_up(self) -> None:
        cameras = self._cameras
        # Somebody may have paused the node or cleaned it up since.
        if cameras is not None and cameras.gave_up is not None and self._state == "active":
            self._abandon(cameras.gave_up)

    def _watch(self) -> None:
        timeout = self._values["engine_timeout"]
        if self._cameras is None:
            return
        for camera in self._cameras.by_name.values():
            camera.look_for_latched_info()
        if self._cameras.in_work > timeout:
            self._abandon(f"the engine has not finished a frame within {timeout:g} s")

    def _note(self, cause: str) -> None:
        self._cause = " ".join(cause.split())
        self.get_logger().error(self._cause)

    def _abandon(self, cause: str) -> None:
        self._note(cause)
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
            if self._cameras is not None:
                self._cameras.apply(values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values = values
        return SetParametersResult(successful=True)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._cameras is not None
        if self._cameras is not None:
            self._cameras.reset("requested")
            response.message = "the cache is dropped before the next frame"
        else:
            response.message = "no bundle is open"
        return response

    def _publish_diagnostics(self) -> None:
        self._health.publish(self._statistics, self._condition, self._values)

    def _condition(self, camera: str) -> Condition:
        folder = str(bundle_folder(self._values["bundle"]))
        cameras = self._cameras
        whole = Condition(
            state=self._state if self._opener is None else "opening",
            bundle=folder,
            backend=self._values["backend"],
            cause=self._cause,
            namesakes=self._health.namesakes(),
            cameras=len(self._statistics),
            memory_mib=resident_mib(),
            progress=None if self._opener is None else self._opener.progress,
        )
        if cameras is None:
            return whole
        manifest = cameras.engine.manifest
        return dataclasses.replace(
            whole,
            bundle=f"{manifest.name} ({folder})",
            backend=cameras.engine.name,
            stalled=cameras.in_work if cameras.in_work > STALLED else 0.0,
            computing=cameras.by_name[camera].computing(),
            calibration=cameras.by_name[camera].calibration_state(),
            damage=self._damage(),
            silence=cameras.by_name[camera].why_silent,
            private_share={task: share.rho for task, share in manifest.private.items()},
        )

    def _damage(self) -> str | None:
        unnoticed = self._values["image_transport"] == "compressed" and not NOTICES_DAMAGE
        return "damaged JPEGs are not noticed: install simplejpeg" if unnoticed else None
