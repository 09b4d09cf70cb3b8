/* The user's picture: painted pixel by pixel, taken from a file, or one of the examples. */

class Sketch {
  /* onChange(x) is called with the new picture. */
  constructor(canvas, onChange) {
    Object.assign(this, { canvas, onChange });
    this.erasing = false;
    this.drawn = false; // whether the user drew what is there
    this.ink = pictures.background.map(() => pictures.limits[pictures.dark ? 1 : 0]);
    this.listen();
    this.clear();
  }

  /* An empty picture. */
  blank() {
    const [H, W] = pictures.shape;
    const { channels, background } = pictures;
    return Float64Array.from({ length: H * W * channels }, (_, i) => background[i % channels]);
  }

  clear() {
    this.x = this.blank();
    pictures.paint(this.canvas, this.x);
  }

  show(x) {
    this.drawn = false;
    this.change(Float64Array.from(x));
  }

  change(x) {
    this.x = x;
    pictures.paint(this.canvas, x);
    this.onChange(x);
  }

  listen() {
    const { canvas } = this;
    let last = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width;
      const down = (event.clientY - box.top) / box.height;
      return [across * canvas.width, down * canvas.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
      this.begin(last);
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) {
        const next = at(part);
        this.stroke(last, next);
        last = next;
      }
    });
    const stop = () => (last = null);
    canvas.addEventListener("pointerup", stop);
    canvas.addEventListener("pointercancel", stop);
    this.listenToKeys();
  }

  /* Arrow keys move a brush by a pixel, Space paints with it, Shift paints along. */
  listenToKeys() {
    const { canvas } = this;
    const brush = $("brush");
    const [H, W] = pictures.shape;
    let at = [W / 2, H / 2];
    const show = () => {
      brush.hidden = !canvas.matches(":focus-visible");
      brush.style.left = `${(100 * at[0]) / W}%`;
      brush.style.top = `${(100 * at[1]) / H}%`;
    };
    canvas.addEventListener("focus", show);
    canvas.addEventListener("blur", show);
    canvas.addEventListener("keydown", (event) => {
      const next = [...at];
      if (event.key === "ArrowLeft") next[0] -= 1;
      else if (event.key === "ArrowRight") next[0] += 1;
      else if (event.key === "ArrowUp") next[1] -= 1;
      else if (event.key === "ArrowDown") next[1] += 1;
      else if (event.key === " ") this.begin(at);
      else return;
      next[0] = Math.min(Math.max(next[0], 0), W);
      next[1] = Math.min(Math.max(next[1], 0), H);
      if (event.shiftKey && event.key !== " ") this.stroke(at, next);
      at = next;
      show();
      event.preventDefault();
    });
  }

  /* Set the brush down at a place; a picture that was given makes room for one that is drawn. */
  begin(at) {
    if (!this.drawn && !this.erasing) this.clear();
    this.drawn = true;
    this.stroke(at, at);
  }

  /* A line from a to b with a soft brush: each pixel as far as the brush covers it. */
  stroke(a, b) {
    const [H, W] = pictures.shape;
    const { channels, background } = pictures;
    const radius = 0.047 * Math.min(H, W) * (this.erasing ? 2 : 1);
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const squared = dx * dx + dy * dy;
    for (let row = 0; row < H; row++)
      for (let column = 0; column < W; column++) {
        const [px, py] = [column + 0.5 - a[0], row + 0.5 - a[1]];
        const t = squared ? Math.min(Math.max((px * dx + py * dy) / squared, 0), 1) : 0;
        const far = Math.hypot(px - t * dx, py - t * dy);
        const cover = Math.min(Math.max(radius + 0.5 - far, 0), 1);
        for (let k = 0; cover && k < channels; k++) {
          const i = (row * W + column) * channels + k;
          const aim = this.erasing ? background[k] : this.ink[k];
          const value = background[k] + (aim - background[k]) * cover;
          if (Math.abs(value - aim) < Math.abs(this.x[i] - aim)) this.x[i] = value;
        }
      }
    this.change(this.x);
  }

  /* Take an image file, whole, in the model's size; one that is dark on light is turned over if the
     model knows light on dark, and the other way round. Returns what was done, to be said. */
  async load(file) {
    const [H, W] = pictures.shape;
    const grey = pictures.channels === 1;
    const [low, high] = pictures.limits;
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      return `${file.name} is no picture that this browser can read.`;
    }
    const edge = (i) => i < W || i >= (H - 1) * W || i % W === 0 || i % W === W - 1;
    const border = this.pixels(image, W, H, [0, 0, 0]).filter((_, i) => grey && edge(i));
    const usual = border.sort()[border.length >> 1];
    const turned = grey && Math.abs(usual - pictures.background[0]) > (high - low) / 2;
    const ground = pictures.colour(pictures.background).slice(0, 3);
    const scale = Math.min(W / image.width, H / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    const x = this.pixels(image, w, h, turned ? ground.map((byte) => 255 - byte) : ground);
    this.show(turned ? x.map((value) => low + high - value) : x);
    const scaled = image.width === W && image.height === H ? "" : ` Scaled to ${W} × ${H} pixels.`;
    return `${file.name}.${scaled}${turned ? " Dark and light were exchanged." : ""}`;
  }

  /* An image drawn w x h in the middle of the model's picture, on the colour `ground`. */
  pixels(image, w, h, ground) {
    const [H, W] = pictures.shape;
    const pen = make("canvas", { width: W, height: H }).getContext("2d");
    pen.fillStyle = `rgb(${ground.map(Math.round).join(" ")})`;
    pen.fillRect(0, 0, W, H);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, (W - w) / 2, (H - h) / 2, w, h);
    const { data } = pen.getImageData(0, 0, W, H);
    const x = this.blank();
    for (let i = 0; i < H * W; i++) {
      const [r, g, b] = data.subarray(4 * i, 4 * i + 3);
      const own = pictures.channels === 3 ? [r, g, b] : [(299 * r + 587 * g + 114 * b) / 1000];
      own.forEach((byte, k) => (x[i * own.length + k] = pictures.value(byte)));
    }
    return x;
  }
}

/* Let files be opened and dropped anywhere; take(file) gets each. */
function listenForFiles(take) {
  $("file").addEventListener("change", () => {
    if ($("file").files.length) take($("file").files[0]);
    $("file").value = "";
  });
  $("file-label").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    $("file").click();
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) $("drop").hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").hidden = true;
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}
