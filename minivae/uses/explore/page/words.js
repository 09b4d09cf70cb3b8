/* What the page says, in words that fit this model, to somebody who never heard of one. */

const COUNTS = ["", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

const HOW = {
  vae:
    "This is a variational autoencoder. One half, the encoder, turns a picture into a few numbers, " +
    "and says how unsure it is of each; the other half, the decoder, turns numbers into a picture. " +
    "Both were trained together, towards two aims: the picture that comes out should equal the one " +
    "that went in, and the descriptions of all pictures together should fill a round cloud without " +
    "gaps. So you can pick a point where no picture ever was, and mostly get one that makes sense.",
  autoencoder:
    "This is an autoencoder. One half, the encoder, turns a picture into a few numbers; the other " +
    "half, the decoder, turns numbers into a picture. Both were trained together so that the picture " +
    "that comes out equals the one that went in. Nothing asks the descriptions to fill the space " +
    "without gaps, so between the dots you may find pictures that make no sense.",
};

function words(Z, parameters) {
  const whole = (n) => n.toLocaleString("en");
  const { prior, classes, relevance, nTrain, part, name } = FACTS;
  const n = COUNTS[Z] ?? Z;
  $("lead").append(
    `A small neural network looked at ${nTrain ? whole(nTrain) : "many"} pictures. It learned to ` +
      "describe each of them by only ",
    make("b", { textContent: `${n} numbers` }),
    ", and to paint a picture from such a description. Nearby descriptions give similar pictures, " +
      "so together they make a map. ",
    make("b", { textContent: "Drag across it, and watch what the network paints." }),
  );
  const seen = part === "test" ? "was not trained on" : "was trained on";
  $("map-help").textContent = [
    `Each dot is a real picture (one that the network ${seen}), where the network places it.`,
    classes.length ? "Its colour says what it shows, which nobody told the network." : "",
    Z > 2 ? `The map is a flat cut through ${Z} dimensions: dots may lie above or below it.` : "",
    "The faint pictures are what it would paint there: it has never seen them.",
  ].join(" ");
  $("own-help").textContent =
    "Draw, drop a picture anywhere on this page, or take one of these. The star on the map is where " +
    `the network places it${prior ? ", and the tinted area around it how unsure it is" : ""}.`;
  $("numbers-title").textContent = `The ${n} numbers`;
  const idle = prior && relevance.some((nats) => nats < IDLE);
  $("numbers-help").textContent =
    Z === 2
      ? "The small pictures show where the ends of each slider lead."
      : "Each slider changes one number and leaves the others; the small pictures show where its " +
        `ends lead. The network uses the first most${idle ? ", and the faint ones not at all" : ""}.`;
  $("how").textContent =
    `${prior ? HOW.vae : HOW.autoencoder} What you draw stays in this page: it runs without a ` +
    "network connection.";
  $("made").textContent =
    `${name ? `${name}, ` : ""}${whole(parameters)} weights. Made with minivae.`;
}
