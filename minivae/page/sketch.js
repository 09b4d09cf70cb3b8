/* The user's picture: painted pixel by pixel, taken from a file, or one of the examples. */

class Sketch {
  /* pictures: {shape, channels, limits, background, paint(canvas, x)}; onChange(x) after a change. */
  constructor(canvas, pictures, onChange) {
    Object.assign(this, { canvas, pictures, onChange });
    const [H, W] = pictures.shape;
    [canvas.width, canvas.height] = [W, H];
    this.erasing = false;
    this.listen();
    this.clear();
  }

  /* An empty picture. */
  blank() {
    const { shape: [H, W], channels, background } = this.pictures;
    return Float64Array.from({ length: H * W * channels }, (_, i) => background[i % channels]);
  }

  clear() {
    this.x = this.blank();
    this.empty = true;
    this.pictures.paint(this.canvas, this.x);
  }

  show(x) {
    this.x = Float64Array.from(x);
    this.empty = this.drawn = false;
    this.pictures.paint(this.canvas, this.x);
    this.onChange(this.x);
  }

  listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
    };
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      if (!this.drawn) this.clear();  // a picture that was given makes room
      this.drawn = true;
      last = at(event);
      this.stroke(last, last);
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
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
  }

  /* A line from a to b with a soft brush: each pixel as far as the brush covers it. */
  stroke(a, b) {
    const { shape: [H, W], channels, limits: [low, high], background } = this.pictures;
    const radius = 0.047 * Math.min(H, W) * (this.erasing ? 2 : 1);
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]], length = dx * dx + dy * dy;
    for (let row = 0; row < H; row++)
      for (let column = 0; column < W; column++) {
        const [px, py] = [column + 0.5 - a[0], row + 0.5 - a[1]];
        const t = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
        const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(px - t * dx, py - t * dy), 0), 1);
        for (let k = 0; cover && k < channels; k++) {
          const i = (row * W + column) * channels + k, ground = background[k];
          const ink = this.ink ? this.ink[k] : ground > (low + high) / 2 ? low : high;
          const aim = this.erasing ? ground : ink, value = ground + (aim - ground) * cover;
          const further = Math.abs(value - aim) < Math.abs(this.x[i] - aim);
          if (further) this.x[i] = value;
        }
      }
    this.empty = false;
    this.pictures.paint(this.canvas, this.x);
    this.onChange(this.x);
  }

  /* Take an image file, whole, in the model's size; one that is dark on light is turned over if the
     model knows light on dark, and the other way round. Returns what was done, to be said. */
  async load(file) {
    const { shape: [H, W], channels, limits: [low, high], background } = this.pictures;
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      return `${file.name} is no picture that this browser can read.`;
    }
    const border = this.pixels(image, W, H, [0, 0, 0]).filter((_, i) =>
      channels === 1 && (i < W || i >= (H - 1) * W || i % W === 0 || i % W === W - 1));
    const usual = border.sort()[border.length >> 1];
    const turned = channels === 1 && Math.abs(usual - background[0]) > (high - low) / 2;
    const grey = background.map((value) => Math.round(255 * (value - low) / (high - low)));
    const ground = channels === 3 ? grey : Array(3).fill(turned ? 255 - grey[0] : grey[0]);
    const scale = Math.min(W / image.width, H / image.height);
    const x = this.pixels(image, image.width * scale, image.height * scale, ground);
    this.show(turned ? x.map((value) => low + high - value) : x);
    const scaled = image.width === W && image.height === H ? "" : ` Scaled to ${W} × ${H} pixels.`;
    return file.name + "." + scaled + (turned ? " Dark and light were exchanged." : "");
  }

  /* An image drawn w x h in the middle of the model's picture, on the colour `ground`. */
  pixels(image, w, h, ground) {
    const { shape: [H, W], channels, limits: [low, high] } = this.pictures;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [W, H];
    const pen = canvas.getContext("2d");
    pen.fillStyle = `rgb(${ground.join(" ")})`;
    pen.fillRect(0, 0, W, H);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, (W - w) / 2, (H - h) / 2, w, h);
    const { data } = pen.getImageData(0, 0, W, H), x = this.blank();
    for (let i = 0; i < H * W; i++) {
      const rgb = data.subarray(4 * i, 4 * i + 3);
      const own = channels === 3 ? [...rgb] : [(299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000];
      own.forEach((value, k) => { x[i * channels + k] = low + value / 255 * (high - low); });
    }
    return x;
  }
}
