"""A camera and a listener on Eclipse Cyclone DDS: no ROS, another vendor's DDS on the same wire.

Sends an image to ``image`` until a depth image of it comes back, and prints what came as JSON.
"""

import json
import sys
import time
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

CONFIGURATION = """
<CycloneDDS><Domain Id="any">
  <General>
    <Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces>
    <AllowMulticast>false</AllowMulticast>
  </General>
  <Discovery>
    <ParticipantIndex>auto</ParticipantIndex>
    <MaxAutoParticipantIndex>100</MaxAutoParticipantIndex>
    <Peers><Peer address="127.0.0.1"/></Peers>
  </Discovery>
</Domain></CycloneDDS>
"""


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    """builtin_interfaces/msg/Time as ROS 2 puts it on the wire."""

    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    """std_msgs/msg/Header."""

    stamp: Time
    frame_id: str


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    """sensor_msgs/msg/Image."""

    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


def quality(reliable: bool) -> Qos:
    """Return a quality of service in the encoding that ROS 2 uses."""
    best_effort = Policy.Reliability.BestEffort
    return Qos(
        Policy.Reliability.Reliable(duration(seconds=1)) if reliable else best_effort,
        Policy.History.KeepLast(10),
        Policy.DataRepresentation(use_cdrv0_representation=True),
    )


def main(domain: int, seconds: float) -> int:
    """Send and listen for some time; return whether nothing came as an exit status."""
    configured = Domain(domain, CONFIGURATION)
    participant = DomainParticipant(domain)
    image_topic = Topic(participant, "rt/image", Image)
    depth_topic = Topic(participant, "rt/perception_node/depth/image", Image)
    writer = DataWriter(participant, image_topic, qos=quality(reliable=False))
    reader = DataReader(participant, depth_topic, qos=quality(reliable=True))
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        number += 1
        header = Header(Time(1000 + number, 77), "cyclone_frame")
        pixels = [number % 251] * (3 * 64 * 48)
        writer.write(Image(header, 48, 64, "rgb8", 0, 192, pixels))
        time.sleep(0.3)
        for found in reader.take(10):
            stamp = found.header.stamp
            print(
                json.dumps(
                    {
                        "stamp": [int(stamp.sec), int(stamp.nanosec)],
                        "last_sent": 1000 + number,
                        "frame_id": found.header.frame_id,
                        "size": [int(found.width), int(found.height)],
                        "encoding": found.encoding,
                        "bytes": len(found.data),
                    }
                )
            )
            del configured
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
