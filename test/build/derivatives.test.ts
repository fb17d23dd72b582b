import assert from "node:assert/strict";
import { buildMessages } from "../../dsl/diagnostics/messages/build.js";
import { lower } from "../../src/compile.js";
import { type Compiled, type OpenDevice, openDevice, runEntry, type Tensor, tensor } from "../../src/index.js";
import { referenceTarget } from "../../src/target.js";
import { build, diagnosticsOf, type Numbers, run } from "./support.js";

const text = `
import { Attention, Linear, MLP } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"

/// A number for a set of points, the same in whatever order they stand.
module Energy() {
  attend = Attention(4, heads: 2)
  mlp    = MLP(4, hidden: 6)

  forward(x: [n, 4]) -> [] { sum(mlp(x + attend(x)) ** 2) + sum(x[:, 1:3] * x[:, :2]) }
}

model M() {
  energy = Energy()
  net    = Linear(2, 1)
  memory = adapt net with LoRA(rank: 1) as Flat(1, 2)
  param start: [2] = zeros()

  fn level(x: [3, 4]) -> [] { energy(x) }
  fn force(x: [3, 4]) -> [3, 4] { -grad(energy(x), of: x) }
  fn slopes(x: [3, 4]) -> [4, 6] { grad(energy(x), of: energy.mlp.down.weight) }

  fn error(net: Linear, x: [2], y: []) -> [] { (net(x)[0] - y) ** 2 }

  /// One step of descent on the first example, then the loss on the second.
  fn adapted(x: [2], y: [], x2: [2], y2: []) -> [] {
    let (w, b) = grad(error(net, x, y), of: [net.weight, net.bias])
    error(net with { weight: net.weight - 0.1 * stop_gradient(w), bias: net.bias - 0.1 * stop_gradient(b) }, x2, y2)
  }
  fn moved(x2: [2], y2: [], w: [1, 2], b: [1]) -> [] {
    error(net with { weight: net.weight - 0.1 * w, bias: net.bias - 0.1 * b }, x2, y2)
  }
  fn inner(x: [2], y: []) -> ([1, 2], [1]) { grad(error(net, x, y), of: (net.weight, net.bias)) }

  /// The tokens that make one example right, found by descent from where they start.
  fn tuned(x: [2], y: []) -> memory.tokens {
    let tokens = stop_gradient(full([1, 2, 1, 2], 0.5))
    for step in range(3) { tokens = tokens - 0.002 * grad(error(net with memory(tokens), x, y), of: tokens) }
    tokens
  }
  fn token_error(t: memory.tokens, x: [2], y: []) -> [] { error(net with memory(t), x, y) }

  fn through(x: [2]) -> [] {
    let middle = sin(x)
    sum(grad(sum(middle ** 3), of: middle) * x)
  }
  fn unrolled(x: [2], y: []) -> [] { error(net with { weight: net.weight - grad(error(net, x, y), of: net.weight) }, x, y) }
  fn force_loss(x: [3, 4], wanted: [3, 4]) -> [] { mean((grad(energy(x), of: x) - wanted) ** 2) }

  train first on adapted { update: net, optimizer: sgd(0.1), batch: 2 }
}
`;

const noise = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin((place + 1) * 12.9898 * (seed + 1)));

const close = (actual: Numbers, expected: Numbers, tolerance: number): void => {
  assert.equal(actual.length, expected.length);
  for (let place = 0; place < expected.length; place++)
    assert.ok(
      Math.abs(actual[place]! - expected[place]!) <= tolerance,
      `at ${place}: ${actual[place]} instead of ${expected[place]}`,
    );
};

/** Slopes of a function of some numbers. */
const differences = (numbers: readonly number[], value: (moved: readonly number[]) => number, step = 1e-5): number[] =>
  numbers.map((number, place) => {
    const [above, below] = [number + step, number - step].map((moved) => value(numbers.with(place, moved)));
    return (above! - below!) / (2 * step);
  });

