"use strict";
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
document.querySelectorAll("[data-maps]").forEach(box => {
  const palette = bytes(box.dataset.palette), rows = +box.dataset.rows, columns = +box.dataset.columns;
  const maps = [...box.querySelectorAll("canvas[data-pixels]")].map(canvas => ({context: canvas.getContext("2d"), pixels: bytes(canvas.dataset.pixels)}));
  const range = box.querySelector("input"), output = box.querySelector("output"), button = box.querySelector("button");
  const labels = output.dataset.labels.split("|");
  const paint = (context, width, height, value) => {
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = palette[3 * value(i) + c];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  };
  const show = () => {
    const frame = +range.value;
    maps.forEach(map => paint(map.context, columns, rows, i => map.pixels[frame * rows * columns + i]));
    output.textContent = labels[frame];
    box.dataset.frame = frame;
  };
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶"; button.setAttribute("aria-label", "play"); };
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "❚❚"; button.setAttribute("aria-label", "pause");
    timer = setInterval(() => { range.value = (+range.value + 1) % labels.length; show(); }, 350);
  });
  range.addEventListener("input", () => { if (timer) stop(); show(); });
  paint(box.querySelector(".bar").getContext("2d"), 256, 1, i => i);
  show();
});
