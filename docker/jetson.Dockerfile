# mtshare_ros on a Jetson with JetPack 6.2 (Ubuntu 22.04, ROS 2 Humble, TensorRT 10.3).
# The project has not built or run this yet, because the base image is for Jetson boards only.
#
#   docker build -f docker/jetson.Dockerfile -t mtshare .
#   docker run --rm -it --runtime nvidia --network host --ipc host \
#     -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro -v mtshare-cache:/root/.cache mtshare
FROM nvcr.io/nvidia/l4t-jetpack:r36.4.0

ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
RUN apt-get update && apt-get install -y --no-install-recommends \
      build-essential curl gnupg python3-dev python3-pip python3-libnvinfer \
 && curl -sSL https://raw.githubusercontent.com/ros/rosdistro/master/ros.key \
      -o /usr/share/keyrings/ros-archive-keyring.gpg \
 && echo "deb [arch=arm64 signed-by=/usr/share/keyrings/ros-archive-keyring.gpg]" \
      "http://packages.ros.org/ros2/ubuntu jammy main" > /etc/apt/sources.list.d/ros2.list \
 && apt-get update && apt-get install -y --no-install-recommends \
      ros-humble-ros-base ros-humble-vision-msgs python3-colcon-common-extensions \
      python3-numpy python3-opencv \
 && rm -rf /var/lib/apt/lists/*

ENV PATH=/usr/local/cuda/bin:$PATH
RUN pip3 install --no-cache-dir "numpy<2" pycuda onnx onnxruntime simplejpeg "typer>=0.29" rich

WORKDIR /ws
COPY . src/mtshare_ros
RUN . /opt/ros/humble/setup.sh && colcon build --packages-select mtshare_ros

# The first start compiles the engines and keeps them in the volume.
CMD ["bash", "-c", ". install/setup.bash && ros2 launch mtshare_ros perception.launch.py"]
