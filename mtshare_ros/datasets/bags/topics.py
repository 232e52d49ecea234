"""Topics of a clip's bag: what the camera sends, and the truth about it."""

from __future__ import annotations

IMAGE = "camera/image"
CAMERA_INFO = "camera/camera_info"
POSE = "camera/pose"
DEPTH = "ground_truth/depth"
LABELS = "ground_truth/labels"
NORMALS = "ground_truth/normals"

DIRTY = "dirty_tokens"
"""Last name of the topic on which a node of ours says what it recomputed, beside its outputs."""

COMPRESSED = "/compressed"
"""What the name of a topic with JPEG or PNG ends in."""

FRAME_ID = "camera_optical_frame"
WORLD_FRAME_ID = "world"

RAW_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
POSE_TYPE = "geometry_msgs/msg/PoseStamped"
IMAGE_TYPES = (RAW_TYPE, COMPRESSED_TYPE)
