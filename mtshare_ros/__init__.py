"""Several dense vision tasks from one network pass, at camera rate, for ROS 2."""

__version__ = "0.1.0"