describe("derivatives as expressions", () => {
  let compiled: Compiled;
  const stored: Record<string, number[]> = {};
  before(async () => {
    compiled = { model: await build(text), sources: new Map([["model.weft", text]]), warnings: [] };
    compiled.model.parameters.forEach(({ path, shape }, place) => {
      stored[path] = noise(
        shape.reduce((product, size) => product * size, 1),
        place,
      ).map((value) => 0.7 * value);
    });
  });
  const value = (
    entry: string,
    inputs: Readonly<Record<string, Numbers>>,
    weights: Readonly<Record<string, Numbers>> = {},
  ) => run(compiled.model, entry, inputs, { ...stored, ...weights });

  const x = noise(12, 20);

  it("are the force field of an energy", () => {
    const expected = differences(x, (moved) => -value("level", { x: moved }).output![0]!);
    close(value("force", { x }).output!, expected, 1e-7);
  });

  it("are taken by stored tensors too", () => {
    const path = "energy.mlp.down.weight";
    const expected = differences(stored[path]!, (moved) => value("level", { x }, { [path]: moved }).output![0]!);
    close(value("slopes", { x }).output!, expected, 1e-7);
  });

  it("are taken by values that were bound before, and by what is left of them", () => {
    const at = [0.3, -0.8];
    const expected = at.reduce((sum, number) => sum + 3 * Math.sin(number) ** 2 * number, 0);
    close(value("through", { x: at }).output!, [expected], 1e-12);
  });

  it("make steps of descent: on weights, and on the tokens of an operator", () => {
    const [one, y] = [[0.4, -0.9], [0.6]];
    let tokens = [0.5, 0.5, 0.5, 0.5];
    for (let step = 0; step < 3; step++) {
      const slopes = differences(tokens, (t) => value("token_error", { t, x: one, y }).output![0]!);
      tokens = tokens.map((number, place) => number - 0.002 * slopes[place]!);
    }
    close(value("tuned", { x: one, y }).output!, tokens, 1e-6);
  });

  it("stand still in gradients where they are stopped: the outer gradient is of first order", () => {
    const given = { x: [0.4, -0.9], y: [0.6], x2: [-0.2, 1.1], y2: [0.1] };
    const { "output.0": w, "output.1": b } = value("inner", { x: given.x, y: given.y });
    const outer = { x2: given.x2, y2: given.y2, w: w!, b: b! };
    close(value("adapted", given).output!, value("moved", outer).output!, 1e-12);
  });

  for (const kind of ["reference", "cpu"] as const) {
    describe(`on the ${kind} device`, () => {
      let open: OpenDevice;
      before(async () => {
        open = await openDevice(kind, { threads: 1 });
      });
      after(() => open.device.close());

      const tensors = (values: Readonly<Record<string, readonly [shape: readonly number[], data: Numbers]>>) =>
        new Map(
          Object.entries(values).map(([name, [shape, data]]): [string, Tensor] => [
            name,
            tensor("f32", shape, Float32Array.from(data)),
          ]),
        );
      const parameters = (entry: string) => {
        const read = compiled.model
          .entryPoint(entry)
          .graph.nodes.flatMap((node) =>
            node.primitive === "parameter"
              ? [[node.attributes.path, [node.attributes.shape, stored[node.attributes.path]!]] as const]
              : [],
          );
        return tensors(Object.fromEntries(read));
      };

      it("are of each instance alone", async () => {
        const both = [...x, ...noise(12, 31)];
        const inputs = tensors({ x: [[2, 3, 4], both] });
        for (const entry of ["force", "slopes"]) {
          const outputs = await runEntry(compiled, open, { entry, parameters: parameters(entry), inputs });
          const expected = [both.slice(0, 12), both.slice(12)].flatMap((one) => value(entry, { x: one }).output!);
          close(outputs.get("output")!.data, expected, 1e-4);
        }
      });

      it("are followed by an outer gradient of first order", async () => {
        const given = { x: [0.4, -0.9, 1, 0.2], y: [0.6, -0.4], x2: [-0.2, 1.1, 0.5, 0.5], y2: [0.1, 0.9] };
        const inputs = tensors({
          x: [[2, 2], given.x],
          y: [[2], given.y],
          x2: [[2, 2], given.x2],
          y2: [[2], given.y2],
        });
        const request = { entry: "adapted", parameters: parameters("adapted"), inputs, gradients: ["net.weight"] };
        const outputs = await runEntry(compiled, open, request);
        const total = (weight: readonly number[]): number =>
          [0, 1].reduce((sum, row) => {
            const pair = (data: readonly number[]) => data.slice(2 * row, 2 * row + 2);
            const { "output.0": w, "output.1": b } = value("inner", { x: pair(given.x), y: [given.y[row]!] });
            const outer = { x2: pair(given.x2), y2: [given.y2[row]!], w: w!, b: b! };
            return sum + value("moved", outer, { "net.weight": weight }).output![0]!;
          }, 0);
        close(outputs.get("gradient:net.weight")!.data, differences(stored["net.weight"]!, total), 1e-4);
      });
    });
  }

  it("are not derived again: neither by a stage nor on request", async () => {
    const { secondOrder } = buildMessages;
    for (const [entry, update] of [
      ["unrolled", "net"],
      ["force_loss", "energy.mlp"],
    ]) {
      const stage = `train second on ${entry} { update: ${update}, optimizer: sgd(0.1) }\n}\n`;
      const found = await diagnosticsOf(text.replace(/\}\s*$/, stage));
      assert.deepEqual(
        found.map(({ code, message, labels }) => [code, message, labels.length]),
        [[secondOrder.code, secondOrder.text({ stage: "second" }), 1]],
      );
    }
    const purpose = { kind: "gradients", withRespectTo: ["x"] } as const;
    const options = { purpose, target: referenceTarget, batch: 2 };
    assert.throws(() => lower(compiled.model, "force", options), new RegExp(secondOrder.code));
    assert.doesNotThrow(() =>
      lower(compiled.model, "adapted", { ...options, purpose: { kind: "gradients", withRespectTo: ["net.weight"] } }),
    );
  });

  it("are refused of what is no number, by what is no float tensor, and by what does not matter", async () => {
    const told = async (body: string): Promise<readonly string[]> =>
      (await diagnosticsOf(`model M() { fn f(x: [4], i: int[4]) -> [4] {\n${body}\n} }\n`)).map(
        ({ message }) => message,
      );
    assert.deepEqual(await told("grad(x * x, of: x)"), ["`value` must be one number, `[]`, but it is a tensor [4]"]);
    assert.deepEqual(await told("grad(sum(x * float(i)), of: i)"), [
      "`of` must be a float tensor, or a list of them, but it is a tensor int[4]",
    ]);
    assert.deepEqual(await told("grad(sum(floor(x)), of: x)"), [buildMessages.derivativeOfNothing.text({})]);
    assert.deepEqual(await told("let y = 2 * x\ngrad(sum(x), of: y)"), [buildMessages.derivativeOfNothing.text({})]);
  });
});
