/* Arrays of pixels as pictures, in the colours of the page; and small helpers that all files use. */

const FACTS = JSON.parse(document.getElementById("facts").textContent);

const $ = (id) => document.getElementById(id);

const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

const press = (button, pressed) => button.setAttribute("aria-pressed", pressed);

/* A number with two digits, and a minus that is as wide as a plus. */
const number = (value) =>
  value
    .toFixed(2)
    .replace(/^-0.00$/, "0.00")
    .replace("-", "−");

/* The name of a latent number, z with an index from 1. */
function named(k) {
  const name = make("b", { textContent: "z" });
  name.append(make("sub", { textContent: k + 1 }));
  return name;
}

/* What the style sheet says for light and for dark, to draw with. */
const colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["bg", "ink", "soft", "line", "faint", "accent", "mine"])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
}

/* Red, green and blue of "#rrggbb", each from 0 to 255. */
const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

const pictures = {
  shape: FACTS.shape.slice(0, 2),
  channels: FACTS.shape[2] || 1,
  limits: FACTS.limits,
  background: FACTS.background,

  byte(value) {
    const [low, high] = this.limits;
    return Math.min(Math.max((255 * (value - low)) / (high - low), 0), 255);
  },

  value(byte) {
    const [low, high] = this.limits;
    return low + (byte / 255) * (high - low);
  },

  /* Whether pixels are light on a dark ground. */
  get dark() {
    return this.background[0] < (this.limits[0] + this.limits[1]) / 2;
  },

  /* An image whose pixels are what `colour` makes of the values of each. */
  image(x, colour) {
    const [H, W] = this.shape;
    const data = new Uint8ClampedArray(4 * H * W);
    for (let i = 0; i < H * W; i++)
      data.set(colour(x.subarray(i * this.channels, (i + 1) * this.channels)), 4 * i);
    return new ImageData(data, W, H);
  },

  colour(v) {
    const [red, green, blue] = v.length === 3 ? v : [v[0], v[0], v[0]];
    return [this.byte(red), this.byte(green), this.byte(blue), 255];
  },

  /* Paint x on a canvas, a pixel for a pixel. */
  paint(canvas, x) {
    [canvas.height, canvas.width] = this.shape;
    canvas.getContext("2d").putImageData(
      this.image(x, (v) => this.colour(v)),
      0,
      0,
    );
  },

  /* A grey picture in the page's ink on its paper, so that it suits light and dark. */
  ink(x) {
    if (this.channels === 3) return this.image(x, (v) => this.colour(v));
    const ink = rgb(colours.ink);
    return this.image(x, (v) => [...ink, this.dark ? this.byte(v[0]) : 255 - this.byte(v[0])]);
  },
};

/* The examples that the page holds: their pixels, where they are encoded, and their classes. */
class Examples {
  constructor(bytes, codes) {
    Object.assign(this, { bytes, codes, n: FACTS.n, y: FACTS.y, classes: FACTS.classes });
    this.Z = FACTS.program.latent;
    this.D = bytes.length / this.n;
  }

  picture(i) {
    const own = this.bytes.subarray(i * this.D, (i + 1) * this.D);
    return Float64Array.from(own, (byte) => pictures.value(byte));
  }

  code(i) {
    return this.codes.subarray(i * this.Z, (i + 1) * this.Z);
  }

  name(i) {
    return this.y ? this.classes[this.y[i]].name : `picture ${i + 1}`;
  }

  /* Of each latent number: what is usual (under the prior, else for the codes), and how far the
     codes reach. */
  spread() {
    const average = (values) => values.reduce((sum, value) => sum + value, 0) / this.n;
    return Array.from({ length: this.Z }, (_, k) => {
      const own = Array.from({ length: this.n }, (_, i) => this.codes[i * this.Z + k]);
      const mean = FACTS.prior ? 0 : average(own);
      const sd = FACTS.prior ? 1 : Math.sqrt(average(own.map((v) => (v - mean) ** 2))) || 1;
      return { mean, sd, reach: Math.max(3 * sd, ...own.map((v) => Math.abs(v - mean))) };
    });
  }

  /* The numbers of `most` examples, of all classes alike. */
  some(most) {
    const all = Array.from({ length: this.n }, (_, i) => i);
    const groups = this.y ? this.classes.map((_, k) => all.filter((i) => this.y[i] === k)) : [all];
    const chosen = [];
    for (let round = 0; round < this.n; round++)
      for (const group of groups)
        if (round < group.length && chosen.length < most) chosen.push(group[round]);
    return chosen;
  }
}

/* The weights, and the examples with their codes. */
async function unpackRun() {
  const [weights, codes, bytes] = await Promise.all([
    unpack("weights", Float32Array),
    unpack("codes", Float32Array),
    unpack("examples", Uint8Array),
  ]);
  readColours();
  return [weights, new Examples(bytes, codes)];
}

/* Run what makes the page, and say why where it cannot. */
function begin(start) {
  start().catch((error) => {
    const old = typeof DecompressionStream === "undefined";
    $("notice").hidden = false;
    $("notice").textContent = old
      ? "This browser is too old for the page; any from 2023 or later will do."
      : `The page could not start: ${error.message}`;
    if (!old) throw error;
  });
}
