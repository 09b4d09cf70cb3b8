/* The decoders of melodies: logits of all steps at once, or of one step after the other, each of which
   hears what the step before has said. The layers are those of layers.js. */

class Decoder extends Network {
  /* Numbers of the symbols (T,) at the latent z: of each step the likeliest, from 1. */
  symbols(z) {
    const { decoder, recurrent, symbols } = this.program;
    if (recurrent) return this.oneByOne(z, recurrent);
    const logits = this.run(decoder, Float64Array.from(z));
    const T = logits.length / symbols;
    return Array.from({ length: T }, (_, t) =>
      likeliest(logits.subarray(t * symbols, (t + 1) * symbols)),
    );
  }

  oneByOne(z, { start, embedding, width, gru, states, head, steps, deaf }) {
    const { weights } = this;
    let h = this.run(start, Float64Array.from(z)),
      heard = 0;
    const said = [];
    for (let t = 0; t < steps; t++) {
      const row = embedding + heard * width;
      h = this.unit(gru, states, [...weights.subarray(row, row + width), ...z], h);
      said.push(likeliest(this.run(head, h)));
      heard = deaf ? 0 : said[t];
    }
    return said;
  }

  /* A step of the gated recurrent unit, (1) to (4) of gru.py: from x and the state h to the next. */
  unit({ W, U, b, c }, H, x, h) {
    const { weights } = this;
    const a = linear({ in: x.length, out: 3 * H, W, b }, x, weights);
    const s = new Float64Array(3 * H);
    for (let i = 0; i < H; i++)
      for (let j = 0; j < 3 * H; j++) s[j] += h[i] * weights[U + i * 3 * H + j];
    return h.map((before, j) => {
      const r = sigmoid(a[j] + s[j]);
      const u = sigmoid(a[H + j] + s[H + j]);
      const n = Math.tanh(a[2 * H + j] + r * (s[2 * H + j] + weights[c + j]));
      return (1 - u) * n + u * before;
    });
  }
}

/* The number of the likeliest symbol, from 1: 0 is the padding, which has no logit. */
const likeliest = (logits) => logits.indexOf(Math.max(...logits)) + 1;
