"""What the ids in a mask mean, as messages."""

from __future__ import annotations

import json
from typing import Any

from mtshare_ros.tasks import UNLABELLED, Task


def label_info_json(task: Task) -> str:
    """Return the classes of a segmentation task: id, name and RGB colour of each, as JSON."""
    classes = [
        {"id": number, "name": c.name, "color": list(c.colour)}
        for number, c in enumerate(task.classes)
    ]
    return json.dumps({"task": task.name, "unlabelled": UNLABELLED, "classes": classes})


def label_info(task: Task, stamp: Any) -> Any | None:
    """Return the classes as vision_msgs/LabelInfo, or None where vision_msgs isn't installed."""
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        return None
    message = LabelInfo()
    message.header.stamp = stamp
    message.class_map = [
        VisionClass(class_id=number, class_name=c.name) for number, c in enumerate(task.classes)
    ]
    return message
