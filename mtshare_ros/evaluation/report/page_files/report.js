"use strict";
(() => {
  const { frames, count } = JSON.parse(document.getElementById("data").textContent);
  const slider = document.getElementById("frame");
  const play = document.getElementById("play");
  const now = document.getElementById("now");
  const stages = document.getElementById("stages");
  const pictures = [...document.querySelectorAll("img[data-name]")];
  const accuracies = [...document.querySelectorAll("[data-accuracy]")];
  const jumps = [...document.querySelectorAll("[data-jump]")];
  const timelines = [...document.querySelectorAll(".timeline")];
  let timer = null;

  const number = (value, digits) => value.toFixed(digits);

  function show(position) {
    const frame = frames[position];
    slider.value = position;
    for (const picture of pictures) {
      const source = (frame.pictures[picture.dataset.name] || {})[picture.dataset.kind];
      picture.closest("figure").style.visibility = source ? "visible" : "hidden";
      if (source) picture.src = source;
    }
    const words = [`frame ${frame.index}`];
    if (frame.label) words.push(frame.label);
    if (frame.dirty !== null) words.push(`${number(100 * frame.dirty, 0)} % of the tokens recomputed`);
    if (frame.total !== null) words.push(`${number(frame.total, 1)} ms`);
    now.textContent = words.join(" · ");
    slider.setAttribute("aria-valuetext", now.textContent);
    showStages(frame);
    for (const place of accuracies) place.textContent = frame.accuracy[place.dataset.accuracy] || "";
    for (const jump of jumps) jump.setAttribute("aria-current", Number(jump.dataset.jump) === frame.index);
    for (const timeline of timelines) {
      const [left, right] = JSON.parse(timeline.dataset.ends);
      const share = left + ((right - left) * frame.index) / Math.max(count - 1, 1);
      timeline.querySelector(".cursor").style.left = `${100 * share}%`;
    }
  }

  function showStages(frame) {
    const rows = Object.entries(frame.stages).map(([name, ms]) => {
      const [label, bar, value] = ["span", "i", "span"].map((tag) => document.createElement(tag));
      label.textContent = name;
      bar.style.width = `${(100 * ms) / Math.max(frame.total, ms)}%`;
      value.textContent = `${number(ms, 1)} ms`;
      const track = document.createElement("div");
      track.append(bar);
      return [label, track, value];
    });
    stages.replaceChildren(...rows.flat());
    stages.hidden = !rows.length;
  }

  function nearest(index) {
    let best = 0;
    frames.forEach((frame, position) => {
      if (Math.abs(frame.index - index) < Math.abs(frames[best].index - index)) best = position;
    });
    return best;
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "play");
  }

  function start() {
    timer = setInterval(() => show((Number(slider.value) + 1) % frames.length), 200);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "pause");
  }

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => (timer === null ? start() : stop()));
  for (const jump of jumps) {
    jump.addEventListener("click", () => { stop(); show(nearest(Number(jump.dataset.jump))); });
  }
  for (const timeline of timelines) {
    timeline.addEventListener("click", (event) => {
      const [left, right] = JSON.parse(timeline.dataset.ends);
      const box = timeline.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width - left) / (right - left);
      stop();
      show(nearest(share * (count - 1)));
    });
  }
  show(0);
})();
