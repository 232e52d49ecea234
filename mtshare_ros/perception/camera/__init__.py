"""What a camera sends, as plain bytes and numbers: pictures and calibration; no ROS."""
