"""Online: camera frame -> predictions. numpy and OpenCV; neither torch nor rclpy."""
