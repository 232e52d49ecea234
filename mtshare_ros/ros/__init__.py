"""Online: ROS 2 messages in, messages out."""
