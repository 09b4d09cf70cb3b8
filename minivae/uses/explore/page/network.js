/* The model: forward passes of the library's layers for one example, in float64 on its float32
   weights. `FACTS.program` says which steps to take; layers of images are in layers.js, and the lines
   of JavaScript that the files of the operations hold in `ACTIVATIONS` and `LIKELIHOOD` (program.py). */

async function unpack(id, Type) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = Type.BYTES_PER_ELEMENT,
    n = planes.length / size;
  const joined = new Uint8Array(planes.length);
  for (let byte = 0; byte < size; byte++)
    for (let i = 0; i < n; i++) joined[i * size + byte] = planes[byte * n + i];
  return new Type(joined.buffer); // little-endian, as every browser's machine is
}

const sigmoid = (x) => (x > 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/* erf(x) = 2 / sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)): no cancellation. */
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x,
    sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++)
    sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/* y = x W + b. */
function linear(step, x, W) {
  const y = Float64Array.from(W.subarray(step.b, step.b + step.out));
  for (let i = 0; i < step.in; i++) {
    if (x[i] === 0) continue;
    const value = x[i],
      row = step.W + i * step.out;
    for (let j = 0; j < step.out; j++) y[j] += value * W[row + j];
  }
  return y;
}

class Network {
  constructor(program, weights) {
    this.program = program;
    this.weights = weights;
  }

  /* A layer, or an activation of every entry. */
  step(step, x) {
    const layer = LAYERS[step.op];
    if (layer) return layer(step, x, this.weights);
    return x.map((value) => ACTIVATIONS[step.op](value, step));
  }

  run(steps, x) {
    return steps.reduce((values, step) => this.step(step, values), x);
  }

  /* Where the image x is placed, mu, and how sure that is, sigma (null for an autoencoder). */
  encode(x) {
    const { encoder, latent, clamp, options } = this.program;
    const out = this.run(encoder, LIKELIHOOD.encode(Float64Array.from(x), options));
    if (!clamp) return { mu: out, sigma: null };
    const logvar = out.slice(latent).map((v) => Math.min(Math.max(v, clamp[0]), clamp[1]));
    return { mu: out.slice(0, latent), sigma: logvar.map((v) => Math.exp(v / 2)) };
  }

  /* The mean image of the latent z. */
  decode(z) {
    const { decoder, options } = this.program;
    return LIKELIHOOD.mean(this.run(decoder, Float64Array.from(z)), options);
  }
}
